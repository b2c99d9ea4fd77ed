"""All logits of one head of a one-layer model, query after query, as exact integers in one unit."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from verify.measure.dyadic import Dyadic
from verify.measure.value_types import content_columns, minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer


class Key(NamedTuple):
    """A key that a query can meet: its token, its residue, and its lag (None: any lag > τ)."""

    token: int
    residue: int
    lag: int | None


class Level(NamedTuple):
    """A distinct logit of one query: its numerator, and the keys that have it."""

    numerator: int
    keys: list[Key]


class QueryLogits:
    """The logits of one head; a query type has the number residue · |Σ| + token.

    Attributes:
        types: number of query types, |Σ|Δ.
        period, vocabulary_size: Δ (the smallest period of the positions), |Σ|.
        bias: lag biases 0..τ, as integers.
        unit: what the integers count.
    """

    def __init__(self, f: LimitTransformer, head: int) -> None:
        self._parts = _Parts(f, head)
        bias = Dyadic.of(f.layers[0].heads[head].lag_bias[: minimal_locality(f) + 1])
        exponent = max(self._parts.exponent, bias.exponent)
        self._factor = 1 << (exponent - self._parts.exponent)
        self.types = self._parts.types
        self.period = minimal_period(f)
        self.vocabulary_size = f.vocabulary_size
        self.bias: list[int] = [
            n << (exponent - bias.exponent) for n in bias.numerators.ravel().tolist()
        ]
        self.unit = Fraction(1, 2) ** exponent

    def column(self, query: int) -> list[int]:
        """Return the content logits of all keys for one query type."""
        column = self._parts.column(query)
        return column if self._factor == 1 else [n * self._factor for n in column]

    def distinct(self, query: int) -> list[int]:
        """Return the distinct logits that a query type can meet, the least first."""
        column = self.column(query)
        residue, token = divmod(query, self.vocabulary_size)
        found = set(column)
        for lag, bias in enumerate(self.bias):
            first = (residue - lag) % self.period * self.vocabulary_size
            if lag == 0:
                found.add(column[first + token] + bias)
            elif bias:
                found.update(n + bias for n in column[first : first + self.vocabulary_size])
        return sorted(found)

    def levels(self, query: int) -> list[Level]:
        """Return the distinct logits of a query type with their keys, the least first."""
        holders: defaultdict[int, list[Key]] = defaultdict(list)
        column = self.column(query)
        residue, token = divmod(query, self.vocabulary_size)
        for lag, bias in enumerate(self.bias):
            r = (residue - lag) % self.period
            for s in [token] if lag == 0 else range(self.vocabulary_size):
                holders[column[r * self.vocabulary_size + s] + bias].append(Key(s, r, lag))
        for number, logit in enumerate(column):
            r, s = divmod(number, self.vocabulary_size)
            holders[logit].append(Key(s, r, None))
        return [Level(value, holders[value]) for value in sorted(holders)]

    def realised_gaps(self, query: int, levels: list[Level], below: int | None) -> list[int]:
        """Return, for each level that can be the largest of an input, its gap to the next one.

        Only gaps less than `below` are looked for, where that is given.
        """
        lags: dict[int, list[int]] = {}

        def lags_of(number: int, length: int) -> set[int]:
            if number not in lags:
                lags[number] = self._lags(query, levels[number].keys)
            return {lag for lag in lags[number] if lag < length}

        longest = self._longest(query)
        gaps = []
        for top, level in enumerate(levels):
            length = longest(level.numerator)
            own: set[int] | None = None  # looked up once a gap is small enough
            for other in reversed(range(top if length else 0)):
                gap = level.numerator - levels[other].numerator
                if below is not None and gap >= below:
                    break
                own = lags_of(top, length) if own is None else own
                if not own:
                    break
                second = lags_of(other, length)
                if second and len(own | second) > 1:
                    gaps.append(gap)
                    break
        return gaps

    def _lags(self, query: int, keys: list[Key]) -> list[int]:
        """Return the lags ≤ τ + 2Δ at which the keys can sit."""
        residue, far = query // self.vocabulary_size, len(self.bias)
        lags = {key.lag for key in keys if key.lag is not None}
        for key in keys:
            if key.lag is None:
                first = far + (residue - far - key.residue) % self.period
                lags |= {first, first + self.period}
        return sorted(lags)

    def _longest(self, query: int) -> Callable[[int], int]:
        """Return the function: length of the longest input without a logit above `largest`.

        A length beyond τ + 2Δ stands for any length; 0: there is no such input.
        """
        residue, far = query // self.vocabulary_size, len(self.bias)
        # Greatest of the least logits of the lags so far: the first one above is the limit.
        needed = list(accumulate(self._least(query), max))

        def longest(largest: int) -> int:
            lag = bisect_right(needed, largest)
            if lag < len(needed):
                return lag - (lag - residue) % self.period
            return far + 2 * self.period

        return longest

    def _least(self, query: int) -> list[int]:
        """Return the least logit that the position at each lag 0..τ + Δ can be given."""
        column, size = self.column(query), self.vocabulary_size
        floor = [min(column[r * size : (r + 1) * size]) for r in range(self.period)]
        residue = query // size
        bias = self.bias + [0] * self.period
        least = [floor[(residue - lag) % self.period] + b for lag, b in enumerate(bias)]
        least[0] = column[query] + self.bias[0]
        return least


class _Parts:
    """Content logits of one head, of which a part is in memory at a time."""

    def __init__(self, f: LimitTransformer, head: int) -> None:
        self._f, self._head = f, head
        self._rest = content_columns(f, head)
        self._start, self._columns = next(self._rest)
        self.types, self.exponent = self._columns.shape[0], self._columns.exponent

    def column(self, query: int) -> list[int]:
        """Return the numerators of all keys for one query; fast for queries in their order."""
        if query < self._start:
            self._rest = content_columns(self._f, self._head)
            self._start, self._columns = next(self._rest)
        while query >= self._start + self._columns.shape[1]:
            self._start, self._columns = next(self._rest)
        column: list[int] = self._columns.numerators[:, query - self._start].tolist()
        return column
