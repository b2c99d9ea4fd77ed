"""Explicit pairs for two argmax layers: short agreement that says nothing about long inputs.

Evaluate `bounded_norms` and `doubling_machine` with `ExactTwoLayer`, under the rule that their
text names: `LimitTransformer` drops attention weights by its own rule of finite precision.
Source: [derived, docs/theory/two_layer_argmax.md#derived-no_bound_two_layer_argmax and
docs/theory/two_layer_argmax.md#derived-lower_two_layer_argmax].
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Literal

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.witnesses.minsky import BEGIN, doubling, machine_model
from verify.witnesses.witness import Number, Tokens, Witness, exact, require, zero_output

_NO_BOUND = "derived.no_bound_two_layer_argmax"


def bounded_norms(length: int, *, logit_scale: float = 1.0, precision_bits: int = 1) -> Witness:
    """Two models with norms ≤ 2 that agree up to `length` and differ by 1 one token later.

    Exact hardmax attention is meant in the second layer (`ExactTwoLayer(..., "hardmax")`): its
    logit gaps are about 1/(2·length²), so that p bits of precision cannot resolve them. With
    `logit_scale` at least 2·p·(length + 1)² the gaps are at least p for all inputs of at most
    length + 1 tokens: finite precision is hardmax there, and the price is the norm.

    Args:
        length: N ≥ 1, the length up to which the two agree.
        logit_scale: factor of the second layer's logits; 1 keeps all norms ≤ 2.
        precision_bits: p of both models.

    Raises:
        InputError: length is below 1, or so large that the floats 2/(2N+1) are not in place.
    """
    require(length >= 1, "length", length, "an integer ≥ 1")
    high = 2 / (2 * length + 1)
    low = high / 2
    in_place = Fraction(1, length + 1) < Fraction(high) < Fraction(1, length)
    in_place &= Fraction(low) < Fraction(1, 2 * length)
    allowed = "a length N at which floats separate 1/N, 2/(2N+1), 1/(N+1), 1/(2N)"
    require(in_place, "length", length, allowed)

    def long_input(size: int) -> Tokens:
        require(length < size <= 2 * length, "length", size, f"{length + 1} to {2 * length}")
        return np.array([1] * (size - 1) + [0])

    return Witness(
        key=_NO_BOUND,
        parameters={"vocabulary_size": 2, "period": 1, "locality": 0},
        f=_share_against(high, logit_scale, precision_bits),
        g=_share_against(low, logit_scale, precision_bits),
        epsilon=Fraction(0),
        agree_up_to=length,
        gap=Fraction(1),
        first_long=length + 1,
        long_input=long_input,
        last_long=2 * length,
    )


def doubling_machine(stages: int, rule: Literal["hardmax", "rounded"]) -> Witness:
    """A model of a machine that counts to 2^stages, against the zero model.

    Exact hardmax attention (rule "hardmax"), or softmax with p = 1 where the outputs of heads
    are rounded too ("rounded"); evaluate with `ExactTwoLayer(model, rule)`. Weights are at most 4.

    Args:
        stages: m ≥ 1; |Σ| = 7m + 4, and the models agree up to 7·2^m + 2m − 4.
        rule: "hardmax" or "rounded".

    Raises:
        InputError: stages is below 1.
    """
    machine = doubling(stages)
    first_long = 7 * 2**stages + 2 * stages - 3
    run = machine.run(first_long)
    f = machine_model(machine, rule)

    def long_input(size: int) -> Tokens:
        require(size >= first_long, "length", size, f"at least {first_long}")
        assert run is not None  # the machine halts
        return np.array([BEGIN] * (size - len(run)) + list(run))

    return Witness(
        key=_NO_BOUND,
        parameters={"vocabulary_size": machine.vocabulary_size, "period": 1, "locality": 1},
        f=f,
        g=zero_output(f),
        epsilon=Fraction(0),
        agree_up_to=first_long - 1,
        gap=Fraction(1),
        first_long=first_long,
        long_input=long_input,
    )


def _share_against(threshold: float, scale: float, precision_bits: int) -> LimitTransformer:
    """1 if some token 0 stands where the share of 0 is below the threshold, or there is no 1."""
    # Coordinates: token 0, token 1, share of 0 so far, the same at tokens 0 only, result.
    zero = np.zeros((5, 5))
    embedding = np.eye(2, 5)
    share, logits, read = zero.copy(), zero.copy(), zero.copy()
    share[2, 0] = 1
    logits[3, :2] = -scale
    logits[1, :2] = -scale * threshold
    read[4, 0] = 1
    only_at_zeros = Layer(
        heads=(Head(zero, share, np.zeros(1)),),
        mlp_in=np.array([[0.0, -1.0, 1.0, 0.0, 0.0]]),
        mlp_bias=np.zeros(1),
        mlp_out=np.eye(5)[:, [3]],
    )
    last = Layer(heads=(Head(logits, read, np.zeros(1)),))
    return LimitTransformer(
        embedding, np.zeros((1, 5)), (only_at_zeros, last), np.eye(5)[[4]], precision_bits
    )


def gram_tents(
    *,
    vocabulary_size: int,
    locality: int,
    target: Number,
    lipschitz: Number = 1,
    precision_bits: int = 1,
) -> Witness:
    """A model that is 0 on short inputs and exceeds the target on the grams of a de Bruijn cycle.

    The first layer copies the last τ tokens (hardmax from length 2 on, at any precision); the
    second averages one-hot grams of τ + 1 tokens; for every gram but 0…0 a tent of width 2/P of
    its frequency is added. L-Lipschitz in the total variation of the second attention; 0 up to
    length P/2 and (L/2)(|Σ|^(τ+1) − 1)/P on a string of length P, P the greatest integer below
    (|Σ|^(τ+1) − 1)·L/(2·target).

    Args:
        vocabulary_size: |Σ| ≥ 2.
        locality: τ ≥ 0.
        target: the error that is exceeded, below (L/2)(1 − |Σ|^−(τ+1)).
        lipschitz: L.
        precision_bits: p.

    Raises:
        InputError: an argument is outside these ranges.
    """
    goal, slope = exact("target", target), exact("lipschitz", lipschitz)
    require(vocabulary_size >= 2, "vocabulary_size", vocabulary_size, "an integer ≥ 2")
    require(locality >= 0, "locality", locality, "an integer ≥ 0")
    number = vocabulary_size ** (locality + 1)
    size = (number - 1) * slope / (2 * goal)
    require(size > number, "target", target, "a number below (L/2)(1 − |Σ|^−(τ+1))")
    denominator = math.ceil(size) - 1

    def long_input(length: int) -> Tokens:
        require(length >= denominator, "length", length, f"at least {denominator}")
        period = _cycle(vocabulary_size, locality + 1, denominator)
        return np.array(period * math.ceil(length / denominator))

    f = _tents(vocabulary_size, locality, denominator, slope, precision_bits)
    return Witness(
        key="derived.lower_two_layer_argmax",
        parameters={
            "target": goal,
            "lipschitz": slope,
            "vocabulary_size": vocabulary_size,
            "period": 1,
            "locality": locality,
            "precision_bits": precision_bits,
        },
        f=f,
        g=zero_output(f),
        epsilon=Fraction(0),
        agree_up_to=denominator // 2,
        gap=slope / 2 * (number - 1) / denominator,
        first_long=denominator,
        long_input=long_input,
    )


def _tents(
    vocabulary_size: int, locality: int, denominator: int, slope: Fraction, precision_bits: int
) -> LimitTransformer:
    wanted = list(itertools.product(range(vocabulary_size), repeat=locality + 1))[1:]
    copies = vocabulary_size * (locality + 1)
    # Coordinates: tokens at lags 0..τ, grams other than 0…0, their frequencies, result.
    width = copies + 2 * len(wanted) + 1
    gram, frequency = copies + np.arange(len(wanted)), copies + len(wanted) + np.arange(len(wanted))
    zero = np.zeros((width, width))

    heads = []
    for lag in range(1, locality + 1):
        value = zero.copy()
        value[lag * vocabulary_size + np.arange(vocabulary_size), np.arange(vocabulary_size)] = 1
        bias = [float(precision_bits * u) if u <= lag else 0.0 for u in range(locality + 1)]
        heads.append(Head(zero, value, np.array(bias)))
    matches = np.zeros((len(wanted), width))
    for row, tokens in zip(matches, wanted, strict=True):
        row[[lag * vocabulary_size + token for lag, token in enumerate(tokens)]] = 1
    first = Layer(
        heads=tuple(heads) or (Head(zero, zero, np.zeros(1)),),
        mlp_in=matches,
        mlp_bias=np.full(len(wanted), -float(locality)),
        mlp_out=np.eye(width)[:, gram],
    )
    mean = zero.copy()
    mean[frequency, gram] = 1
    tent_out = np.zeros((width, 3 * len(wanted)))
    tent_out[-1] = float(slope) / 2 * np.tile([1.0, -2.0, 1.0], len(wanted))
    last = Layer(
        heads=(Head(zero, mean, np.zeros(1)),),
        mlp_in=np.repeat(np.eye(width)[frequency], 3, axis=0),
        mlp_bias=np.tile([0.0, -1 / denominator, -2 / denominator], len(wanted)),
        mlp_out=tent_out,
    )
    return LimitTransformer(
        np.eye(vocabulary_size, width),
        np.zeros((1, width)),
        (first, last),
        np.eye(width)[[-1]],
        precision_bits,
    )


def _cycle(vocabulary_size: int, order: int, length: int) -> tuple[int, ...]:
    """A string in which every gram but 0…0 occurs exactly once, with x_1 = 0 as its own past."""
    cycle = _de_bruijn(vocabulary_size, order)  # starts with its run of `order` zeros
    run = order + length - len(cycle)
    past = order - 1  # zeros kept for the end, where they are the past of the first tokens
    return (0,) * (run - past) + tuple(cycle[order:]) + (0,) * past


def _de_bruijn(letters: int, order: int) -> list[int]:
    """The least de Bruijn cycle: the Lyndon words of length dividing `order`, in order."""
    cycle: list[int] = []
    word = [-1]
    while word:
        word[-1] += 1
        if order % len(word) == 0:
            cycle += word
        word = [word[k % len(word)] for k in range(order)]
        while word and word[-1] == letters - 1:
            word.pop()
    return cycle
