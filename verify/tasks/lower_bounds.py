"""Pairs of models that agree on every input up to a length, and differ on a longer one.

They show that the exponents and the exponential in the sufficient lengths for softmax attention
are needed ([derived, Theorem B6]). In each pair g = 0, the norms of f do not grow with the
agreement length N, f = g on every input of length ≤ N, and f reaches `gap` in the limit of long
inputs. Whoever wants |f − g| < gap everywhere must therefore look beyond length N.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, isfinite, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LowerBound:
    """A pair that agrees up to N and differs beyond.

    Attributes:
        f: the model; two tokens, infinite precision, one output.
        g: the same weights with unembedding 0, so g = 0.
        agreement_length: N; f(x) = 0 for every |x| ≤ N (up to the rounding of float64, 1e-15).
        gap: supremum of |f − g| over all inputs; approached, not attained.
        witness: T → an input of about T tokens (never fewer); f(witness(T)) → gap as T → ∞.
    """

    f: LimitTransformer
    agreement_length: int
    gap: float
    witness: Callable[[int], Tokens]

    @property
    def g(self) -> LimitTransformer:
        """The model that is 0 everywhere."""
        return replace(self.f, unembedding=np.zeros_like(self.f.unembedding))


def average_of_runs() -> LimitTransformer:
    """Two layers, tokens a = 0 and b = 1; output A(x) = mean of |μ_i(a) − ½| + |1[x_i=a] − s_i|.

    μ_i(a) is the share of a among the first i tokens, s_i nearly 1[x_{i−1} = a] (a position
    dominant head with margin 1). Long runs make the first summand large, short runs the second:
    A ≥ 0.2/√n on every input of length n, but A → 0 along (aʳbʳ)(aʳbʳ)….
    """
    # Coordinates: 1[a], share of a, previous token is a, p = the two summands, mean of p, spare.
    share, previous, mean = _zeros(6, 6), _zeros(6, 6), _zeros(6, 6)
    share[1, 0] = previous[2, 0] = mean[4, 3] = 1.0
    first = Layer(
        heads=(
            Head(_zeros(6, 6), share, _zeros(2)),
            Head(_zeros(6, 6), previous, _array([0, 2])),
        ),
        mlp_in=_array(
            [[0, 1, 0, 0, 0, 0], [0, -1, 0, 0, 0, 0], [1, 0, -1, 0, 0, 0], [-1, 0, 1, 0, 0, 0]]
        ),
        mlp_bias=_array([-0.5, 0.5, 0, 0]),
        mlp_out=np.outer(_unit(6, 3), np.ones(4)),
    )
    second = Layer(heads=(Head(_zeros(6, 6), mean, _zeros(1)),))
    embedding = _array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    return LimitTransformer(embedding, _zeros(1, 6), (first, second), _unit(6, 4)[None], None)


def two_layers(agreement_length: int) -> LowerBound:
    """Two layers, margin γ = 1: f = relu(0.2/√N − A), A as in `average_of_runs`; gap 0.2/√N.

    So ε needs N ≥ 0.04/ε²: the exponent 2 for two layers cannot be improved
    ([derived, Theorem B6 (i)]).

    Raises:
        InputError: agreement_length is not an integer ≥ 1.
    """
    _check_length(agreement_length)
    gap = 0.2 / sqrt(agreement_length)
    average = average_of_runs()
    first, second = average.layers
    second = Layer(second.heads, -_unit(6, 4)[None], _array([gap]), _unit(6, 5)[:, None])
    f = replace(average, layers=(first, second), unembedding=_unit(6, 5)[None])
    return LowerBound(f, agreement_length, gap, _runs)


def one_layer_margin(agreement_length: int, margin: float) -> LowerBound:
    """One layer, positional margin γ > 0: f = relu(½N^(−γ) − σ − 1[x_n = a]).

    σ is the attention on token b with φ(0) = 1 − γ. So ε needs N ≥ (1/(2ε))^(1/γ): for
    γ ≤ 1 the exponent 1/γ cannot be improved ([derived, Theorem B6 (ii)]).

    Raises:
        InputError: agreement_length is not an integer ≥ 1, or margin not finite and > 0.
    """
    _check_length(agreement_length)
    if not (isinstance(margin, int | float) and margin > 0 and isfinite(margin)):
        raise InputError("margin", margin, "a finite number > 0")
    gap = 0.5 * agreement_length ** (-margin)
    value = _zeros(4, 4)  # coordinates: 1[a], 1[b], attention on b, f
    value[2, 1] = 1.0
    layer = Layer(
        heads=(Head(_zeros(4, 4), value, _array([1 - margin])),),
        mlp_in=_array([[-1, 0, -1, 0]]),
        mlp_bias=_array([gap]),
        mlp_out=_unit(4, 3)[:, None],
    )
    f = LimitTransformer(_TWO_TOKENS, _zeros(1, 4), (layer,), _unit(4, 3)[None], None)

    def witness(length: int) -> Tokens:
        return np.append(np.zeros(max(length, 1) - 1, dtype=np.int64), 1)

    return LowerBound(f, agreement_length, gap, witness)


def one_layer_range(agreement_length: int, logit_range: float) -> LowerBound:
    """One layer, no lag bias, logits in [0, R]: a bump of height h where the attention is h.

    σ, the attention on token a (logit R, the other has 0), is 0 or at least
    2h = e^R/(e^R + N − 1) up to length N, and then takes any value. f is h − |σ − h| between 0
    and 2h, and 0 beyond; gap h. So ε needs N ≥ 1 + e^R(1/(2ε) − 1): the exponent 1 and the
    factor e^R cannot be improved ([derived, Theorem B6 (iii)]).

    Raises:
        InputError: agreement_length is not an integer ≥ 1, or logit_range not finite and ≥ 0.
    """
    _check_length(agreement_length)
    if not (isinstance(logit_range, int | float) and logit_range >= 0 and isfinite(logit_range)):
        raise InputError("logit_range", logit_range, "a finite number ≥ 0")
    gap = 0.5 / (1 + (agreement_length - 1) * exp(-logit_range))
    query_key, value = _zeros(4, 4), _zeros(4, 4)  # coordinates: 1[a], 1[b], attention on a, f
    query_key[0, :2] = logit_range
    value[2, 0] = 1.0
    layer = Layer(
        heads=(Head(query_key, value, _zeros(1)),),
        mlp_in=np.tile(_unit(4, 2), (3, 1)),
        mlp_bias=_array([0, -gap, -2 * gap]),
        mlp_out=np.outer(_unit(4, 3), _array([1, -2, 1])),
    )
    f = LimitTransformer(_TWO_TOKENS, _zeros(1, 4), (layer,), _unit(4, 3)[None], None)
    # k tokens a among T give σ = k/(k + (T − k)e^{−R}); σ = h for the share k/T below.
    share = 1 / (1 + exp(min(logit_range, 700.0)) * (1 - gap) / gap)

    def witness(length: int) -> Tokens:
        # At least one a; then as many b as make σ nearest to h.
        copies = max(1, round(max(length, 1) * share))
        return (np.arange(max(length, round(copies / share))) >= copies).astype(np.int64)

    return LowerBound(f, agreement_length, gap, witness)


def _runs(length: int) -> Tokens:
    """(aʳbʳ)(aʳbʳ)… of at least `length` tokens; r balances the two summands of A."""
    run = max(1, round(sqrt(2 * length / (1 + log(max(length, 1))))))
    repeats = -(-max(length, 1) // (2 * run))
    return np.tile(np.repeat(np.array([0, 1], dtype=np.int64), run), repeats)


def _check_length(agreement_length: Any) -> None:
    whole = isinstance(agreement_length, int | np.integer) and not isinstance(
        agreement_length, bool
    )
    if not whole or agreement_length < 1:
        raise InputError("agreement_length", agreement_length, "an integer, at least 1")


def _array(rows: object) -> Floats:
    return np.array(rows, dtype=np.float64)


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape)


def _unit(size: int, coordinate: int) -> Floats:
    vector: Floats = np.eye(size)[coordinate]
    return vector


_TWO_TOKENS = _array([[1, 0, 0, 0], [0, 1, 0, 0]])
