"""What is asked: the pair, the errors allowed, what z has to reproduce, and the input."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, cast

import numpy as np

from verify.certificates.counted_input import CountedInput
from verify.certificates.input_class import PairInputs
from verify.certificates.target import read_target
from verify.errors import InputError
from verify.measure.lipschitz import head_lipschitz
from verify.model.summary import Summary, summarise
from verify.model.transformer import LimitTransformer
from verify.tightness.exact_outputs import ExactOutputs

Reproduces = Literal["outputs", "each output", "attention"]
REPRODUCES: tuple[Reproduces, ...] = ("outputs", "each output", "attention")

Query = Literal["same", "any"]


@dataclass(frozen=True)
class Request:
    """A pair and what simulating an input means for it.

    Attributes:
        inputs: the pair and all its inputs.
        exact: its exact outputs.
        budget: target − ε = 2s.
        reproduces: what z has to reproduce.
        query: whether z keeps the query type of x, its last token and its length mod Δ.
    """

    inputs: PairInputs
    exact: ExactOutputs
    budget: Fraction
    reproduces: Reproduces
    query: Query

    @property
    def each(self) -> bool:
        """Whether both errors are bounded by s, and not only their sum by 2s."""
        return self.reproduces == "each output"

    def close(self, x: Summary, z: Summary) -> bool | None:
        """Whether the outputs at z are close enough to those at x, exactly."""
        return self.exact.close(x, z, self.budget, self.each)

    def tolerances(self) -> list[Fraction]:
        """Return δ = min(1, s/L) for each head of f, then of g, L the constant of its model."""
        found = []
        for model in (self.inputs.pair.f, self.inputs.pair.g):
            constants = [head.least for head in head_lipschitz(model)]
            total = sum(constants, Fraction(0))
            delta = Fraction(1) if 2 * total <= self.budget else self.budget / (2 * total)
            found += [delta] * len(constants)
        return found

    def summary(self, x: Any) -> Summary:
        """Return x as this pair sees it.

        Raises:
            InputError: x is no input of the pair.
        """
        inputs = self.inputs
        given = x.summary if isinstance(x, CountedInput) else x
        if not isinstance(given, Summary):
            return summarise(given, inputs.vocabulary_size, inputs.period, inputs.locality)
        shape = (inputs.period, inputs.vocabulary_size)
        suffix = min(given.length, inputs.locality + 1)
        if given.counts.shape != shape or given.suffix.size != suffix:
            allowed = f"tokens, or counts of shape (Δ, |Σ|) = {shape} and a suffix of {suffix}"
            raise InputError("x", x, allowed)
        return given


def read_request(
    f: LimitTransformer,
    g: LimitTransformer | None,
    epsilon: Any,
    target: Any,
    reproduces: Any = "outputs",
    query: Any = "same",
) -> Request:
    """Check the arguments that all calls of this room share.

    Raises:
        InputError: an argument is not usable.
    """
    if reproduces not in REPRODUCES:
        raise InputError("reproduces", reproduces, f"one of {', '.join(map(repr, REPRODUCES))}")
    if query not in ("same", "any"):
        raise InputError("query", query, '"same" or "any"')
    if reproduces == "attention" and query == "any":
        allowed = '"same": equal attention bounds the error only for equal queries'
        raise InputError("query", query, allowed)
    inputs = PairInputs(f, f if g is None else g)
    if reproduces == "attention" and not inputs.pair.finite:
        allowed = 'an integer for reproduces="attention"; infinite precision: "outputs"'
        raise InputError("f.precision_bits", f.precision_bits, allowed)
    low = read_number("epsilon", epsilon)
    high = 3 * low if target is None else read_target(target)
    if high <= low:
        allowed = f"a number above ε = {low}" if target is not None else "ε > 0, or a target"
        raise InputError("target" if target is not None else "epsilon", high, allowed)
    exact = ExactOutputs(inputs.pair)
    return Request(inputs, exact, high - low, cast(Reproduces, reproduces), cast(Query, query))


def read_number(name: str, value: Any) -> Fraction:
    """Return a rational number ≥ 0.

    Raises:
        InputError: it is none.
    """
    try:
        return read_target(value)
    except InputError as problem:
        raise InputError(name, value, problem.allowed) from None


def read_count(name: str, value: Any, least: int = 1) -> int:
    """Return an integer ≥ least.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(name, value, f"an integer, at least {least}")
    return int(value)
