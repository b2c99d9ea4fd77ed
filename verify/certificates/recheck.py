"""`recheck`: the independent checker of certificates, one file that shares no code with `certify`.

It reads a certificate (format and names: `verify.certificates.certificate`; mathematics: Theorem C,
instance certificates) and two models, and works every line out again: weights as exact rationals,
logarithms and exponentials as rational enclosures written here. Lines that state a bound may lie
further on the safe side than needed; everything else must be as it is found here.
Order: the certificate; a context; a case; a head; the models; arithmetic; reading.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import chain, combinations, groupby, product
from math import lcm, prod
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from verify.errors import CertificateError, InputError
from verify.model.weights import Floats, Head, Weights

Types = frozenset[int]  # type r·|Σ| + s: residue r, token s


class HasData(Protocol):
    """Something with the plain data of a certificate, as `Certificate` is."""

    def to_dict(self) -> dict[str, Any]:
        """Return the data as JSON has it."""


@dataclass(frozen=True)
class Rechecked:
    """What was checked; the claim of the certificate follows from the weights.

    Attributes:
        epsilon, target, horizon, length: ε, target, T*, N. The claim: if |f − g| ≤ ε at the
            lengths N−Δ+1 … N, then |f − g| ≤ target at N−Δ+1 … T*; nothing if length is None.
        contexts, cases: how many contexts and cases were checked; there are no others.
        share: largest cost over budget, at most 1; None without length.
    """

    epsilon: Fraction
    target: Fraction
    horizon: int
    length: int | None
    contexts: int
    cases: int
    share: Fraction | None


def recheck(certificate: HasData | str | PathLike[str], f: Weights, g: Weights) -> Rechecked:
    """Check every line of a certificate against the weights, without the code that made it.

    `claim`, `not_claimed` and `obstacle` are words for people: nothing rests on them, and they
    are not read.

    Args:
        certificate: a Certificate, or the path of a JSON file that holds one.
        f, g: the models: one layer, finite precision, equal vocabularies and output dimensions.

    Raises:
        CertificateError: the first wrong line: its path, what stands there, what is right.
        InputError: the file cannot be read, or f, g are no such models.
    """
    pair = _Pair(f, g)
    top = _Line(_read(certificate), "")
    top.fields(
        "format version weights epsilon target budget horizon length cost vocabulary_size period "
        "locality heads contexts deciding_context obstacle claim not_claimed"
    )
    top["format"].equals("lgbounds instance certificate")
    top["version"].equals(1)
    top["weights"].equals({"f": _digest(f), "g": _digest(g)})
    epsilon = top["epsilon"].at_least(0)
    target = top["target"].rational()
    top["target"].must(target > epsilon, f"more than epsilon = {epsilon}")
    budget = target - epsilon
    top["budget"].must(top["budget"].rational() == budget, f"target − epsilon = {budget}")
    top["vocabulary_size"].equals(pair.vocabulary)
    top["period"].equals(pair.period)
    top["locality"].equals(pair.lags - 1)
    owners = [{"model": h.owner, "number": h.number, "precision_bits": h.bits} for h in pair.heads]
    top["heads"].equals(owners)
    horizon = top["horizon"].integer(1)
    if top["length"].value is None:
        top["contexts"].equals([])
        top["cost"].equals(None)
        top["deciding_context"].equals(None)
        return Rechecked(epsilon, target, horizon, None, 0, 0, None)
    length = top["length"].integer(pair.period)
    top["obstacle"].equals(None)

    contexts = top["contexts"].entries()
    missing = set(product(range(pair.period), product(range(pair.vocabulary), repeat=pair.lags)))
    for line in contexts:
        line.fields("residue tokens short trivial cost kept free cases")
        key = line["residue"].integer(0), tuple(t.integer(0) for t in line["tokens"].entries())
        line.must(key in missing, "a context (residue, tokens) that exists and was not yet there")
        missing.discard(key)
    top["contexts"].must(not missing, f"all contexts; missing {sorted(missing)[:1]}")
    cases = sum(_check_context(line, pair, length, horizon) for line in contexts)
    costs = [line["cost"].rational() for line in contexts]
    cost = top["cost"].at_least(max(costs))
    top["cost"].must(cost <= budget, f"at most the budget {budget}")
    decides = top["deciding_context"].integer(0)
    right = decides < len(costs) and costs[decides] == max(costs)
    top["deciding_context"].must(right, f"{costs.index(max(costs))}, where the cost is largest")
    return Rechecked(epsilon, target, horizon, length, len(contexts), cases, cost / budget)


# A context: length mod Δ and the tokens at the lags 0..τ.


@dataclass(frozen=True)
class _Context:
    """What all cases of a context share."""

    pair: _Pair
    horizon: int  # T*
    short: int  # Z
    at_lag: list[int]  # the type at each lag; at_lag[0] is the query's
    kept: list[int]
    mild: list[int]
    free: list[int]  # n_r for each residue

    def drift(self, columns: Collection[int]) -> Fraction:
        """Return D of columns, Σ (n_r − mean)₊."""
        numbers = [self.free[r] for r in columns]
        mean = Fraction(sum(numbers), max(1, len(numbers)))
        return sum((n - mean for n in numbers if n > mean), _0)

    def logit(self, head: _Head, key: int) -> Fraction:
        return head.logit(key, self.at_lag[0])

    def logit_at(self, head: _Head, lag: int) -> Fraction:
        return self.logit(head, self.at_lag[lag]) + head.bias(lag)

    def allowed_sets(self) -> set[Types]:
        """Return U of all levels: all intersections, over heads, of {t: a_i(t) ≤ v_i}.

        Let w_i be the largest logit of head i over such a U and the kept lags. Then w_i ≤ v_i, so
        the levels w give the same U, and each is attained: every intersection is a case.
        """
        pair, everything = self.pair, range(self.pair.period * self.pair.vocabulary)
        mild = {self.at_lag[lag] for lag in self.mild}
        sets = {frozenset(everything)}
        for head in pair.heads:
            kept = [self.logit_at(head, lag) for lag in self.kept]
            levels = {self.logit(head, t) for t in everything} | set(kept)
            levels = {v for v in levels if v >= max(kept, default=v)}
            below = [{t for t in everything if self.logit(head, t) <= v} for v in levels]
            sets = {u & lower for u in sets for lower in below}
            sets = {u for u in sets if mild <= u and len(pair.residues(u)) == pair.period}
        return sets


def _check_context(line: _Line, pair: _Pair, length: int, horizon: int) -> int:
    """Check one context; return the number of its cases."""
    residue, size, period = line["residue"].value, pair.vocabulary, pair.period
    at_lag = [(residue - k) % period * size + s for k, s in enumerate(line["tokens"].value)]
    short = length - (length - residue) % period
    line["short"].equals(short)
    trivial = line["trivial"].at_least(pair.trivial(at_lag[0]))
    if line["kept"].value is None:
        line["free"].equals([])
        line["cases"].equals([])
        line["cost"].at_least(0 if short + period > horizon else trivial)
        return 0

    kept = line["kept"].subset(range(pair.lags))
    line["kept"].must(short >= pair.lags, f"null: short is less than {pair.lags}")
    mild = [lag for lag in range(pair.lags) if lag not in kept]
    free = [(short - r) // period + (r > 0) for r in range(period)]
    for lag in kept:
        free[(residue - lag) % period] -= 1
    line["free"].equals(free)
    line["free"].must(min(free) >= 1, "at least 1 everywhere, or kept null")
    context = _Context(pair, horizon, short, at_lag, kept, mild, free)
    missing = context.allowed_sets()
    for case in line["cases"].entries():
        case.fields("allowed cost choice")
        allowed = frozenset(case["allowed"].subset(range(period * size)))
        case["allowed"].must(allowed in missing, "the types below some levels, not yet there")
        missing.discard(allowed)
        least = trivial if case["choice"].value is None else _check_choice(case, context, allowed)
        line["cost"].at_least(case["cost"].at_least(least))
    line["cases"].must(not missing, f"all cases; missing {[sorted(u) for u in missing][:1]}")
    return len(line["cases"].value)


# A case: one set U of types that may occur, and the choices made for it.


@dataclass(frozen=True)
class _Part:
    """What one head attends to in one case."""

    line: _Line
    head: _Head
    prefix: Types  # P
    suffix: list[int]  # S
    values: Types  # the types of P and of the lags in S
    columns: Types  # residues that meet P
    full: Types  # those of them with all types of U in P
    kind: str
    inside: list[Fraction]  # E_in
    outside: list[Fraction]  # E_out


def _check_choice(case: _Line, context: _Context, allowed: Types) -> Fraction:
    """Check the choice of a case; return its cost."""
    pair, free, choice = context.pair, context.free, case["choice"]
    choice.fields("moves atoms rounding drift light error kept_sum heads")
    lines = choice["heads"].entries(len(pair.heads))
    parts = [_part(*both, context, allowed) for both in zip(lines, pair.heads, strict=True)]
    moves = sum(p.kind == "inert" and not p.suffix and not p.full for p in parts)
    choice["moves"].equals(moves)

    def signature(key: int) -> list[object]:
        return [
            (p.head.values[key], context.logit(p.head, key)) if key in p.prefix else None
            for p in parts
            if p.kind != "inert"
        ]

    rho = []
    query_column = context.at_lag[0] // pair.vocabulary
    for r, line in enumerate(choice["atoms"].entries(pair.period)):
        column = [t for t in sorted(allowed) if t // pair.vocabulary == r]
        atoms = [atom.subset(column) for atom in line.entries()]
        line.must(sorted(chain(*atoms)) == column, f"each of the types {column} once")
        for k, atom in enumerate(atoms):
            alike = atom != [] and all(signature(t) == signature(atom[0]) for t in atom)
            line.entries()[k].must(alike, "types of equal (value, logit), or outside P")
        a = len(atoms)
        least = Fraction(a, 4) if a > 1 else _0
        if a > 1 and r == query_column and 0 in context.mild:
            least = Fraction(a * a // 4, a - 1)
        rho.append(choice["rounding"].entries(pair.period)[r].at_least(least))
    drift = choice["drift"].at_least(context.drift(range(pair.period)))

    # Light heads: the accuracies that the certificate chose, e and S.
    def rounding(part: _Part) -> Fraction:
        return sum((rho[r] for r in part.columns), _0)

    def error(part: _Part, drift: Fraction) -> Fraction:
        return rounding(part) + drift + len(part.suffix) + moves

    chosen: dict[int, Fraction] = {}
    deltas = []
    for group in choice["light"].entries():
        group.fields("heads delta")
        members = group["heads"].subset(range(len(parts)))
        fresh = members != [] and all(i not in chosen for i in members)
        group["heads"].must(fresh, "heads that are in no other group")
        group["heads"].must(len({parts[i].prefix for i in members}) == 1, "heads with equal P")
        deltas.append(group["delta"].rational())
        group["delta"].must(0 < deltas[-1] < 1, "between 0 and 1")
        chosen |= dict.fromkeys(members, deltas[-1])
    light = [i for i, part in enumerate(parts) if part.kind == "light"]
    choice["light"].must(sorted(chosen) == light, f"groups of the light heads {light}")
    largest = choice["error"].at_least(max((error(parts[i], drift) for i in light), default=_0))
    kept_sum = choice["kept_sum"].at_least(largest * (prod(1 + 1 / d for d in deltas) - 1))
    if light:
        needed = kept_sum + (moves + 1 + max(rho) if moves else 0)
        choice["kept_sum"].must(min(free) >= needed, f"less: min n_r is {min(free)}")
    choice["moves"].must(min(free) >= moves + 1, f"less: min n_r is {min(free)}")

    total = _0
    for i, part in enumerate(parts):
        part.line["rounding"].at_least(rounding(part))
        part.line["drift"].at_least(context.drift(part.columns))
        mass, delta = _0, chosen.get(i, _0)
        if part.kind == "heavy":
            mass = Fraction(len(part.full) * min(free[r] for r in part.columns))
            delta = error(part, context.drift(part.columns))
            if light:
                mass, delta = Fraction(len(part.full) * min(free)), kept_sum + error(part, drift)
            elif part.full == part.columns:
                mass = Fraction(sum(free[r] for r in part.full))
            delta /= mass
        part.line["delta"].at_least(delta)
        total += _check_constant(part, parts, context) * _check_head(part, context, delta, mass)
    return total


# A head: what it attends to, its thresholds, its variation, its constant.


def _part(line: _Line, head: _Head, context: _Context, allowed: Types) -> _Part:
    """Read the attended set of a head, and check that a cut gives it."""
    line.fields(
        "prefix suffix kind gap threshold spread prefix_spread full_spread excess constant "
        "constant_by columns full rounding drift mild delta variation"
    )
    residues, at_lag = context.pair.residues, context.at_lag
    prefix = frozenset(line["prefix"].subset(allowed))
    suffix = line["suffix"].subset(context.kept)

    def logits(types: Types, lags: Collection[int]) -> list[Fraction]:
        """Return all logits of prefix types, wherever they may stand, and of kept lags."""
        biases = {t: {_0} for t in types}
        for lag, t in product(context.mild, types):
            if residues([t]) == residues([at_lag[lag]]):
                biases[t].add(head.bias(lag))
        free = [context.logit(head, t) + b for t in types for b in biases[t]]
        return free + [context.logit_at(head, lag) for lag in lags]

    inside = logits(prefix, suffix)
    outside = logits(allowed - prefix, set(context.kept) - set(suffix))
    line["prefix"].must(bool(inside), "a type, as suffix is empty too")
    cut = not outside or min(inside) > max(outside)
    line["prefix"].must(cut, "with suffix, all classes above a cut that no mild bias crosses")
    values = prefix | {at_lag[lag] for lag in suffix}
    columns = residues(prefix)
    full = columns - residues(allowed - prefix)
    kind = "heavy" if full else "light" if prefix else "suffix"
    if len({head.values[t] for t in values}) == 1:
        kind = "inert"
    line["kind"].equals(kind)
    line["columns"].equals(sorted(columns))
    line["full"].equals(sorted(full))
    return _Part(line, head, prefix, suffix, values, columns, full, kind, inside, outside)


def _check_head(part: _Part, context: _Context, delta: Fraction, mass: Fraction) -> Fraction:
    """Check thresholds, spreads and variation of a head; `mass` is v. Return the variation."""
    line, head, short, horizon = part.line, part.head, context.short, context.horizon
    threshold = line["threshold"].integer(1)
    if part.outside:
        gap, right = line["gap"].rational(), min(part.inside) - max(part.outside)
        line["gap"].must(0 < gap <= right, f"positive, at most {_decimal(right)}")
        enough = gap * _log2(threshold)[0] >= head.bits
        line["threshold"].must(enough, f"at least 2^({head.bits}/gap)")
    else:
        line["gap"].equals(None)
    line["threshold"].must(threshold <= short, f"at most {short}, the short length")

    prefix = [context.logit(head, t) for t in part.prefix]
    suffix = [context.logit_at(head, lag) for lag in part.suffix]
    spread, prefix_spread = _range(prefix + suffix), _range(prefix)
    excess = max(max(suffix) - max(prefix), _0) if prefix and suffix else _0
    line["spread"].at_least(spread)
    line["prefix_spread"].at_least(prefix_spread)
    line["excess"].at_least(excess)
    nothing_dropped = line["full_spread"].at_least(_range(part.inside)) * _log2(horizon)[1]
    inert = part.kind == "inert"
    line["full_spread"].must(inert or nothing_dropped < head.bits, f"< {head.bits}/log₂ horizon")
    residues = context.pair.residues
    lags = [k for k in context.mild if residues([context.at_lag[k]]) <= part.columns]
    biases = [head.bias(lag) for lag in lags]
    given = [entry.rational() for entry in line["mild"].entries()]
    line["mild"].must(given == biases, _short([str(b) for b in biases]))
    if inert:
        return line["variation"].at_least(0)

    # The least of 1, the plain bound and the split one, from the numbers of this file.
    full = sum(context.free[r] for r in part.full)
    growth = Fraction(max(horizon, short), short)
    slowest = Fraction(short, short + context.pair.period - 1)
    mild = _mild(biases, prefix_spread, full, short, max(horizon, short), slowest)
    bound = _theta(spread, growth) + _reweighted(short, spread, delta) + mild
    if part.kind == "heavy" and suffix and prefix_spread + excess <= slowest:
        inner = _reweighted(short, prefix_spread, delta - len(suffix) / mass)
        outer = len(suffix) * _power(short, prefix_spread + excess) / full
        bound = min(bound, _theta(prefix_spread, growth) + inner + outer + mild)
    return line["variation"].at_least(min(_1, bound))


def _mild(
    biases: list[Fraction], spread: Fraction, full: int, short: int, long: int, slowest: Fraction
) -> Fraction:
    """Return M(Z) plus the supremum of M over Z < T ≤ T*, from above."""
    if not any(biases):
        return _0
    tilt = max(*biases, _0) - min(*biases, _0)
    at_short, later = [_theta(tilt, Fraction(short))], [_theta(tilt, Fraction(long))]

    def second(length: int) -> Fraction:
        up = sum((_power(length, b) - 1 for b in biases if b > 0), _0)
        down = sum((1 - 1 / _power(length, -b) if b > -_FAR else _1 for b in biases if b < 0), _0)
        return max(up, down) * _power(short, spread) / full

    if full and max(biases) <= _FAR:
        at_short.append(second(short))
        largest = max(map(abs, biases))
        if short > 1 and spread + largest + 1 / _log(Fraction(short))[0] <= slowest:
            later.append(second(short))
        if spread <= slowest:
            later.append(second(long))
    return min(at_short) + min(later)


def _check_constant(part: _Part, parts: list[_Part], context: _Context) -> Fraction:
    """Check L of a head; return it."""
    line, head, by = part.line, part.head, part.line["constant_by"]
    if part.kind == "inert":
        by.equals("one value")
        return line["constant"].at_least(0)
    if by.value == "pairs":
        return line["constant"].at_least(head.pairs(part.values))
    by.equals("slope")
    others = [p for p in parts if p.head.model is head.model and p is not part]
    by.must(all(p.kind == "inert" for p in others), '"pairs": another head is not inert')
    slope = head.slope(part.values, context.at_lag[0], [(p.head, min(p.values)) for p in others])
    by.must(slope is not None, '"pairs": the values are on no line')
    return line["constant"].at_least(slope or _0)


# The models, exactly. Vectors and matrices are numpy arrays of Fractions.


class _Model:
    """The parts of a model around its heads, at the types of the pair."""

    def __init__(self, weights: Weights, period: int) -> None:
        layer, positions = weights.layers[0], _exact(weights.positions)
        rows = [positions[r % len(positions)] for r in range(period)]
        self.y = [token + row for row in rows for token in _exact(weights.embedding)]
        self.mlp_in, self.unembedding = _exact(layer.mlp_in), _exact(weights.unembedding)
        self.outer = self.unembedding @ _exact(layer.mlp_out)  # UB
        self.hidden = [self.mlp_in @ y + _exact(layer.mlp_bias) for y in self.y]


class _Head:
    """One head of one model."""

    def __init__(self, model: _Model, owner: str, number: int, head: Head, bits: int) -> None:
        self.model, self.owner, self.number, self.bits = model, owner, number, bits
        self._lag_bias, self._query_key = _exact(head.lag_bias), _exact(head.query_key)
        values = [_exact(head.value) @ y for y in model.y]
        self.values = [tuple(v) for v in values]  # V y_t
        self.hidden = [model.mlp_in @ v for v in values]  # A V y_t
        self.output = [model.unembedding @ v for v in values]  # U V y_t
        self.logit, self._pair = cache(self._logit), cache(self._one_pair)

    def _logit(self, key: int, query: int) -> Fraction:
        return Fraction(self.model.y[key] @ (self._query_key @ self.model.y[query]))

    def bias(self, lag: int) -> Fraction:
        """Return φ at a lag."""
        return Fraction(self._lag_bias[lag]) if lag < len(self._lag_bias) else _0

    def _one_pair(self, t: int, u: int) -> Fraction:
        change = abs(self.output[t] - self.output[u])
        if len(self.model.mlp_in):
            change = change + abs(self.model.outer) @ abs(self.hidden[t] - self.hidden[u])
        return Fraction(max(change))

    def pairs(self, types: Collection[int]) -> Fraction:
        """Return the largest change of an output between two values, each unit at its worst."""
        return max((self._pair(t, u) for t, u in combinations(sorted(types), 2)), default=_0)

    def slope(
        self, types: Collection[int], query: int, fixed: list[tuple[_Head, int]]
    ) -> Fraction | None:
        """Return the steepest slope between values on a line, times their distance; or None.

        The other heads give the values of `fixed`. Along the segment from the first value to the
        last an output is piecewise linear: a hidden unit a + s·b has its kink at s = −a/b.
        """
        origin = np.array(self.values[min(types)], dtype=object)
        away = {t: np.array(self.values[t], dtype=object) - origin for t in types}
        step = next((v for v in away.values() if any(v)), None)
        if step is None:
            return _0
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


class _Pair:
    """Both models over the same types, and their heads in one list."""

    def __init__(self, f: Weights, g: Weights) -> None:
        for name, m in (("f", f), ("g", g)):
            if not isinstance(m, Weights) or len(m.layers) != 1 or m.precision_bits is None:
                raise InputError(name, m, "a model with one layer and finite precision")
        if f.vocabulary_size != g.vocabulary_size or f.output_dimension != g.output_dimension:
            raise InputError("g", g, "the vocabulary size and output dimension of f")
        self.vocabulary = f.vocabulary_size
        self.period = lcm(_least_period(f.positions), _least_period(g.positions))
        self.heads = [
            _Head(model, owner, number, head, m.precision_bits or 0)
            for owner, m in (("f", f), ("g", g))
            for model in (_Model(m, self.period),)
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
        everything, total = range(self.period * self.vocabulary), _0
        for head in self.heads:
            others = [h for h in self.heads if h.model is head.model and h is not head]
            slope = None
            if all(len(set(h.values)) == 1 for h in others):
                slope = head.slope(everything, query, [(h, 0) for h in others])
            pairs = head.pairs(everything)
            total += pairs if slope is None else min(pairs, slope)
        return total


def _least_period(rows: Floats) -> int:
    n = len(rows)
    return next(d for d in range(1, n + 1) if np.array_equal(rows, np.roll(rows, d, axis=0)))


def _digest(model: Weights) -> str:
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


# Arithmetic: pairs (low, high) of rationals enclose logarithms and exponentials.

_0, _1 = Fraction(0), Fraction(1)
_UNIT = 1 << 256  # enclosures are rounded outward to multiples of 1/_UNIT
_FAR = 64  # T^b for a lag bias b beyond this is more than any number of positions


def _exact(array: Floats) -> npt.NDArray[np.object_]:
    return np.array([Fraction(x) for x in array.ravel().tolist()], dtype=object).reshape(
        array.shape
    )


def _range(numbers: list[Fraction]) -> Fraction:
    return max(numbers) - min(numbers) if numbers else _0


def _down(x: Fraction) -> Fraction:
    return Fraction(x.numerator * _UNIT // x.denominator, _UNIT)


def _up(x: Fraction) -> Fraction:
    return -_down(-x)


def _artanh(z: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose Σ z^n/n, n odd, 0 ≤ z ≤ 1/3; what is left out is ≤ 9/8 of its first term."""
    low, high, n, small, large = _0, _0, 1, _down(z), _up(z)
    while large > Fraction(1, _UNIT):
        low, high, n = low + _down(small / n), high + _up(large / n), n + 2
        small, large = _down(small * z * z), _up(large * z * z)
    return low, high + _up(large * 9 / (8 * n))


