"""Nested levels: every head sees one token more than the head before it.

Head i averages over the tokens o₁, ..., o_i at the residue of position 1; the first one sees the
last symbols too. On a long input each head can find its last token almost alone. On a short one
the shares that are missing have a product that is not small.
Source: [derived, docs/theory/one_layer_argmax.md#derived-lower_linf_c3 and
#derived-lower_presence].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from math import ceil

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.witnesses.witness import Number, Tokens, Witness, exact, require


def nested_levels(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    vocabulary_size: int = 2,
    period: int = 1,
    locality: int = 0,
    heads: int = 1,
    precision_bits: int = 8,
) -> Witness:
    """Exponent 2H for targets up to 3ε: the levels belong to f and to g in turn, one neuron each.

    Within ε up to N = Δ⌈Q⌉ − 1, then more than the target apart. With d = (target − ε)/L and K =
    min(2H, |Σ|) levels Q = t(k_f/k_g)^k_g·q_K(k_f·d): for K = 2 it is t(1 + √(1−d))²/d², t the
    number of lags 0..τ outside the residue of position 1 (1 if Δ = 1).

    The long inputs have about (4L/excess)^K tokens, excess the gap above the target.

    Raises:
        InputError: |Σ| < 2, or not ε < target ≤ 3ε, or target − ε ≥ L, or N = 0.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = exact("epsilon", epsilon)
    require(vocabulary_size >= 2, "vocabulary_size", vocabulary_size, "an integer, at least 2")
    require(agreement < goal <= 3 * agreement, "target", target, "ε < target ≤ 3ε")
    require(goal - agreement < slope, "target", target, "less than ε + L")
    rise = (goal - agreement) / slope
    levels = min(2 * heads, vocabulary_size, 2 * ceil(1 / rise) - 2)
    mine, others = (levels + 1) // 2, levels // 2
    tied = tied_lags(locality, period)
    factor = tied * Fraction(mine, others) ** others
    shown = ceil(_length(levels, mine * rise, factor)) - 1
    require(shown >= 1, "target", target, "so small that Q > 1")
    excess = slope * _slack(levels, rise, mine, factor, shown)
    build = partial(_model, vocabulary_size, period, locality, precision_bits, levels)
    f = build(range(0, levels, 2), slope, goal + excess - agreement)
    # ε − relu(2ε − L·(1 − mean share))
    g = build(range(1, levels, 2), slope, 2 * agreement, out=-1.0, constant=agreement)
    return Witness(
        key="derived.lower_linf_c3",
        parameters=_parameters(
            slope, agreement, goal, vocabulary_size, period, locality, heads, precision_bits
        ),
        f=f,
        g=g,
        epsilon=agreement,
        agree_up_to=period * (shown + 1) - 1,
        gap=goal + excess / 2,
        first_long=1,
        long_input=_long_input(levels, tied, ceil(4 * slope / excess), period),
    )


def levels_of_one(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    vocabulary_size: int = 2,
    period: int = 1,
    locality: int = 0,
    heads: int = 1,
    precision_bits: int = 8,
) -> Witness:
    """Exponent H at every target: all levels belong to f, and g = 0.

    Within ε (ε = 0: equal) up to N = Δ⌈Q⌉ − 1, then more than the target apart. With d = (target −
    ε)/L and K = min(H, |Σ|) levels Q = t·q_K(Kd) ≥ t(1 − Kd)/d^K.

    Raises:
        InputError: target ≤ ε, or target − ε ≥ L, or for one level Δ = 1 or d ≥ (Δ−1)/Δ, or N = 0.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = Fraction(0) if epsilon == 0 else exact("epsilon", epsilon)
    require(agreement < goal < slope + agreement, "target", target, "ε < target < ε + L")
    rise = (goal - agreement) / slope
    levels = min(heads, vocabulary_size, ceil(1 / rise) - 1)
    if levels == 1:
        allowed = "Δ ≥ 2 and target < ε + (Δ−1)L/Δ, as there is one level"
        require(period * rise < period - 1, "target", target, allowed)
    tied = tied_lags(locality, period)
    shown = ceil(_length(levels, levels * rise, Fraction(tied))) - 1
    require(shown >= 1, "target", target, "so small that Q > 1")
    excess = slope * _slack(levels, rise, levels, Fraction(tied), shown)
    build = partial(_model, vocabulary_size, period, locality, precision_bits, levels)
    return Witness(
        key="derived.lower_presence",
        parameters=_parameters(
            slope, agreement, goal, vocabulary_size, period, locality, heads, precision_bits
        ),
        f=build(range(levels), slope, goal + excess + agreement, constant=-agreement),
        g=build(range(levels), slope, Fraction(0), out=0.0),
        epsilon=agreement,
        agree_up_to=period * (shown + 1) - 1,
        gap=goal + excess / 2,
        first_long=1,
        long_input=_long_input(levels, tied, ceil(4 * slope / excess), period),
    )


def tied_lags(locality: int, period: int) -> int:
    """Number of lags 0..τ outside the residue of position 1, for a query of residue 0."""
    return 1 if period == 1 else locality + 1 - (locality + 1) // period


def _length(levels: int, y: Fraction, factor: Fraction) -> Decimal:
    """factor·q_K(y), to 40 digits; what is within 30 digits of an integer is that integer."""
    with localcontext() as context:
        context.prec = 60
        at = Decimal(y.numerator) / y.denominator
        rho = 2 * at / (levels + (levels**2 - 4 * (levels - 1) * at).sqrt())
        value = rho**-levels * (1 - rho) ** (2 - levels) * factor.numerator / factor.denominator
        whole = value.to_integral_value()
        return whole if abs(value - whole) < Decimal(10) ** -30 * max(Decimal(1), value) else value


def _slack(levels: int, rise: Fraction, mine: int, factor: Fraction, shown: int) -> Fraction:
    """How much d may grow: short inputs stay short, and the first level's part covers it."""
    slack = Fraction(1, 2 * mine * (shown + 2))
    while mine * (rise + slack) >= 1 or _length(levels, mine * (rise + slack), factor) <= shown:
        slack /= 2
    return slack


