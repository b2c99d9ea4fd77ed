"""Pairs for two softmax layers: an average that is small on long inputs only.

`windows`: the distance of prefix histograms from uniform, plus the share of other letters among
the last τ tokens. `changes`: two letters, and a second layer that attends to changes of letter
e^R times as much. In both f = relu(height − that average), scaled, and g = 0.
Source: [derived, docs/theory/softmax.md#derived-lower_softmax_locality and
#derived-lower_softmax_range].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.witnesses.witness import Number, Tokens, Witness, exact, require

Floats = npt.NDArray[np.float64]

_ROUNDING = 1 - 2.0**-40
"""Heights stay this far below what is proved, so that rounding in float64 does not matter."""


def distance_and_windows(
    vocabulary_size: int, locality: int, margin: Number = 1
) -> LimitTransformer:
    """Output A(x) = mean over i of TV(h_i, uniform) + 1 − o_i(x_i).

    h_i is the attention of head 1 on letters, the histogram of x_1..x_i (for γ > 1 the last
    τ + 1 tokens count i^(1−γ) times); o_i that of head 2, nearly uniform over the τ tokens
    before i. A ≥ min(0.0017, 0.09·√(|Σ|τ/n)) on every input of n tokens, for γ > 1 and
    n < 24|Σ|τ at least 1/(60|Σ|).

    Args:
        vocabulary_size: |Σ| ≥ 2.
        locality: τ ≥ 1.
        margin: γ > 0; for γ ≤ 1 the model has margin 1.

    Raises:
        InputError: an argument is outside these ranges.
    """
    require(vocabulary_size >= 2, "vocabulary_size", vocabulary_size, "an integer ≥ 2")
    require(locality >= 1, "locality", locality, "an integer ≥ 1")
    gamma = max(1.0, float(exact("margin", margin)))
    letters = vocabulary_size
    # Coordinates: letter, attention of head 1, attention of head 2, TV + 1 − o, its mean, f.
    own, share, window = (first * letters + np.arange(letters) for first in range(3))
    width = 3 * letters + 3
    term, mean = 3 * letters, 3 * letters + 1
    histogram, before = _zeros(width, width), _zeros(width, width)
    histogram[share, own] = before[window, own] = 1.0
    late = np.full(locality + 1, 1.0 + gamma)
    late[0] = 0.0
    mlp_in = _zeros(2 * letters, width)
    mlp_in[np.arange(letters), share] = 1.0
    mlp_in[letters + np.arange(letters), own] = 1.0
    mlp_in[letters + np.arange(letters), window] = -1.0
    first = Layer(
        heads=(
            Head(_zeros(width, width), histogram, np.full(locality + 1, 1.0 - gamma)),
            Head(_zeros(width, width), before, late),
        ),
        mlp_in=mlp_in,
        mlp_bias=np.repeat([-1.0 / letters, 0.0], letters),
        mlp_out=np.outer(_unit(width, term), np.ones(2 * letters)),
    )
    average = _zeros(width, width)
    average[mean, term] = 1.0
    second = Layer(heads=(Head(_zeros(width, width), average, _zeros(1)),))
    embedding = np.eye(letters, width)
    return LimitTransformer(
        embedding, _zeros(1, width), (first, second), _unit(width, mean)[None], None
    )


def distance_and_changes(logit_range: Number = 0, margin: Number = 1) -> LimitTransformer:
    """Output: the mean of |h_i − ½| + c_i with weights e^(R·c_i), c_i = 1[x_i ≠ x_(i−1)].

    h_i is the attention of head 1 on letter a = 0, its share among x_1..x_i (for γ > 1 the last
    two tokens count i^(1−γ) times); head 2 sees the previous token up to a leak of 1/5, which
    four hidden units remove. At least min(1/21, 0.495·√(e^R/n)) on every input of n tokens.

    Args:
        logit_range: R ≥ 0 of the second layer.
        margin: γ > 0; for γ ≤ 1 the model has margin 1.

    Raises:
        InputError: an argument is outside these ranges.
    """
    reach = 0.0 if logit_range == 0 else float(exact("logit_range", logit_range))
    gamma = max(1.0, float(exact("margin", margin)))
    # Coordinates: 1[a], 1, head 1 on a, head 2 on a, |h − ½|, c, mean of their sum, f.
    width = 8
    share, previous = _zeros(width, width), _zeros(width, width)
    share[2, 0] = previous[3, 0] = 1.0
    change = _unit(width, 0) - _unit(width, 3)
    mlp_in = np.array([_unit(width, 2), -_unit(width, 2), change, change, -change, -change])
    mlp_out = _zeros(width, 6)
    mlp_out[4, :2] = 1.0
    mlp_out[5, 2:] = np.array([1.0, -1.0, 1.0, -1.0]) / 0.6
    first = Layer(
        heads=(
            Head(_zeros(width, width), share, np.full(2, 1.0 - gamma)),
            Head(_zeros(width, width), previous, np.array([0.0, 1.0 + gamma])),
        ),
        mlp_in=mlp_in,
        mlp_bias=np.array([-0.5, 0.5, -0.2, -0.8, -0.2, -0.8]),
        mlp_out=mlp_out,
    )
    query_key, average = _zeros(width, width), _zeros(width, width)
    query_key[5, 1] = reach
    average[6, 4:6] = 1.0
    second = Layer(heads=(Head(query_key, average, _zeros(1)),))
    embedding = _zeros(2, width)
    embedding[:, 1] = 1.0
    embedding[0, 0] = 1.0
    return LimitTransformer(
        embedding, _zeros(1, width), (first, second), _unit(width, 6)[None], None
    )


def below(average: LimitTransformer, height: float, scale: float = 1.0) -> LimitTransformer:
    """f = scale·relu(height − A), A the output of `average`, whose last coordinate is free."""
    first, second = average.layers
    width = average.dimension
    free = _unit(width, width - 1)
    second = Layer(second.heads, -average.unembedding, np.array([height]), free[:, None])
    return dataclasses.replace(average, layers=(first, second), unembedding=scale * free[None])


def windows(
    agreement_length: int,
    vocabulary_size: int = 2,
    locality: int = 1,
    lipschitz: Number = 1,
    margin: Number = 1,
) -> Witness:
    """f = (L/2)·relu(height − A), A from `distance_and_windows`; g = 0.

    `gap` is half of sup |f − g| = (L/2)·height: shown by inputs of moderate length. The target
    among the parameters is as near below the supremum as float64 can tell.

    Args:
        agreement_length: N ≥ 1; the two agree at least up to N.
        vocabulary_size: |Σ| ≥ 2.
        locality: τ ≥ 1.
        lipschitz: L.
        margin: γ > 0.

    Raises:
        InputError: an argument is outside these ranges.
    """
    require(agreement_length >= 1, "agreement_length", agreement_length, "an integer ≥ 1")
    average = distance_and_windows(vocabulary_size, locality, margin)
    slope, gamma = exact("lipschitz", lipschitz), exact("margin", margin)
    pairs = vocabulary_size * locality
    height = min(1 / 600, 0.09 * math.sqrt(pairs / agreement_length))
    if gamma > 1:
        height = min(height, 1 / (60 * vocabulary_size))
    height *= _ROUNDING
    agree = max(agreement_length, math.floor(0.0081 * pairs / height**2 * _ROUNDING))

    def runs(length: int) -> int:
        best = math.sqrt(2 * (locality + 1) * length / (vocabulary_size * (1 + math.log(length))))
        return max(locality + 1, round(best))

    def above(length: int) -> float:
        """An upper bound of A on `long_input`."""
        run, log = runs(length), 1 + math.log(length)
        drift = (vocabulary_size * run / 4 + 2 * (locality + 1) * (gamma > 1)) * log
        return (drift + log / locality) / length + (locality + 1) / (2 * run) * 1.01

    def long_input(length: int) -> Tokens:
        letters = np.arange(length, dtype=np.int64) // runs(length)
        return letters % vocabulary_size

    return _witness(
        "derived.lower_softmax_locality",
        {
            "vocabulary_size": vocabulary_size,
            "locality": locality,
            "lipschitz": slope,
            "positional_margin": max(gamma, Fraction(1)),
        },
        (average, height, slope / 2),
        agree,
        above,
        long_input,
    )


def changes(
    agreement_length: int,
    logit_range: Number = 0,
    lipschitz: Number = 1,
    margin: Number = 1,
) -> Witness:
    """f = (2L/3)·relu(height − A), A from `distance_and_changes`; g = 0.

    `gap` is half of sup |f − g|, as in `windows`.

    Args:
        agreement_length: N ≥ 1; the two agree at least up to N.
        logit_range: R of the second layer.
        lipschitz: L.
        margin: γ > 0.

    Raises:
        InputError: an argument is outside these ranges.
    """
    require(agreement_length >= 1, "agreement_length", agreement_length, "an integer ≥ 1")
    average = distance_and_changes(logit_range, margin)
    slope, gamma = exact("lipschitz", lipschitz), exact("margin", margin)
    reach = Fraction(0) if logit_range == 0 else exact("logit_range", logit_range)
    weight = math.exp(reach)
    height = min(3 / 64, 0.495 * math.sqrt(weight / agreement_length)) * _ROUNDING
    agree = max(agreement_length, math.floor(0.495**2 * weight / height**2 * _ROUNDING))

    def runs(length: int) -> int:
        return max(2, round(math.sqrt(3 * weight * length / (1 + math.log(length)))))

    def above(length: int) -> float:
        """An upper bound of A on `long_input`."""
        run, log = runs(length), 1 + math.log(length)
        return ((run + 2) / 2 * log + 2) / length + 1.5 * weight / run

    def long_input(length: int) -> Tokens:
        return np.arange(length, dtype=np.int64) // runs(length) % 2

    return _witness(
        "derived.lower_softmax_range",
        {
            "vocabulary_size": 2,
            "locality": 1,
            "lipschitz": slope,
            "logit_range_last": reach,
            "positional_margin": max(gamma, Fraction(1)),
        },
        (average, height, 2 * slope / 3),
        agree,
        above,
        long_input,
    )


def _witness(
    key: str,
    parameters: dict[str, Fraction | int],
    model: tuple[LimitTransformer, float, Fraction],
    agreement_length: int,
    above: Callable[[int], float],
    long_input: Callable[[int], Tokens],
) -> Witness:
    average, height, scale = model
    f = below(average, height, float(scale))
    top = scale * Fraction(height)
    first_long = 16
    while above(first_long) > height / 2 * _ROUNDING:
        first_long *= 2
    return Witness(
        key=key,
        parameters={
            "epsilon": Fraction(0),
            "target": top * Fraction(_ROUNDING),
            "period": 1,
            "heads": 2,
            **parameters,
        },
        f=f,
        g=dataclasses.replace(f, unembedding=np.zeros_like(f.unembedding)),
        epsilon=Fraction(0),
        agree_up_to=agreement_length,
        gap=top / 2,
        first_long=first_long,
        long_input=long_input,
    )


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape)


def _unit(size: int, coordinate: int) -> Floats:
    vector: Floats = np.eye(size)[coordinate]
    return vector
