"""Two models, exactly: vectors and matrices are NumPy arrays of Fractions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from fractions import Fraction
from functools import cache
from itertools import combinations, groupby
from math import lcm

import numpy as np

from verify.certificates.recheck.arithmetic import ZERO, exact
from verify.errors import InputError
from verify.model.weights import Floats, Head, Weights

Types = frozenset[int]
"""Types r·|Σ| + s: residue r, token s."""


class ExactModel:
    """The parts of a model around its heads, at the types of the pair."""

    def __init__(self, weights: Weights, period: int) -> None:
        layer, positions = weights.layers[0], exact(weights.positions)
        rows = [positions[r % len(positions)] for r in range(period)]
        self.y = [token + row for row in rows for token in exact(weights.embedding)]
        self.mlp_in, self.unembedding = exact(layer.mlp_in), exact(weights.unembedding)
        self.outer = self.unembedding @ exact(layer.mlp_out)  # UB
        self.hidden = [self.mlp_in @ y + exact(layer.mlp_bias) for y in self.y]


class ExactHead:
    """One head of one model."""

    def __init__(self, model: ExactModel, owner: str, number: int, head: Head, bits: int) -> None:
        self.model, self.owner, self.number, self.bits = model, owner, number, bits
        self._lag_bias, self._query_key = exact(head.lag_bias), exact(head.query_key)
        values = [exact(head.value) @ y for y in model.y]
        self.values = [tuple(v) for v in values]  # V y_t
        self.hidden = [model.mlp_in @ v for v in values]  # A V y_t
        self.output = [model.unembedding @ v for v in values]  # U V y_t
        self.logit, self._pair = cache(self._logit), cache(self._one_pair)

    def _logit(self, key: int, query: int) -> Fraction:
        return Fraction(self.model.y[key] @ (self._query_key @ self.model.y[query]))

    def bias(self, lag: int) -> Fraction:
        """Return φ at a lag."""
        return Fraction(self._lag_bias[lag]) if lag < len(self._lag_bias) else ZERO

    def _one_pair(self, t: int, u: int) -> Fraction:
        change = abs(self.output[t] - self.output[u])
        if len(self.model.mlp_in):
            change = change + abs(self.model.outer) @ abs(self.hidden[t] - self.hidden[u])
        return Fraction(max(change))

    def pairs(self, types: Collection[int]) -> Fraction:
        """Return the largest change of an output between two values, each unit at its worst."""
        return max((self._pair(t, u) for t, u in combinations(sorted(types), 2)), default=ZERO)

    def slope(
        self, types: Collection[int], query: int, fixed: list[tuple[ExactHead, int]]
    ) -> Fraction | None:
        """Return the steepest slope between values on a line, times their distance; or None.

        The other heads give the values of `fixed`. Along the segment from the first value to the
        last an output is piecewise linear: a hidden unit a + s·b has its kink at s = −a/b.
        """
        origin = np.array(self.values[min(types)], dtype=object)
        away = {t: np.array(self.values[t], dtype=object) - origin for t in types}
        step = next((v for v in away.values() if any(v)), None)
        if step is None:
            return ZERO
        axis = next(k for k, x in enumerate(step) if x)
        place = {t: v[axis] / step[axis] for t, v in away.items()}
        if any(any(v - place[t] * step) for t, v in away.items()):
            return None
        low, high = min(place, key=place.__getitem__), max(place, key=place.__getitem__)
        start = self.model.hidden[query] + self.hidden[low]
        start = sum((head.hidden[t] for head, t in fixed), start)
        units = list(
            zip(start, self.hidden[high] - self.hidden[low], self.model.outer.T, strict=True)
        )
        slopes = self.output[high] - self.output[low]
        for a, b, out in units:
            slopes = slopes + out * b if (a, b) > (0, 0) else slopes  # active just after s = 0
        steepest = max(abs(slopes))
        kinks = sorted((-a / b, k) for k, (a, b, _) in enumerate(units) if b and 0 < -a / b < 1)
        for _, together in groupby(kinks, key=lambda kink: kink[0]):
            for _, k in together:
                slopes = slopes + units[k][2] * abs(units[k][1])
            steepest = max(steepest, *abs(slopes))
        return Fraction(steepest)


class ExactPair:
    """Both models over the same types, and their heads in one list."""

    def __init__(self, f: Weights, g: Weights, finite: bool = True) -> None:
        for name, m in (("f", f), ("g", g)):
            if not isinstance(m, Weights) or len(m.layers) != 1:
                raise InputError(name, m, "a model with one layer")
            if (m.precision_bits is not None) != finite:
                kind = "finite" if finite else "infinite"
                raise InputError(name, m, f"a model in {kind} precision, as the certificate says")
        if f.vocabulary_size != g.vocabulary_size or f.output_dimension != g.output_dimension:
            raise InputError("g", g, "the vocabulary size and output dimension of f")
        self.vocabulary, self.finite = f.vocabulary_size, finite
        self.period = lcm(least_period(f.positions), least_period(g.positions))
        self.models = [ExactModel(m, self.period) for m in (f, g)]
        self.heads = [
            ExactHead(model, owner, number, head, m.precision_bits or 0)
            for owner, m, model in zip("fg", (f, g), self.models, strict=True)
            for number, head in enumerate(m.layers[0].heads)
        ]
        tables = [head.lag_bias for m in (f, g) for head in m.layers[0].heads]
        self.lags = 1 + max(lag for bias in tables for lag in (0, *np.flatnonzero(bias).tolist()))
        self.trivial = cache(self._trivial)

    def residues(self, types: Iterable[int]) -> Types:
        """Return the residues that meet a set of types."""
        return frozenset(t // self.vocabulary for t in types)

    def _trivial(self, query: int) -> Fraction:
        """Return Σ over the heads of L over all types, at this query."""
        everything, total = range(self.period * self.vocabulary), ZERO
        for head in self.heads:
            others = [h for h in self.heads if h.model is head.model and h is not head]
            slope = None
            if all(len(set(h.values)) == 1 for h in others):
                slope = head.slope(everything, query, [(h, 0) for h in others])
            pairs = head.pairs(everything)
            total += pairs if slope is None else min(pairs, slope)
        return total


def least_period(rows: Floats) -> int:
    """Return the least period of rows that are repeated."""
    n = len(rows)
    return next(d for d in range(1, n + 1) if np.array_equal(rows, np.roll(rows, d, axis=0)))


def digest_of(model: Weights) -> str:
    """Return the SHA-256 of precision, names, shapes and entries (little-endian float64)."""
    (layer,) = model.layers
    arrays = {name: getattr(model, name) for name in ("embedding", "positions", "unembedding")}
    for name in ("mlp_in", "mlp_bias", "mlp_out"):
        arrays[f"layers.0.{name}"] = getattr(layer, name)
    for h, head in enumerate(layer.heads):
        for name in ("query_key", "value", "lag_bias"):
            arrays[f"layers.0.heads.{h}.{name}"] = getattr(head, name)
    content = f"precision_bits {model.precision_bits}\n".encode()
    for name, array in arrays.items():
        content += f"{' '.join([name, *map(str, array.shape)])}\n".encode()
        content += (array + 0.0).astype("<f8").tobytes()  # −0.0 counts as 0.0
    return hashlib.sha256(content).hexdigest()
