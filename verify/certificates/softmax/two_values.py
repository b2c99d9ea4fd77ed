"""f − g as a function of one share: the rules for a rare query and for both models at once.

Where Δ = 1, no lag has a bias, no head tells more than two groups of tokens apart and each model
has at most one head with more than one value, outputs depend on the query and on the share s of
the query's group alone: the attention on it is π(s) = ks/(ks + 1 − s), k = e^(difference of the
logits), and each model is piecewise linear in its π. [docs/theory/certificates.md, Softmax
certificates]
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import flint
from flint import arb

from bounds.precision import FLINT
from verify.certificates.contexts import Pair
from verify.certificates.softmax.rounding import (
    ball,
    lower,
    rounded_down,
    rounded_up,
    upper,
)
from verify.certificates.values import Constant, Line, PairValues

ZERO, ONE = Fraction(0), Fraction(1)

GRID = 128
"""Pieces of the shares and of the attention, beside those that kinks make."""

_CUT = 2**160
"""Cuts are placed to 1/_CUT."""

_SCALE = 2**256
"""Kinks and attention are compared to 1/_SCALE: where they lie next to cuts, it still tells."""

_PRECISION = 320
"""Digits of the balls."""

_SLACK = 1 + Fraction(1, 2**40)
"""Bounds are given with this much room, beyond all rounding."""

_STEEPEST = 40
"""Differences of logits beyond this are left to the other rules."""


@dataclass(frozen=True)
class Response:
    """One model: outputs as piecewise linear functions of the attention on the query's group.

    Attributes:
        head: number of the live head; None: outputs do not move.
        difference: logit of the query's group less that of the other.
        kinks: where slopes change, ascending, in (0, 1).
        slopes: of each output, on each piece; one more than kinks.
    """

    head: int | None
    difference: Fraction
    kinks: tuple[Fraction, ...]
    slopes: tuple[tuple[Fraction, ...], ...]

    def oscillation(self, share: Fraction) -> Fraction:
        """Return the largest change of an output while the attention stays in [0, share]."""
        ends = [*(kink for kink in self.kinks if kink < share), share]
        return max(_range(slopes, ends) for slopes in self.slopes)


@dataclass(frozen=True)
class RareModel:
    """One model under the rule for a rare query.

    Attributes:
        ratio: e^|difference of the logits|, from above.
        variation: ω̂(ratio, 1/(2N)), from above.
        share: attention on a lone query among N tokens, from above.
        oscillation: of the outputs up to that share.
    """

    ratio: Fraction
    variation: Fraction
    share: Fraction
    oscillation: Fraction


@dataclass(frozen=True)
class Rare:
    """The rule for a rare query at one length: one entry for f, one for g."""

    models: tuple[RareModel, RareModel]
    cost: Fraction


@dataclass(frozen=True)
class Joint:
    """The rule for both models at once, at one length.

    Attributes:
        slope: L^h, from above.
        rare: ∫|h′| over the shares up to 1/N, from above.
        cost: max(slope/(2N), rare).
    """

    slope: Fraction
    rare: Fraction
    cost: Fraction


@dataclass(frozen=True)
class _At:
    """One of the responses at a share: pieces that end after it, start before it; bounds of π′."""

    before: int
    after: int
    least: Fraction
    most: Fraction


@dataclass(frozen=True)
class _Place:
    """A share, and what the responses do there."""

    share: Fraction
    parts: tuple[_At, ...]


class TwoValues:
    """One query of a pair that meets the conditions above.

    Attributes:
        own, other: the types of the query's group, and the others.
        responses: of f and of g.
        constants: L of their live heads.
    """

    def __init__(
        self,
        own: Sequence[int],
        other: Sequence[int],
        responses: tuple[Response, Response],
        constants: tuple[Constant, Constant],
    ) -> None:
        """Take the groups, the responses, and L of the live heads."""
        self.own, self.other, self.responses = tuple(own), tuple(other), responses
        self.constants = constants

    def rare(self, length: int) -> Rare:
        """Return the rule for a rare query, for the window of one length N."""
        with FLINT, flint.ctx.workprec(_PRECISION):
            models = tuple(_rare_model(response, length) for response in self.responses)
        plain = sum(
            (c.value * m.variation for c, m in zip(self.constants, models, strict=True)),
            start=ZERO,
        )
        lone = sum((model.oscillation for model in models), start=ZERO)
        return Rare((models[0], models[1]), rounded_up(max(plain, lone)))

    def joint(self, length: int) -> Joint:
        """Return the rule for both models at once, for the window of one length N."""
        slope = self._slope
        rare = self._integral(Fraction(1, length))
        return Joint(slope, rare, max(slope / (2 * length), rare))

    @cached_property
    def _parts(self) -> list[Response]:
        """The responses that move, g with its sign; one where both have the same logits."""
        f, g = self.responses
        moving = [r for r in (f, _negated(g)) if r.head is not None]
        if len(moving) == 2 and f.difference == g.difference:
            return [_added(*moving)]
        return moving

    @cached_property
    def _ratios(self) -> list[arb]:
        return [ball(part.difference).exp() for part in self._parts]

    @cached_property
    def _kinks(self) -> list[tuple[list[int], list[int]]]:
        """The kinks of each part times _SCALE, rounded down, rounded up."""
        scaled = [[kink * _SCALE for kink in part.kinks] for part in self._parts]
        return [([*map(math.floor, row)], [*map(math.ceil, row)]) for row in scaled]

    @cached_property
    def _cells(self) -> list[tuple[_Place, _Place, tuple[Fraction, ...]]]:
        """(from, to, bound of |h′| for each output), in order, from 0 to 1."""
        with FLINT, flint.ctx.workprec(_PRECISION):
            cuts = {j * (_CUT // GRID) for j in range(GRID + 1)}
            for part, ratio in zip(self._parts, self._ratios, strict=True):
                for j in range(1, GRID):
                    cuts.add(_around(ratio, Fraction(j, GRID))[0])
                for kink in part.kinks:
                    cuts.update(_around(ratio, kink))
            places = itertools.pairwise(self._place(Fraction(cut, _CUT)) for cut in sorted(cuts))
            return [(start, end, self._bound(start, end)) for start, end in places]

    def _place(self, share: Fraction) -> _Place:
        found = []
        s = ball(share)
        for ratio, kinks in zip(self._ratios, self._kinks, strict=True):
            mass = ratio * s + 1 - s
            attention, rate = ratio * s / mass, ratio / mass**2
            before = bisect_left(kinks[1], _floor(attention * _SCALE))
            after = bisect_right(kinks[0], -_floor(-attention * _SCALE))
            least, most = rounded_down(lower(rate)), rounded_up(upper(rate))
            found.append(_At(before, after, least, most))
        return _Place(share, tuple(found))

    def _bound(self, start: _Place, end: _Place) -> tuple[Fraction, ...]:
        """Return a bound of |h′| between two places, for each output."""
        outputs = len(self.responses[0].slopes)
        lows, highs = [ZERO] * outputs, [ZERO] * outputs
        for part, first, last in zip(self._parts, start.parts, end.parts, strict=True):
            least, most = min(first.least, last.least), max(first.most, last.most)
            pieces = slice(first.before, last.after + 1)
            for o, slopes in enumerate(part.slopes):
                low, high = min(slopes[pieces]), max(slopes[pieces])
                lows[o] += min(low * least, low * most)
                highs[o] += max(high * least, high * most)
        return tuple(max(-low, high, ZERO) for low, high in zip(lows, highs, strict=True))

    @cached_property
    def _slope(self) -> Fraction:
        return rounded_up(max(max(bound) for *_, bound in self._cells) * _SLACK)

    @cached_property
    def _sums(self) -> list[tuple[Fraction, ...]]:
        """∫|h′| from 0 to the end of each cell, for each output."""
        sums, total = [], (ZERO,) * len(self.responses[0].slopes)
        for start, end, bound in self._cells:
            width = end.share - start.share
            total = tuple(rounded_up(t + width * b) for t, b in zip(total, bound, strict=True))
            sums.append(total)
        return sums

    def _integral(self, share: Fraction) -> Fraction:
        index = bisect_left(self._cells, share, key=lambda cell: cell[1].share)
        start = self._cells[index][0]
        before = self._sums[index - 1] if index else (ZERO,) * len(self.responses[0].slopes)
        with FLINT, flint.ctx.workprec(_PRECISION):
            bound = self._bound(start, self._place(share))
        total = max(t + (share - start.share) * b for t, b in zip(before, bound, strict=True))
        return rounded_up(total * _SLACK)


def two_values(
    pair: Pair,
    values: PairValues,
    query: int,
    atoms: Sequence[Sequence[int]],
    constants: Sequence[Constant],
) -> TwoValues | None:
    """Return what a query's outputs do, or None where the conditions are not met.

    Args:
        pair, values: the models.
        query: the query's type.
        atoms: the groups of types that no live head tells apart.
        constants: L of each head of the pair, at this query.
    """
    if pair.period > 1 or any(any(head.bias) for head in pair.heads) or len(atoms) != 2:
        return None
    own, other = sorted(atoms, key=lambda group: query not in group)
    found: list[tuple[Response, Constant]] = []
    for model in ("f", "g"):
        heads = [k for k, head in enumerate(pair.heads) if head.model == model]
        live = [k for k in heads if len(set(pair.heads[k].values)) > 1]
        if len(live) > 1:
            return None
        outputs = pair.f.output_dimension
        if not live:
            found.append((Response(None, ZERO, (), ((ZERO,),) * outputs), Constant(ZERO, False)))
            continue
        head = pair.heads[live[0]]
        content = head.content[query]
        difference = (content[own[0]] - content[other[0]]) * head.unit
        if abs(difference) > _STEEPEST:
            return None
        others = (0,) * len(heads)
        line = values.along(model, head.number, query, other[0], own[0], others)
        kinks, slopes = _pieces(line)
        found.append((Response(head.number, difference, kinks, slopes), constants[live[0]]))
    (f, of_f), (g, of_g) = found
    return TwoValues(own, other, (f, g), (of_f, of_g))


def _pieces(line: Line) -> tuple[tuple[Fraction, ...], tuple[tuple[Fraction, ...], ...]]:
    """Return the kinks in (0, 1), and the slopes between them for each output."""
    bends: dict[Fraction, list[int]] = {}
    slopes = list(line.direct)
    for unit, (rate, offset) in enumerate(zip(line.rates, line.offsets, strict=True)):
        if rate == 0:
            continue
        place = -offset / rate
        if place <= 0 if rate > 0 else place > 0:  # active just after 0
            slopes = [s + g[unit] * rate for s, g in zip(slopes, line.gains, strict=True)]
        if 0 < place < 1:
            bends.setdefault(place, []).append(unit)
    rows = [slopes]
    for place in sorted(bends):
        for unit in bends[place]:
            rate = abs(line.rates[unit])
            slopes = [s + g[unit] * rate for s, g in zip(slopes, line.gains, strict=True)]
        rows.append(slopes)
    return tuple(sorted(bends)), tuple(tuple(column) for column in zip(*rows, strict=True))


def _negated(response: Response) -> Response:
    slopes = tuple(tuple(-slope for slope in of_output) for of_output in response.slopes)
    return Response(response.head, response.difference, response.kinks, slopes)


def _added(f: Response, g: Response) -> Response:
    """Return the sum of two responses with the same attention."""
    kinks = tuple(sorted({*f.kinks, *g.kinks}))
    starts = (ZERO, *kinks)
    slopes = tuple(
        tuple(a[bisect_right(f.kinks, s)] + b[bisect_right(g.kinks, s)] for s in starts)
        for a, b in zip(f.slopes, g.slopes, strict=True)
    )
    return Response(f.head, f.difference, kinks, slopes)


def _range(slopes: Sequence[Fraction], ends: Sequence[Fraction]) -> Fraction:
    """Return max − min of a piecewise linear function from 0 to the last of the ends."""
    value, low, high, start = ZERO, ZERO, ZERO, ZERO
    for slope, end in zip(slopes, ends, strict=False):
        value, start = value + slope * (end - start), end
        low, high = min(low, value), max(high, value)
    return high - low


def _around(ratio: arb, attention: Fraction) -> tuple[int, int]:
    """Return shares, times _CUT, next to that with this attention, one on either side."""
    place = ball(attention)
    share = place / (place + ratio * (1 - place)) * _CUT
    return max(_floor(share) - 1, 0), min(1 - _floor(-share), _CUT)


def _floor(number: arb) -> int:
    """Return the floor of the least number of a ball."""
    return math.floor(lower(number))


def _rare_model(response: Response, length: int) -> RareModel:
    if response.head is None:
        return RareModel(ONE, ZERO, ZERO, ZERO)
    ratio = rounded_up(upper(abs(ball(response.difference)).exp()))
    variation = rounded_up(ratio / (2 * length - 1 + ratio))
    own = ball(response.difference).exp()
    share = min(rounded_up(upper(own / (own + length - 1))), ONE)
    return RareModel(ratio, variation, share, rounded_up(response.oscillation(share)))
