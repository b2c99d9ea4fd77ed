"""The forward pass, line by line as the definition says: the oracle that fast code must equal."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from verify.float_errors import usual_float_errors
from verify.model.precision import dropped
from verify.model.validation import as_sequence, check_tokens, in_range
from verify.model.weights import Head, Weights

Floats = npt.NDArray[np.float64]


@usual_float_errors
def reference(f: Weights, x: npt.ArrayLike) -> Floats:
    """Return f(x), shape (o,), straight from the definition of a limit transformer.

    Any number of layers and heads, both precisions, rounding included. All layers but the last
    are computed at every position: O(T²) time, O(T) memory. The last one only at position T.

    In finite precision the rule that drops small weights is decided exactly from the weights of
    the model in the first layer; the logits of later layers are those of the float64 values that
    the layer before gave.

    Args:
        f: the model.
        x: (T,) integers in 0..|Σ|−1, T at least 1.

    Raises:
        InputError: x is not such a sequence.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    tokens = as_sequence(x)
    check_tokens(tokens, f.vocabulary_size)
    length = tokens.size
    residues = np.arange(1, length + 1) % f.period

    with np.errstate(over="ignore", invalid="ignore"):
        y = f.embedding[tokens] + f.positions[residues]
        for number, layer in enumerate(f.layers):
            last = number == len(f.layers) - 1
            outputs = []
            for i in [length] if last else range(1, length + 1):
                attention = np.zeros(f.dimension)
                for head in layer.heads:
                    if f.precision_bits is None:
                        a = _logits(head, y[:i], lag_scale=math.log(i))
                        s = np.exp(a - a.max())
                    else:
                        a = _logits(head, y[:i], lag_scale=1.0)
                        gaps = a.max() - a
                        s = np.exp(-math.log(length) * gaps)
                        first = (tokens[:i], residues[:i]) if number == 0 else None
                        s[_drop(f, head, y[:i], first, gaps, length)] = 0.0
                    s = s / s.sum()
                    attention += head.value @ (s @ y[:i])
                u = y[i - 1] + attention
                hidden = layer.mlp_in @ u + layer.mlp_bias
                in_range("mlp_in", hidden)
                outputs.append(u + layer.mlp_out @ np.maximum(hidden, 0.0))
            y = np.array(outputs)
        output: Floats = f.unembedding @ y[-1]
    in_range("unembedding", output)
    return output


def _logits(head: Head, y: Floats, lag_scale: float) -> Floats:
    """Return a_ij = y_jᵀ query_key y_i + lag_scale·φ(i − j) for j = 1..i, i the last row of y."""
    i = len(y)
    a: Floats = y @ (head.query_key @ y[-1])
    in_range("query_key", a)
    for lag in range(min(head.lag_bias.size, i)):
        a[i - 1 - lag] += lag_scale * head.lag_bias[lag]
    return a


def _drop(
    f: Weights,
    head: Head,
    y: Floats,
    first: tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]] | None,
    gaps: Floats,
    length: int,
) -> npt.NDArray[np.bool_]:
    """Return which keys j = 1..i finite precision drops: those with T^(−gap) ≤ 2^−p.

    `first`: tokens and residues of the keys in the first layer; None in later ones.
    """
    assert f.precision_bits is not None
    exact: list[Fraction] = []

    def exact_gap(j: int) -> Fraction:
        if not exact:
            rows = [[Fraction(v) for v in row] for row in y.tolist()]
            if first is not None:
                pairs = zip(
                    f.embedding[first[0]].tolist(), f.positions[first[1]].tolist(), strict=True
                )
                rows = [
                    [Fraction(e) + Fraction(p) for e, p in zip(*pair, strict=True)]
                    for pair in pairs
                ]
            matrix = [[Fraction(m) for m in row] for row in head.query_key.tolist()]
            query = [sum(map(Fraction.__mul__, row, rows[-1]), Fraction(0)) for row in matrix]
            exact.extend(sum(map(Fraction.__mul__, row, query), Fraction(0)) for row in rows)
            for lag, phi in enumerate(head.lag_bias.tolist()[: len(rows)]):
                exact[len(rows) - 1 - lag] += Fraction(phi)
        return max(exact) - exact[j]

    # Every logit is a sum of d² + 1 products of at most four factors, each rounded a few times.
    magnitude = float(np.max(np.abs(y) @ np.abs(head.query_key) @ np.abs(y[-1])))
    magnitude += float(np.max(np.abs(head.lag_bias)))
    error = 8 * (f.dimension + 4) * np.finfo(float).eps * magnitude
    return dropped(length, gaps, f.precision_bits, error, exact_gap)
