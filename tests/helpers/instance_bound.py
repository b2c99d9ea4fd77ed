"""Theorem C for one input: a choice, its bound, and the short input z of its proof.

Written from the statement, beside `verify`: kept and mild lags, levels, cuts, inert heads, atoms,
light groups, thresholds, split, mild terms. `omit` leaves parts out, for controls.
"""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction as F

from tests.helpers.counted_heads import (
    Input,
    ball,
    by_columns,
    columns_of,
    falls,
    hat,
    largest_remainder,
    least_threshold,
    targets,
    theta,
)


@dataclass
class Cut:
    """One head with its cut: P, S, and what follows from them."""

    head: object
    prefix: frozenset
    suffix: tuple
    inert: bool
    gap: F | None
    spread: F
    prefix_spread: F
    excess: F
    mild: tuple
    columns: tuple
    full: tuple

    @property
    def light(self):
        """Whether P is a set without a whole column, of a head that is not inert."""
        return bool(self.prefix) and not self.full and not self.inert


class Instance:
    """One long input under one choice of kept lags and cuts; `valid` says whether it is allowed."""

    def __init__(self, rng, heads, given, period, tokens):
        self.rng, self.given, self.period = rng, given, period
        lags = range(len(given.lags))
        self.kept = tuple(lag for lag in lags if rng.random() < 0.4)
        self.mild = tuple(lag for lag in lags if lag not in self.kept)
        free = {t: n for t, n in given.prefix.items() if n}
        for lag in self.mild:
            free[given.lags[lag]] = free.get(given.lags[lag], 0) + 1
        self.counts = free
        self.valid = False
        self.chosen = set()
        kinds = list(itertools.product(range(tokens), range(period)))
        kept_logits = [
            {lag: h.logits[given.lags[lag]] + h.bias[lag] for lag in self.kept} for h in heads
        ]
        levels = [
            max([h.logits[t] for t in free] + list(kept.values()))
            for h, kept in zip(heads, kept_logits, strict=True)
        ]
        allowed = [
            t for t in kinds if all(h.logits[t] <= v for h, v in zip(heads, levels, strict=True))
        ]
        self.cuts = []
        for h, kept in zip(heads, kept_logits, strict=True):
            cut = self._cut(h, kept, allowed)
            if cut is None:
                return
            self.cuts.append(cut)
        self.atoms = self._atoms(allowed)
        self.valid = True

    def _cut(self, head, kept, allowed):
        line = self.rng.choice(sorted({head.logits[t] for t in allowed} | set(kept.values()))[-3:])
        prefix = frozenset(t for t in allowed if head.logits[t] >= line)
        suffix = tuple(lag for lag in self.kept if kept[lag] >= line)
        own = [head.logits[t] for t in prefix]
        inside = own + [kept[lag] for lag in suffix]
        outside = [head.logits[t] for t in allowed if t not in prefix]
        outside += [kept[lag] for lag in self.kept if lag not in suffix]
        reach = list(inside)
        for lag, t in itertools.product(self.mild, allowed):
            if t[1] == self.given.lags[lag][1]:
                (reach if t in prefix else outside).append(head.logits[t] + head.bias[lag])
        gap = min(reach) - max(outside) if outside else None
        if gap is not None and gap <= 0:
            return None
        seen = {head.values[t] for t in prefix} | {head.values[self.given.lags[k]] for k in suffix}
        inert = len(seen) == 1
        if not inert and falls(self.given.length, max(reach) - min(reach), head.bits):
            return None
        columns = tuple(sorted({t[1] for t in prefix}))
        full = tuple(r for r in columns if all(t in prefix for t in allowed if t[1] == r))
        return Cut(
            head,
            prefix,
            suffix,
            inert,
            gap,
            spread=max(inside) - min(inside),
            prefix_spread=max(own) - min(own) if own else F(0),
            excess=max(F(0), max(inside) - max(own)) if own else F(0),
            mild=tuple(head.bias[k] for k in self.mild if self.given.lags[k][1] in columns),
            columns=columns,
            full=full,
        )

    def _atoms(self, allowed):
        atoms = {}
        for t in allowed:
            signature = tuple(
                (c.head.values[t], c.head.logits[t]) if t in c.prefix else None
                for c in self.cuts
                if not c.inert
            )
            atoms.setdefault((signature, t[1]), []).append(t)
        return list(atoms.values())

    def free(self, length):
        """n_r for a length."""
        found = columns_of(length, self.period)
        for lag in self.kept:
            found[(length - lag) % self.period] -= 1
        return found

    def prepare(self, omit=()):
        """Choose accuracies and the least length of z for them; False if x is not longer."""
        rng, period = self.rng, self.period
        if any(c.gap and not falls(self.given.length, c.gap, c.head.bits) for c in self.cuts):
            return False
        query, forced = self.given.lags[0], 0 in self.mild
        numbers = [sum(a[0][1] == r for a in self.atoms) for r in range(period)]
        self.rounding = [
            F(0)
            if a == 1
            else F(a * a // 4, a - 1)
            if forced and query[1] == r and "forced" not in omit
            else F(a, 4)
            for r, a in enumerate(numbers)
        ]
        if "rounding" in omit:
            self.rounding = [F(0)] * period
        self.moves = [c for c in self.cuts if c.inert and not c.suffix and not c.full]
        moves = len(self.moves)
        groups = {}
        for number, c in enumerate(self.cuts):
            if c.light:
                groups.setdefault(c.prefix, []).append(number)
        self.light = {i: F(rng.randint(2, 9), 10) for g in groups.values() for i in [g[0]]}
        shape = self.free(self.given.length)
        self.drifts = {c: self._drift(shape, c, omit) for c in {*(c.columns for c in self.cuts)}}
        everywhere = self._drift(shape, tuple(range(period)), omit)
        charge = {
            i: sum((self.rounding[r] for r in c.columns), F(0))
            + everywhere
            + (len(c.suffix) if "suffix" not in omit else 0)
            + moves
            for i, c in enumerate(self.cuts)
        }
        self.groups = [
            (
                set(self.cuts[g[0]].prefix),
                min(len(self.cuts[i].suffix) for i in g),
                self.light[g[0]],
            )
            for g in groups.values()
        ]
        self.light = {i: self.light[g[0]] for g in groups.values() for i in g}
        self.charge = charge
        self.error = max((charge[i] for i in self.light), default=F(0))
        if self.groups and self.error == 0:
            return False
        self.kept_mass = self.error * (
            math.prod((1 + 1 / g[2] for g in self.groups), start=F(1)) - 1
        )
        needed = max(F(1), self.kept_mass, F(moves + 1))
        if self.groups and moves:
            needed = max(needed, self.kept_mass + moves + 1 + max(self.rounding))
        hard = max(least_threshold(c.gap, c.head.bits) if c.gap else 1 for c in self.cuts)
        length = self.given.length % period
        guess = max(hard, math.ceil(needed) * period, len(self.given.lags))
        length += max(0, (guess - length) // period - 2) * period
        while length < max(hard, len(self.given.lags)) or min(self.free(length)) < needed:
            length += period
        self.short = length + period * rng.choice([0, 0, 1, 3, length // period])
        return self.short < self.given.length

    @staticmethod
    def _drift(shape, columns, omit):
        if not columns or "drift" in omit:
            return F(0)
        counts = [shape[r] for r in columns]
        mean = F(sum(counts), len(counts))
        return sum((max(n - mean, F(0)) for n in counts), F(0))

    def build(self):
        """z, as in the proof."""
        rng, counts, short = self.rng, self.counts, self.free(self.short)
        long = self.free(self.given.length)
        low = frozenset()
        if self.groups:
            real, low = targets(counts, long, short, self.groups, self.error)
        else:
            real = {t: F(c * short[t[1]], long[t[1]]) for t, c in counts.items()}
        query = self.given.lags[0] if 0 in self.mild else None
        found = {}
        for column in by_columns({t: None for a in self.atoms for t in a}, self.period):
            atoms = [a for a in self.atoms if a[0] in column]
            wanted = {tuple(a): sum((real.get(t, F(0)) for t in a), F(0)) for a in atoms}
            own = next((tuple(a) for a in atoms if query in a), None)
            for atom, number in largest_remainder(wanted, own).items():
                found.update(self._spread(atom, number, query))
        for cut in self.moves:
            self._move(cut, found, low, query)
        lags = list(self.given.lags)
        for lag in self.mild:
            column = [t for t, n in found.items() if n and t[1] == lags[lag][1]]
            if lag and query in column and found[query] == 1 and query[1] == lags[lag][1]:
                column.remove(query)
            lags[lag] = query if lag == 0 else rng.choice(column)
            if lag:
                found[lags[lag]] -= 1
        if query is not None:
            found[query] -= 1
        return Input(found, tuple(lags))

    def _spread(self, atom, number, query):
        present = [t for t in atom if self.counts.get(t)]
        if number == sum(self.counts.get(t, 0) for t in atom):
            return {t: self.counts[t] for t in present}
        found = dict.fromkeys(present, 0)
        if query in found and number:
            found[query], number = 1, number - 1
        if number:
            found[self.rng.choice(present)] += number
        return found

    def _move(self, cut, found, low, query):
        """Give the cut a token, from a rest type that is neither the query nor chosen before."""
        chosen = next(t for t in sorted(cut.prefix) if self.counts.get(t))
        self.chosen.add(chosen)
        if not found.get(chosen):
            source = next(
                t
                for t, n in sorted(found.items())
                if t[1] == chosen[1] and t not in low and n > (t == query or t in self.chosen)
            )
            found[source] -= 1
            found[chosen] = 1

    def bounds(self, omit=()):
        """The bound on TV for each head that is not inert (None for those that are)."""
        return [None if c.inert else self._bound(i, c, omit) for i, c in enumerate(self.cuts)]

    def _bound(self, number, cut, omit):
        short, horizon, free = self.short, self.given.length, self.free(self.short)
        n = min(free)
        own = sum((self.rounding[r] for r in cut.columns), F(0)) + len(self.moves)
        own += self.drifts[cut.columns] + (len(cut.suffix) if "suffix" not in omit else 0)
        mass = F(len(cut.full) * n)
        if not cut.prefix:
            delta = F(0)
        elif number in self.light:
            delta = self.light[number]
        elif self.groups:
            delta = ((0 if "kept" in omit else self.kept_mass) + self.charge[number]) / mass
        else:
            columns = [free[r] for r in cut.columns]
            mass = F(sum(columns) if cut.full == cut.columns else len(cut.full) * min(columns))
            delta = own / mass
        ratio = F(horizon, short)
        plain = ball(delta) if "hat" in omit else hat(cut.spread, short, delta)
        if "theta" not in omit:
            plain += theta(cut.spread, ratio)
        room, positions = F(short, short + self.period - 1), sum(free[r] for r in cut.full)
        power = cut.prefix_spread + cut.excess
        if cut.suffix and cut.full and power <= room and not omit:
            split = hat(cut.prefix_spread, short, delta - len(cut.suffix) / mass)
            split += theta(cut.prefix_spread, ratio)
            split += len(cut.suffix) * ball(short) ** ball(power) / positions
            plain = plain.min(split)
        return plain if "mild" in omit or not any(cut.mild) else plain + self._mild(cut, room)

    def _mild(self, cut, room):
        short, horizon = ball(self.short), ball(self.given.length)
        beta = max(0, *cut.mild) - min(0, *cut.mild)

        def first(length):
            return (ball(beta) * length.log() / 4).tanh()

        def pushed(length):
            more = sum((length ** ball(b) - 1 for b in cut.mild if b > 0), ball(0))
            return more.max(sum((1 - length ** ball(b) for b in cut.mild if b < 0), ball(0)))

        here, later = first(short), first(horizon)
        if cut.full:
            weight = short ** ball(cut.prefix_spread)
            weight /= sum(self.free(self.short)[r] for r in cut.full)
            here = here.min(pushed(short) * weight)
            steep = ball(cut.prefix_spread + max(map(abs, cut.mild))) + 1 / short.log()
            if steep <= ball(room):
                later = later.min(pushed(short) * weight)
            elif cut.prefix_spread <= room:
                later = later.min(pushed(horizon) * weight)
        return here + later
