"""The short string z of Theorem C, built from the choice that a cost is made of."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import lru_cache

import numpy as np

from verify import Head, Summary
from verify.measure.value_types import minimal_locality, minimal_period
from verify.simulation.argmax.summaries import coarsened


def random_long(rng, pair, context, length, *, rare=True):
    """Return a Summary of an input of a context: counts of all sizes, near halves, absent types."""
    tau, size = pair.locality, pair.vocabulary_size
    counts = np.zeros((pair.period, size), dtype=object)
    for r in range(pair.period):
        total = pair.positions(length - tau - 1, r)
        counts[r] = _column(rng, total, size, rare)
    suffix = np.array(context.tokens[::-1])
    return Summary(counts, suffix, length)


def _column(rng, total, size, rare):
    """Split a number among tokens: one token, halves, rare tokens, proportions."""
    column = [0] * size
    order = [int(t) for t in rng.permutation(size)]
    left = total
    for token in order[:-1]:
        style = rng.integers(0, 6) if rare else rng.integers(3, 6)
        if style == 0:
            share = 0
        elif style in (1, 2):
            share = int(rng.integers(1, 2 ** int(rng.integers(1, 12)) + 1))
        elif style == 3:
            share = left // 2
        elif style == 4:
            share = int(left * Fraction(float(rng.random())))
        else:
            share = left // int(rng.integers(2, 200))
        share = min(share, left)
        column[token] = share
        left -= share
    column[order[-1]] = left
    return column


@lru_cache(maxsize=16)
def reduced(f):
    """Return the same function with the least period and locality declared."""
    lags = minimal_locality(f) + 1
    layer = f.layers[0]
    heads = tuple(Head(h.query_key, h.value, h.lag_bias[:lags]) for h in layer.heads)
    layer = dataclasses.replace(layer, heads=heads)
    positions = f.positions[: minimal_period(f)]
    return dataclasses.replace(f, positions=positions, layers=(layer,))


def output_difference(pair, x, z):
    """Return |f(x) − f(z)| + |g(x) − g(z)|."""
    total = 0.0
    for model in map(reduced, (pair.f, pair.g)):
        values = [model.of_summary(coarsened(s, model.period, model.locality)) for s in (x, z)]
        total += float(np.abs(values[0] - values[1]).max())
    return total


class ShortString:
    """z for one x, as the proof of Theorem C makes it."""

    def __init__(self, rng, pair, found, x):
        """Take a ContextCost with a set of kept lags, and an x of its context and horizon."""
        self.rng, self.pair, self.x, self.found = rng, pair, x, found
        self.lag_types = pair.lag_types(found.context)
        self.query = self.lag_types[0]
        self.kept = found.kept.kept
        self.mild = [lag for lag in range(pair.locality + 1) if lag not in self.kept]
        counts = [int(c) for c in x.counts.ravel()]
        for lag in self.mild:
            counts[self.lag_types[lag]] += 1
        self.counts = counts
        self.cost = self._cost()

    def _cost(self):
        """Return the cost of the case of x, by its levels."""
        present = [t for t in self.pair.types if self.counts[t]]
        allowed = set(self.pair.types)
        for head in self.pair.heads:
            logits = head.content[self.query]
            kept = [logits[self.lag_types[lag]] + head.bias[lag] for lag in self.kept]
            level = max([logits[t] for t in present] + kept)
            allowed &= {t for t in self.pair.types if logits[t] <= level}
        (cost,) = [c for c in self.found.cases if c.case.allowed == frozenset(allowed)]
        return cost

    def build(self):
        """Return z as a Summary, or None where the case has the trivial cost."""
        if self.cost.choice is None:
            return None
        self.choice = self.cost.choice
        self.free = self.found.free
        self.column_sums = [
            sum(self.counts[t] for t in self.pair.column(r)) for r in range(self.pair.period)
        ]
        scale = self._light_scales() if self.choice.groups else {}
        made = [0] * len(self.counts)
        for r in range(self.pair.period):
            self._fill(r, scale, made)
        self._keep_inert(made, set(scale))
        return self._string(made)

    def _light_scales(self):
        """Return the scale of every low type (Theorem S)."""
        choice, reached = self.choice, self.cost.accuracies
        groups = []
        for group, delta in zip(choice.groups, reached.light, strict=True):
            prefix = choice.heads[group[0]].prefix
            weight = sum(self.counts[t] for t in prefix)
            weight += min(len(choice.heads[i].suffix) for i in group)
            groups.append((delta * weight, prefix, weight, delta))
        groups.sort(key=lambda g: g[0])
        shrink = Fraction(sum(self.free), sum(self.column_sums))
        scale, kept_sum, mu = {}, Fraction(0), Fraction(1)
        for _, prefix, weight, delta in groups:
            step = (kept_sum + choice.error) / delta
            kept_sum += step
            if weight:
                mu = min(mu, step / weight)
            if mu <= shrink:
                break
            for t in prefix:
                scale.setdefault(t, mu)
        return scale

    def _fill(self, r, scale, made):
        """Round the targets of one column, and spread them over the types of x."""
        column = [t for t in self.pair.column(r) if self.counts[t]]
        low = {t: scale[t] * self.counts[t] for t in column if t in scale}
        rest = sum(self.counts[t] for t in column if t not in scale)
        left = self.free[r] - sum(low.values())
        assert left >= 0
        assert rest or left == 0
        targets = {
            t: low[t] if t in low else left * self.counts[t] / Fraction(rest) for t in column
        }
        atoms = [[t for t in atom if self.counts[t]] for atom in self.choice.atoms[r]]
        atoms = [atom for atom in atoms if atom]
        wanted = [sum((targets[t] for t in atom), Fraction(0)) for atom in atoms]
        forced = None
        if 0 in self.mild and self.query in column:
            forced = next(k for k, atom in enumerate(atoms) if self.query in atom)
        for atom, whole in zip(atoms, _rounded(self.rng, wanted, forced), strict=True):
            if all(targets[t] == self.counts[t] for t in atom):
                for t in atom:
                    made[t] = self.counts[t]
                continue
            order = [int(t) for t in self.rng.permutation(atom)]
            if self.query in order:
                made[self.query], whole = min(1, whole), whole - min(1, whole)
            made[order[0]] += whole

    def _keep_inert(self, made, low):
        """Move units of a column so that every inert head keeps a member."""
        chosen = {self.query} if 0 in self.mild else set()
        for head in self.choice.heads:
            if not head.inert or head.suffix or head.full:
                continue
            kind = next(t for t in sorted(head.prefix) if self.counts[t])
            if not any(made[t] for t in head.prefix):
                donors = [
                    t
                    for t in self.pair.column(self.pair.residue_of(kind))
                    if t not in low and made[t] >= (2 if t in chosen else 1)
                ]
                made[donors[0]] -= 1
                made[kind] += 1
            else:
                kind = next(t for t in sorted(head.prefix) if made[t])
            chosen.add(kind)

    def _string(self, made):
        """Put the free positions into a string: the query last, the other lags at random."""
        left = list(made)
        tokens = list(self.found.context.tokens)
        for lag in self.mild:  # lag 0 comes first: the query is there for sure
            kind = self.query
            if lag > 0:
                column = self.pair.column(self.pair.residue_of(self.lag_types[lag]))
                options = [t for t in column if left[t]]
                kind = options[int(self.rng.integers(len(options)))]
            left[kind] -= 1
            tokens[lag] = kind % self.pair.vocabulary_size
        shape = (self.pair.period, self.pair.vocabulary_size)
        table = np.array(left, dtype=object).reshape(shape)
        return Summary(table, np.array(tokens[::-1]), self.found.short)


def _rounded(rng, wanted, forced):
    """Round by largest remainders, ties at random; one entry may have to be at least 1."""
    whole = [int(e // 1) for e in wanted]
    parts = [e - w for e, w in zip(wanted, whole, strict=True)]
    number = sum(parts)
    assert number.denominator == 1
    order = sorted(range(len(wanted)), key=lambda k: (parts[k], rng.random()), reverse=True)
    up = order[: int(number)]
    if forced is not None and whole[forced] + (forced in up) == 0:
        up = [forced, *[k for k in order if k != forced][: int(number) - 1]]
        if number == 0:  # all targets are integers: take a unit of the largest
            whole[max(range(len(wanted)), key=lambda k: whole[k])] -= 1
    return [w + (k in up) for k, w in enumerate(whole)]
