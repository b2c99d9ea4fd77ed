"""The pieces of an enclosure certificate: contexts, levels, what is dropped, representatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import flint
import numpy as np

from bounds.precision import FLINT
from verify.certificates.recheck.arithmetic import ZERO
from verify.certificates.recheck.intervals import Intervals, enclosed
from verify.certificates.recheck.models import ExactHead, ExactPair, Types
from verify.certificates.recheck.powers import (
    PRECISION,
    Function,
    FunctionTable,
    ball,
    ends,
    is_kept,
)

Levels = tuple[Fraction, ...]


class Numbers:
    """The weights of a pair as float64 intervals, g with the sign of −g.

    Attributes:
        values: for each head A V y_t, shape (types, m), of its model.
        outputs: for each head ±U V y_t, shape (types, o).
        products: for each head ±(UB)_ok (A V y_t)_k, shape (types, m, o).
        outer: for each model ±UB, shape (o, m).
        hidden: for each model A y_q + b, shape (types, m).
        direct: for each model ±U y_q, shape (types, o).
    """

    def __init__(self, pair: ExactPair) -> None:
        self.values: list[Intervals] = []
        self.outputs: list[Intervals] = []
        self.products: list[Intervals] = []
        self.outer: list[Intervals] = []
        self.hidden: list[Intervals] = []
        self.direct: list[Intervals] = []
        types = len(pair.models[0].y)
        for sign, model in zip((1, -1), pair.models, strict=True):
            units, width = len(model.mlp_in), len(model.unembedding)
            outer = enclosed([sign * x for x in model.outer.ravel().tolist()], (width, units))
            self.outer.append(outer)
            self.hidden.append(enclosed([x for row in model.hidden for x in row], (types, units)))
            direct = [sign * x for y in model.y for x in model.unembedding @ y]
            self.direct.append(enclosed(direct, (types, width)))
            for head in pair.heads:
                if head.model is not model:
                    continue
                values = enclosed([x for row in head.hidden for x in row], (types, units))
                output = enclosed([sign * x for row in head.output for x in row], (types, width))
                self.values.append(values)
                self.outputs.append(output)
                transposed = Intervals(outer.low.T[None], outer.high.T[None])
                self.products.append(values[:, :, None] * transposed)


@dataclass(frozen=True, eq=False)
class Context:
    """What fixes the query and the counted lags.

    Attributes:
        residue: T mod Δ.
        query: the type of the last position.
        at_lag: the types at the counted lags.
    """

    pair: ExactPair
    residue: int
    query: int
    at_lag: Mapping[int, int]

    @staticmethod
    def of(pair: ExactPair, residue: int, tokens: Mapping[int, int], counted: Types) -> Context:
        """Return a context; `tokens` holds those at the counted lags and at lag 0."""
        types = {
            lag: (residue - lag) % pair.period * pair.vocabulary + s for lag, s in tokens.items()
        }
        return Context(pair, residue, types[0], {lag: types[lag] for lag in sorted(counted)})

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """o_r for each residue: n_r(T) = (T − o_r)/Δ free positions at lengths T ≡ residue."""
        period = self.pair.period
        found = []
        for r in range(period):
            taken = sum((self.residue - lag) % period == r for lag in self.at_lag)
            found.append((self.residue - r) % period + (r or period) - period + period * taken)
        return tuple(found)

    def free(self, r: int, length: int) -> int:
        """n_r(T)."""
        return (length - self.offsets[r]) // self.pair.period

    def logit(self, head: ExactHead, key: int) -> Fraction:
        """Return the content logit of a type."""
        return head.logit(key, self.query)

    def logit_at(self, head: ExactHead, lag: int) -> Fraction:
        """Return the logit at a counted lag, with its bias."""
        return self.logit(head, self.at_lag[lag]) + head.bias(lag)

    def all_levels(self, most: int) -> dict[Levels, Types]:
        """Return all levels that occur, each with U; stop when there are more than `most`.

        U is an intersection, over the heads, of sets {t: a_i(t) ≤ w_i}, w_i a logit of a type or
        of a counted lag and no less than those of the counted lags; it meets every residue. The
        largest logits over U and the counted lags are its levels v_i ≤ w_i, and they give U again.
        So levels and sets U correspond one to one. An intersection over some of the heads is one
        over all of them: w_i may be the largest logit of all.
        """
        pair = self.pair
        everything = range(pair.period * pair.vocabulary)
        sets = {frozenset(everything)}
        for head in pair.heads:
            at_lags = [self.logit_at(head, lag) for lag in self.at_lag]
            levels = {self.logit(head, t) for t in everything} | set(at_lags)
            least = max(at_lags)
            lower = {
                frozenset(t for t in everything if self.logit(head, t) <= v)
                for v in levels
                if v >= least
            }
            sets = {u & below for u in sets for below in lower}
            sets = {u for u in sets if len(pair.residues(u)) == pair.period}
            if len(sets) > most:
                break
        return {self.levels_of(u): u for u in sets}

    def levels_of(self, allowed: Types) -> Levels:
        """Return the largest logits over a set of types and the counted lags."""
        found = []
        for head in self.pair.heads:
            logits = [self.logit(head, t) for t in allowed]
            found.append(max(logits + [self.logit_at(head, lag) for lag in self.at_lag]))
        return tuple(found)


@dataclass(frozen=True)
class SeenByHead:
    """What one head attends to on a piece.

    Attributes:
        free: the types that it sees, with their gaps (finite precision) or content logits.
        lags: the counted lags that it does not drop, likewise, with their lag biases.
        bare: whether no counted lag has its level (finite precision).
    """

    head: ExactHead
    free: Mapping[int, Fraction]
    lags: Mapping[int, tuple[Fraction, Fraction]]
    bare: bool


@dataclass(eq=False)
class Piece:
    """A context, levels, and the lengths first..last ≡ residue (last None: no end)."""

    context: Context
    numbers: Numbers
    levels: Levels | None
    allowed: Types
    first: int
    last: int | None
    table: FunctionTable = field(default_factory=FunctionTable)

    @cached_property
    def seen(self) -> list[SeenByHead]:
        """What each head attends to, at T = first."""
        context, found = self.context, []
        for number, head in enumerate(context.pair.heads):
            logits = {t: context.logit(head, t) for t in sorted(self.allowed)}
            if self.levels is None:
                at_lags = {
                    lag: (context.logit(head, t), head.bias(lag))
                    for lag, t in context.at_lag.items()
                }
                found.append(SeenByHead(head, logits, at_lags, False))
                continue
            level = self.levels[number]
            gaps = {t: level - a for t, a in logits.items()}
            lag_gaps = {lag: level - context.logit_at(head, lag) for lag in context.at_lag}
            found.append(
                SeenByHead(
                    head,
                    {t: x for t, x in gaps.items() if is_kept(x, self.first, head.bits)},
                    {
                        lag: (ZERO, -x)
                        for lag, x in lag_gaps.items()
                        if is_kept(x, self.first, head.bits)
                    },
                    min(lag_gaps.values()) > 0,
                )
            )
        return found

    def changes_at(self) -> str | None:
        """Return words for a weight that is kept at first and dropped at last; None: all stay.

        A head that is inert at first stays so: it sees less later, and its level always.
        """
        if self.levels is None:
            return None
        for seen in (self.seen[i] for i in self.live):
            gaps = [*seen.free.values(), *(-bias for _, bias in seen.lags.values())]
            for gap in gaps:
                bits = seen.head.bits
                if gap if self.last is None else not is_kept(gap, self.last, bits):
                    name = f"head {seen.head.number} of {seen.head.owner}"
                    return f"{name} drops a weight between first and last"
        return None

    @cached_property
    def live(self) -> list[int]:
        """The heads that are not inert."""
        found = []
        for number, seen in enumerate(self.seen):
            types = [*seen.free, *(self.context.at_lag[lag] for lag in seen.lags)]
            if len({seen.head.values[t] for t in types}) > 1:
                found.append(number)
        return found

    def one_value(self, number: int) -> int:
        """Return a type whose value an inert head puts out."""
        seen = self.seen[number]
        return next(iter([*seen.free, *(self.context.at_lag[lag] for lag in seen.lags)]))

    @cached_property
    def _at_level(self) -> list[Types]:
        """The sets of types one of which must be present."""
        context = self.context
        if self.levels is None:
            return [] if 0 in context.at_lag else [frozenset([context.query])]
        return [
            frozenset(t for t in self.allowed if context.logit(seen.head, t) == level)
            for seen, level in zip(self.seen, self.levels, strict=True)
            if seen.bare
        ]

    @cached_property
    def members(self) -> dict[int, list[int]]:
        """The types of each representative, representatives ascending."""
        by_signature: dict[object, list[int]] = {}
        for t in sorted(self.allowed):
            signature = (
                t // self.context.pair.vocabulary,
                tuple(
                    (self.seen[i].free[t], self.seen[i].head.values[t])
                    if t in self.seen[i].free
                    else None
                    for i in self.live
                ),
                tuple(t in present for present in self._at_level),
            )
            by_signature.setdefault(signature, []).append(t)
        return {types[0]: types for types in by_signature.values()}

    @cached_property
    def representatives(self) -> list[int]:
        """The representatives, ascending: by residue, then by token."""
        return sorted(self.members)

    @cached_property
    def columns(self) -> list[tuple[int, list[int]]]:
        """Each residue with the places of its representatives."""
        size = self.context.pair.vocabulary
        places: dict[int, list[int]] = {}
        for k, t in enumerate(self.representatives):
            places.setdefault(t // size, []).append(k)
        return sorted(places.items())

    @cached_property
    def present(self) -> list[list[int]]:
        """Places of representatives at least one of whose tokens is there."""
        return [
            [k for k, t in enumerate(self.representatives) if t in types]
            for types in self._at_level
        ]

    @cached_property
    def attention(self) -> Attention:
        """The weights of the heads that are not inert."""
        return Attention(self)


class Attention:
    """The weights of the live heads, each divided by a function S_i(T) > 0 of its own.

    The weight of a share s of representative k is s·amplitude·function(T), that of a lag is
    amplitude·function(T). A head that sees only lags (finite precision) has S = 1; others have
    S = T^ψ (1 − o/T)/Δ, ψ = max(1, largest lag bias) in infinite precision, 1 in finite precision,
    o the least of the o_r among the residues that the head sees, so that n_r is the largest;
    without the factor 1 − o/T if ψ > 1 or if T = o is possible.

    Attributes:
        free, lags: numbers of the functions, shape (heads, representatives) and (heads, lags);
            −1 where the head sees nothing.
        free_amplitude, lag_amplitude: of the same shapes.
        least: for each head the number of a function that total/S is no less than; −1: none.
        groups: live heads (as places in `live`) with equal weights.
    """

    def __init__(self, piece: Piece) -> None:
        context, period = piece.context, piece.context.pair.period
        representatives, lags = piece.representatives, list(context.at_lag)
        live = len(piece.live)
        self.free = np.full((live, len(representatives)), -1)
        self.lags = np.full((live, len(lags)), -1)
        free_log = [[ZERO] * len(representatives) for _ in range(live)]
        lag_log = [[ZERO] * len(lags) for _ in range(live)]
        least = []
        size = context.pair.vocabulary
        finite = piece.levels is not None
        number = piece.table.number
        for i, place in enumerate(piece.live):
            seen = piece.seen[place]
            steep = max((bias for _, bias in seen.lags.values()), default=ZERO)
            psi = Fraction(1) if finite else max(Fraction(1), steep)
            least_offset = min((context.offsets[t // size] for t in seen.free), default=0)
            under = least_offset if psi == 1 and piece.first > least_offset else None
            bare_lags = finite and not seen.free
            if finite:
                least.append(
                    number(Function(ZERO) if bare_lags else Function(-psi, None, under, period))
                )
            else:
                least.append(-1)
            top = ZERO
            if not finite:
                top = max([*seen.free.values(), *(a for a, _ in seen.lags.values())])
            for k, t in enumerate(representatives):
                if t in seen.free:
                    exponent = 1 - psi - (seen.free[t] if finite else 0)
                    over = context.offsets[t // size]
                    self.free[i, k] = number(Function(exponent, over, under))
                    free_log[i][k] = ZERO if finite else seen.free[t] - top
            for k, lag in enumerate(lags):
                if lag in seen.lags:
                    a, bias = seen.lags[lag]
                    if bare_lags:
                        self.lags[i, k] = number(Function(bias))
                    else:
                        self.lags[i, k] = number(Function(bias - psi, None, under, period))
                    lag_log[i][k] = ZERO if finite else a - top
        self.least = np.array(least, dtype=int)
        self.free_amplitude = _exponentials(free_log, self.free.shape)
        self.lag_amplitude = _exponentials(lag_log, self.lags.shape)
        groups: dict[object, list[int]] = {}
        for i in range(live):
            key = (
                tuple(self.free[i].tolist()),
                tuple(self.lags[i].tolist()),
                tuple(free_log[i]),
                tuple(lag_log[i]),
            )
            groups.setdefault(key, []).append(i)
        self.groups = list(groups.values())


def _exponentials(logs: list[list[Fraction]], shape: tuple[int, ...]) -> Intervals:
    """Return e^x, 1 exactly for 0."""
    with FLINT, flint.ctx.workprec(PRECISION):
        found = [ends(ball(x).exp()) if x else (1.0, 1.0) for row in logs for x in row]
    pairs = np.array(found, dtype=float).reshape(*shape, 2)
    return Intervals(np.maximum(pairs[..., 0], 0.0), pairs[..., 1])
