"""How far the output moves with one head's attention on given types: L_i of the theorem.

With attention moved by TV among the types of a set, the output moves by at most L·TV, where L is
the sharp form of `verify.measure.lipschitz` over the set's pairs of values; or, where the values
lie on a line and every other head of the model gives one value, the steepest slope of the output
between the ends of the set, at this query, times their distance: exact. Both are rounded up to
the grid of `contexts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from verify.certificates.contexts import GRID, Pair
from verify.measure.dyadic import Dyadic
from verify.measure.line import steepest_slope
from verify.measure.value_types import type_vectors
from verify.model.transformer import LimitTransformer

Others = tuple[int | None, ...]
"""For each head of a model, the type whose value it gives; None: it may give several."""


class Constant(NamedTuple):
    """L, and whether it is the steepest slope on a line; else it is the sharp form over pairs."""

    value: Fraction
    on_line: bool


class Line(NamedTuple):
    """Outputs up to a constant: direct_o·x + Σ_k gains_ok relu(rates_k·x + offsets_k), 0 ≤ x ≤ 1.

    Attributes:
        direct: one for each output.
        gains: one list for each output.
        rates, offsets: one for each hidden unit.
    """

    direct: list[Fraction]
    gains: list[list[Fraction]]
    rates: list[Fraction]
    offsets: list[Fraction]


class Values:
    """Value vectors of one model's heads, and the response of the outputs to them."""

    def __init__(self, f: LimitTransformer, types: int) -> None:
        """Take a model, and the number of types of the common period."""
        layer = f.layers[0]
        unembedding, mlp_in = Dyadic.of(f.unembedding), Dyadic.of(layer.mlp_in)
        gains = unembedding @ Dyadic.of(layer.mlp_out)
        vectors = type_vectors(f)
        self._has_mlp = layer.hidden > 0
        self._gains = [gains[o].fractions() for o in range(f.output_dimension)]
        self._absolute_gains = abs(gains).T
        self._values = [vectors @ Dyadic.of(head.value).T for head in layer.heads]
        # What a value adds to the outputs directly, and to the hidden units.
        self._direct = [values @ unembedding.T for values in self._values]
        self._hidden = [values @ mlp_in.T for values in self._values]
        self._hidden_of_query = vectors @ mlp_in.T + Dyadic.of(layer.mlp_bias)
        own = vectors.shape[0]
        self._own = [t % own for t in range(types)]
        self._pairs: dict[tuple[int, int, int], Fraction] = {}
        self._sets: dict[tuple[int, frozenset[int]], Fraction] = {}
        self._slopes: dict[tuple[int, int, frozenset[int], Others], Fraction | None] = {}

    def constant(self, head: int, query: int, types: Iterable[int], others: Others) -> Constant:
        """Return L for attention of one head that moves among `types`.

        Args:
            head: 0..H−1.
            query: the query's type.
            types: at least one.
            others: what the heads give; `others[head]` does not count.
        """
        members = frozenset(self._own[t] for t in types)
        single = all(t is not None for h, t in enumerate(others) if h != head)
        if single:
            own = tuple(
                None if t is None or h == head else self._own[t] for h, t in enumerate(others)
            )
            slope = self._slope(head, self._own[query], members, own)
            if slope is not None:
                return Constant(slope, True)
        return Constant(self._sharp(head, members), False)

    def _sharp(self, head: int, members: frozenset[int]) -> Fraction:
        known = self._sets.get((head, members))
        if known is None:
            ordered = sorted(members)
            pairs = ((t, u) for k, t in enumerate(ordered) for u in ordered[:k])
            known = max((self._pair(head, t, u) for t, u in pairs), default=Fraction(0))
            self._sets[head, members] = known
        return known

    def _pair(self, head: int, first: int, second: int) -> Fraction:
        """Return max over outputs of |U·w| + Σ_k |(UB)_k| |A_k·w|, w the difference of values."""
        key = (head, first, second)
        if key not in self._pairs:
            direct, hidden = self._direct[head], self._hidden[head]
            moved = abs(direct[[first]] - direct[[second]])
            if self._has_mlp:
                moved = moved + abs(hidden[[first]] - hidden[[second]]) @ self._absolute_gains
            self._pairs[key] = _up(moved.reshape(-1).largest())
        return self._pairs[key]

    def _slope(
        self, head: int, query: int, members: frozenset[int], others: Others
    ) -> Fraction | None:
        """Return the steepest slope times the length of the line; None if values leave it."""
        key = (head, query, members, others)
        if key not in self._slopes:
            self._slopes[key] = self._on_line(head, query, sorted(members), others)
        return self._slopes[key]

    def _on_line(
        self, head: int, query: int, members: list[int], others: Others
    ) -> Fraction | None:
        values = self._values[head][members]
        differences = values - values[:1]
        if not differences.numerators.any():
            return Fraction(0)
        if len(members) > 2 and differences.rank() > 1:
            return None
        row, column = (int(i) for i in next(zip(*differences.numerators.nonzero(), strict=True)))
        unit = int(differences.numerators[row, column])
        places = [Fraction(int(n), unit) for n in differences.numerators[:, column]]
        line = self.along(head, query, members[0], members[row], others)
        low, high = min(places), max(places)
        steepest = max(
            steepest_slope(start, gains, line.rates, line.offsets, low, high)
            for start, gains in zip(line.direct, self._gains, strict=True)
        )
        return _up(steepest * (high - low))

    def along(self, head: int, query: int, first: int, last: int, others: Others) -> Line:
        """Return the outputs while the attention of one head goes from one value to another.

        Args:
            head: 0..H−1.
            query: the query's type.
            first, last: types with the values at the ends.
            others: the types whose values the other heads give.
        """
        first, last, query = (self._own[t] for t in (first, last, query))
        direct = (self._direct[head][[last]] - self._direct[head][[first]]).fractions()
        rates: list[Fraction] = []
        offsets: list[Fraction] = []
        if self._has_mlp:
            hidden = self._hidden[head]
            rates = (hidden[[last]] - hidden[[first]]).fractions()
            base = self._hidden_of_query[[query]] + hidden[[first]]
            for number, kind in enumerate(others):
                if kind is not None and number != head:
                    base = base + self._hidden[number][[self._own[kind]]]
            offsets = base.fractions()
        return Line(direct, self._gains, rates, offsets)


class PairValues:
    """The constants of both models of a pair."""

    def __init__(self, pair: Pair) -> None:
        """Read the values of both models."""
        self._models = {
            "f": Values(pair.f, len(pair.types)),
            "g": Values(pair.g, len(pair.types)),
        }

    def constant(
        self, model: str, head: int, query: int, types: Iterable[int], others: Others
    ) -> Constant:
        """Return `Values.constant` of one model."""
        return self._models[model].constant(head, query, types, others)

    def along(
        self, model: str, head: int, query: int, first: int, last: int, others: Others
    ) -> Line:
        """Return `Values.along` of one model, for types of the common period."""
        return self._models[model].along(head, query, first, last, others)


def _up(number: Fraction) -> Fraction:
    return Fraction(math.ceil(number * GRID), GRID)
