"""The hardmax threshold T₁ = ⌈2^(p/γ)⌉ is real: pairs that agree below it and differ after it.

Source: [derived, docs/theory/one_layer_argmax.md#derived-lower_threshold,
#derived-lower_threshold_window, #derived-lower_limit and #derived-lower_shared_logits].
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
    period: int = 2,
    precision_bits: int = 4,
    margin: Number = "1/2",
    lipschitz: Number = 1,
    *,
    whole_period: bool = False,
) -> Witness:
    """Δ ≥ 2, one token, lag bias φ(0) = γ: equal on every length below 2^(p/γ).

    f measures how much attention rests on residue 0 when the query has residue 0: at most
    (Δ+1)/(2Δ) as long as anything but the query has weight, and then 1. g = 0.
    Later they are L(Δ−1)/(2Δ) apart, at every multiple of Δ. With `whole_period` they read the
    residue j of T₁ − 1 instead (unless it is 1, which length 1 shows), and so agree longer, below
    T₁ + Δ − 1; the later difference is L·min((j−1)/(2j−1), (Δ−1)/(2Δ)), at least L/4.

    Raises:
        InputError: Δ < 2, or γ > 1, or p/γ > 60, or γ is no float.
    """
    require(period >= 2, "period", period, "an integer, at least 2")
    gamma = exact_margin(margin, precision_bits, Fraction(1))
    slope = exact("lipschitz", lipschitz)
    first = hardmax_length(precision_bits, gamma)
    share = Fraction(period + 1, 2 * period)
    last = (first - 2) % period + 1  # 1..Δ
    if whole_period:
        residue = period if last == 1 else last
        share = max(share, Fraction(residue, 2 * residue - 1))
        later = first + (residue - first) % period
        reader = partial(
            _residue_reader,
            period,
            precision_bits,
            free=share,
            lag_bias=(float(gamma),),
            residue=residue % period,
        )
        return Witness(
            key="derived.lower_threshold",
            parameters=_parameters(1, period, precision_bits, gamma, slope),
            f=reader(slope=slope),
            g=reader(slope=Fraction(0)),
            epsilon=Fraction(0),
            agree_up_to=later - 1,
            gap=slope * (1 - share),
            first_long=later,
            long_input=lambda length: np.zeros(
                max(length, later) + (residue - max(length, later)) % period, dtype=np.int64
            ),
        )
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
    period: int = 1,
) -> Witness:
    """Tokens q = 0 and o = 1; f prefers the query by γ (lag bias), g has equal logits.

    For query q both read the share of q, with slope ℓ ≤ L; g adds ε. The shares differ by less
    than ½ below the threshold; after it, on o…oq, they are 1 and 1/T. For Δ ≥ 2 they do so at the
    residue of T₁ − 1 only, so that they agree below T₁ + Δ − 1.

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
    neuron = Neuron(
        float(height),
        0.0,
        {0: 1.0},
        query_tokens={1: -1.0},
        query_residues={r: -1.0 for r in range(period) if r != (first - 1) % period},
    )
    model = partial(
        build, vocabulary_size=2, period=period, precision_bits=precision_bits, neurons=[neuron]
    )
    gap = (goal + height - agreement) / 2
    later = max(first, math.ceil(height / (height - agreement - gap)))
    return Witness(
        key="derived.lower_threshold",
        parameters=_parameters(2, period, precision_bits, gamma, slope, agreement, goal),
        f=model(lag_bias=(float(gamma),)),
        g=model(constant=float(agreement)),
        epsilon=agreement,
        agree_up_to=first + period - 2,
        gap=gap,
        first_long=later,
        long_input=partial(_zero_at_the_end, later, period, first - 1),
    )


