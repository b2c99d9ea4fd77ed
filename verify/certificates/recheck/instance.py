"""The checker of instance certificates.

It reads a certificate (format and names: `verify.certificates.certificate`; mathematics: Theorem C,
instance certificates) and two models, and works every line out again: weights as exact rationals,
logarithms and exponentials as rational enclosures. Lines that state a bound may lie further on the
safe side than needed; everything else must be as it is found here.
Order: the certificate; a context; a case; a head.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, product
from math import prod
from os import PathLike

from verify.certificates.recheck.arithmetic import (
    FAR,
    ONE,
    ZERO,
    log,
    log2,
    power,
    reweighted,
    theta,
    width,
)
from verify.certificates.recheck.models import ExactHead, ExactPair, Types, digest_of
from verify.certificates.recheck.reading import HasData, Line, decimal, read, short_text
from verify.model.weights import Weights


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


def recheck_instance(
    certificate: HasData | str | PathLike[str], f: Weights, g: Weights
) -> Rechecked:
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
    pair = ExactPair(f, g)
    top = Line(read(certificate), "")
    top.fields(
        "format version weights epsilon target budget horizon length cost vocabulary_size period "
        "locality heads contexts deciding_context obstacle claim not_claimed"
    )
    top["format"].equals("lgbounds instance certificate")
    top["version"].equals(1)
    top["weights"].equals({"f": digest_of(f), "g": digest_of(g)})
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

    pair: ExactPair
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
        return sum((n - mean for n in numbers if n > mean), ZERO)

    def logit(self, head: ExactHead, key: int) -> Fraction:
        return head.logit(key, self.at_lag[0])

    def logit_at(self, head: ExactHead, lag: int) -> Fraction:
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


def _check_context(line: Line, pair: ExactPair, length: int, horizon: int) -> int:
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

    line: Line
    head: ExactHead
    prefix: Types  # P
    suffix: list[int]  # S
    values: Types  # the types of P and of the lags in S
    columns: Types  # residues that meet P
    full: Types  # those of them with all types of U in P
    kind: str
    inside: list[Fraction]  # E_in
    outside: list[Fraction]  # E_out


def _check_choice(case: Line, context: _Context, allowed: Types) -> Fraction:
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
        least = Fraction(a, 4) if a > 1 else ZERO
        if a > 1 and r == query_column and 0 in context.mild:
            least = Fraction(a * a // 4, a - 1)
        rho.append(choice["rounding"].entries(pair.period)[r].at_least(least))
    drift = choice["drift"].at_least(context.drift(range(pair.period)))

    # Light heads: the accuracies that the certificate chose, e and S.
    def rounding(part: _Part) -> Fraction:
        return sum((rho[r] for r in part.columns), ZERO)

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
    largest = choice["error"].at_least(max((error(parts[i], drift) for i in light), default=ZERO))
    kept_sum = choice["kept_sum"].at_least(largest * (prod(1 + 1 / d for d in deltas) - 1))
    if light:
        needed = kept_sum + (moves + 1 + max(rho) if moves else 0)
        choice["kept_sum"].must(min(free) >= needed, f"less: min n_r is {min(free)}")
    choice["moves"].must(min(free) >= moves + 1, f"less: min n_r is {min(free)}")

    total = ZERO
    for i, part in enumerate(parts):
        part.line["rounding"].at_least(rounding(part))
        part.line["drift"].at_least(context.drift(part.columns))
        mass, delta = ZERO, chosen.get(i, ZERO)
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


def _part(line: Line, head: ExactHead, context: _Context, allowed: Types) -> _Part:
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
        biases = {t: {ZERO} for t in types}
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
        line["gap"].must(0 < gap <= right, f"positive, at most {decimal(right)}")
        enough = gap * log2(threshold)[0] >= head.bits
        line["threshold"].must(enough, f"at least 2^({head.bits}/gap)")
    else:
        line["gap"].equals(None)
    line["threshold"].must(threshold <= short, f"at most {short}, the short length")

    prefix = [context.logit(head, t) for t in part.prefix]
    suffix = [context.logit_at(head, lag) for lag in part.suffix]
    spread, prefix_spread = width(prefix + suffix), width(prefix)
    excess = max(max(suffix) - max(prefix), ZERO) if prefix and suffix else ZERO
    line["spread"].at_least(spread)
    line["prefix_spread"].at_least(prefix_spread)
    line["excess"].at_least(excess)
    nothing_dropped = line["full_spread"].at_least(width(part.inside)) * log2(horizon)[1]
    inert = part.kind == "inert"
    line["full_spread"].must(inert or nothing_dropped < head.bits, f"< {head.bits}/log₂ horizon")
    residues = context.pair.residues
    lags = [k for k in context.mild if residues([context.at_lag[k]]) <= part.columns]
    biases = [head.bias(lag) for lag in lags]
    given = [entry.rational() for entry in line["mild"].entries()]
    line["mild"].must(given == biases, short_text([str(b) for b in biases]))
    if inert:
        return line["variation"].at_least(0)

    # The least of 1, the plain bound and the split one, from the numbers of this file.
    full = sum(context.free[r] for r in part.full)
    growth = Fraction(max(horizon, short), short)
    slowest = Fraction(short, short + context.pair.period - 1)
    mild = _mild(biases, prefix_spread, full, short, max(horizon, short), slowest)
    bound = theta(spread, growth) + reweighted(short, spread, delta) + mild
    if part.kind == "heavy" and suffix and prefix_spread + excess <= slowest:
        inner = reweighted(short, prefix_spread, delta - len(suffix) / mass)
        outer = len(suffix) * power(short, prefix_spread + excess) / full
        bound = min(bound, theta(prefix_spread, growth) + inner + outer + mild)
    return line["variation"].at_least(min(ONE, bound))


def _mild(
    biases: list[Fraction], spread: Fraction, full: int, short: int, long: int, slowest: Fraction
) -> Fraction:
    """Return M(Z) plus the supremum of M over Z < T ≤ T*, from above."""
    if not any(biases):
        return ZERO
    tilt = max(*biases, ZERO) - min(*biases, ZERO)
    at_short, later = [theta(tilt, Fraction(short))], [theta(tilt, Fraction(long))]

    def second(length: int) -> Fraction:
        up = sum((power(length, b) - 1 for b in biases if b > 0), ZERO)
        down = sum((1 - 1 / power(length, -b) if b > -FAR else ONE for b in biases if b < 0), ZERO)
        return max(up, down) * power(short, spread) / full

    if full and max(biases) <= FAR:
        at_short.append(second(short))
        largest = max(map(abs, biases))
        if short > 1 and spread + largest + 1 / log(Fraction(short))[0] <= slowest:
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
    return line["constant"].at_least(slope or ZERO)
