"""The hardmax threshold T₁ = ⌈2^(p/γ)⌉ is real: pairs that agree below it and differ after it.

Source: [derived, docs/theory.md#derived-lower_threshold, #derived-lower_threshold_window and
#derived-lower_limit].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np

from verify.model.precision import is_dropped
from verify.model.transformer import LimitTransformer
from verify.witnesses.witness import (
    Neuron,
    Number,
    Tokens,
    Witness,
    build,
    exact,
    exact_margin,
    hardmax_length,
    require,
)


def threshold_residues(
    period: int = 2, precision_bits: int = 4, margin: Number = "1/2", lipschitz: Number = 1
) -> Witness:
    """Δ ≥ 2, one token, lag bias φ(0) = γ: equal on every length below 2^(p/γ).

    f measures how much attention rests on residue 0 when the query has residue 0: at most
    (Δ+1)/(2Δ) as long as anything but the query has weight, and then 1. g = 0.
    Later they are L(Δ−1)/(2Δ) apart, at every multiple of Δ.

    Raises:
        InputError: Δ < 2, or γ > 1, or p/γ > 60, or γ is no float.
    """
    require(period >= 2, "period", period, "an integer, at least 2")
    gamma = exact_margin(margin, precision_bits, Fraction(1))
    slope = exact("lipschitz", lipschitz)
    first = hardmax_length(precision_bits, gamma)
    share = Fraction(period + 1, 2 * period)
    return Witness(
        key="derived.lower_threshold",
        parameters=_parameters(1, period, precision_bits, gamma, slope),
        f=_residue_reader(period, precision_bits, slope, share, lag_bias=(float(gamma),)),
        g=_residue_reader(period, precision_bits, Fraction(0), share, lag_bias=(float(gamma),)),
        epsilon=Fraction(0),
        agree_up_to=first - 1,
        gap=slope * (1 - share),
        first_long=first,
        long_input=partial(_multiple, period, first),
    )


def threshold_one_residue(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    precision_bits: int = 4,
    margin: Number = "1/2",
) -> Witness:
    """Δ = 1, tokens q = 0 and o = 1; f prefers the query by γ (lag bias), g has equal logits.

    For query q both read the share of q, with slope ℓ ≤ L; g adds ε. The shares differ by less
    than ½ below the threshold; after it, on o…oq, they are 1 and 1/T.

    Raises:
        InputError: not ε < target ≤ 3ε, or target + ε ≥ L, or γ > 1, or γ is no float.
    """
    gamma = exact_margin(margin, precision_bits, Fraction(1))
    slope, agreement = exact("lipschitz", lipschitz), exact("epsilon", epsilon)
    goal = exact("target", target)
    require(agreement < goal <= 3 * agreement, "target", target, "ε < target ≤ 3ε")
    require(goal + agreement < slope, "target", target, "less than L − ε")
    first = hardmax_length(precision_bits, gamma)
    height = min(slope, 4 * agreement / (1 - Fraction(1, first)))
    neuron = Neuron(float(height), 0.0, {0: 1.0}, query_tokens={1: -1.0})
    model = partial(
        build, vocabulary_size=2, period=1, precision_bits=precision_bits, neurons=[neuron]
    )
    gap = (goal + height - agreement) / 2
    return Witness(
        key="derived.lower_threshold",
        parameters=_parameters(2, 1, precision_bits, gamma, slope, agreement, goal),
        f=model(lag_bias=(float(gamma),)),
        g=model(constant=float(agreement)),
        epsilon=agreement,
        agree_up_to=first - 1,
        gap=gap,
        first_long=max(first, math.ceil(height / (height - agreement - gap))),
        long_input=lambda length: _one_zero(length, last=True),
    )


def threshold_window(
    precision_bits: int = 4, margin: Number = "1/2", lipschitz: Number = 1
) -> Witness:
    """No lag bias, Δ = 1, tokens a = 0 and b = 1: a jump at the one length T₁ − 1.

    a lies above b by γ in g, and by slightly more in f, so that f drops b one step earlier:
    at length T₁ − 1. Both output L·(share of a). Before, they are within Lγ/(4(T₁−1)).

    Raises:
        InputError: γ ≥ 1 or γ is no float, or T₁ − 1 ≤ 2^p.
    """
    gamma = exact_margin(margin, precision_bits, Fraction(1))
    slope = exact("lipschitz", lipschitz)
    start = hardmax_length(precision_bits, gamma) - 1
    require(start > 2**precision_bits, "margin", margin, "so small that ⌈2^(p/γ)⌉ − 1 > 2^p")
    steeper = precision_bits / math.log2(start)
    while not is_dropped(start, Fraction(steeper), precision_bits):
        steeper = math.nextafter(steeper, math.inf)
    model = partial(
        build,
        vocabulary_size=2,
        period=1,
        precision_bits=precision_bits,
        neurons=[Neuron(float(slope), 0.0, {0: 1.0})],
    )
    return Witness(
        key="derived.lower_threshold_window",
        parameters=_parameters(2, 1, precision_bits, gamma, slope),
        f=model(token_logits={0: steeper}),
        g=model(token_logits={0: float(gamma)}),
        epsilon=slope * gamma / (4 * start),
        agree_up_to=start - 1,
        gap=slope * Fraction(start - 1, start - 1 + 2**precision_bits),
        first_long=start,
        last_long=start,
        long_input=lambda length: _one_zero(length, last=False),
    )


def limit_residues(
    lipschitz: Number,
    target: Number,
    period: int = 2,
    precision_bits: int = 16,
    margin: Number = "1/2",
) -> Witness:
    """No lag bias, Δ ≥ 2, one token, residue 0 preferred by γ: exponent 1/γ for every target.

    Equal up to the greatest N < ((Δ−1)(L/target − 1))^(1/γ) with N < T₁; then more than the
    target apart at every multiple of Δ from T₁ on.

    Raises:
        InputError: Δ < 2, or target ≥ L, or N = 0, or p/γ > 60, or γ is no float.
    """
    require(period >= 2, "period", period, "an integer, at least 2")
    gamma = exact_margin(margin, precision_bits, Fraction(precision_bits))
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    require(goal < slope, "target", target, "less than L")
    first = hardmax_length(precision_bits, gamma)
    odds = (period - 1) * (slope / goal - 1)
    # Least T with T^γ ≥ odds, γ = a/b: T^a ≥ odds^b.
    power, root = gamma.numerator, gamma.denominator
    short = min(first, _least(lambda length: length**power >= odds**root, first)) - 1
    require(short >= 1, "target", target, "so small that (Δ−1)(L/target − 1) > 1")
    # f stays 0 as long as n^γ ≤ (Δ−1)·kept/(1 − kept), which holds up to n = short.
    missing = (period - 1) / (period - 1 + short ** float(gamma))
    kept = 1 - max(Fraction(missing) * (1 - Fraction(1, 2**40)), goal / slope)
    return Witness(
        key="derived.lower_limit",
        parameters=_parameters(1, period, precision_bits, gamma, slope, target=goal),
        f=_residue_reader(period, precision_bits, slope, kept, preferred=float(gamma)),
        g=_residue_reader(period, precision_bits, Fraction(0), kept, preferred=float(gamma)),
        epsilon=Fraction(0),
        agree_up_to=short,
        gap=slope * (1 - kept),
        first_long=first,
        long_input=partial(_multiple, period, first),
    )


def limit_one_residue(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    precision_bits: int = 16,
    margin: Number = "1/2",
    ratio: int = 9,
) -> Witness:
    """No lag bias, Δ = 1, tokens a = 0 and b = 1: base L/ε and exponent 4/((C+1)γ), C = target/ε.

    f prefers a by γ, g has equal logits; both apply one staircase Φ to the share of a, with m
    steps of equal width in log-odds, g adds ε. Within ε up to the greatest N < T₁ with
    γ ln N ≤ r·(width of a step), then exactly the target apart, for ever.

    Args:
        lipschitz, epsilon, target, precision_bits, margin: L, ε, the error reached, p, γ.
        ratio: r ≥ this number; the larger, the more neurons m = (C+1)(r+1)/2, and the nearer
            N to (2L/(target+ε))^(4/((C+1)γ)).

    Raises:
        InputError: not ε ≤ target ≤ 2L/5 − ε, or γ > 1, or p/γ > 60, or γ is no float.
    """
    gamma = exact_margin(margin, precision_bits, Fraction(1))
    slope, agreement = exact("lipschitz", lipschitz), exact("epsilon", epsilon)
    goal = exact("target", target)
    require(agreement <= goal, "target", target, "at least ε")
    require(5 * (goal + agreement) <= 2 * slope, "target", target, "at most 2L/5 − ε")
    factor = goal / agreement + 1
    r = next(k for k in range(ratio, ratio + 2 * factor.denominator) if _pieces(factor, k))
    pieces = _pieces(factor, r)
    end = math.log(2 * slope / (goal + agreement))
    first = hardmax_length(precision_bits, gamma)
    knots = [1 / (1 + math.exp(end - 2 * end * i / pieces)) for i in range(pieces + 1)]
    rise = float((goal + agreement) / pieces)
    slopes = [rise / (b - a) for a, b in pairwise(knots)]
    turns = np.diff([0.0, *slopes, 0.0])
    model = partial(
        build,
        vocabulary_size=2,
        period=1,
        precision_bits=precision_bits,
        neurons=[
            Neuron(float(turn), -knot, {0: 1.0}) for turn, knot in zip(turns, knots, strict=True)
        ],
    )
    # Rounded down a little: N may be one less than the best, never more.
    short = math.floor(math.exp(2 * end * r / (pieces * float(gamma))) * (1 - 1e-12))
    return Witness(
        key="derived.lower_limit",
        parameters=_parameters(2, 1, precision_bits, gamma, slope, agreement, goal),
        f=model(token_logits={0: float(gamma)}),
        g=model(constant=float(agreement)),
        epsilon=agreement,
        agree_up_to=min(first - 1, short),
        gap=goal,
        first_long=max(first, math.ceil(1 + math.exp(end)) + 1),
        long_input=lambda length: _one_zero(length, last=False),
    )


def _pieces(factor: Fraction, r: int) -> int:
    """Number m = (C+1)(r+1)/2 of steps, or 0 where it is no integer."""
    pieces = factor * (r + 1) / 2
    return int(pieces) if pieces.denominator == 1 else 0


def _residue_reader(
    period: int,
    precision_bits: int,
    slope: Fraction,
    free: Fraction,
    preferred: float = 0.0,
    lag_bias: tuple[float, ...] = (0.0,),
) -> LimitTransformer:
    """L·relu(attention on residue 0 − free), 0 for queries of other residues; one token."""
    neuron = Neuron(
        float(slope),
        -float(free),
        residue_shares={0: 1.0},
        query_residues={r: -1.0 for r in range(1, period)},
    )
    return build(
        vocabulary_size=1,
        period=period,
        precision_bits=precision_bits,
        neurons=[neuron],
        residue_logits={0: preferred},
        lag_bias=lag_bias,
    )


def _parameters(
    vocabulary_size: int,
    period: int,
    precision_bits: int,
    margin: Fraction,
    lipschitz: Fraction,
    epsilon: Fraction = Fraction(0),
    target: Fraction | None = None,
) -> dict[str, Fraction | int]:
    values: dict[str, Fraction | int] = {
        "vocabulary_size": vocabulary_size,
        "period": period,
        "locality": 0,
        "precision_bits": precision_bits,
        "margin": margin,
        "lipschitz": lipschitz,
        "epsilon": epsilon,
    }
    return values if target is None else values | {"target": target}


def _least(holds: Callable[[int], bool], upper: int) -> int:
    """Least integer in 1..upper at which a monotone condition holds; upper if none does."""
    low, high = 0, upper
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _multiple(period: int, first: int, length: int) -> Tokens:
    """Return the one-token input of the next length ≥ `length`, ≥ `first`, divisible by Δ."""
    longer = max(length, first)
    return np.zeros(longer + -longer % period, dtype=np.int64)


def _one_zero(length: int, *, last: bool) -> Tokens:
    """Token 1 everywhere but at the end (or at the beginning), where token 0 is."""
    x = np.ones(length, dtype=np.int64)
    x[-1 if last else 0] = 0
    return x
