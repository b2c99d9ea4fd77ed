"""Bounds of f − g over cells: boxes of shares and ranges of lengths, all in outward rounding.

Take a cell, one model and one hidden unit: relu(y) = λy + [0, max(−λl, (1−λ)u)] for y in [l, u] and
any λ in [0, 1] (relu(y) − λy is convex, 0 at 0). So f − g is, up to these slacks, a constant plus a
sum over heads of linear images of the attention, and so is each y. Such a sum,
Σ_i Σ_c w_ic z_ic / W_i over heads i and classes c, is enclosed in two ways.

*Slopes.* For every number m_i: Σ_c w_ic z_ic/W_i = m_i + Σ_c w_ic (z_ic − m_i)/W_i. With ζ = z − m
and weights s_k e_ik ω(T) of the free classes, s = s⁰ + Δs, ω = ω⁰ + Δω, it is

    m_i + (1/W_i) Σ_c w⁰_c ζ_ic  +  Σ_k Δs_k Σ_i (e_ik ω ζ_ik/W_i)  +  Σ_ω Δω Σ_i K_iω/W_i,

K_iω the sum of s⁰_k e_ik ζ_ik over the classes with the function ω. The first bracket vanishes but
for rounding where m_i is the mean of z_i at the middle; Σ Δs = 0 in each residue.

*Shares of attention.* w_ic/W_i lies between w⁻/(w⁻ + rest⁺) and w⁺/(w⁺ + rest⁻), and sums to 1.
Heads with equal weights are added first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

import numpy as np

from verify.certificates.recheck.intervals import (
    Intervals,
    matrix_product,
    point,
    quotient,
    simplex_sum,
)
from verify.certificates.recheck.pieces import Piece
from verify.model.weights import Floats

LONGEST = 10**1000
"""Lengths of a certificate are at most this; cells are not divided at longer ones."""

_ENTRIES = 1 << 19


@dataclass(frozen=True)
class Cell:
    """Lengths first..last (None: no end) and ranges of the shares of the representatives."""

    first: int
    last: int | None
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Tight:
    """A cell without what integers leave out; `counts`: its only counts, if there is one length.

    Attributes:
        cell: ranges with ends rounded outward; first and last are lengths ≡ residue.
        counts: of the representatives, if only one input is left; else None.
    """

    cell: Cell
    counts: tuple[int, ...] | None


def tightened(piece: Piece, cell: Cell) -> Tight | None:
    """Return the cell without what holds no input; None if nothing is left.

    Where n_r(T) = 0 for some T of the cell shares mean nothing: those of the residue stay as they
    are, as if every point of the cell stood for that input.
    """
    period, residue = piece.context.pair.period, piece.context.residue
    first = cell.first + (residue - cell.first) % period
    last = None if cell.last is None else cell.last - (cell.last - residue) % period
    if last is not None and first > last:
        return None
    if first == last:
        return _at_one_length(piece, cell, first)
    low, high = list(cell.low), list(cell.high)
    for r, places in piece.columns:
        if piece.context.free(r, first) < 1:
            continue
        if last is not None:
            most = piece.context.free(r, last)
            one = quotient(1, most)[0]
            for k in places:
                if low[k] > 0:
                    low[k] = max(low[k], one)
                a, b = high[k].as_integer_ratio()
                if a * most < b:
                    high[k] = 0.0
    for places in piece.present:
        possible = [k for k in places if high[k] > 0]
        if not possible:
            return None
        if len(possible) == 1 and last is not None:
            r = piece.representatives[possible[0]] // piece.context.pair.vocabulary
            if piece.context.free(r, first) >= 1:
                one = quotient(1, piece.context.free(r, last))[0]
                low[possible[0]] = max(low[possible[0]], one)
    for _, places in piece.columns:
        if not _fit(places, low, high):
            return None
    return Tight(Cell(first, last, tuple(low), tuple(high)), None)


def _fit(places: list[int], low: list[float], high: list[float]) -> bool:
    """Narrow the shares of one residue to those that can sum to 1; False if there are none."""
    slack = len(places) * 2.0**-51
    for k in places:
        others = [j for j in places if j != k]
        most = 1 - sum(low[j] for j in others) + slack if others else 1.0
        least = 1 - sum(high[j] for j in others) - slack if others else 1.0
        high[k] = min(high[k], most)
        low[k] = max(low[k], least)
        if low[k] > high[k]:
            return False
    return True


def _at_one_length(piece: Piece, cell: Cell, length: int) -> Tight | None:
    least, most = [0] * len(cell.low), [0] * len(cell.low)
    empty: set[int] = set()
    for r, places in piece.columns:
        number = piece.context.free(r, length)
        if number < 1:
            empty.update(places)
            if not _fit(places, list(cell.low), list(cell.high)):
                return None
            continue
        for k in places:
            a, b = cell.low[k].as_integer_ratio()
            least[k] = max(0, -(-a * number // b))
            a, b = cell.high[k].as_integer_ratio()
            most[k] = min(number, a * number // b)
    for places in piece.present:
        possible = [k for k in places if most[k] > 0]
        if not possible:
            return None
        if len(possible) == 1:
            least[possible[0]] = max(least[possible[0]], 1)
    low, high = list(cell.low), list(cell.high)
    for r, places in piece.columns:
        if empty.intersection(places):
            continue
        number = piece.context.free(r, length)
        for k in places:
            most[k] = min(most[k], number - sum(least[j] for j in places if j != k))
            least[k] = max(least[k], number - sum(most[j] for j in places if j != k))
            if least[k] > most[k]:
                return None
        for k in places:
            low[k], high[k] = quotient(least[k], number)[0], quotient(most[k], number)[1]
    counts = tuple(least) if least == most else None
    return Tight(Cell(length, length, tuple(low), tuple(high)), counts)


class Bounds:
    """Enclosures of f − g over some cells of one piece."""

    def __init__(self, piece: Piece, cells: list[Cell], both: bool) -> None:
        """Prepare the weights; `both`: enclose by shares of attention too."""
        self._piece, attention = piece, piece.attention
        self._low = np.array([cell.low for cell in cells], dtype=float)
        self._high = np.array([cell.high for cell in cells], dtype=float)
        self._center, self._missing = self._middle()
        number = len(piece.table.functions)
        self._functions = piece.table.ranges([(cell.first, cell.last) for cell in cells])
        self._reference = self._functions.middle
        # One more function: 0, for what a head does not see (number −1).
        nothing = np.zeros((len(cells), 1))
        functions = Intervals(
            np.concatenate([self._functions.low.reshape(len(cells), number), nothing], axis=1),
            np.concatenate([self._functions.high.reshape(len(cells), number), nothing], axis=1),
        )
        self._free = functions[:, attention.free] * attention.free_amplitude
        self._lags = functions[:, attention.lags] * attention.lag_amplitude
        self._free, self._lags = self._free.positive(), self._lags.positive()
        low, high = self._low[:, None], self._high[:, None]
        total = self._lags.sum(-1) if self._lags.low.shape[-1] else point(np.zeros(low.shape[:2]))
        one = point(np.ones((len(cells), 1)))
        for _, places in piece.columns:
            part = simplex_sum(self._free[..., places], low[..., places], high[..., places], one)
            total = total + part.positive()
        least = np.where(attention.least >= 0, functions.low[:, attention.least], 0.0)
        self._total = Intervals(np.maximum(total.low, least), total.high)
        self._groups = attention.groups if both else []
        self._shares = [self._attention_shares(group) for group in self._groups]

    def _middle(self) -> tuple[Floats, list[Intervals]]:
        """Return shares near the middle, and for each residue 1 less their sum."""
        center = 0.5 * (self._low + self._high)
        missing = []
        for _, places in self._piece.columns:
            low, high, middle = (x[:, places] for x in (self._low, self._high, center))
            lack = 1 - middle.sum(axis=1, keepdims=True)
            room = np.where(lack > 0, high - middle, middle - low)
            scale = np.clip(lack / np.maximum(room.sum(axis=1, keepdims=True), 1e-300), -1, 1)
            center[:, places] = middle + room * scale
            missing.append(point(np.ones(len(low))) - point(center[:, places]).sum(1))
        return center, missing

    def _attention_shares(self, group: list[int]) -> Intervals:
        """Enclose w_c/W of the free classes and of the lags for heads with equal weights."""
        rates, i = self._free[:, group[0]], group[0]
        shares = Intervals(self._low, self._high)
        weights = [(rates * shares).positive()[:, [k]] for k in range(self._low.shape[1])]
        lags = self._lags[:, i]
        weights += [lags[:, [k]] for k in range(lags.low.shape[1])]
        zero = point(np.zeros((len(self._low), 1)))
        # The sum over each residue, without one of its members, and over all lags.
        columns = [places for _, places in self._piece.columns]
        columns += [list(range(self._low.shape[1], len(weights)))]
        column_sums = [self._column(weights, places) for places in columns]
        found = []
        for number, places in enumerate(columns):
            rest = zero
            for other, column in enumerate(column_sums):
                rest = rest + (column if other != number else zero)
            for k in places:
                others = [j for j in places if j != k]
                beside = self._column(weights, others)
                if others and k < self._low.shape[1]:
                    most = rates.high[:, others].max(axis=1, keepdims=True)
                    least = rates.low[:, others].min(axis=1, keepdims=True)
                    room = point(np.ones_like(zero.low)) - shares[:, [k]]
                    # The other shares sum to 1 − s_k; the share's low end is met by high rests.
                    upper = (Intervals(most, most) * Intervals(room.high, room.high)).high
                    lower = (Intervals(least, least) * Intervals(room.low, room.low)).low
                    beside = Intervals(
                        np.maximum(beside.low, lower), np.minimum(beside.high, upper)
                    )
                found.append(_share(weights[k], (beside + rest).positive()))
        order = np.argsort([k for places in columns for k in places])
        low = np.concatenate([x.low for x in found], axis=1)[:, order]
        high = np.concatenate([x.high for x in found], axis=1)[:, order]
        return Intervals(low, high)

    def _column(self, weights: list[Intervals], places: list[int]) -> Intervals:
        total = point(np.zeros((len(self._low), 1)))
        for k in places:
            total = total + weights[k]
        return total.positive()

    def outputs(self) -> Intervals:
        """Enclose the outputs of f − g, shape (cells, o)."""
        piece, numbers = self._piece, self._piece.numbers
        pair, query = piece.context.pair, piece.context.query
        representatives, at_lags = piece.representatives, list(piece.context.at_lag.values())
        inert = [k for k in range(len(pair.heads)) if k not in piece.live]
        cells, width = len(self._low), len(pair.models[0].unembedding)
        constant = point(np.zeros((cells, width)))
        free: list[Intervals] = []  # of the live heads, which are those of f, then those of g
        lags: list[Intervals] = []
        for number, model in enumerate(pair.models):
            own = [i for i, k in enumerate(piece.live) if pair.heads[k].model is model]
            fixed = [k for k in inert if pair.heads[k].model is model]
            constant = constant + numbers.direct[number][query]
            for k in fixed:
                constant = constant + numbers.outputs[k][piece.one_value(k)]
            for i in own:
                output = numbers.outputs[piece.live[i]]
                free.append(_transposed(output[representatives])[None])
                lags.append(_transposed(output[at_lags])[None])
            if not len(model.mlp_in):
                continue
            base = numbers.hidden[number][query]
            for k in fixed:
                base = base + numbers.values[k][piece.one_value(k)]
            values = [numbers.values[piece.live[i]] for i in own]
            pre = base + self._sums(
                own,
                [_transposed(v[representatives])[None] for v in values],
                [_transposed(v[at_lags])[None] for v in values],
            )
            slope, slack = _relaxed(pre)
            outer = numbers.outer[number]
            constant = constant + matrix_product(slope, _transposed(outer * base))
            constant = constant + (outer * Intervals(np.zeros_like(slack), slack)[:, None]).sum(-1)
            for i in own:
                steps = numbers.products[piece.live[i]]
                free[i] = free[i] + _image(slope, steps[representatives])
                lags[i] = lags[i] + _image(slope, steps[at_lags])
        return constant + self._sums(list(range(len(piece.live))), free, lags)

    def _sums(self, heads: list[int], free: list[Intervals], lags: list[Intervals]) -> Intervals:
        """Enclose Σ over heads and classes of w z/W; z of shape (1 or cells, N, classes)."""
        if not heads:
            return point(np.zeros((len(self._low), 1)))
        by_shares = None
        for group, shares in zip(self._groups, self._shares, strict=True):
            members = [j for j, i in enumerate(heads) if i in group]
            if not members:
                continue
            z = _joined(free[members[0]], lags[members[0]])
            for j in members[1:]:
                z = z + _joined(free[j], lags[j])
            one = point(np.ones((len(self._low), 1)))
            part = simplex_sum(z, shares.low[:, None], shares.high[:, None], one)
            by_shares = part if by_shares is None else by_shares + part
        by_slopes = self._by_slopes(heads, free, lags)
        return by_slopes if by_shares is None else by_slopes.within(by_shares)

    def _by_slopes(
        self, heads: list[int], free: list[Intervals], lags: list[Intervals]
    ) -> Intervals:
        attention = self._piece.attention
        result, slopes = None, None
        of_function: dict[int, Intervals] = {}
        for j, i in enumerate(heads):
            total = self._total[:, i]
            weights = np.concatenate(
                [self._free[:, i].middle * self._center, self._lags[:, i].middle], axis=1
            )
            z = _joined(free[j], lags[j])
            whole = np.maximum(weights.sum(axis=1), 1e-300)[:, None]
            mean = (z.middle * weights[:, None]).sum(-1) / whole
            mean = np.where(np.isfinite(mean), mean, 0.0)
            zeta = z - mean[..., None]
            split = len(self._piece.representatives)
            # Slopes in the shares.
            rates = self._free[:, i].over(total[:, None])
            part = zeta[..., :split].times_positive(rates[:, None])
            slopes = part if slopes is None else slopes + part
            # What depends on T, function by function.
            numbers = np.concatenate([attention.free[i], attention.lags[i]])
            center = point(self._center) * attention.free_amplitude[i]
            fixed = np.broadcast_to(
                attention.lag_amplitude.low[i], (len(mean), len(attention.lags[i]))
            )
            fixed_high = np.broadcast_to(attention.lag_amplitude.high[i], fixed.shape)
            amplitude = _joined(center, Intervals(fixed, fixed_high))
            rest = None
            for g in sorted(set(numbers[numbers >= 0].tolist())):
                same = np.flatnonzero(numbers == g)
                k = (zeta[..., same] * amplitude[:, None, same]).sum(-1)
                part = k * self._reference[:, g, None]
                rest = part if rest is None else rest + part
                part = k.over(total[:, None])
                of_function[g] = of_function[g] + part if g in of_function else part
            assert rest is not None
            part = rest.over(total[:, None]) + mean
            result = part if result is None else result + part
        assert result is not None
        assert slopes is not None
        for (_, places), missing in zip(self._piece.columns, self._missing, strict=True):
            center = point(self._center[:, places])
            below = (point(self._low[:, places]) - center).low
            above = (point(self._high[:, places]) - center).high
            result = result + simplex_sum(
                slopes[..., places], below[:, None], above[:, None], missing[:, None]
            )
        for g, change in of_function.items():
            step = self._functions[:, g] - self._reference[:, g]
            flat = self._functions.low[:, g] == self._functions.high[:, g]
            step = Intervals(np.where(flat, 0.0, step.low), np.where(flat, 0.0, step.high))
            result = result + change * step[:, None]
        return result


def _share(weight: Intervals, rest: Intervals) -> Intervals:
    """Enclose w/(w + rest)."""
    below = point(weight.low).over((point(weight.low) + point(rest.high)).positive())
    above = point(weight.high).over((point(weight.high) + point(rest.low)).positive())
    return Intervals(np.maximum(below.low, 0.0), np.minimum(above.high, 1.0))


def _relaxed(pre: Intervals) -> tuple[Floats, Floats]:
    """Return λ and the largest of relu(y) − λy over each interval."""
    low, high = pre.low, pre.high
    slope = np.where(low >= 0, 1.0, np.where(high <= 0, 0.0, high / (high - low)))
    slope = np.where(np.isfinite(slope), slope, 0.5)
    below = (point(slope) * point(-low)).high
    above = ((point(np.ones_like(slope)) - slope) * point(high)).high
    slack = np.maximum(np.maximum(below, above), 0.0)
    return slope, np.where((low >= 0) | (high <= 0), 0.0, slack)


def _image(slope: Floats, steps: Intervals) -> Intervals:
    """Return Σ_k λ_k steps[c, k, o], shape (cells, o, classes)."""
    classes, units, width = steps.low.shape
    flat = Intervals(
        *(np.moveaxis(end, 1, 0).reshape(units, -1) for end in (steps.low, steps.high))
    )
    product = matrix_product(slope, flat)
    shape = len(slope), classes, width
    low, high = (end.reshape(shape).swapaxes(1, 2) for end in (product.low, product.high))
    return Intervals(low, high)


def _joined(left: Intervals, right: Intervals) -> Intervals:
    return Intervals(
        np.concatenate([left.low, right.low], axis=-1),
        np.concatenate([left.high, right.high], axis=-1),
    )


def _transposed(x: Intervals) -> Intervals:
    return Intervals(x.low.T, x.high.T)


def largest(piece: Piece, cells: list[Cell], wanted: float) -> Floats:
    """Return a bound of |f − g| on each cell, largest output; slopes alone where that is enough."""
    with np.errstate(all="ignore"):
        found = _largest(piece, cells, both=False)
        more = np.flatnonzero(~(found <= wanted))
        if len(more):
            found[more] = _largest(piece, [cells[k] for k in more.tolist()], both=True)
    return found


def _largest(piece: Piece, cells: list[Cell], both: bool) -> Floats:
    pair = piece.context.pair
    units = max([1, *(len(model.mlp_in) for model in pair.models)])
    classes = len(piece.representatives) + len(piece.context.at_lag)
    batch = max(1, min(256, _ENTRIES // (units * classes)))
    found = []
    for k in range(0, len(cells), batch):
        outputs = Bounds(piece, cells[k : k + batch], both).outputs()
        size = np.maximum(outputs.high, -outputs.low).max(axis=1)
        found.append(np.where(np.isnan(size), np.inf, size))
    return np.concatenate(found)


def halves(piece: Piece, cell: Cell) -> list[tuple[Cell, Cell]]:
    """Return ways to divide a tightened cell in two."""
    ways = []
    first, last = cell.first, cell.last
    middles = []
    if last is None:
        middles = [4 * first, first * first]
    elif last > first:
        middles = [isqrt(first * last)]
        if last > 64 * first:
            middles.append(4 * first)
    for middle in (m for m in middles if m <= LONGEST):
        ways.append((replace(cell, last=middle), replace(cell, first=middle + 1)))
    size = piece.context.pair.vocabulary
    for k, (low, high) in enumerate(zip(cell.low, cell.high, strict=True)):
        if low >= high:
            continue
        values = [0.5 * (low + high)]
        least = low
        if last is not None and low == 0:
            number = piece.context.free(piece.representatives[k] // size, last)
            least = quotient(1, max(1, number))[1]
        if least == 0:
            least = high / 1024
        if 0 < 4 * least < high:
            values.append(float(np.sqrt(least) * np.sqrt(high)))
        for value in values:
            if low < value < high:
                left = replace(cell, high=(*cell.high[:k], value, *cell.high[k + 1 :]))
                right = replace(cell, low=(*cell.low[:k], value, *cell.low[k + 1 :]))
                ways.append((left, right))
    return ways


def counts_within(piece: Piece, cell: Cell) -> tuple[int, tuple[int, ...]] | None:
    """Return a length and counts near the middle of a tightened cell; None if none was found."""
    period, residue = piece.context.pair.period, piece.context.residue
    length = 4 * cell.first if cell.last is None else isqrt(cell.first * cell.last)
    length += (residue - length) % period  # at most last, which is ≡ residue
    counts = [0] * len(cell.low)
    for r, places in piece.columns:
        number = piece.context.free(r, length)
        least, most = [], []
        for k in places:
            a, b = cell.low[k].as_integer_ratio()
            least.append(max(0, -(-a * number // b)))
            a, b = cell.high[k].as_integer_ratio()
            most.append(min(number, a * number // b))
        middle = [(a + b) // 2 for a, b in zip(least, most, strict=True)]
        lack = number - sum(middle)
        for j, k in enumerate(places):
            room = most[j] - middle[j] if lack > 0 else least[j] - middle[j]
            step = min(lack, room) if lack > 0 else max(lack, room)
            counts[k], lack = middle[j] + step, lack - step
        if lack or any(counts[k] < 0 for k in places):
            return None
    if any(not any(counts[k] for k in places) for places in piece.present):
        return None
    return length, tuple(counts)