def threshold_two_slopes(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    precision_bits: int = 4,
    period: int = 1,
) -> Witness:
    """γ = 1, any target: f and g read the share of o with slopes L and L/2, capped alike.

    Tokens q = 0 (the query) and o = 1; f prefers the query by 1 (lag bias), g has equal logits. Of
    k tokens o among n the shares are k/(2n−1) and k/n below the threshold, and 0 and (T−1)/T after
    it. Within ε below T₁ + Δ − 1; read at the residue of T₁ − 1 only.

    Raises:
        InputError: target ≤ ε, or L ≤ 2(target − ε), or 2Lε ≤ (target − ε)², or p > 60.
    """
    gamma = exact_margin(1, precision_bits, Fraction(1))
    slope, agreement = exact("lipschitz", lipschitz), exact("epsilon", epsilon)
    goal = exact("target", target)
    rise = goal - agreement
    require(rise > 0, "target", target, "more than ε")
    require(2 * rise < slope, "target", target, "less than ε + L/2")
    require(rise**2 < 2 * slope * agreement, "target", target, "less than ε + √(2Lε)")
    # f − g + ε ≤ c/(2n) for n > L/(2c), so at most c²/L ≤ 2ε.
    step = rise
    while (rise + step) ** 2 > 2 * slope * agreement or 2 * (rise + step) >= slope:
        step /= 2
    cap = rise + step
    first = hardmax_length(precision_bits, gamma)
    off = {r: -2.0 * float(cap) for r in range(period) if r != (first - 1) % period}

    def model(
        factor: Fraction, constant: Fraction, lag_bias: tuple[float, ...]
    ) -> LimitTransformer:
        neuron = Neuron(
            -1.0,
            float(cap),
            {1: -float(factor)},
            query_tokens={1: -2.0 * float(cap)},
            query_residues=off,
        )
        return build(
            vocabulary_size=2,
            period=period,
            precision_bits=precision_bits,
            neurons=[neuron],
            constant=float(constant),
            lag_bias=lag_bias,
        )

    later = max(first, math.ceil(slope / (slope - 2 * cap)))  # L/2·(1 − 1/T) ≥ c
    return Witness(
        key="derived.lower_threshold",
        parameters=_parameters(2, period, precision_bits, gamma, slope, agreement, goal),
        f=model(slope, Fraction(0), (1.0,)),
        g=model(slope / 2, agreement, (0.0,)),
        epsilon=agreement,
        agree_up_to=first + period - 2,
        gap=cap + agreement,
        first_long=later,
        long_input=partial(_zero_at_the_end, later, period, first - 1),
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


def limit_shares(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    precision_bits: int = 16,
    margin: Number = "1/2",
) -> Witness:
    """No lag bias, tokens a = 0 and b = 1, targets up to 3ε: exponent 2/γ.

    f prefers a by γ and reads what its share lacks, g has equal logits and reads the share: up to
    N one of the two is not small. Within ε up to the greatest N < (2/d − 1)^(2/γ) with N < T₁, d =
    (target − ε)/L; then more than the target apart at ab…b, from T₁ on for ever.

    Raises:
        InputError: not ε < target ≤ 3ε, or target − ε ≥ L, or p/γ > 60, or γ is no float.
    """
    gamma = exact_margin(margin, precision_bits, Fraction(precision_bits))
    slope, agreement = exact("lipschitz", lipschitz), exact("epsilon", epsilon)
    goal = exact("target", target)
    require(agreement < goal <= 3 * agreement, "target", target, "ε < target ≤ 3ε")
    rise = (goal - agreement) / slope
    require(rise < 1, "target", target, "less than ε + L")
    first = hardmax_length(precision_bits, gamma)
    odds, power, root = 2 / rise - 1, gamma.numerator, 2 * gamma.denominator
    short = min(first, _least(lambda length: length**power >= odds**root, first)) - 1
    require(short >= 1, "precision_bits", precision_bits, "more")
    both = Fraction(2 / (1 + short ** (float(gamma) / 2))) * (1 - Fraction(1, 2**40))
    least = Fraction(short ** -(1 + float(gamma))) * Fraction(1, 2)
    more = max(rise, min(both, 2 * agreement / slope + least, (1 + rise) / 2))
    off = {0: -4 * float(slope + agreement)}
    model = partial(build, vocabulary_size=2, period=1, precision_bits=precision_bits)
    gap = (slope * more + agreement + goal) / 2
    return Witness(
        key="derived.lower_limit",
        parameters=_parameters(2, 1, precision_bits, gamma, slope, agreement, goal),
        f=model(
            neurons=[Neuron(1.0, float(slope * (more - 1)), {0: float(slope)}, query_tokens=off)],
            token_logits={0: float(gamma)},
        ),
        g=model(
            neurons=[Neuron(-1.0, float(2 * agreement), {0: -float(slope)}, query_tokens=off)],
            constant=float(agreement),
        ),
        epsilon=agreement,
        agree_up_to=short,
        gap=gap,
        first_long=max(first, math.ceil(slope / (slope * more + agreement - gap))),
        long_input=lambda length: _one_zero(length, last=False),
    )


def shared_logits(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    precision_bits: int = 8,
    gap: Number = "1/2",
) -> Witness:
    """The same logits in f and g, no lag bias: a = 0, the query, lies above b = 1 by ĝ < 1.

    f reads the share of a, g = 0. Within ε (ε = 0: equal) up to the greatest N < (1/d −
    1)^(1/(1−ĝ)), d = (target − ε)/L; then more than the target apart at b…ba, until b is dropped.

    Raises:
        InputError: target ≤ ε, or target − ε ≥ L, or N = 0, or p is too small for such an input.
    """
    ghat = exact_margin(gap, precision_bits, Fraction(1))
    require(ghat < 1, "gap", gap, "less than 1")
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = Fraction(0) if epsilon == 0 else exact("epsilon", epsilon)
    require(agreement < goal < slope + agreement, "target", target, "ε < target < ε + L")
    odds = slope / (goal - agreement) - 1
    last = hardmax_length(precision_bits, ghat) - 1
    power, root = ghat.denominator - ghat.numerator, ghat.denominator
    short = _least(lambda length: length**power >= odds**root, last) - 1
    require(short >= 1, "target", target, "less than ε + L/2")

    def rare(length: int) -> Fraction:
        return Fraction(1 / (1 + (length - 1) / length ** float(ghat)))

    height = 2 * agreement + slope * rare(short) * (1 - Fraction(1, 2**40))

    def apart(length: int) -> Fraction:
        return height - agreement - slope * rare(length)

    needed = (goal + apart(last)) / 2
    require(apart(last) > goal, "precision_bits", precision_bits, "more")
    model = partial(
        build,
        vocabulary_size=2,
        period=1,
        precision_bits=precision_bits,
        token_logits={0: float(ghat)},
    )
    ramp = Neuron(1.0, float(height), {0: -float(slope)}, query_tokens={1: -2.0 * float(height)})
    return Witness(
        key="derived.lower_shared_logits",
        parameters=_parameters(2, 1, precision_bits, ghat, slope, agreement, goal)
        | {"largest_gap": ghat},
        f=model(neurons=[ramp], constant=-float(agreement)),
        g=model(neurons=[]),
        epsilon=agreement,
        agree_up_to=short,
        gap=needed,
        first_long=_least(lambda length: apart(length) >= needed, last),
        last_long=last,
        long_input=lambda length: _one_zero(length, last=True),
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
    residue: int = 0,
) -> LimitTransformer:
    """L·relu(attention on a residue − free), 0 for queries of other residues; one token."""
    neuron = Neuron(
        float(slope),
        -float(free),
        residue_shares={residue: 1.0},
        query_residues={r: -1.0 for r in range(period) if r != residue},
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


def _zero_at_the_end(first: int, period: int, residue: int, length: int) -> Tokens:
    """Tokens 1 and a 0 at the end, of the next length ≥ `length`, ≥ `first`, of that residue."""
    longer = max(length, first)
    return _one_zero(longer + (residue - longer) % period, last=True)


def _one_zero(length: int, *, last: bool) -> Tokens:
    """Token 1 everywhere but at the end (or at the beginning), where token 0 is."""
    x = np.ones(length, dtype=np.int64)
    x[-1 if last else 0] = 0
    return x
