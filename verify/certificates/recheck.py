"""`recheck`: the independent checker of instance certificates, one file that shares no code.

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
from functools import cache
from itertools import combinations, groupby, product
from math import lcm, prod
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from verify.errors import CertificateError, InputError
from verify.model.weights import Floats, Head, Weights

Vector = tuple[Fraction, ...]
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
    top["weights"].fields("f g")
    for name, model in (("f", f), ("g", g)):
        top["weights"][name].equals(_digest(model))
    epsilon = top["epsilon"].at_least(0)
    target = top["target"].more_than(epsilon)
    budget = top["budget"].rational()
    top["budget"].must(budget == target - epsilon, f"target − epsilon = {target - epsilon}")
    top["vocabulary_size"].equals(pair.vocabulary)
    top["period"].equals(pair.period)
    top["locality"].equals(pair.locality)
    top["heads"].equals(
        [{"model": h.owner, "number": h.number, "precision_bits": h.bits} for h in pair.heads]
    )
    horizon = top["horizon"].integer()
    top["horizon"].must(horizon >= 1, "at least 1")
    contexts = top["contexts"].entries()
    if top["length"].value is None:
        top["contexts"].equals([])
        top["cost"].equals(None)
        top["deciding_context"].equals(None)
        return Rechecked(epsilon, target, horizon, None, 0, 0, None)
    length = top["length"].integer()
    top["length"].must(length >= pair.period, f"at least the period {pair.period}")
    top["obstacle"].equals(None)

    missing = set(product(range(pair.period), product(range(pair.vocabulary), repeat=pair.lags)))
    for line in contexts:
        line.fields("residue tokens short trivial cost kept free cases")
        key = (line["residue"].integer(), tuple(line["tokens"].integers()))
        line.must(key in missing, "a context (residue, tokens) that exists and was not yet there")
        missing.discard(key)
    top["contexts"].must(not missing, f"all contexts; left out: {sorted(missing)[:1]}")
    cases = sum(_check_context(line, pair, length, horizon) for line in contexts)
    costs = [line["cost"].rational() for line in contexts]
    cost = top["cost"].at_least(max(costs))
    top["cost"].must(cost <= budget, f"at most the budget {budget}")
    decides = top["deciding_context"].integer()
    top["deciding_context"].must(
        0 <= decides < len(costs) and costs[decides] == max(costs),
        f"{costs.index(max(costs))}, the context of the largest cost",
    )
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
    free: list[int]  # n_r, for each residue
    trivial: Fraction

    def drift(self, columns: Collection[int]) -> Fraction:
        """Return D of columns, Σ (n_r − mean)₊."""
        numbers = [self.free[r] for r in columns]
        return sum((max(n - Fraction(sum(numbers), len(numbers)), _0) for n in numbers), _0)

    def logit(self, head: _Head, key: int, lag: int | None = None) -> Fraction:
        """Return the logit of a type, as a prefix type or at a lag."""
        return head.logit(key, self.at_lag[0]) + (_0 if lag is None else head.bias(lag))

    def allowed_sets(self) -> set[Types]:
        """Return U of all levels: all intersections, over heads, of {t: a_i(t) ≤ v}.

        With w_i the largest logit of head i over such a U and the kept lags, w_i ≤ v_i, so the
        levels w give U again, and each is the logit of a type of U or of a kept lag: every
        intersection is a case, and every case is one, at v = w.
        """
        pair, mild_types = self.pair, {self.at_lag[lag] for lag in self.mild}
        sets = {frozenset(range(pair.period * pair.vocabulary))}
        for head in pair.heads:
            logits = {t: self.logit(head, t) for t in range(pair.period * pair.vocabulary)}
            kept = [self.logit(head, self.at_lag[lag], lag) for lag in self.kept]
            levels = {v for v in [*logits.values(), *kept] if v >= max(kept, default=v)}
            below = [frozenset(t for t, a in logits.items() if a <= v) for v in levels]
            sets = {u & lower for u in sets for lower in below}
            sets = {u for u in sets if mild_types <= u and len(pair.residues(u)) == pair.period}
        return sets


def _check_context(line: _Line, pair: _Pair, length: int, horizon: int) -> int:
    """Check one context; return the number of its cases."""
    residue, tokens = line["residue"].integer(), line["tokens"].integers()
    short = length - (length - residue) % pair.period
    line["short"].equals(short)
    line["short"].must(short >= 1, "at least 1")
    at_lag = [
        (residue - lag) % pair.period * pair.vocabulary + token for lag, token in enumerate(tokens)
    ]
    trivial = line["trivial"].at_least(pair.trivial(at_lag[0]))
    if line["kept"].value is None:
        line["free"].equals(None)
        line["cases"].equals([])
        line["cost"].at_least(_0 if short + pair.period > horizon else trivial)
        return 0

    line["kept"].must(short >= pair.lags, f"null, as Z < τ+1 = {pair.lags}")
    kept = line["kept"].subset(range(pair.lags))
    mild = [lag for lag in range(pair.lags) if lag not in kept]
    positions = set(range(1, short + 1)) - {short - lag for lag in kept}
    free = [sum(i % pair.period == r for i in positions) for r in range(pair.period)]
    line["free"].equals(free)
    line["free"].must(min(free) >= 1, "at least 1 everywhere")
    context = _Context(pair, horizon, short, at_lag, kept, mild, free, trivial)
    missing = context.allowed_sets()
    for case in line["cases"].entries():
        case.fields("allowed cost choice")
        allowed = frozenset(case["allowed"].subset(range(pair.period * pair.vocabulary)))
        case["allowed"].must(allowed in missing, "types of some levels, not yet there")
        missing.discard(allowed)
        least = trivial if case["choice"].value is None else _check_choice(case, context, allowed)
        line["cost"].at_least(case["cost"].at_least(least))
    line["cases"].must(not missing, f"all cases; left out: {[sorted(u) for u in missing][:1]}")
    return len(line["cases"].entries())


# A case: one set U of types that may occur, and the choices made for it.


@dataclass(frozen=True)
class _Part:
    """What one head attends to in one case."""

    line: _Line
    head: _Head
    prefix: Types  # P
    suffix: list[int]  # S, lags
    values: Types  # types of P and of the lags in S
    columns: Types  # residues that meet P
    full: Types  # those of them with all types of U in P
    kind: str
    inside: list[Fraction]  # E_in
    outside: list[Fraction]  # E_out


def _check_choice(case: _Line, context: _Context, allowed: Types) -> Fraction:
    """Check the choice of a case; return its cost."""
    pair, free, choice = context.pair, context.free, case["choice"]
    choice.fields("moves atoms rounding drift light error kept_sum heads")
    lines = choice["heads"].entries()
    choice["heads"].must(len(lines) == len(pair.heads), f"{len(pair.heads)} heads")
    parts = [_part(*both, context, allowed) for both in zip(lines, pair.heads, strict=True)]
    active = [part for part in parts if part.kind != "inert"]
    moves = sum(p.kind == "inert" and not p.suffix and not p.full for p in parts)
    choice["moves"].equals(moves)

    def signature(key: int) -> list[object]:
        return [
            (part.head.values[key], context.logit(part.head, key)) if key in part.prefix else None
            for part in active
        ]

    rounding = []
    query = context.at_lag[0] // pair.vocabulary
    for r in range(pair.period):
        column, atoms = [t for t in sorted(allowed) if t // pair.vocabulary == r], []
        for line in choice["atoms"].entry(r, pair.period).entries():
            atoms.append(line.subset(column))
            alike = [signature(t) for t in atoms[-1]]
            line.must(alike != [] and alike.count(alike[0]) == len(alike), "types that are alike")
        line = choice["atoms"].entry(r, pair.period)
        line.must(sorted(sum(atoms, [])) == column, f"each of the types {column} once")
        a = len(atoms)
        forced = Fraction(a * a // 4, a - 1) if a > 1 else _0
        least = forced if r == query and 0 in context.mild else Fraction(a, 4) if a > 1 else _0
        rounding.append(choice["rounding"].entry(r, pair.period).at_least(least))
    drift = choice["drift"].at_least(context.drift(range(pair.period)))

    # Light heads: S, and the accuracies that the certificate chose.
    error, kept_sum, accuracy = _0, _0, {}
    for group in choice["light"].entries():
        group.fields("heads delta")
        members = group["heads"].subset(range(len(parts)))
        delta = group["delta"].more_than(0)
        group["delta"].must(delta < 1, "less than 1")
        fresh = all(i not in accuracy and parts[i].kind == "light" for i in members)
        group["heads"].must(fresh and members != [], "light heads that are in no other group")
        group["heads"].must(len({parts[i].prefix for i in members}) == 1, "heads with equal P")
        accuracy |= dict.fromkeys(members, delta)
    light = [i for i, part in enumerate(parts) if part.kind == "light"]
    choice["light"].must(sorted(accuracy) == light, f"the light heads {light}")

    def roundings(part: _Part) -> Fraction:
        return sum((rounding[r] for r in part.columns), _0)

    if light:
        error = max(roundings(parts[i]) + drift + len(parts[i].suffix) + moves for i in light)
        error = choice["error"].at_least(error)
        factors = (1 + 1 / group["delta"].rational() for group in choice["light"].entries())
        kept_sum = choice["kept_sum"].at_least(error * (prod(factors) - 1))
        needed = kept_sum + (moves + 1 + max(rounding) if moves else 0)
        choice["kept_sum"].must(min(free) >= needed, f"small enough for min n_r = {min(free)}")
    else:
        choice["error"].equals("0")
        choice["kept_sum"].equals("0")
        choice["moves"].must(min(free) >= moves + 1, f"less than min n_r = {min(free)}")

    total = _0
    for i, part in enumerate(parts):
        line = part.line
        line["rounding"].at_least(roundings(part))
        line["drift"].at_least(context.drift(part.columns))
        smallest, delta = _0, accuracy.get(i, _0)
        if part.kind == "heavy":
            numbers = [free[r] for r in part.columns]
            if light:
                smallest = Fraction(len(part.full) * min(free))
                excess = kept_sum + roundings(part) + drift + len(part.suffix) + moves
            else:
                whole = part.columns == part.full
                smallest = Fraction(sum(numbers) if whole else len(part.full) * min(numbers))
                excess = roundings(part) + context.drift(part.columns) + len(part.suffix) + moves
            delta = excess / smallest
        line["delta"].at_least(delta)
        variation = _check_head(part, context, delta, smallest)
        total += _check_constant(part, parts, context) * variation
    return total


# A head: what it attends to, its thresholds, its variation, its constant.


def _part(line: _Line, head: _Head, context: _Context, allowed: Types) -> _Part:
    """Read the attended set of a head, and check that a cut gives it."""
    line.fields(
        "prefix suffix kind gap threshold spread prefix_spread full_spread excess constant "
        "constant_by columns full rounding drift mild delta variation"
    )
    pair = context.pair
    prefix = frozenset(line["prefix"].subset(allowed))
    suffix = line["suffix"].subset(context.kept)

    def logits(types: Types, lags: Iterable[int]) -> list[Fraction]:
        at_lags = [context.logit(head, context.at_lag[lag], lag) for lag in lags]
        mild = [
            context.logit(head, t, lag)
            for lag in context.mild
            for t in types
            if t // pair.vocabulary == context.at_lag[lag] // pair.vocabulary
        ]
        return [context.logit(head, t) for t in types] + at_lags + mild

    inside = logits(prefix, suffix)
    outside = logits(allowed - prefix, [lag for lag in context.kept if lag not in suffix])
    line["prefix"].must(bool(prefix or suffix), "not empty together with suffix")
    cut = not outside or min(inside) > max(outside)
    line["prefix"].must(cut, "with suffix, all logits above a cut that no class crosses")

    values = prefix | {context.at_lag[lag] for lag in suffix}
    columns, rest = pair.residues(prefix), pair.residues(allowed - prefix)
    inert = len({head.values[t] for t in values}) == 1
    kind = "suffix" if not prefix else "heavy" if columns - rest else "light"
    kind = "inert" if inert else kind
    line["kind"].equals(kind)
    line["columns"].equals(sorted(columns))
    line["full"].equals(sorted(columns - rest))
    full = columns - rest
    return _Part(line, head, prefix, suffix, values, columns, full, kind, inside, outside)


def _check_head(part: _Part, context: _Context, delta: Fraction, smallest: Fraction) -> Fraction:
    """Check threshold, spreads and variation of a head; return its variation.

    `smallest`: v, the least |λ(c, 1)| of a heavy head.
    """
    line, head, short, horizon = part.line, part.head, context.short, context.horizon
    threshold = line["threshold"].integer()
    if part.outside:
        gap = line["gap"].more_than(0)
        true_gap = min(part.inside) - max(part.outside)
        line["gap"].must(gap <= true_gap, f"at most {_decimal(true_gap)}")
        enough = threshold >= 1 and gap * _log2(threshold)[0] >= head.bits
        line["threshold"].must(enough, f"at least 2^({head.bits}/gap)")
    else:
        line["gap"].equals(None)
        line["threshold"].must(threshold >= 1, "at least 1")
    line["threshold"].must(threshold <= short, f"at most the short length {short}")

    prefix = [context.logit(head, t) for t in part.prefix]
    suffix = [context.logit(head, context.at_lag[lag], lag) for lag in part.suffix]
    spread, prefix_spread, full_spread = map(_range, (prefix + suffix, prefix, part.inside))
    above = max(max(suffix) - max(prefix), _0) if prefix and suffix else _0
    line["spread"].at_least(spread)
    line["prefix_spread"].at_least(prefix_spread)
    line["excess"].at_least(above)
    stated = line["full_spread"].at_least(full_spread)
    kept = part.kind == "inert" or stated * _log2(horizon)[1] < head.bits
    line["full_spread"].must(kept, f"less than {head.bits}/log₂ of the horizon {horizon}")
    lags = [
        lag
        for lag in context.mild
        if context.at_lag[lag] // context.pair.vocabulary in part.columns
    ]
    biases = [head.bias(lag) for lag in lags]
    given = [entry.rational() for entry in line["mild"].entries()]
    line["mild"].must(given == biases, f"{[str(b) for b in biases]}")
    if part.kind == "inert":
        return line["variation"].at_least(0)

    # The least of 1, the plain bound and the split one, from the numbers of this file.
    full = Fraction(sum(context.free[r] for r in part.full))
    growth = max(_1, Fraction(horizon, short))
    slowest = Fraction(short, short + context.pair.period - 1)
    mild = _mild(biases, prefix_spread, full, short, horizon, slowest)
    bound = _theta(spread, growth) + _reweighted(short, spread, delta) + mild
    if part.kind == "heavy" and suffix and prefix_spread + above <= slowest:
        split = _theta(prefix_spread, growth) + mild
        split += _reweighted(short, prefix_spread, delta - len(suffix) / smallest)
        split += len(suffix) * _power(short, prefix_spread + above) / full
        bound = min(bound, split)
    return line["variation"].at_least(min(_1, bound))


def _mild(
    biases: list[Fraction],
    spread: Fraction,
    full: Fraction,
    short: int,
    horizon: int,
    slowest: Fraction,
) -> Fraction:
    """Return M at Z plus the supremum of M over Z < T ≤ T*, from above."""
    if not any(biases):
        return _0
    tilt = max(*biases, _0) - min(*biases, _0)
    largest = max(map(abs, biases))

    def first(length: int) -> Fraction:
        return _theta(tilt, Fraction(length))

    def second(length: int) -> Fraction:
        up = sum((_power(length, b) - 1 for b in biases if b > 0), _0)
        down = sum((1 - 1 / _power(length, -b) if -b <= _FAR else _1 for b in biases if b < 0), _0)
        return max(up, down) * _power(short, spread) / full

    at_short, later = [first(short)], [first(max(short, horizon))]
    if full and max(biases) <= _FAR:  # beyond, the second form is no use
        at_short.append(second(short))
        if short > 1 and spread + largest + 1 / _log(Fraction(short))[0] <= slowest:
            later.append(second(short))
        if spread <= slowest:
            later.append(second(max(short, horizon)))
    return min(at_short) + min(later)


def _check_constant(part: _Part, parts: list[_Part], context: _Context) -> Fraction:
    """Check L of a head; return it."""
    line, head = part.line, part.head
    others = [p for p in parts if p.head.model is head.model and p is not part]
    by = line["constant_by"]
    if part.kind == "inert":
        by.equals("one value")
        return line["constant"].at_least(0)
    if by.value == "pairs":
        return line["constant"].at_least(head.pairs(part.values))
    by.equals("slope")
    by.must(all(p.kind == "inert" for p in others), '"pairs", as another head is not inert')
    fixed = [(p.head, min(p.values)) for p in others]
    slope = head.slope(part.values, context.at_lag[0], fixed)
    by.must(slope is not None, '"pairs", as the values are on no line')
    return line["constant"].at_least(slope or _0)


# The models, exactly.


class _Model:
    """The parts of a model that follow or feed its heads; types are those of the pair."""

    def __init__(self, weights: Weights, period: int) -> None:
        layer = weights.layers[0]
        embedding, positions = _exact(weights.embedding), _exact(weights.positions)
        rows = [positions[r % len(positions)] for r in range(period)]
        self.y = [_sum(token, row) for row in rows for token in embedding]
        self.mlp_in, self.unembedding = _exact(layer.mlp_in), _exact(weights.unembedding)
        mlp_out = _exact(layer.mlp_out)
        self.outer = [_apply(tuple(zip(*mlp_out, strict=True)), u) for u in self.unembedding]
        bias = tuple(map(Fraction, layer.mlp_bias.tolist()))
        self.hidden = [_sum(_apply(self.mlp_in, y), bias) for y in self.y]


class _Head:
    """One head of one model."""

    def __init__(self, model: _Model, owner: str, number: int, head: Head, bits: int) -> None:
        self.model, self.owner, self.number, self.bits = model, owner, number, bits
        self._lag_bias = [Fraction(b) for b in head.lag_bias.tolist()]
        self._query_key = _exact(head.query_key)
        self.values = [_apply(_exact(head.value), y) for y in model.y]  # V y_t
        self._hidden = [_apply(model.mlp_in, v) for v in self.values]  # A V y_t
        self._output = [_apply(model.unembedding, v) for v in self.values]  # U V y_t
        self.logit, self._pair = cache(self._logit), cache(self._one_pair)

    def _logit(self, key: int, query: int) -> Fraction:
        return _dot(self.model.y[key], _apply(self._query_key, self.model.y[query]))

    def bias(self, lag: int) -> Fraction:
        """Return φ at a lag."""
        return self._lag_bias[lag] if lag < len(self._lag_bias) else _0

    def _one_pair(self, t: int, u: int) -> Fraction:
        hidden = tuple(abs(a - b) for a, b in zip(self._hidden[t], self._hidden[u], strict=True))
        return max(
            abs(a - b) + _dot(tuple(map(abs, outer)), hidden)
            for a, b, outer in zip(self._output[t], self._output[u], self.model.outer, strict=True)
        )

    def pairs(self, types: Collection[int]) -> Fraction:
        """Return the largest change of an output between two values, each unit at its worst."""
        return max((self._pair(t, u) for t, u in combinations(sorted(types), 2)), default=_0)

    def slope(
        self, types: Collection[int], query: int, fixed: list[tuple[_Head, int]]
    ) -> Fraction | None:
        """Return the steepest slope between values on a line, times their distance; or None.

        The other heads give their values of the types `fixed`. Along the segment each output is
        piecewise linear, with a kink where a hidden unit changes sign.
        """
        first, *rest = sorted(types)
        origin = self.values[first]
        other = next((t for t in rest if self.values[t] != origin), None)
        if other is None:
            return _0
        step = _difference(self.values[other], origin)
        axis = next(k for k, s in enumerate(step) if s)
        place = {t: (self.values[t][axis] - origin[axis]) / step[axis] for t in types}
        for t, s in place.items():
            if _difference(self.values[t], origin) != tuple(s * x for x in step):
                return None
        low, high = min(place, key=place.__getitem__), max(place, key=place.__getitem__)
        start = _sum(self.model.hidden[query], self._hidden[low])
        for head, t in fixed:
            start = _sum(start, head._hidden[t])
        step = _difference(self._hidden[high], self._hidden[low])
        slopes = list(_difference(self._output[high], self._output[low]))
        outer = self.model.outer
        for k, (a, s) in enumerate(zip(start, step, strict=True)):
            if a > 0 or (a == 0 and s > 0):
                slopes = [slope + row[k] * s for slope, row in zip(slopes, outer, strict=True)]
        steepest = max(map(abs, slopes))
        kinks = [(-a / s, k) for k, (a, s) in enumerate(zip(start, step, strict=True)) if s]
        inner = sorted((place, k) for place, k in kinks if 0 < place < 1)
        for _, units in groupby(inner, key=lambda kink: kink[0]):
            for _, k in units:
                change = abs(step[k])
                slopes = [m + row[k] * change for m, row in zip(slopes, outer, strict=True)]
            steepest = max(steepest, *map(abs, slopes))
        return steepest


class _Pair:
    """Both models over the same types, and their heads in one list."""

    def __init__(self, f: Weights, g: Weights) -> None:
        for name, m in (("f", f), ("g", g)):
            if len(m.layers) != 1 or m.precision_bits is None:
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
        longest = max(head.lag_bias.size for m in (f, g) for head in m.layers[0].heads)
        used = [lag for lag in range(longest) if any(head.bias(lag) for head in self.heads)]
        self.locality = max(used, default=0)
        self.lags = self.locality + 1
        self.trivial = cache(self._trivial)

    def residues(self, types: Iterable[int]) -> Types:
        """Return the residues that meet a set of types."""
        return frozenset(t // self.vocabulary for t in types)

    def _trivial(self, query: int) -> Fraction:
        """Return Σ over the heads of L over all types, at this query."""
        everything = range(len(self.heads[0].values))
        total = _0
        for head in self.heads:
            bounds: list[Fraction | None] = [head.pairs(everything)]
            others = [h for h in self.heads if h.model is head.model and h is not head]
            if all(len(set(h.values)) == 1 for h in others):
                bounds.append(head.slope(everything, query, [(h, 0) for h in others]))
            total += min(bound for bound in bounds if bound is not None)
        return total


def _least_period(positions: Floats) -> int:
    n = len(positions)
    return next(d for d in range(1, n + 1) if np.array_equal(positions, np.roll(positions, d, 0)))


def _digest(model: Weights) -> str:
    """Return the SHA-256 of precision, names, shapes and entries (little-endian float64)."""
    (layer,) = model.layers
    arrays = [(name, getattr(model, name)) for name in ("embedding", "positions", "unembedding")]
    for name in ("mlp_in", "mlp_bias", "mlp_out"):
        arrays.append((f"layers.0.{name}", getattr(layer, name)))
    for h, head in enumerate(layer.heads):
        for name in ("query_key", "value", "lag_bias"):
            arrays.append((f"layers.0.heads.{h}.{name}", getattr(head, name)))
    content = f"precision_bits {model.precision_bits}\n".encode()
    for name, array in arrays:
        content += f"{' '.join([name, *map(str, array.shape)])}\n".encode()
        content += (array + 0.0).astype("<f8").tobytes()  # −0.0 counts as 0.0
    return hashlib.sha256(content).hexdigest()


# Arithmetic: exact vectors, and enclosures of logarithm and exponential.

_0, _1 = Fraction(0), Fraction(1)
_UNIT = 1 << 256  # enclosures are rounded outward to multiples of 1/_UNIT
_FAR = 64  # lag biases beyond: T^_FAR is more than any number of positions


def _exact(matrix: Floats) -> list[Vector]:
    return [tuple(map(Fraction, row)) for row in matrix.tolist()]


def _dot(a: Vector, b: Vector) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), _0)


def _apply(matrix: Iterable[Vector], vector: Vector) -> Vector:
    return tuple(_dot(row, vector) for row in matrix)


def _sum(a: Vector, b: Vector) -> Vector:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _difference(a: Vector, b: Vector) -> Vector:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def _range(numbers: list[Fraction]) -> Fraction:
    return max(numbers) - min(numbers) if numbers else _0


def _down(x: Fraction) -> Fraction:
    return Fraction(x.numerator * _UNIT // x.denominator, _UNIT)


def _up(x: Fraction) -> Fraction:
    return -_down(-x)


def _artanh(z: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose artanh z = Σ z^n/n, n odd, for 0 ≤ z ≤ 1/3; the rest is below 9/8 of its first term."""
    low = high = _0
    power = (_down(z), _up(z))
    square, n = (_down(power[0] ** 2), _up(power[1] ** 2)), 1
    while power[1] * _UNIT > 1:
        low, high = low + _down(power[0] / n), high + _up(power[1] / n)
        power, n = (_down(power[0] * square[0]), _up(power[1] * square[1])), n + 2
    return low, high + _up(power[1] * 9 / (8 * n))


