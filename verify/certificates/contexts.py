"""What two one-layer models see of an input: contexts, and exact logits and values of types.

A *type* is a pair (residue r mod Δ, token s) with the number r·|Σ| + s, Δ the least common
multiple of the models' periods. A *context* is what fixes the query and everything that a lag
bias can reach: the length mod Δ and the tokens at the lags 0..τ, τ the larger locality.
[docs/theory/certificates.md, Instance certificates]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import flint
import numpy as np

from verify.errors import InputError
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.value_types import (
    content_logits,
    minimal_locality,
    minimal_period,
    type_vectors,
)
from verify.model.transformer import LimitTransformer

GRID = 2**48
"""Constants that need rounding are rounded, to the safe side, to multiples of 1/GRID."""

_MOST_CONTEXTS = 10**5


@dataclass(frozen=True)
class Context:
    """Length mod Δ and the tokens at the lags 0..τ (the query first)."""

    residue: int
    tokens: tuple[int, ...]

    def __str__(self) -> str:
        """Say it in words."""
        return f"length ≡ {self.residue}, tokens at the lags 0, 1, …: {list(self.tokens)}"


@dataclass(frozen=True)
class HeadLogits:
    """One head of one model, with logits as integers in one unit.

    Attributes:
        model: "f" or "g".
        number: 0..H−1 within the model.
        precision_bits: p of its model; 0 in infinite precision.
        unit: exact logit = integer · unit.
        content: content[q][t], of key type t for query type q.
        bias: φ at the lags 0..τ.
        values: values[t], equal for types with equal value vectors: 0, 1, …
    """

    model: str
    number: int
    precision_bits: int
    unit: Fraction
    content: tuple[tuple[int, ...], ...]
    bias: tuple[int, ...]
    values: tuple[int, ...]

    def up(self, difference: int) -> Fraction:
        """Return a difference of logits, rounded up to the grid."""
        return Fraction(math.ceil(difference * self.unit * GRID), GRID)

    def down(self, difference: int) -> Fraction:
        """Return a difference of logits, rounded down to the grid."""
        return Fraction(math.floor(difference * self.unit * GRID), GRID)


@dataclass(frozen=True)
class Pair:
    """Two models, refused unless the theorem covers them.

    Attributes:
        f, g: the models.
        vocabulary_size: |Σ|.
        period: Δ, the least common multiple of their least periods.
        locality: τ, the larger of their localities.
        heads: those of f, then those of g.
        finite: whether both are in finite precision; else both are in infinite precision.
    """

    f: LimitTransformer
    g: LimitTransformer
    vocabulary_size: int
    period: int
    locality: int
    heads: tuple[HeadLogits, ...]
    finite: bool

    @property
    def types(self) -> range:
        """The numbers of all types."""
        return range(self.period * self.vocabulary_size)

    def column(self, residue: int) -> range:
        """The types of one residue."""
        first = (residue % self.period) * self.vocabulary_size
        return range(first, first + self.vocabulary_size)

    def residue_of(self, kind: int) -> int:
        """The residue of a type."""
        return kind // self.vocabulary_size

    def lag_types(self, context: Context) -> tuple[int, ...]:
        """The types at the lags 0..τ."""
        return tuple(
            (context.residue - lag) % self.period * self.vocabulary_size + token
            for lag, token in enumerate(context.tokens)
        )

    def contexts(self, residue: int) -> Iterator[Context]:
        """All contexts with this length mod Δ."""
        tokens = range(self.vocabulary_size)
        for chosen in itertools.product(tokens, repeat=self.locality + 1):
            yield Context(residue, chosen)

    def positions(self, length: int, residue: int) -> int:
        """Number of positions i = 1..length with i ≡ residue (mod Δ)."""
        return (length - residue % self.period) // self.period + (residue % self.period > 0)


def pair_of(f: LimitTransformer, g: LimitTransformer, finite: bool | None = True) -> Pair:
    """Return the pair with its exact logits.

    Args:
        f, g: the models.
        finite: the precision that is covered: finite, infinite (False), or both (None).

    Raises:
        InputError: not two one-layer models in this precision with the same |Σ| and number of
            outputs, or more contexts than can be looked at (all problems at once).
    """
    problems = _problems(f, g, finite)
    if problems:
        raise InputError.of_all(problems)
    return _pair_of(f, g)


@lru_cache(maxsize=4)
def _pair_of(f: LimitTransformer, g: LimitTransformer) -> Pair:
    period = math.lcm(minimal_period(f), minimal_period(g))
    locality = max(minimal_locality(f), minimal_locality(g))
    contexts = period * f.vocabulary_size ** (locality + 1)
    if contexts > _MOST_CONTEXTS:
        allowed = (
            f"Δ·|Σ|^(τ+1) ≤ {_MOST_CONTEXTS} (length mod Δ and tokens at the lags 0..τ): smaller "
            "vocabulary, period or locality; verify.measure with bounds.required_length has no "
            "such limit"
        )
        raise InputError("number of contexts", contexts, allowed)
    heads = tuple(
        _head_logits(name, model, number, period, locality)
        for name, model in (("f", f), ("g", g))
        for number in range(model.heads[0])
    )
    return Pair(
        f, g, f.vocabulary_size, period, locality, heads, finite=f.precision_bits is not None
    )


def _problems(f: Any, g: Any, finite: bool | None) -> list[tuple[str, Any, str]]:
    """Return what is wrong with the two models, as (name, given, allowed)."""
    models = {"f": f, "g": g}
    wrong = [
        (name, model, "a LimitTransformer")
        for name, model in models.items()
        if not isinstance(model, LimitTransformer)
    ]
    if wrong:
        return wrong
    for name, model in models.items():
        if len(model.layers) != 1:
            allowed = (
                "one layer; for more softmax layers, verify.measure with bounds.required_length"
            )
            wrong.append((f"{name}.layers", len(model.layers), allowed))
        bits = model.precision_bits
        if bits is None and finite:
            allowed = (
                "an integer (finite precision); in infinite precision there are verify.certify, "
                "verify.agreement, and verify.measure with bounds.required_length"
            )
            wrong.append((f"{name}.precision_bits", None, allowed))
        elif bits is not None and finite is False:
            wrong.append((f"{name}.precision_bits", bits, "None (infinite precision)"))
    if finite is None and (f.precision_bits is None) != (g.precision_bits is None):
        allowed = "None, as in f" if f.precision_bits is None else "an integer, as in f"
        wrong.append(("g.precision_bits", g.precision_bits, allowed))
    for name in ("vocabulary_size", "output_dimension"):
        of_f, of_g = getattr(f, name), getattr(g, name)
        if of_f != of_g:
            wrong.append((f"g.{name}", of_g, f"{of_f}, as in f"))
    return wrong


def _head_logits(
    name: str, f: LimitTransformer, number: int, period: int, locality: int
) -> HeadLogits:
    """Return the logits of one head on the types of the common period."""
    size = f.vocabulary_size
    head = f.layers[0].heads[number]
    content = content_logits(f, number)
    bias = np.zeros(locality + 1)
    given = head.lag_bias[: locality + 1]
    bias[: given.size] = given
    common = concatenate([content.reshape(-1), Dyadic.of(bias)])
    table = common.numerators[: content.numerators.size].reshape(content.shape)
    # Type r·|Σ| + s of the common period is type (r mod Δ_f)·|Σ| + s of the model.
    own = np.arange(period * size) % content.shape[0]
    rows = [tuple(row.tolist()) for row in (type_vectors(f) @ Dyadic.of(head.value).T).numerators]
    known: dict[tuple[int, ...], int] = {}
    values = [known.setdefault(rows[t], len(known)) for t in own.tolist()]
    return HeadLogits(
        model=name,
        number=number,
        precision_bits=int(f.precision_bits or 0),
        unit=Fraction(1, 2) ** common.exponent,
        content=tuple(tuple(table[own, q].tolist()) for q in own.tolist()),
        bias=tuple(common.numerators[content.numerators.size :].tolist()),
        values=tuple(values),
    )


def floor_of(number: flint.arb) -> int:
    """Return the floor of the largest number of a ball, exactly: a ball's ends are dyadic."""
    mantissa, exponent = number.upper().mid().man_exp()
    return int(mantissa) << int(exponent) if exponent >= 0 else int(mantissa) >> -int(exponent)
