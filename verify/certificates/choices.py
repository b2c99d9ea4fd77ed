"""The choices of Theorem C: kept lags, levels, cuts, and all that follows from them but lengths.

For one context and one set of kept lags, inputs are told apart by the largest logit of each head
among free types and kept lags, hence by the set U of types whose logits are nowhere above. For
each U a choice of one cut per head gives the sets P, S that the head attends to, its near ties κ,
its gap γ, the constant L of its values, and the atoms that rounding works on.
[docs/theory/certificates.md, Instance certificates]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import flint

from bounds.precision import FLINT
from verify.certificates.contexts import Context, HeadLogits, Pair, floor_of
from verify.certificates.values import Constant, Others, PairValues
from verify.errors import InputError
from verify.model.precision import is_dropped

_MOST_CASES = 2 * 10**4


@dataclass(frozen=True)
class HeadChoice:
    """One head with its cut.

    Attributes:
        head: index in `Pair.heads`.
        prefix: P, the free types attended to.
        suffix: S, the kept lags attended to.
        spread: κ, range of the logits of P and S.
        prefix_spread: κ^P, range of those of P; 0 without P.
        full_spread: κ⁺, range of all logits attended to, mild lags included.
        gap: γ, from there down to the next logit; None: there is none.
        threshold: the least length ≥ 2^(p/γ).
        inert: whether all that is attended to has one value.
        constant: L, of the values attended to; 0 if inert.
        on_line: whether L is a steepest slope on a line; else the sharp form over pairs.
        columns: residues that meet P.
        full: residues whose types in U all lie in P.
        rounding: ρ, over `columns`.
        drift: D of `columns`.
        excess: b, of the logits of S over the largest of P; 0 where they are not larger.
        mild: φ at the mild lags whose column meets P.
    """

    head: int
    prefix: frozenset[int]
    suffix: tuple[int, ...]
    spread: Fraction
    prefix_spread: Fraction
    full_spread: Fraction
    gap: Fraction | None
    threshold: int
    inert: bool
    constant: Fraction
    on_line: bool
    columns: tuple[int, ...]
    full: tuple[int, ...]
    rounding: Fraction
    drift: Fraction
    excess: Fraction
    mild: tuple[Fraction, ...]

    @property
    def light(self) -> bool:
        """Whether it attends to free types, but to no column as a whole."""
        return not self.inert and bool(self.prefix) and not self.full


@dataclass(frozen=True)
class Choice:
    """One cut for every head, for one context, kept lags and U.

    Attributes:
        heads: one for each head of the pair.
        atoms: for each residue, its types of U, put together where they may be exchanged.
        rounding: ρ_r of each residue.
        drift: D of all columns.
        moves: q₀, the units moved so that inert heads keep a member.
        groups: heads with equal light P, by index; none: no light set.
        error: e, the greatest of the light heads; 0 without.
        threshold: the greatest of the heads.
    """

    heads: tuple[HeadChoice, ...]
    atoms: tuple[tuple[tuple[int, ...], ...], ...]
    rounding: tuple[Fraction, ...]
    drift: Fraction
    moves: int
    groups: tuple[tuple[int, ...], ...]
    error: Fraction
    threshold: int

    def error_of(self, head: HeadChoice) -> Fraction:
        """Return e_i = ρ_i + D + |S_i| + q₀, what a head errs by where light sets are kept."""
        return head.rounding + self.drift + len(head.suffix) + self.moves


@dataclass(frozen=True)
class Case:
    """The inputs of one context and set of kept lags with the same U.

    Attributes:
        allowed: U.
        choices: all that are valid for some length up to the horizon; there may be none.
    """

    allowed: frozenset[int]
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class KeptLags:
    """One context with one set of kept lags: every input is in one of the cases.

    Attributes:
        kept: the kept lags; the others are mild.
        taken: for each residue, how many positions of it are kept lags.
        cases: one for each U.
    """

    kept: tuple[int, ...]
    taken: tuple[int, ...]
    cases: tuple[Case, ...]


def kept_lags(pair: Pair, values: PairValues, context: Context, horizon: int) -> Iterator[KeptLags]:
    """Yield every set of kept lags of a context, the largest first, with its cases."""
    lags = range(pair.locality + 1)
    for size in reversed(range(len(lags) + 1)):
        for kept in itertools.combinations(lags, size):
            yield _Reader(pair, values, context, kept, horizon).read()


class _Reader:
    """Logits of one context, and the cases and choices for one set of kept lags."""

    def __init__(
        self,
        pair: Pair,
        values: PairValues,
        context: Context,
        kept: tuple[int, ...],
        horizon: int,
    ) -> None:
        self.pair, self.values, self.kept, self.horizon = pair, values, kept, horizon
        self.lag_types = pair.lag_types(context)
        self.query = self.lag_types[0]
        self.mild = tuple(lag for lag in range(len(self.lag_types)) if lag not in kept)
        self.logits = [head.content[self.query] for head in pair.heads]
        self.kept_logits = [
            {lag: logits[self.lag_types[lag]] + head.bias[lag] for lag in kept}
            for head, logits in zip(pair.heads, self.logits, strict=True)
        ]
        residues = [pair.residue_of(t) for t in self.lag_types]
        self.taken = tuple(sum(residues[lag] == r for lag in kept) for r in range(pair.period))
        # n_r up to a number that all residues share.
        self.shape = [
            pair.positions(pair.period + context.residue, r) - self.taken[r]
            for r in range(pair.period)
        ]

    def read(self) -> KeptLags:
        """Return the cases, each with its choices."""
        cases = tuple(Case(allowed, tuple(self._choices(allowed))) for allowed in self._allowed())
        return KeptLags(self.kept, self.taken, cases)

    def _allowed(self) -> list[frozenset[int]]:
        """Return every U: the levels are the largest logits of some input."""
        found: list[tuple[tuple[int, ...], frozenset[int]]] = [((), frozenset(self.pair.types))]
        for head, logits in enumerate(self.logits):
            levels = self._levels(head)
            below = [frozenset(t for t in self.pair.types if logits[t] <= v) for v in levels]
            # A U that fails with the levels of some heads fails with those of all.
            found = [
                (tuple_, allowed)
                for earlier, wider in found
                for v, of_head in zip(levels, below, strict=True)
                for tuple_, allowed in [((*earlier, v), wider & of_head)]
                if self._occurs(tuple_, allowed)
            ]
            if len(found) > _MOST_CASES:
                limit = (
                    f"at most {_MOST_CASES} combinations of largest logits of the heads: fewer "
                    "heads or types; verify.measure with bounds.required_length has no such limit"
                )
                raise InputError("combinations of largest logits", len(found), limit)
        return [allowed for _, allowed in found]

    def _occurs(self, levels: tuple[int, ...], allowed: frozenset[int]) -> bool:
        """Whether inputs with types in U have these levels at the first heads."""
        return (
            all(self.lag_types[lag] in allowed for lag in self.mild)
            and all(not allowed.isdisjoint(self.pair.column(r)) for r in range(self.pair.period))
            and all(self._attained(head, v, allowed) for head, v in enumerate(levels))
        )

    def _levels(self, head: int) -> list[int]:
        """Return the logits of a head that can be the largest of an input."""
        logits, kept = self.logits[head], self.kept_logits[head]
        least = [min(logits[t] for t in self.pair.column(r)) for r in range(self.pair.period)]
        least += [logits[self.lag_types[lag]] for lag in self.mild]
        least += kept.values()
        return sorted(v for v in {*logits, *kept.values()} if v >= max(least))

    def _attained(self, head: int, level: int, allowed: frozenset[int]) -> bool:
        logits = self.logits[head]
        return level in self.kept_logits[head].values() or any(logits[t] == level for t in allowed)

    def _choices(self, allowed: frozenset[int]) -> Iterator[Choice]:
        options = [self._options(head, allowed) for head in range(len(self.logits))]
        for cuts in itertools.product(*options):
            yield self._choice(allowed, cuts)

    def _options(self, head: int, allowed: frozenset[int]) -> list[_Cut]:
        """Return the valid cuts of a head, the highest first."""
        logits, kept = self.logits[head], self.kept_logits[head]
        reader = self.pair.heads[head]
        present = sorted({*(logits[t] for t in allowed), *kept.values()}, reverse=True)
        least_gap = _least_gap(reader, self.horizon)
        cuts = []
        for number, cut in enumerate(present):
            if number + 1 < len(present) and cut - present[number + 1] < least_gap:
                continue
            read = self._cut(head, cut, allowed)
            if read is not None:
                cuts.append(read)
        return cuts

    def _cut(self, head: int, cut: int, allowed: frozenset[int]) -> _Cut | None:
        """Return the sets of a cut, or None if it is not valid."""
        reader, logits, kept = self.pair.heads[head], self.logits[head], self.kept_logits[head]
        prefix = frozenset(t for t in allowed if logits[t] >= cut)
        suffix = tuple(lag for lag in self.kept if kept[lag] >= cut)
        inside = [logits[t] for t in prefix]
        own = inside + [kept[lag] for lag in suffix]
        attended = list(own)
        outside = [logits[t] for t in allowed - prefix]
        outside += [kept[lag] for lag in self.kept if lag not in suffix]
        for lag in self.mild:
            column = self.pair.column(self.pair.residue_of(self.lag_types[lag]))
            for t in allowed.intersection(column):
                (attended if t in prefix else outside).append(logits[t] + reader.bias[lag])
        gap = min(attended) - max(outside) if outside else None
        if gap is not None and gap <= 0:
            return None
        gamma = None if gap is None else reader.down(gap)
        threshold = least_length(gamma, reader.precision_bits, self.horizon)
        if threshold is None:
            return None
        seen = {reader.values[t] for t in prefix}
        seen |= {reader.values[self.lag_types[lag]] for lag in suffix}
        full_spread = reader.up(max(attended) - min(attended))
        inert = len(seen) == 1
        if not inert and is_dropped(self.horizon, full_spread, reader.precision_bits):
            return None
        return _Cut(
            head=head,
            prefix=prefix,
            suffix=suffix,
            spread=reader.up(max(own) - min(own)),
            prefix_spread=reader.up(max(inside) - min(inside)) if inside else Fraction(0),
            full_spread=full_spread,
            gap=gamma,
            threshold=threshold,
            inert=inert,
            excess=reader.up(max(0, max(own) - max(inside))) if inside else Fraction(0),
        )

    def _choice(self, allowed: frozenset[int], cuts: tuple[_Cut, ...]) -> Choice:
        pair = self.pair
        atoms = tuple(self._atoms(r, allowed, cuts) for r in range(pair.period))
        rounding = tuple(self._rounding(r, len(atoms[r])) for r in range(pair.period))
        heads = tuple(self._head(cut, cuts, allowed, rounding) for cut in cuts)
        groups: dict[frozenset[int], list[int]] = {}
        for number, head in enumerate(heads):
            if head.light:
                groups.setdefault(head.prefix, []).append(number)
        moves = sum(head.inert and not head.suffix and not head.full for head in heads)
        choice = Choice(
            heads=heads,
            atoms=atoms,
            rounding=rounding,
            drift=self._drift(range(pair.period)),
            moves=moves,
            groups=tuple(map(tuple, groups.values())),
            error=Fraction(0),
            threshold=max(head.threshold for head in heads),
        )
        error = max((choice.error_of(h) for h in heads if h.light), default=Fraction(0))
        return Choice(**{**vars(choice), "error": error})

    def _atoms(
        self, residue: int, allowed: frozenset[int], cuts: tuple[_Cut, ...]
    ) -> tuple[tuple[int, ...], ...]:
        """Return the types of one column, together where no head tells them apart."""
        together: dict[tuple[tuple[int, int] | None, ...], list[int]] = {}
        for t in sorted(allowed.intersection(self.pair.column(residue))):
            signature = tuple(
                (self.pair.heads[cut.head].values[t], self.logits[cut.head][t])
                if t in cut.prefix
                else None
                for cut in cuts
                if not cut.inert
            )
            together.setdefault(signature, []).append(t)
        return tuple(map(tuple, together.values()))

    def _rounding(self, residue: int, atoms: int) -> Fraction:
        """Return ρ_r: what rounding a column of so many atoms costs in each direction."""
        if atoms == 1:
            return Fraction(0)
        if 0 in self.mild and self.pair.residue_of(self.query) == residue:
            return Fraction(atoms * atoms // 4, atoms - 1)
        return Fraction(atoms, 4)

    def _drift(self, columns: range | tuple[int, ...]) -> Fraction:
        """Return D = Σ (n_r − mean)₊ over some columns; the same at every length."""
        if not columns:
            return Fraction(0)
        counts = [self.shape[r] for r in columns]
        mean = Fraction(sum(counts), len(counts))
        return sum((max(n - mean, Fraction(0)) for n in counts), Fraction(0))

    def _head(
        self,
        cut: _Cut,
        cuts: tuple[_Cut, ...],
        allowed: frozenset[int],
        rounding: tuple[Fraction, ...],
    ) -> HeadChoice:
        pair, reader = self.pair, self.pair.heads[cut.head]
        columns = tuple(sorted({pair.residue_of(t) for t in cut.prefix}))
        full = tuple(
            r for r in columns if allowed.intersection(pair.column(r)).issubset(cut.prefix)
        )
        constant = Constant(Fraction(0), True)
        if not cut.inert:
            members = cut.prefix | {self.lag_types[lag] for lag in cut.suffix}
            others = self._others(reader, cuts)
            constant = self.values.constant(
                reader.model, reader.number, self.query, members, others
            )
        mild = tuple(
            reader.bias[lag] * reader.unit
            for lag in self.mild
            if pair.residue_of(self.lag_types[lag]) in columns
        )
        return HeadChoice(
            **vars(cut),
            constant=constant.value,
            on_line=constant.on_line,
            columns=columns,
            full=full,
            rounding=sum((rounding[r] for r in columns), Fraction(0)),
            drift=self._drift(columns),
            mild=mild,
        )

    def _others(self, reader: HeadLogits, cuts: tuple[_Cut, ...]) -> Others:
        """Return, for each head of the same model, the type whose value it gives, if one."""
        given: list[int | None] = []
        for cut, other in zip(cuts, self.pair.heads, strict=True):
            if other.model == reader.model:
                members = [*cut.prefix, *(self.lag_types[lag] for lag in cut.suffix)]
                given.append(min(members) if cut.inert else None)
        return tuple(given)


@dataclass(frozen=True)
class _Cut:
    """The part of a HeadChoice that does not depend on the other heads."""

    head: int
    prefix: frozenset[int]
    suffix: tuple[int, ...]
    spread: Fraction
    prefix_spread: Fraction
    full_spread: Fraction
    gap: Fraction | None
    threshold: int
    inert: bool
    excess: Fraction


def _least_gap(head: HeadLogits, horizon: int) -> int:
    """Return a gap, in the head's unit, below which 2^(p/γ) is beyond the horizon."""
    if horizon < 2:
        return 1
    # log₂T* < its number of bits: a little less than the least gap that can do.
    return int(Fraction(head.precision_bits, horizon.bit_length()) / head.unit)


