"""`verify.shortest`: the shortest input that stands in for a given one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.certificates.input_class import LONGEST
from verify.certificates.window import LIMIT
from verify.errors import InputError
from verify.lengths import Length
from verify.model.plain import summary_data, summary_from
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.simulation.argmax.one_layer import OneLayerSimulator
from verify.simulation.argmax.summaries import expanded
from verify.tightness.enumeration import look
from verify.tightness.exact_outputs import Interval, hardmax_laws, total_variation
from verify.tightness.program import attention_minimum
from verify.tightness.proportional import proportional_cut
from verify.tightness.request import Query, Reproduces, Request, read_count, read_request

_NODE = 5000
"""Evaluations that take as long as a node of the search tree."""


class ShortestStatus(Enum):
    """What is known of the length."""

    EXACT = "the minimum: every shorter input is proved not to do"
    BOUNDS = "between lower_bound and length: shorter inputs were not all excluded"


@dataclass(frozen=True)
class Shortest:
    """The shortest z that simulates x, or bounds of its length; z itself is checked exactly.

    Attributes:
        summary: x.
        short_summary: z.
        lower_bound: no input shorter than this simulates x; proved.
        reproduces: what z reproduces, within `budget` or `tolerances`.
        query: whether other last tokens and residues were allowed for z.
        budget: target − ε = 2s.
        error_f, error_g: where |f(x) − f(z)| and |g(x) − g(z)|, largest outputs, lie; equal ends
            where they are rational and known exactly.
        tolerances: δ of each head of f, then of g; empty unless attention is reproduced.
        variations: exact total variation of each of these heads; None where δ = 1 asks nothing.
        method: how the length was found.
        evaluations: count vectors, or nodes of the search tree, that were looked at.
    """

    summary: Summary
    short_summary: Summary
    lower_bound: int
    reproduces: Reproduces
    query: Query
    budget: Fraction
    error_f: Interval
    error_g: Interval
    tolerances: tuple[Fraction, ...]
    variations: tuple[Fraction | None, ...]
    method: str
    evaluations: int

    @property
    def length(self) -> Length:
        """|z|."""
        return Length(self.short_summary.length)

    @property
    def input_length(self) -> Length:
        """T = |x|."""
        return Length(self.summary.length)

    @property
    def status(self) -> ShortestStatus:
        """Whether `length` is proved to be the minimum."""
        exact = self.lower_bound == self.short_summary.length
        return ShortestStatus.EXACT if exact else ShortestStatus.BOUNDS

    @property
    def short(self) -> npt.NDArray[np.int64]:
        """z, shape (length,).

        Raises:
            InputError: z is longer than 10⁸ tokens.
        """
        return expanded(self.short_summary)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; rational numbers are strings."""
        return {
            "x": summary_data(self.summary),
            "z": summary_data(self.short_summary),
            "length": int(self.length),
            "lower_bound": self.lower_bound,
            "status": self.status.name,
            "reproduces": self.reproduces,
            "query": self.query,
            "budget": str(self.budget),
            "error_f": [str(self.error_f.low), str(self.error_f.high)],
            "error_g": [str(self.error_g.low), str(self.error_g.high)],
            "tolerances": list(map(str, self.tolerances)),
            "variations": [None if v is None else str(v) for v in self.variations],
            "method": self.method,
            "evaluations": self.evaluations,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Shortest:
        """Return the result that `to_dict` described."""
        low_f, high_f = map(Fraction, data["error_f"])
        low_g, high_g = map(Fraction, data["error_g"])
        return cls(
            summary=summary_from(data["x"]),
            short_summary=summary_from(data["z"]),
            lower_bound=data["lower_bound"],
            reproduces=data["reproduces"],
            query=data["query"],
            budget=Fraction(data["budget"]),
            error_f=Interval(low_f, high_f),
            error_g=Interval(low_g, high_g),
            tolerances=tuple(map(Fraction, data["tolerances"])),
            variations=tuple(None if v is None else Fraction(v) for v in data["variations"]),
            method=data["method"],
            evaluations=data["evaluations"],
        )

    def __str__(self) -> str:
        """Return lengths, what is reproduced, and what is proved."""
        at_least = "" if self.status is ShortestStatus.EXACT else f" (at least {self.lower_bound})"
        return (
            f"shortest z for an input of length {self.input_length}: {self.length}{at_least}, by "
            f"{self.method}; reproduces {self.reproduces}, target − ε = {self.budget}"
        )


def shortest(
    x: Any,
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    target: Any = None,
    reproduces: Reproduces = "outputs",
    query: Query = "same",
    limit: int = LIMIT,
) -> Shortest:
    """Return the shortest z that simulates x for f and g at once; z = x always does.

    With s = (target − ε)/2, z simulates x if

    - "outputs": |f(x) − f(z)| + |g(x) − g(z)| ≤ 2s, what a proof of |f − g| ≤ target needs;
    - "each output": both are at most s;
    - "attention": in every head with δ = s/L < 1, L the constant of its model, z is hardmax and
      its attention, a law on types (residue, token), is within total variation δ of that of x:
      all that a proof by counts can use. It implies the others.

    By outputs all inputs are looked at, by increasing length. By attention it is an integer linear
    program for each suffix, each choice of largest logits, and each range of lengths; HiGHS
    proposes, exact integers check, and a search tree whose bounds are worked out in rational
    numbers proves that nothing is shorter. Where `limit` ends that, `lower_bound` is what was
    proved, and `status` says so.

    Args:
        x: (T,) tokens, a Summary with the pair's Δ and τ, or a CountedInput; counts of any size.
        f, g: one-layer models with the same |Σ|, number of outputs and kind of precision; without
            g, f stands for both.
        epsilon: ε ≥ 0, as in `verify.certify`.
        target: the error wanted at every length, > ε. None: 3ε, so that s = ε.
        reproduces: what z has to reproduce.
        query: "same": z keeps the last token of x and its length mod Δ, as in the theorems; "any":
            it need not.
        limit: the largest number of evaluations by outputs; by attention, a node of the tree
            counts as 5000. Either way about half a minute.

    Raises:
        InputError: an argument is not usable; or attention is to be reproduced and a head of x is
            not hardmax.
    """
    request = read_request(f, g, epsilon, target, reproduces, query)
    most = read_count("limit", limit, 0)
    summary = request.summary(x)
    if summary.length > LONGEST:
        raise InputError("x", summary.length, "at most 2^900 tokens")
    if reproduces == "attention":
        return _by_attention(request, summary, most)
    return _by_outputs(request, summary, most)


def _by_outputs(request: Request, x: Summary, limit: int) -> Shortest:
    looked = look(request, x, x.length - 1, limit)
    z, method = looked.short, "looking at all shorter inputs"
    if z is None and looked.lower < x.length:
        z, method = proportional_cut(request, x, looked.lower), "rounding the counts of x"
        construction = _construction(request, x)
        if construction.length < (z or x).length and request.close(x, construction):
            z, method = construction, "verify.simulate"
    if z is None:
        z = x
        if looked.lower < x.length:
            method = "x itself"
    return _result(request, x, z, looked.lower, (), method, looked.evaluations)


def _by_attention(request: Request, x: Summary, limit: int) -> Shortest:
    tolerances = request.tolerances()
    laws = hardmax_laws(request.inputs.pair, x)
    for law, delta, head in zip(laws, tolerances, request.inputs.pair.heads, strict=True):
        if law is None and delta < 1:
            where = f"x, head {head.number} of {head.model}"
            allowed = (
                'an input at which the head is hardmax (reproduces="attention"); with near ties, '
                'or below the threshold 2^(p/γ), reproduces="outputs"'
            )
            raise InputError(where, f"an input of length {Length(x.length)}", allowed)
    start = _construction(request, x)
    found = attention_minimum(request.inputs.pair, x, laws, tolerances, start, limit // _NODE)
    return _result(
        request, x, found.short, found.lower, tuple(tolerances), found.method, found.nodes
    )


def _construction(request: Request, x: Summary) -> Summary:
    """Return z of the theorem, or x where the theorem does not cover the pair."""
    pair = request.inputs.pair
    try:
        simulator = OneLayerSimulator(pair.f, pair.g, request.budget / 2)
        return simulator(x).short_summary
    except InputError:  # precision of f and g differs, or infinite precision
        return x


def _result(
    request: Request,
    x: Summary,
    z: Summary,
    lower: int,
    tolerances: tuple[Fraction, ...],
    method: str,
    evaluations: int,
) -> Shortest:
    error_f, error_g = request.exact.distances(x, z)
    variations: list[Fraction | None] = []
    if tolerances:
        pair = request.inputs.pair
        laws = zip(hardmax_laws(pair, x), hardmax_laws(pair, z), strict=True)
        for delta, (of_x, of_z) in zip(tolerances, laws, strict=True):
            measured = delta < 1 and of_x is not None and of_z is not None
            variations.append(total_variation(of_x, of_z) if measured else None)  # type: ignore[arg-type]
    return Shortest(
        summary=x,
        short_summary=z,
        lower_bound=min(lower, z.length),
        reproduces=request.reproduces,
        query=request.query,
        budget=request.budget,
        error_f=error_f,
        error_g=error_g,
        tolerances=tolerances,
        variations=tuple(variations),
        method=method,
        evaluations=evaluations,
    )
