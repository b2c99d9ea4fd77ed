"""Lower bounds in L/ε for one layer, finite precision: presence, own share, tents, nested classes.

In these pairs the logits are apart by p or are equal, so that attention is a uniform average from
length 2 on: the hardmax threshold plays no part. The models are functions of the counts of the
tokens at the residue of the first position; tents and nested classes are switched off unless Δ
divides the length, so that W tokens are read only by an input of ΔW.
Source: [derived, docs/theory/one_layer_argmax.md#derived-lower_presence, #derived-lower_tent and
#derived-lower_linf_c3].
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import ceil, lcm

import numpy as np

from verify.witnesses.witness import (
    Neuron,
    Number,
    Tokens,
    Witness,
    build,
    exact,
    require,
    tent,
)


def presence(
    lipschitz: Number, epsilon: Number = 0, target: Number = 1, precision_bits: int = 8
) -> Witness:
    """f = "token a is present", g = min(1, L·frequency of a), for ε = 0 and outputs up to c = 1.

    In general f = c·1[a present] and g = min(c, L·frequency) + ε: within ε up to the greatest
    N < L/(target − ε), then apart by c − ε > target. Two tokens, a = 0; Δ = 1, τ = 0.

    Raises:
        InputError: target ≤ ε, or target + ε ≥ L, or no such N ≥ 1.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = Fraction(0) if epsilon == 0 else exact("epsilon", epsilon)
    require(agreement < goal < slope - agreement, "target", target, "ε < target < L − ε")
    short = ceil(slope / (goal - agreement)) - 1
    height = min(slope, 2 * agreement + slope / short)
    # c − relu(c − L·share) = min(c, L·share)
    ramp = Neuron(out=-1.0, bias=float(height), token_shares={0: -float(slope)})
    model = partial(
        build, vocabulary_size=2, period=1, precision_bits=precision_bits, neurons=[ramp]
    )
    f = model(constant=float(height), token_logits={0: precision_bits})
    g = model(constant=float(height + agreement))
    gap = (height - agreement + goal) / 2
    return Witness(
        key="derived.lower_presence",
        parameters={
            "epsilon": agreement,
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": 2,
            "period": 1,
            "locality": 0,
            "precision_bits": precision_bits,
        },
        f=f,
        g=g,
        epsilon=agreement,
        agree_up_to=short,
        gap=gap,
        first_long=ceil(slope / (height - agreement - gap)),
        long_input=lambda length: _first_then(0, 1, length),
    )


def own_share(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    vocabulary_size: int = 2,
    period: int = 1,
    precision_bits: int = 8,
) -> Witness:
    """f reads the share of the query's token among the tokens of its own residue, g = 0.

    The query is token 0 at the residue of position 1 (elsewhere f = −ε): its share is at least 1/W
    of W positions. Within ε (ε = 0: equal) up to N = Δ(⌈1/d⌉ − 1), d = (target − ε)/L, then more
    than the target apart, where the query's token is rare. f and g have the same logits.

    Raises:
        InputError: |Σ| < 2, or target ≤ ε, or target − ε ≥ L.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = Fraction(0) if epsilon == 0 else exact("epsilon", epsilon)
    require(vocabulary_size >= 2, "vocabulary_size", vocabulary_size, "an integer, at least 2")
    require(agreement < goal < slope + agreement, "target", target, "ε < target < ε + L")
    shown = ceil(slope / (goal - agreement)) - 1
    # 1/W ≥ 1/shown > d: relu(height − L·share) ≤ 2ε.
    height = min(2 * agreement + slope / shown, goal + agreement + slope)
    off = -2 * float(height)
    residue = 1 % period
    neuron = Neuron(
        1.0,
        float(height),
        {0: -float(slope)},
        query_tokens=dict.fromkeys(range(1, vocabulary_size), off),
        query_residues={r: off for r in range(period) if r != residue},
    )
    model = partial(
        build,
        vocabulary_size=vocabulary_size,
        period=period,
        precision_bits=precision_bits,
        residue_logits={residue: precision_bits},
    )
    gap = (height - agreement + goal) / 2
    rare = ceil(slope / (height - agreement - gap))
    return Witness(
        key="derived.lower_presence",
        parameters={
            "epsilon": agreement,
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": vocabulary_size,
            "period": period,
            "locality": 0,
            "precision_bits": precision_bits,
        },
        f=model(neurons=[neuron], constant=-float(agreement)),
        g=model(neurons=[]),
        epsilon=agreement,
        agree_up_to=period * shown,
        gap=gap,
        first_long=period * (rare - 1) + 1,
        long_input=lambda length: _last_is_rare(max(length, period * (rare - 1) + 1), period),
    )


def tents(
    lipschitz: Number,
    target: Number,
    vocabulary_size: int = 2,
    period: int = 1,
    precision_bits: int = 8,
) -> Witness:
    """f = (L/2)·Σ tents of the shares of all tokens but the last at one residue, g = 0.

    A tent of width 2θ is 0 at the shares 0 and ≥ 2θ: at most 1/(2θ) positions cannot show it.
    Equal up to N = Δ⌈Q⌉ − 1, Q = (|Σ| − 1)L/(4·target), then apart by (L/2)(|Σ| − 1)θ > target.

    Raises:
        InputError: |Σ| < 2, or target ≥ L/2, or N = 0.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    small = vocabulary_size - 1
    require(small >= 1, "vocabulary_size", vocabulary_size, "an integer, at least 2")
    require(2 * goal < slope, "target", target, "less than L/2")
    shown = ceil(small * slope / (4 * goal)) - 1
    require(shown >= 1, "target", target, "less than (|Σ| − 1)L/4")
    theta = min(Fraction(1, 2 * shown), Fraction(1, small))
    residue = 1 % period
    neurons = [n for token in range(small) for n in tent(token, float(slope / 2), theta)]
    model = partial(
        build,
        vocabulary_size=vocabulary_size,
        period=period,
        precision_bits=precision_bits,
        residue_logits={residue: precision_bits},
    )
    return Witness(
        key="derived.lower_tent",
        parameters={
            "epsilon": Fraction(0),
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": vocabulary_size,
            "period": period,
            "locality": 0,
            "precision_bits": precision_bits,
        },
        f=model(neurons=_at_multiples(neurons, period)),
        g=model(neurons=[]),
        epsilon=Fraction(0),
        agree_up_to=period * (shown + 1) - 1,
        gap=slope / 2 * small * theta,
        first_long=1,
        long_input=lambda length: _with_shares([theta] * small, length, period),
    )


