"""Two argmax layers with any margin in both: lengths exponential in L/target.

The first layer shows, exactly, s = the share of a among a and b and t = the share of c among c
and d; the second averages |t − ½| + pen over the c and d, where pen = min(½, k·s) at c and
min(½, k·(1 − s)) at d. To keep that average small, c and d have to alternate between small and
large s, and each alternation multiplies the number of a and b by 2k − 1. Source: [derived,
docs/theory/two_layer_argmax.md#derived-lower_two_layer_argmax_margin, Theorem E].
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.witnesses.run_lengths import Runs
from verify.witnesses.witness import Number, Tokens, Witness, exact, require, zero_output

A, B, C, D = range(4)


def alternating_shares(
    target: Number,
    lipschitz: Number = 1,
    precision_bits: int = 1,
    margin: Number = 1,
    slope: int = 10,
) -> Witness:
    """A model that is 0 on all short inputs and exceeds the target on a very long one.

    f = L·relu(h − mean), h > target/L; all logits are max(γ, p) or 0. It is 0 up to length
    (2k − 1)^(K − 2), K = `alternations`(target/L), about L/(2·target). The long input, as runs, is
    `alternation(excess, slope)` with excess = h − target/L.

    Args:
        target: the error that is exceeded, at most L/8.
        lipschitz: L, in the total variation of the second layer's attention.
        precision_bits: p.
        margin: γ, of both layers.
        slope: k ≥ 2, the largest weight besides max(γ, p), L and h.

    Raises:
        InputError: an argument is outside these ranges, or target/L so little below v_(K−1)/8
            that the long input has more than 3000 letters c, d; `long_input`: more than 10⁹
            tokens (`alternation` gives such an input as runs).
    """
    goal, scale = exact("target", target), exact("lipschitz", lipschitz)
    least = exact("margin", margin)
    require(8 * goal <= scale, "target", target, "at most L/8")
    require(slope >= 2, "slope", slope, "an integer ≥ 2")
    number, limit = alternations(goal / scale)
    height = Fraction(math.nextafter(float(limit), 0))
    excess = height - goal / scale
    f = _model(height, scale, float(max(least, Fraction(precision_bits))), slope, precision_bits)
    allowed = "less close to a step of K, and not far below L/20"
    require(excess > 0 and _letters(excess) <= 3000, "target", target, allowed)
    runs = alternation(excess, slope)
    length = sum(times for _, times in runs)

    def long_input(size: int) -> Tokens:
        allowed = f"{length}, and at most 10⁹ (longer: verify.witnesses.alternation)"
        require(size == length <= 10**9, "length", size, allowed)
        return np.repeat([token for token, _ in runs], [times for _, times in runs])

    return Witness(
        key="derived.lower_two_layer_argmax_margin",
        parameters={
            "target": goal,
            "lipschitz": scale,
            "vocabulary_size": 4,
            "period": 1,
            "locality": 0,
            "heads": 2,
            "precision_bits": precision_bits,
            "margin": least,
        },
        f=f,
        g=zero_output(f),
        epsilon=Fraction(0),
        agree_up_to=(2 * slope - 1) ** max(number - 2, 0),
        gap=goal + scale * excess / 4,
        first_long=length,
        long_input=long_input,
        last_long=length,
    )


def alternations(height: Fraction) -> tuple[int, Fraction]:
    """K and v_(K−1)/8 ≥ h' for all means below h' > h to need K intervals: v_K ≤ 8h < v_(K−1).

    v_1 = 1, v_(K+1) = v_K − v_K²/4, rounded down; for h < 1/8.
    """
    unit = 2**80
    before, least, number = unit, unit, 1
    while least > 8 * height * unit:
        before = least
        least -= -(-(least**2) // (4 * unit))
        number += 1
    return number, Fraction(before, 8 * unit)


def alternation(excess: Fraction, slope: int) -> Runs:
    """An input with mean below 3/4 of the excess: c and d in turn, a or b between, as runs."""
    share = excess / (4 * slope)
    runs, small, large = [(C, 1)], 0, 0
    for k in range(1, _letters(excess)):
        # What was the larger count becomes at most `share` of all.
        small, large = large, small
        more = max(1, math.ceil(small / share) - small - large)
        large += more
        runs += [(A if k % 2 else B, more), (D if k % 2 else C, 1)]
    return runs


def _letters(excess: Fraction) -> int:
    """m for which the mean of |t − ½| over m letters c d c d … is at most half the excess."""
    # Only odd places differ: the sum is at most (1/2)(1 + ln(m)/2) + 1/(2m).
    letters = 4
    while 1 + math.log(letters) / 2 > letters * excess:
        letters += 1 + letters // 16
    return letters


def _model(
    height: Fraction, scale: Fraction, top: float, slope: int, precision_bits: int
) -> LimitTransformer:
    # Coordinates: the four tokens, s, t, value, the second layer's mean, result, 1.
    s, t, value, seen, result, one = range(4, 10)
    embedding = np.eye(4, 10)
    embedding[:, one] = 1

    def mean_over(tokens: list[int], read: int, write: int) -> Head:
        keys, move = np.zeros((10, 10)), np.zeros((10, 10))
        keys[tokens, one] = top
        move[write, read] = 1
        return Head(keys, move, np.zeros(1))

    # |t − ½|, min(½, k·s) at c, min(½, k·(1 − s)) at d
    rows, biases = np.zeros((6, 10)), np.array([-0.5, 0.5, -slope, -slope - 0.5, 0.0, -0.5])
    rows[[0, 1], t] = 1, -1
    rows[2:4, s] = rows[2:4, C] = rows[4:, D] = slope
    rows[4:, s] = -slope
    first = Layer(
        heads=(mean_over([A, B], A, s), mean_over([C, D], C, t)),
        mlp_in=rows,
        mlp_bias=biases,
        mlp_out=np.outer(np.eye(10)[value], [1.0, 1, 1, -1, 1, -1]),
    )
    minus = np.zeros((1, 10))
    minus[0, seen] = -1
    last = Layer(
        heads=(mean_over([C, D], value, seen),),
        mlp_in=minus,
        mlp_bias=np.array([float(height)]),
        mlp_out=float(scale) * np.eye(10)[:, [result]],
    )
    return LimitTransformer(
        embedding, np.zeros((1, 10)), (first, last), np.eye(10)[[result]], precision_bits
    )