@lru_cache(maxsize=2**14)
def least_length(gap: Fraction | None, precision_bits: int, horizon: int) -> int | None:
    """Return the least T with T ≥ 2^(p/γ), decided exactly; None if it is above the horizon."""
    if gap is None:
        return 1
    if gap <= 0 or not is_dropped(horizon, gap, precision_bits):
        return None
    with FLINT, flint.ctx.workprec(horizon.bit_length() + 64):
        power = flint.arb(2) ** flint.arb(flint.fmpq(*(precision_bits / gap).as_integer_ratio()))
        # The ball is narrower than 1, so that the least integer is among the next few.
        length = max(floor_of(power.mid()) - 2, 2)
    while not is_dropped(length, gap, precision_bits):
        length += 1
    return length


@dataclass(frozen=True)
class CutSketch:
    """A cut of one head with all lags kept, whether it is valid or not.

    Attributes:
        model: "f" or "g".
        number: of the head.
        precision_bits: p.
        spread: κ, range of the logits from the cut up.
        gap: γ, from the cut down to the next logit; None: there is none.
        inert: whether one value has all these logits.
    """

    model: str
    number: int
    precision_bits: int
    spread: Fraction
    gap: Fraction | None
    inert: bool

    def valid(self, horizon: int) -> bool:
        """Whether near ties stay, and what is below the gap goes, up to the horizon."""
        near = self.inert or not is_dropped(horizon, self.spread, self.precision_bits)
        return near and least_length(self.gap, self.precision_bits, horizon) is not None


def cut_sketches(
    pair: Pair, context: Context, allowed: frozenset[int]
) -> tuple[tuple[CutSketch, ...], ...]:
    """Return, for each head, all cuts of the inputs with types in `allowed`, all lags kept."""
    lag_types = pair.lag_types(context)
    result = []
    for head in pair.heads:
        logits = head.content[lag_types[0]]
        holders = [(logits[t], head.values[t]) for t in allowed]
        holders += [
            (logits[t] + bias, head.values[t]) for t, bias in zip(lag_types, head.bias, strict=True)
        ]
        levels = sorted({logit for logit, _ in holders}, reverse=True)
        of_head = []
        for number, cut in enumerate(levels):
            below = levels[number + 1] if number + 1 < len(levels) else None
            of_head.append(
                CutSketch(
                    head.model,
                    head.number,
                    head.precision_bits,
                    head.up(levels[0] - cut),
                    None if below is None else head.down(cut - below),
                    len({value for logit, value in holders if logit >= cut}) == 1,
                )
            )
        result.append(tuple(of_head))
    return tuple(result)