def nested_classes(
    lipschitz: Number,
    epsilon: Number,
    target: Number,
    vocabulary_size: int = 3,
    period: int = 1,
    precision_bits: int = 8,
) -> Witness:
    """Exponent 2 for targets up to 3ε: one short input cannot be right for both models.

    f averages over the tokens 0..|Σ|−2 at one residue, g over all tokens there. f is a sum of
    tents of small shares, g = min(ε, L·(share of f's tokens) − ε). A short input that shows all
    shares θ to f has many of f's tokens; then g sees too many of them too.
    Within ε up to N = Δ⌈Q⌉ − 1, Q = max(1, (|Σ| − 2)/2)·L²/(target − ε)².

    Raises:
        InputError: |Σ| < 3, or not ε < target ≤ 3ε, or 2(target − ε) ≥ L.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = exact("epsilon", epsilon)
    require(vocabulary_size >= 3, "vocabulary_size", vocabulary_size, "an integer, at least 3")
    require(agreement < goal <= 3 * agreement, "target", target, "ε < target ≤ 3ε")
    rise = (goal - agreement) / slope
    require(2 * rise < 1, "target", target, "less than ε + L/2")
    # Few tokens: one small token with the full slope; more: each with half of it.
    small, factor = (vocabulary_size - 2, Fraction(1, 2)) if vocabulary_size > 4 else (1, 1)
    weight = small * factor
    shown = ceil(weight / rise**2) - 1
    theta = _slightly_above(rise / weight, weight, small, shown)
    residue, rest = 1 % period, vocabulary_size - 1
    model = partial(
        build,
        vocabulary_size=vocabulary_size,
        period=period,
        precision_bits=precision_bits,
        residue_logits={residue: 2 * precision_bits},  # above every preference between tokens
    )
    f_tokens = {token: float(precision_bits) for token in range(rest)}
    neurons = [n for token in range(small) for n in tent(token, float(slope * factor), theta)]
    # ε − relu(2ε − L·share) = min(ε, L·share − ε)
    ramp = Neuron(-1.0, float(2 * agreement), {token: -float(slope) for token in range(rest)})
    excess = weight * slope * theta - (goal - agreement)
    return Witness(
        key="derived.lower_linf_c3",
        parameters={
            "epsilon": agreement,
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": vocabulary_size,
            "period": period,
            "locality": 0,
            "precision_bits": precision_bits,
        },
        f=model(neurons=_at_multiples(neurons, period), token_logits=f_tokens),
        g=model(neurons=_at_multiples([ramp], period), constant=float(agreement)),
        epsilon=agreement,
        agree_up_to=period * (shown + 1) - 1,
        gap=goal + excess / 2,
        first_long=1,
        long_input=lambda length: _diluted(
            _with_shares([theta] * small + [Fraction(0)] * (rest - 1 - small), length, period),
            ceil(2 * slope / excess),
            rest,
            period,
        ),
    )


def two_residues(
    lipschitz: Number, epsilon: Number, target: Number, precision_bits: int = 8
) -> Witness:
    """Δ = 2, tokens s = 0 and o = 1, targets up to 3ε: f reads where the tokens s stand.

    f averages over the tokens s, and reads the share of residue 0 by one tent; g = min(ε, L·(share
    of s at residue 1) − ε). A short input that shows the share θ to f has many s at residue 1.
    Within ε up to N = 2⌈Q⌉ − 1, Q = 1/(1 − √(1−2d))², d = (target − ε)/L.

    Raises:
        InputError: not ε < target ≤ 3ε, or 2(target − ε) ≥ L.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = exact("epsilon", epsilon)
    require(agreement < goal <= 3 * agreement, "target", target, "ε < target ≤ 3ε")
    rise = (goal - agreement) / slope
    require(2 * rise < 1, "target", target, "less than ε + L/2")
    shown = 1
    while _fewer(shown + 1, rise):
        shown += 1
    # Shares of at most 2·shown tokens lie at least 1/(2·shown·denominator of d) from d.
    step = Fraction(1, 8 * rise.denominator * shown)
    while not _fewer(shown, rise + step) or 2 * (rise + step) > 1:
        step /= 2
    theta = rise + step
    silent = {1: -float(2 * slope)}  # no token s: f sees the tokens o
    neurons = [
        replace(neuron, residue_shares={0: 1.0}, token_shares=silent)
        for neuron in tent(0, float(slope), theta)
    ]
    ramp = Neuron(-1.0, float(2 * agreement), {0: -float(slope)})
    off = -4.0 * float(slope + agreement)
    model = partial(build, vocabulary_size=2, period=2, precision_bits=precision_bits)
    excess = slope * step
    return Witness(
        key="derived.lower_linf_c3",
        parameters={
            "epsilon": agreement,
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": 2,
            "period": 2,
            "locality": 0,
            "precision_bits": precision_bits,
        },
        f=model(
            neurons=[
                replace(neuron, query_tokens={0: off}, query_residues={1: off})
                for neuron in neurons
            ],
            token_logits={0: precision_bits},
        ),
        g=model(
            neurons=[replace(ramp, query_tokens={0: off}, query_residues={1: off})],
            constant=float(agreement),
            residue_logits={1: precision_bits},
        ),
        epsilon=agreement,
        agree_up_to=2 * shown + 1,
        gap=goal + excess / 2,
        first_long=1,
        long_input=lambda length: _at_residues(theta, ceil(2 * slope / excess), length),
    )


