"""A pair of models that agrees on every short input and differs on a longer one, and its parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.model.precision import is_dropped
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

Tokens = npt.NDArray[np.int64]
Number = int | float | Fraction | str


@dataclass(frozen=True)
class Witness:
    """What shows that a training length is not enough.

    Attributes:
        key: the lower bound in the registry of `bounds` that the pair proves.
        parameters: keywords of `bounds.required_length` that describe the pair, exact.
        f, g: the models.
        epsilon: |f − g| ≤ ε on every input of length at most `agree_up_to`
            (up to the rounding of float64, as all statements about outputs here).
        agree_up_to: N.
        gap: |f(x) − g(x)| ≥ gap for x = `long_input(T)`; larger than the target that the lower
            bound speaks of, unless the pair says otherwise.
        first_long: least T for which `long_input` is defined.
        last_long: greatest T for which it is; None: there is none, the error stays for ever.
        long_input: T → an input of T tokens, or of the next longer suitable length.
    """

    key: str
    parameters: Mapping[str, Fraction | int]
    f: LimitTransformer
    g: LimitTransformer
    epsilon: Fraction
    agree_up_to: int
    gap: Fraction
    first_long: int
    long_input: Callable[[int], Tokens]
    last_long: int | None = None


@dataclass(frozen=True)
class Neuron:
    """One hidden unit: out · relu(bias + what it reads).

    Attributes:
        out, bias: numbers.
        token_shares, residue_shares: weight of the attention on a token, on a residue.
        query_tokens, query_residues: weight of the query's own token and residue.
    """

    out: float
    bias: float
    token_shares: Mapping[int, float] = field(default_factory=dict)
    residue_shares: Mapping[int, float] = field(default_factory=dict)
    query_tokens: Mapping[int, float] = field(default_factory=dict)
    query_residues: Mapping[int, float] = field(default_factory=dict)


def build(
    *,
    vocabulary_size: int,
    period: int,
    precision_bits: int | None,
    neurons: Sequence[Neuron],
    constant: float = 0.0,
    token_logits: Mapping[int, float] | None = None,
    residue_logits: Mapping[int, float] | None = None,
    lag_bias: Sequence[float] = (0.0,),
) -> LimitTransformer:
    """Return the one-head model f = constant + Σ neurons, reading the attention's marginals.

    The logit of a key is the sum of the logits of its token and of its residue, for every query,
    and the lag bias. The residual stream holds: the number 1; indicators of token and residue;
    the attention's shares of those tokens and residues that a neuron reads; the output.
    """
    own = {"token": 1, "residue": 1 + vocabulary_size}
    share = {kind: first + vocabulary_size + period for kind, first in own.items()}
    output = 1 + 2 * (vocabulary_size + period)
    width = output + 1

    embedding = np.zeros((vocabulary_size, width))
    embedding[:, 0] = 1.0
    embedding[:, own["token"] : own["residue"]] = np.eye(vocabulary_size)
    positions = np.zeros((period, width))
    positions[:, own["residue"] : own["residue"] + period] = np.eye(period)

    query_key, value = np.zeros((width, width)), np.zeros((width, width))
    for kind, logits in (("token", token_logits), ("residue", residue_logits)):
        for index, logit in (logits or {}).items():
            query_key[own[kind] + index, 0] = logit

    mlp_in = np.zeros((len(neurons), width))
    mlp_out = np.zeros((width, len(neurons)))
    for row, neuron in enumerate(neurons):
        for first, weights in (
            (own["token"], neuron.query_tokens),
            (own["residue"], neuron.query_residues),
        ):
            for index, weight in weights.items():
                mlp_in[row, first + index] = weight
        for kind, weights in (
            ("token", neuron.token_shares),
            ("residue", neuron.residue_shares),
        ):
            for index, weight in weights.items():
                mlp_in[row, share[kind] + index] = weight
                value[share[kind] + index, own[kind] + index] = 1.0
        mlp_out[output, row] = neuron.out
    unembedding = np.zeros((1, width))
    unembedding[0, output] = 1.0
    unembedding[0, 0] = constant
    layer = Layer(
        heads=(Head(query_key, value, lag_bias),),  # type: ignore[arg-type]
        mlp_in=mlp_in,
        mlp_bias=np.array([neuron.bias for neuron in neurons]),
        mlp_out=mlp_out,
    )
    return LimitTransformer(embedding, positions, (layer,), unembedding, precision_bits)


def tent(token: int, height: float, theta: Fraction) -> tuple[Neuron, Neuron, Neuron]:
    """Return neurons that add up to height · (θ − |u − θ|)₊, u ≥ 0 the share of a token."""
    shares = {token: 1.0}
    return (
        Neuron(height, 0.0, shares),
        Neuron(-2 * height, -float(theta), shares),
        Neuron(height, -float(2 * theta), shares),
    )


def hardmax_length(precision_bits: int, margin: Fraction) -> int:
    """Return T₁ = ⌈2^(p/γ)⌉: the least length at which a gap γ makes a key vanish."""
    low, high = 1, 2
    while not is_dropped(high, margin, precision_bits):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if is_dropped(middle, margin, precision_bits):
            high = middle
        else:
            low = middle
    return high


def exact(name: str, value: Number) -> Fraction:
    """Read a positive number exactly; a string such as "1/10" is allowed.

    Raises:
        InputError: it is no such number.
    """
    try:
        number = Fraction(value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise InputError(name, value, "a positive number") from None
    if number <= 0:
        raise InputError(name, value, "a positive number")
    return number


def exact_margin(margin: Number, precision_bits: int, at_most: Fraction) -> Fraction:
    """Read a margin that float64 holds, with a threshold 2^(p/γ) of at most 2⁶⁰.

    Raises:
        InputError: it is no such number.
    """
    gamma = exact("margin", margin)
    if gamma > at_most or Fraction(float(gamma)) != gamma or precision_bits > 60 * gamma:
        allowed = f"a dyadic number γ ≤ {at_most} with p/γ ≤ 60"
        raise InputError("margin", margin, allowed)
    return gamma


def require(condition: bool, name: str, given: object, allowed: str) -> None:
    """Raise an InputError about the argument `name` unless the condition holds."""
    if not condition:
        raise InputError(name, given, allowed)


def zero_output(model: LimitTransformer) -> LimitTransformer:
    """The same model with output 0."""
    return dataclasses.replace(model, unembedding=np.zeros_like(model.unembedding))