@cache
def _log(x: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose ln x, x > 0: for x ≥ 1, x = 2^k m with 1 ≤ m < 2, and ln m = 2 artanh((m−1)/(m+1))."""
    if x < 1:
        low, high = _log(1 / x)
        return -high, -low
    k = (x.numerator // x.denominator).bit_length() - 1
    m = x / 2**k
    two, rest = _artanh(Fraction(1, 3)), _artanh((m - 1) / (m + 1))
    return 2 * (k * two[0] + rest[0]), 2 * (k * two[1] + rest[1])


def _exp(x: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose e^x: for x ≥ 0, halve x until it is ≤ 1/2, sum the series, square as often."""
    if x < 0:
        low, high = _exp(-x)
        return 1 / high, 1 / low
    if x == 0:
        return _1, _1
    halvings = (x.numerator // x.denominator).bit_length() + 1
    small = (_down(x / 2**halvings), _up(x / 2**halvings))
    low, high, n, term = _0, _0, 0, (_1, _1)
    while term[1] * _UNIT > 1:
        low, high, n = low + term[0], high + term[1], n + 1
        term = (_down(term[0] * small[0] / n), _up(term[1] * small[1] / n))
    high += 2 * term[1]  # each further term is at most half the one before
    for _ in range(halvings):
        low, high = _down(low * low), _up(high * high)
    return low, high


def _power(base: int, exponent: Fraction) -> Fraction:
    """Return base^exponent from above, for base ≥ 1 and exponent ≥ 0."""
    return _exp(exponent * _log(Fraction(base))[1])[1] if exponent else _1


@cache
def _log2(number: int) -> tuple[Fraction, Fraction]:
    """Enclose log₂ of an integer ≥ 1; exact for powers of 2, where alone it is rational."""
    k = number.bit_length() - 1
    if number == 1 << k:
        return Fraction(k), Fraction(k)
    (low, high), two = _log(Fraction(number)), _log(Fraction(2))
    return low / two[1], high / two[0]


def _theta(kappa: Fraction, growth: Fraction) -> Fraction:
    """Return θ(κ, ρ) = tanh(κ ln(ρ)/4) from above, for ρ ≥ 1."""
    y = kappa * _log(growth)[1] / 4
    if y > 500:
        return _1
    e = _exp(2 * y)[1]
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
            raise CertificateError(f"{self.path or 'all'}: {_short(self.value)}; right: {right}")

    def fields(self, names: str) -> None:
        """Require an object with exactly these fields."""
        found = set(self.value) if isinstance(self.value, dict) else set()
        self.must(found == set(names.split()), f"an object with the fields {names}")

    def __getitem__(self, name: str) -> _Line:
        return _Line(self.value[name], f"{self.path}.{name}" if self.path else name)

    def entries(self) -> list[_Line]:
        self.must(isinstance(self.value, list), "a list")
        return [_Line(value, f"{self.path}[{k}]") for k, value in enumerate(self.value)]

    def entry(self, k: int, count: int) -> _Line:
        """Return entry k of a list that must have `count` of them."""
        entries = self.entries()
        self.must(len(entries) == count, f"{count} entries")
        return entries[k]

    def equals(self, right: Any) -> None:
        """Require exactly this value; 1, true and 1.0 are not the same."""
        self.must(_same(self.value) == _same(right), _short(right))

    def integer(self) -> int:
        self.must(type(self.value) is int, "an integer")
        return int(self.value)

    def integers(self) -> list[int]:
        return [entry.integer() for entry in self.entries()]

    def subset(self, universe: Collection[int]) -> list[int]:
        """Return a list of integers, ascending, from a universe."""
        members = self.integers()
        found = members == sorted(set(members)) and set(members) <= set(universe)
        self.must(found, f"ascending, from {_short(sorted(universe))}")
        return members

    def rational(self) -> Fraction:
        """Return the rational number of "a" or "a/b"."""
        text = self.value if isinstance(self.value, str) else ""
        plain = re.fullmatch(r"-?[0-9]+(/[0-9]*[1-9][0-9]*)?", text) and len(text) <= 8000
        self.must(bool(plain), 'a rational number, "a" or "a/b"')
        a, _, b = text.partition("/")
        try:
            return Fraction(int(a), int(b or 1))
        except ValueError:  # more digits than Python reads
            self.must(False, "a rational number with fewer digits")
            raise

    def at_least(self, bound: Fraction | int) -> Fraction:
        number = self.rational()
        self.must(number >= bound, f"at least {_decimal(bound)}")
        return number

    def more_than(self, bound: Fraction | int) -> Fraction:
        number = self.rational()
        self.must(number > bound, f"more than {_decimal(bound)}")
        return number


def _same(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _decimal(number: Fraction | int) -> str:
    """Return a short rational exactly, a long one to 17 digits."""
    exact = str(number)
    return exact if len(exact) <= 30 else f"{float(number):.17g}"


def _read(certificate: HasData | str | PathLike[str]) -> Any:
    """Return the data as JSON has it, from an object with `to_dict` or from a file."""
    if not isinstance(certificate, str | PathLike):
        return json.loads(json.dumps(certificate.to_dict()))
    try:
        text = Path(certificate).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("certificate", certificate, f"a JSON file ({error})") from error
    try:
        return json.loads(text, object_pairs_hook=_object)
    except ValueError as error:
        raise CertificateError(f"{certificate}: no JSON ({error})") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"a field stands twice in {[name for name, _ in pairs]}")
    return dict(pairs)
