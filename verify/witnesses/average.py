"""Pairs whose average error is small at every short length and large at a longer one.

In each pair g = 0 and f is a bump in one statistic of the input that is narrower than the steps of
the statistic at short lengths, so that short inputs rarely meet it, and as wide as the
fluctuation of the statistic at length T; or, in `prime_tents`, a sum of bumps at the steps of the
statistic at length T. Proofs: [derived, Propositions A4, A8 and C4′] and [derived, L1 to L3] in
docs/theory.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from bounds.numbers import exact
from verify.average.laws import DirichletLaw, FixedLaw
from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]

_BITS = 4
"""Bits of the finite-precision pairs; logits are this far apart, so hardmax holds from length 2."""


@dataclass(frozen=True)
class AverageWitness:
    """A model that is nearly 0 on average on short inputs and not on long ones; g = 0.

    Attributes:
        f: the model, one output.
        law: of the inputs of every length.
        lipschitz: Λ of f in the slope's sense: of the output in the statistic.
        short_error: n → proved upper bound on ‖f‖_n.
        long_length: T; None for the limit T → ∞.
        long_error: proved lower bound on ‖f‖_T; an asymptotic value for `circulation`.
    """

    f: LimitTransformer
    law: DirichletLaw | FixedLaw
    lipschitz: float
    short_error: Callable[[int], float]
    long_length: int | None
    long_error: float

    @property
    def g(self) -> LimitTransformer:
        """The model that is 0 everywhere."""
        return replace(self.f, unembedding=np.zeros_like(self.f.unembedding))


def ring(long_length: int) -> AverageWitness:
    """Δ = 2, argmax: average error needs N of order Λ²/ε².

    Source: [derived, Proposition A4].

    The statistic is the difference of the counts of token 1 at odd and at even positions, over
    their sum; Dir(1, 1).

    Args:
        long_length: T, an even integer ≥ 4; the bump has the width T^(−1/2).

    Raises:
        InputError: it is none.
    """
    _check_length("long_length", long_length, 4, even=True)
    width = long_length**-0.5
    # Coordinates: token 1, constant, sign of the residue, token 0, statistic, output.
    embedding = _zeros(2, 6)
    embedding[:, 1] = 1.0
    embedding[1, 0] = embedding[0, 3] = 1.0
    positions = _zeros(2, 6)
    positions[1, 2], positions[0, 2] = 1.0, -1.0
    prefer_one, value = _zeros(6, 6), _zeros(6, 6)
    prefer_one[0, 1] = float(_BITS)
    value[4, 2], value[4, 3] = 1.0, width  # without a token 1 the statistic is at least `width`
    layer = Layer(
        (Head(prefer_one, value, np.zeros(1)),), *_bump(6, 4, 5, (0.0, width), 0.0, both=True)
    )
    f = LimitTransformer(embedding, positions, (layer,), _row(6, 5), _BITS)
    loss = width * (1 + math.pi / 2 + math.log(1 / (2 * width)))
    return AverageWitness(
        f,
        DirichletLaw([1, 1]),
        2 + width,
        lambda n: math.pi * math.sqrt(math.pi / 8) * width**2 * math.sqrt(n),
        long_length,
        max(width * (0.1562 - loss), 0.0),
    )


def fair_coin(long_length: int) -> AverageWitness:
    """Softmax without lag bias, a fair coin: N of order L²/ε² is necessary.

    Source: [derived, L1].

    Args:
        long_length: T ≥ 2; the bump in |share of token 1 − ½| has the width T^(−1/2).

    Raises:
        InputError: it is none.
    """
    _check_length("long_length", long_length, 2)
    width = long_length**-0.5
    f = _share_model(_zeros(4, 4), [0.0], _bump(4, 2, 3, (0.0, width), 0.5, both=True))
    return AverageWitness(
        f,
        FixedLaw(["1/2", "1/2"]),
        1.0,
        lambda n: math.sqrt(2 / math.pi) * width**2 * math.sqrt(n),
        long_length,
        width * (0.2408 - width / 2),
    )


def rare_class(long_length: int, class_probability: Any) -> AverageWitness:
    """A fixed law, argmax, no positions: N of order Λ²/(q*ε²) is necessary.

    Source: [derived, L1 with a rare class].

    Tokens 0 and 1 are attended to and equally likely, token 2 is not attended to; the statistic is
    |output − ½|.

    Args:
        long_length: T; the bump has the width (qT)^(−1/2).
        class_probability: q, the probability of tokens 0 and 1 together; qT ≥ 2.

    Raises:
        InputError: an argument is none of those.
    """
    _check_length("long_length", long_length, 2)
    q = exact(class_probability)
    if not (isinstance(q, Fraction) and 0 < q <= 1 and q * long_length >= 2):
        raise InputError("class_probability", class_probability, "a rational in [2/T, 1]")
    width = float(q * long_length) ** -0.5
    # Coordinates: token 0 or 1, constant, value, statistic, output.
    embedding = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 0.5, 0, 0]])
    prefer, value = _zeros(5, 5), _zeros(5, 5)
    prefer[0, 1] = float(_BITS)
    value[3, 2] = 1.0
    layer = Layer(
        (Head(prefer, value, np.zeros(1)),), *_bump(5, 3, 4, (0.0, width), 0.5, both=True)
    )
    return AverageWitness(
        LimitTransformer(embedding, _zeros(1, 5), (layer,), _row(5, 4), _BITS),
        FixedLaw([q / 2, q / 2, 1 - q]),
        1.0,
        lambda n: math.sqrt(2 / math.pi * float(q) * n) * width**2,
        long_length,
        width * (0.2408 - 1.71 * width),
    )


def prime_tents(long_length: int, height: Any) -> AverageWitness:
    """No positions, uniform attention, Dir(1, 1): N of order Λ/ε is necessary.

    Source: [derived, Proposition A8].

    The statistic is the share of token 1, the tents stand at its values k/T.

    Args:
        long_length: T, a prime ≥ 3.
        height: c; the tents have the height and the half-width c/T, 0 < c ≤ ½.

    Raises:
        InputError: an argument is none of those.
    """
    _check_length("long_length", long_length, 3)
    if any(long_length % k == 0 for k in range(2, math.isqrt(long_length) + 1)):
        raise InputError("long_length", long_length, "a prime")
    c = float(height)
    if not 0 < c <= 0.5:
        raise InputError("height", height, "a number in (0, 1/2]")
    half = c / long_length
    edges, weights = [], []
    for k in range(1, long_length):
        edges += [(k - c) / long_length, k / long_length, (k + c) / long_length]
        weights += [1.0, -2.0, 1.0]
    # Coordinates: token 1, constant, its share, output.
    embedding = np.array([[0.0, 1, 0, 0], [1, 1, 0, 0]])
    mlp_in, mlp_out = _zeros(len(edges), 4), _zeros(4, len(edges))
    mlp_in[:, 2] = 1.0
    mlp_out[3] = weights
    value = _zeros(4, 4)
    value[2, 0] = 1.0
    head = Head(_zeros(4, 4), value, np.zeros(1))
    layer = Layer((head,), mlp_in, -np.array(edges), mlp_out)
    return AverageWitness(
        LimitTransformer(embedding, _zeros(1, 4), (layer,), _row(4, 3), _BITS),
        DirichletLaw([1, 1]),
        1.0,
        lambda n: half * (c if n < long_length else 1.0),
        long_length,
        half * (long_length - 1) / (long_length + 1),
    )


def window(agreement_length: int, margin: float) -> AverageWitness:
    """Softmax, lag bias 1 − γ at lag 1, γ < ½: N of order ε^(−1/γ) is necessary.

    Source: [derived, L2].

    Args:
        agreement_length: N ≥ 1; the bump around share ½ has the half-width N^(−γ)/64.
        margin: γ, 0 < γ < ½.

    Raises:
        InputError: an argument is none of those.
    """
    _check_length("agreement_length", agreement_length, 1)
    if not 0 < margin < 0.5:
        raise InputError("margin", margin, "a number in (0, 1/2)")
    half = agreement_length**-margin / 64
    bump = _bump(4, 2, 3, (-half, half), 0.5, both=False)
    f = _share_model(_zeros(4, 4), [0.0, 1 - margin], bump)
    return AverageWitness(
        f,
        FixedLaw(["1/2", "1/2"]),
        1.0,
        lambda n: 0.28 * half if n <= agreement_length else half,
        None,
        half,
    )


def rare_token(agreement_length: int, alpha: Any, alpha_rest: Any) -> AverageWitness:
    """Softmax with a logit range ln(N − 1), Dirichlet: N of order ε^(−1/α).

    Source: [derived, L3].

    f is 0 on every single input of length ≤ N.

    Args:
        agreement_length: N ≥ 10.
        alpha: parameter of token 1, which attention prefers.
        alpha_rest: parameter of token 0.

    Raises:
        InputError: an argument is none of those.
    """
    _check_length("agreement_length", agreement_length, 10)
    law = DirichletLaw([alpha_rest, alpha])
    a, rest = float(law.alpha[1]), float(law.alpha[0])
    prefer_one = _zeros(4, 4)
    prefer_one[0, 1] = math.log(agreement_length - 1)
    f = _share_model(prefer_one, [0.0], _bump(4, 2, 3, (0.0, 0.5), 0.0, both=False))
    beta = math.exp(math.lgamma(a) + math.lgamma(rest) - math.lgamma(a + rest))
    factor = (0.6**a - (5 / 32) ** a) / (8 * a * beta) * (15 / 16) ** max(rest - 1, 0.0)
    return AverageWitness(
        f,
        law,
        1.0,
        lambda n: 0.0 if n <= agreement_length else math.inf,
        None,
        factor * agreement_length**-a,
    )


def circulation(long_length: int) -> AverageWitness:
    """Two argmax layers, Dir(1, 1, 1): N of order L²/ε² is necessary.

    Source: [derived, Proposition C4′].

    The statistic is the mean of χ(x_{i−1}, x_i), χ(s, s ± 1) = ±1 on ℤ/3.

    Args:
        long_length: T ≥ 17; the bump in |statistic| has the width T^(−1/2).

    Raises:
        InputError: it is none.
    """
    _check_length("long_length", long_length, 17)
    width = long_length**-0.5
    # Coordinates: own token (3), previous token (3), χ, statistic, output.
    embedding = np.eye(3, 9)
    copy = _zeros(9, 9)
    copy[3:6, 0:3] = np.eye(3)
    units, into_chi = _zeros(6, 9), _zeros(9, 6)
    for token in range(3):
        for sign, unit in ((1, token), (-1, 3 + token)):
            units[unit, token] = units[unit, 3 + (token - sign) % 3] = 1.0
            into_chi[6, unit] = sign
    previous = Head(_zeros(9, 9), copy, np.array([0.0, _BITS]))
    first = Layer((previous,), units, np.full(6, -1.0), into_chi)
    mean = _zeros(9, 9)
    mean[7, 6] = 1.0
    second = Layer(
        (Head(_zeros(9, 9), mean, np.zeros(1)),), *_bump(9, 7, 8, (0.0, width), 0.0, both=True)
    )
    f = LimitTransformer(embedding, _zeros(1, 9), (first, second), _row(9, 8), _BITS)
    factor = 18.8 / math.sqrt(1 - 4 * width)
    return AverageWitness(
        f,
        DirichletLaw([1, 1, 1]),
        1.0,
        lambda n: factor * width**2 * math.sqrt(n),
        long_length,
        0.2105 * width,
    )


def _share_model(
    query_key: Floats, lag_bias: list[float], bump: tuple[Floats, Floats, Floats]
) -> LimitTransformer:
    """Softmax attention on two tokens; coordinates: token 1, constant, its share, output."""
    embedding = _zeros(2, 4)
    embedding[:, 1] = 1.0
    embedding[1, 0] = 1.0
    value = _zeros(4, 4)
    value[2, 0] = 1.0
    layer = Layer((Head(query_key, value, np.array(lag_bias)),), *bump)
    return LimitTransformer(embedding, _zeros(1, 4), (layer,), _row(4, 3), None)


def _bump(
    dimension: int, read: int, write: int, ends: tuple[float, float], centre: float, *, both: bool
) -> tuple[Floats, Floats, Floats]:
    """ReLU weights that add a triangle of slope 1 over `ends`, in coordinate `read` − centre.

    With `both` the same triangle is added for the negative argument.
    """
    low, high = ends
    signs = (1.0, -1.0) if both else (1.0,)
    rows = [
        (s, edge, w)
        for s in signs
        for edge, w in ((low, 1.0), ((low + high) / 2, -2.0), (high, 1.0))
    ]
    mlp_in, mlp_out = _zeros(len(rows), dimension), _zeros(dimension, len(rows))
    for unit, (sign, _, weight) in enumerate(rows):
        mlp_in[unit, read] = sign
        mlp_out[write, unit] = weight
    bias = np.array([-sign * centre - edge for sign, edge, _ in rows])
    return mlp_in, bias, mlp_out


def _zeros(rows: int, columns: int) -> Floats:
    return np.zeros((rows, columns))


def _row(size: int, index: int) -> Floats:
    row = np.zeros((1, size))
    row[0, index] = 1.0
    return row


def _check_length(name: str, value: Any, least: int, *, even: bool = False) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (even and value % 2):
        allowed = f"an {'even ' if even else ''}integer ≥ {least}"
        raise InputError(name, value, allowed)
