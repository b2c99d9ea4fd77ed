"""Upper bounds in float64 for models too large for exact arithmetic, rounding included.

Exact numbers are first scaled by a power of two to |x| ≤ 1 and rounded, which moves each by at most
u = 2^−53. A sum of q float products of such numbers, in any order, is off by at most
q(q + 1)·1.01·u (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1), underflow
by less than 2^−1000. Every bound below adds an allowance that covers these, stated beside it.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from verify.measure.dyadic import Dyadic

Floats = npt.NDArray[np.float64]

UNIT = 2.0**-53
_ENTRIES_AT_ONCE = 4_000_000


def scaled(values: Dyadic) -> tuple[Floats, int]:
    """Return floats x and an integer e with |x| ≤ 1 and |value − x·2^e| ≤ u·2^e.

    The greatest |x| is at least ½, unless all values are 0.
    """
    bits = max((int(n).bit_length() for n in values.numerators.ravel()), default=0)
    whole = 1 << bits
    floats = [n / whole for n in values.numerators.ravel().tolist()]
    return np.array(floats, dtype=np.float64).reshape(values.shape), bits - values.exponent


def diameter(points: Dyadic) -> Fraction:
    """Return an upper bound of the largest distance between two rows of (n, d).

    With the first row as origin, the points x scaled as above, the greatest squared distance of
    the rounded points is computed from squares and inner products: off by at most 5d(d + 3)u. The
    rounded points are within u√d of the true ones. The diameter is at least ½, so the relative
    excess is of order 10 d² u.
    """
    x, exponent = scaled(points - points[:1])
    n, d = x.shape
    squares = (x * x).sum(axis=1)
    largest = 0.0
    for start in range(0, n, _rows(n)):
        part = slice(start, start + _rows(n))
        between = squares[part, None] + squares[None, :] - 2 * (x[part] @ x.T)
        largest = max(largest, float(between.max()))
    if not x.any():
        return Fraction(0)
    above = math.sqrt(largest + 5 * d * (d + 3) * UNIT) + 2 * math.sqrt(d) * UNIT
    return _times_power(_up(above), exponent)


def largest_response(direct: Dyadic, hidden: Dyadic, gains: Dyadic) -> Fraction:
    """Return an upper bound of |direct_i − direct_j| + Σ_k gains_k |hidden_ik − hidden_jk|.

    The maximum over all pairs of rows i, j and over all outputs. Args: direct, (n, o); hidden,
    (n, m); gains, (m, o), none negative.

    Rows are taken relative to the first one, columns of `hidden` scaled to |x| ≤ 1 one by one, and
    the direct part and the gains, so scaled, by one common power of two. A term |x_i − x_j| is
    off by at most 4u, a gain by u; the sum by at most 3(m + 2)(m + 8)u. As some gain or direct part
    is at least ½ and moves by at least ½, the relative excess is at most 12(m + 2)(m + 8)u.
    """
    moving = [k for k in range(hidden.shape[1]) if (hidden[:, k] - hidden[:1, k]).numerators.any()]
    n, m, outputs = hidden.shape[0], len(moving), direct.shape[1]
    columns = [scaled(hidden[:, k] - hidden[:1, k]) for k in moving]
    lowest = min((e for _, e in columns), default=0)
    powers = np.array([1 << (e - lowest) for _, e in columns], dtype=object).reshape(m, 1)
    # Gains times the scale of their column, in units of 2^lowest.
    weights = Dyadic(gains.numerators[moving] * powers, gains.exponent - lowest)
    moves = direct - direct[:1]
    if not weights.numerators.any() and not moves.numerators.any():
        return Fraction(0)
    exponent = max(_bits(weights), _bits(moves))
    weight, shift = _scaled_to(weights, exponent), _scaled_to(moves, exponent)
    x = np.stack([column for column, _ in columns], axis=1) if m else np.zeros((n, 0))
    largest = 0.0
    step = max(1, _ENTRIES_AT_ONCE // (n * (m + 2 * outputs)))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        moved = np.abs(x[rows, None, :] - x[None, start:, :]) @ weight
        moved += np.abs(shift[rows, None, :] - shift[None, start:, :])
        largest = max(largest, float(moved.max(initial=0.0)))
    return _times_power(_up(largest + 3 * (m + 2) * (m + 8) * UNIT), exponent)


def operator_norm(matrix: Dyadic) -> Fraction:
    """Return an upper bound of ‖A‖₂, relative excess of order (rows + columns)² u.

    For any Q with E = ‖QᵀQ − 1‖ < 1: ‖A‖ ≤ ‖AQ‖ / √(1 − E), and ‖AQ‖² = ‖(AQ)ᵀAQ‖ is at most the
    largest row sum of |(AQ)ᵀAQ|, which is sharp for the eigenvectors Q of AᵀA: then the
    off-diagonal entries nearly vanish. Q comes from floats and needs no trust. With r rows and
    d ≤ r columns, ‖A‖_F = F and ‖Q‖_F² ≤ 2d: AQ is off by at most (d + 1)·1.01·u·F·√(2d) in
    Frobenius norm, and the row sums of products of X = float(AQ) by 1.01·r·u·√d·‖X‖_F².
    """
    x, exponent = scaled(matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T)
    r, d = x.shape
    if not x.any():
        return Fraction(0)
    q = np.linalg.eigh(x.T @ x)[1]
    product = x @ q
    size = float(np.sqrt((x * x).sum())) * (1 + r * d * UNIT)
    off_product = 2 * (d + 2) * UNIT * size * math.sqrt(2 * d)
    square = float((product * product).sum()) * (1 + r * d * UNIT)
    row_sum = float(np.abs(product.T @ product).sum(axis=1).max()) * (1 + 2 * d * UNIT)
    row_sum += 2 * (r + 2) * UNIT * math.sqrt(d) * square
    defect = float(np.abs(q.T @ q - np.eye(d)).sum(axis=1).max()) + 4 * d * (d + 4) * UNIT
    if not defect < 0.5:
        return _times_power(_up(size + math.sqrt(r * d) * UNIT), exponent)
    above = (math.sqrt(row_sum) * (1 + 4 * UNIT) + off_product) / math.sqrt(1 - defect)
    # The rounded entries are within u of the true ones, √(rd)·u in norm.
    return _times_power(_up(above * (1 + 8 * UNIT) + math.sqrt(r * d) * UNIT), exponent)


def _rows(n: int) -> int:
    """Return how many rows of n entries fit into one block."""
    return max(1, _ENTRIES_AT_ONCE // max(1, n))


def _up(value: float) -> float:
    """Return a float above `value` by more than the rounding of the last few operations."""
    return math.nextafter(value * (1 + 16 * UNIT), math.inf)


def _times_power(value: float, exponent: int) -> Fraction:
    return Fraction(value) * Fraction(2) ** exponent


def _bits(values: Dyadic) -> int:
    """Return the least e with all entries ≤ 2^e in size; very small where all are 0."""
    bits = max((int(n).bit_length() for n in values.numerators.ravel()), default=0)
    return bits - values.exponent if bits else -(1 << 30)


def _scaled_to(values: Dyadic, exponent: int) -> Floats:
    """Return floats x with |value − x·2^exponent| ≤ u·2^exponent, where all values are below it."""
    shift = values.exponent + exponent
    if not values.numerators.any():
        return np.zeros(values.shape)
    if shift >= 0:
        whole = 1 << shift
        floats = [n / whole for n in values.numerators.ravel().tolist()]
    else:
        floats = [float(n << -shift) for n in values.numerators.ravel().tolist()]
    return np.array(floats, dtype=np.float64).reshape(values.shape)