def _fewer(positions: int, y: Fraction) -> bool:
    """Whether positions ≤ 1/(1 − √(1−2y))², without roots: 2√(1/W) − 1/W ≥ 2y."""
    share = Fraction(1, positions)
    return 4 * share > (2 * y + share) ** 2


def _at_residues(theta: Fraction, times: int, length: int) -> Tokens:
    """Tokens 0 with the share θ at even positions; token 1 `times` as often, and at the end."""
    parts = theta.denominator * ceil(length / theta.denominator)
    x = np.ones(2 * (times + 1) * parts, dtype=np.int64)
    even = int(theta * parts)
    x[1 : 2 * even : 2] = 0
    x[0 : 2 * (parts - even) : 2] = 0
    return x


def _at_multiples(neurons: list[Neuron], period: int) -> list[Neuron]:
    """The neurons, silent unless the period divides the length: the query tells its residue.

    What a neuron reads of the attention is at most its positive weights, as shares are ≤ 1.
    """
    silent = []
    for neuron in neurons:
        largest = max(0.0, neuron.bias) + sum(max(0.0, w) for w in neuron.token_shares.values())
        off = dict.fromkeys(range(1, period), -2 * largest)
        silent.append(replace(neuron, query_residues=off))
    return silent


def _slightly_above(start: Fraction, weight: Fraction | int, small: int, shown: int) -> Fraction:
    """Return θ > start such that no share of at most `shown` positions feels the difference.

    Shares with denominator ≤ shown lie at least 1/(shown·denominator of start) from start.
    """
    step = Fraction(1, 4 * start.denominator * max(shown, 1))
    while weight * (start + step) ** 2 * shown > 1 or small * (start + step) > 1:
        step /= 2
    return start + step


def _last_is_rare(length: int, period: int) -> Tokens:
    """At least `length` tokens 1, and a token 0 at the end, whose residue is that of position 1."""
    x = np.ones(period * ceil((length - 1) / period) + 1, dtype=np.int64)
    x[-1] = 0
    return x


def _first_then(first: int, then: int, length: int) -> Tokens:
    x = np.full(length, then, dtype=np.int64)
    x[0] = first
    return x


def _with_shares(shares: list[Fraction], length: int, period: int) -> Tokens:
    """At least `length` tokens; token t has the share shares[t] of the positions ≡ 1.

    The rest of these positions is the next token; other positions hold token 0.
    """
    multiple = lcm(*(share.denominator for share in shares))
    positions = multiple * ceil(length / (period * multiple))
    counts = [int(share * positions) for share in shares]
    counts.append(positions - sum(counts))
    x = np.zeros(period * positions, dtype=np.int64)
    x[::period] = np.repeat(np.arange(len(counts)), counts)
    return x


def _diluted(x: Tokens, times: int, token: int, period: int) -> Tokens:
    """Append `token` so often that x keeps a share of at most 1/(times + 1)."""
    filler = np.zeros(times * x.size, dtype=np.int64)
    filler[::period] = token
    return np.concatenate([x, filler])
