"""Lower bound for one softmax layer: a last token that keeps a share of the attention.

f = L·relu(θ − σ − 1[last token is not b]), σ the attention on b, and g = −ε − f. Where the input
ends in b, σ is at least u_n, the attention that one b has as the last of n tokens; so f = 0 up to
the length N if u_N > θ, and on a…ab of growing length f → L·θ: |f − g| is ε, then ε + 2L·θ.
Source: [derived, docs/theory/softmax.md#derived-lower_softmax_exact and
#derived-lower_softmax_margin].
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import arb, ctx, fmpq

from bounds.precision import FLINT
from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.witnesses.witness import Neuron, Number, Tokens, Witness, build, exact, require

_BITS = 256
_SLACK = Fraction(1, 2**40)
"""θ stays this far, relatively, from both of its limits: float64 cannot tell less."""


def last_token(
    lipschitz: Number,
    target: Number,
    epsilon: Number = 0,
    logit_range: Number = 0,
    margin: Number = 1,
    vocabulary_size: int = 2,
) -> Witness:
    """f = L·relu(θ − σ − 1[last token is not b]), g = −ε − f: N < 1 + e^R(L/s − 1) is too short.

    b = 1 has the content logit R, every other token 0; the last token has the bias 1 − γ, none
    for γ = 1. Within ε up to the greatest N with (N − 1)·N^(γ−1) < e^R(L/s − 1), where
    s = (target − ε)/2, then apart by more than the target. Δ = 1, τ = 0.

    Args:
        lipschitz: L.
        target: the error that is exceeded.
        epsilon: the agreement on short inputs.
        logit_range: R, a number that float64 holds.
        margin: γ, the positional margin, a number that float64 holds.
        vocabulary_size: |Σ|.

    Raises:
        InputError: |Σ| < 2, or target ≤ ε, or s ≥ L, or a number that float64 does not hold.
    """
    slope, goal = exact("lipschitz", lipschitz), exact("target", target)
    agreement = Fraction(0) if epsilon == 0 else exact("epsilon", epsilon)
    reach = Fraction(0) if logit_range == 0 else exact("logit_range", logit_range)
    gamma = exact("margin", margin)
    require(vocabulary_size >= 2, "vocabulary_size", vocabulary_size, "an integer, at least 2")
    require(agreement < goal, "target", target, "greater than epsilon")
    s = (goal - agreement) / 2
    require(s < slope, "target", target, "less than ε + 2L")
    require(Fraction(float(reach)) == reach, "logit_range", logit_range, "a dyadic number")
    require(Fraction(float(1 - gamma)) == 1 - gamma, "margin", margin, "a dyadic number")
    short, theta = _longest(reach, gamma, s / slope)
    gap = agreement + slope * (theta + s / slope)  # between the target and ε + 2Lθ
    late = _length_below(reach, gamma, theta - (gap - agreement) / (2 * slope))
    others = {token: -1.0 for token in range(vocabulary_size) if token != 1}

    def model(sign: int, constant: Fraction) -> LimitTransformer:
        neuron = Neuron(sign * float(slope), float(theta), {1: -1.0}, query_tokens=others)
        return build(
            vocabulary_size=vocabulary_size,
            period=1,
            precision_bits=None,
            neurons=[neuron],
            constant=float(constant),
            token_logits={1: float(reach)},
            lag_bias=(float(1 - gamma),),
        )

    return Witness(
        key="derived.lower_softmax_exact" if gamma == 1 else "derived.lower_softmax_margin",
        parameters={
            "epsilon": agreement,
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": vocabulary_size,
            "logit_range": reach,
            "logit_range_columns": reach,
            "positional_margin": gamma,
            "period": 1,
            "locality": 0,
        },
        f=model(1, Fraction(0)),
        g=model(-1, -agreement),
        epsilon=agreement,
        agree_up_to=short,
        gap=gap,
        first_long=late,
        long_input=_others_then_b,
    )


def least_share(length: int, logit_range: Fraction, margin: Fraction) -> arb:
    """u_n = e^R n^(1−γ)/(n − 1 + e^R n^(1−γ)), enclosed: the last token's attention, alone."""
    with FLINT, ctx.workprec(_BITS):
        own = _enclosed(logit_range).exp() * arb(length) ** _enclosed(1 - margin)
        return own / (length - 1 + own)


def _longest(logit_range: Fraction, margin: Fraction, share: Fraction) -> tuple[int, Fraction]:
    """The greatest N with share < u_N, clearly, and a float64 in between.

    Raises:
        InputError: there is no such float64 even for N = 1.
    """
    low, high = 0, 1  # u falls with the length
    while high < 2**1000 and _is_above(high, logit_range, margin, share):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _is_above(middle, logit_range, margin, share):
            low = middle
        else:
            high = middle
    if low == 0:
        raise InputError("target", share, "so far below ε + 2L that float64 can tell")
    return low, _between(low, logit_range, margin, share)


def _between(length: int, logit_range: Fraction, margin: Fraction, share: Fraction) -> Fraction:
    """About the middle of share and u_length, a float64."""
    with FLINT, ctx.workprec(_BITS):
        middle = (least_share(length, logit_range, margin) + _enclosed(share)) / 2
        return Fraction(float(middle.mid()))


def _is_above(length: int, logit_range: Fraction, margin: Fraction, share: Fraction) -> bool:
    """Whether share < u_length, certainly, with room for a float64 between them."""
    with FLINT, ctx.workprec(_BITS):
        return bool(least_share(length, logit_range, margin) > _enclosed(share * (1 + 4 * _SLACK)))


def _length_below(logit_range: Fraction, margin: Fraction, share: Fraction) -> int:
    """A length from which on u is at most `share`, to a factor of 2 the least."""
    with FLINT, ctx.workprec(_BITS):
        length = 1
        while not least_share(length, logit_range, margin) <= _enclosed(share):
            length *= 2
        return length


def _enclosed(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _others_then_b(length: int) -> Tokens:
    x = np.zeros(length, dtype=np.int64)
    x[-1] = 1
    return x