def _model(
    vocabulary_size: int,
    period: int,
    locality: int,
    precision_bits: int,
    levels: int,
    mine: Sequence[int],
    slope: Fraction,
    height: Fraction,
    *,
    out: float = 1.0,
    constant: Fraction = Fraction(0),
) -> LimitTransformer:
    """constant + out·relu(height − L + L·(mean share of the levels in `mine`)).

    The share of a level is what its head sees of its last token; of the first level, where Δ ≥ 2,
    of the residue of position 1. The neuron is silent unless the query is the last token and has
    residue 0. The residual stream holds: 1; token; residue; the shares; the output.
    """
    residue, last = 1 % period, levels - 1
    own_token, own_residue = 1, 1 + vocabulary_size
    share = own_residue + period
    output = share + len(mine)
    width = output + 1
    embedding, positions = np.zeros((vocabulary_size, width)), np.zeros((period, width))
    embedding[:, 0] = 1.0
    embedding[:, own_token:own_residue] = np.eye(vocabulary_size)
    positions[:, own_residue:share] = np.eye(period)
    step = float(precision_bits)
    heads = []
    for row, level in enumerate(mine):
        query_key, value = np.zeros((width, width)), np.zeros((width, width))
        lag_bias = np.zeros(locality + 1)
        if period > 1:
            query_key[own_residue + residue, 0] = 2 * step
        if levels > 1 and level < last:
            query_key[own_token : own_token + level + 1, 0] = step
        if level == 0:  # the last symbols tie with the first token (one level: with the column)
            tie = (2 * step if period > 1 else 0.0) + (step if levels > 1 else 0.0)
            lag = np.arange(locality + 1)
            lag_bias[(lag + 1) % period != 0 if period > 1 else lag == 0] = tie
        if level == 0 and period > 1:
            value[share + row, own_residue + residue] = 1.0
        else:
            seen = slice(level, vocabulary_size if level == last else level + 1)
            value[share + row, own_token:own_residue][seen] = 1.0
        heads.append(Head(query_key, value, tuple(lag_bias)))  # type: ignore[arg-type]
    mlp_in, mlp_out = np.zeros((1, width)), np.zeros((width, 1))
    mlp_in[0, share:output] = float(slope / len(mine))
    off = -2 * float(height + slope)
    if levels > 1:
        mlp_in[0, own_token : own_token + last] = off
    mlp_in[0, own_residue + 1 : share] = off
    mlp_out[output, 0] = out
    unembedding = np.zeros((1, width))
    unembedding[0, output], unembedding[0, 0] = 1.0, float(constant)
    layer = Layer(tuple(heads), mlp_in, np.array([float(height - slope)]), mlp_out)
    return LimitTransformer(embedding, positions, (layer,), unembedding, precision_bits)


def _long_input(levels: int, tied: int, ratio: int, period: int) -> Callable[[int], Tokens]:
    """T → an input that shows every level a missing share of at most 1/ratio."""

    def long_input(length: int) -> Tokens:
        larger = max(ratio, ceil((length / tied / period) ** (1 / levels)))
        sizes = [tied * larger**level for level in range(1, levels + 1)]
        # The last τ + 1 positions hold the last token: a few more of it.
        sizes[-1] += tied + 1
        x = np.full(period * (sizes[-1] + tied), levels - 1, dtype=np.int64)
        column = x[::period]
        for token in reversed(range(levels - 1)):
            column[: sizes[token]] = token
        return x

    return long_input


def _parameters(
    slope: Fraction,
    agreement: Fraction,
    goal: Fraction,
    vocabulary_size: int,
    period: int,
    locality: int,
    heads: int,
    precision_bits: int,
) -> dict[str, Fraction | int]:
    return {
        "epsilon": agreement,
        "target": goal,
        "lipschitz": slope,
        "vocabulary_size": vocabulary_size,
        "period": period,
        "locality": locality,
        "heads": heads,
        "precision_bits": precision_bits,
    }