@lru_cache(4096)
def _log(x: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose ln x: x = 2^k m with 1 ≤ m < 2 where x ≥ 1, and ln m = 2 artanh((m−1)/(m+1))."""
    if x < 1:
        low, high = _log(1 / x)
        return -high, -low
    k = int(x).bit_length() - 1
    m = x / 2**k
    two, rest = _artanh(Fraction(1, 3)), _artanh((m - 1) / (m + 1))
    return 2 * (k * two[0] + rest[0]), 2 * (k * two[1] + rest[1])


@lru_cache(4096)
def _exp(x: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose e^x: where x > 0, halve x until it is ≤ 1/2, sum the series, square as often."""
    if x <= 0:
        low, high = _exp(-x) if x else (_1, _1)
        return 1 / high, 1 / low
    halvings = int(x).bit_length() + 1
    below, above = _down(x / 2**halvings), _up(x / 2**halvings)
    low, high, n, small, large = _0, _0, 0, _1, _1
    while large > Fraction(1, _UNIT):
        low, high, n = low + small, high + large, n + 1
        small, large = _down(small * below / n), _up(large * above / n)
    high += 2 * large  # each further term is at most half of the one before
    for _ in range(halvings):
        low, high = _down(low * low), _up(high * high)
    return low, high


@lru_cache(4096)
def _log2(number: int) -> tuple[Fraction, Fraction]:
    """Enclose log₂ of an integer ≥ 1; exact for powers of 2, the only ones where it is rational."""
    k = number.bit_length() - 1
    if number == 1 << k:
        return Fraction(k), Fraction(k)
    (low, high), two = _log(Fraction(number)), _log(Fraction(2))
    return low / two[1], high / two[0]


def _power(base: int, exponent: Fraction) -> Fraction:
    """Return base^exponent from above, for base ≥ 1 and exponent ≥ 0."""
    return _exp(exponent * _log(Fraction(base))[1])[1]


def _theta(kappa: Fraction, growth: Fraction) -> Fraction:
    """Return θ(κ, ρ) = tanh(κ ln(ρ)/4) from above, for ρ ≥ 1."""
    twice = kappa * _log(growth)[1] / 2
    if twice > 1000:
        return _1
    e = _exp(twice)[1]
    return (e - 1) / (e + 1)


def _reweighted(length: int, kappa: Fraction, delta: Fraction) -> Fraction:
    """Return ω̂(Z^κ, δ) = kδ/(1 + (k−1)δ), 1 for δ ≥ 1, from above."""
    if delta >= 1 or delta == 0:
        return min(delta, _1)
    k = _power(length, kappa)
    return k * delta / (1 + (k - 1) * delta)


# Reading: plain JSON, every line with its path.


class _Line:
    """A value of the certificate and where it stands."""

    def __init__(self, value: Any, path: str) -> None:
        self.value, self.path = value, path

    def must(self, condition: bool, right: str) -> None:
        """Go on if the condition holds; otherwise this line is wrong."""
        if not condition:
            place = self.path or "certificate"
            raise CertificateError(f"{place}: got {_short(self.value)}; right: {right}")

    def fields(self, names: str) -> None:
        """Require an object with exactly these fields."""
        found = set(self.value) if isinstance(self.value, dict) else set()
        self.must(found == set(names.split()), f"an object with the fields {names}")

    def __getitem__(self, name: str) -> _Line:
        return _Line(self.value[name], f"{self.path}.{name}" if self.path else name)

    def entries(self, count: int | None = None) -> list[_Line]:
        self.must(isinstance(self.value, list), "a list")
        self.must(count in (None, len(self.value)), f"a list of {count}")
        return [_Line(value, f"{self.path}[{k}]") for k, value in enumerate(self.value)]

    def equals(self, right: Any) -> None:
        """Require this value; 1, true and 1.0 are three."""
        same = json.dumps(self.value, sort_keys=True) == json.dumps(right, sort_keys=True)
        self.must(same, _short(right))

    def integer(self, least: int) -> int:
        self.must(type(self.value) is int and self.value >= least, f"an integer, at least {least}")
        return int(self.value)

    def subset(self, universe: Collection[int]) -> list[int]:
        """Require integers of a universe, ascending."""
        members = [entry.integer(0) for entry in self.entries()]
        found = members == sorted(set(members)) and set(members) <= set(universe)
        self.must(found, f"ascending, from {_short(sorted(universe))}")
        return members

    def rational(self) -> Fraction:
        text = self.value if isinstance(self.value, str) else ""
        plain = re.fullmatch(r"-?[0-9]{1,4000}(/[1-9][0-9]{0,4000})?", text)
        self.must(plain is not None, 'a rational number "a" or "a/b"')
        return Fraction(text)

    def at_least(self, bound: Fraction | int) -> Fraction:
        number = self.rational()
        self.must(number >= bound, f"at least {_decimal(bound)}")
        return number


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _decimal(number: Fraction | int) -> str:
    exact = str(number)
    return exact if len(exact) <= 40 else f"{float(number):.17g}"


def _read(certificate: HasData | str | PathLike[str]) -> Any:
    """Return the plain data of an object or of a file."""
    if hasattr(certificate, "to_dict"):
        return json.loads(json.dumps(certificate.to_dict()))
    if not isinstance(certificate, (str, PathLike)):
        raise InputError("certificate", certificate, "a Certificate, or the path of a JSON file")
    try:
        return json.loads(Path(certificate).read_text("utf-8"), object_pairs_hook=_object)
    except OSError as error:
        raise InputError("certificate", certificate, f"a file that can be read; {error}") from error
    except ValueError as error:
        raise CertificateError(f"certificate: {certificate} is no plain JSON; {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"a field stands twice in {[name for name, _ in pairs]}")
    return dict(pairs)
