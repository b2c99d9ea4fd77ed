r"""An upper bound of |f − g| on each of many cells: the value at a point and how far it can move.

Let P_0 be a point with positive total weights, o(P) = Σ_c w_c(P) u_c / W(P) the output of a head
with values u_c. Since Σ_c w_c(P_0)(u_c − o(P_0)) = 0,

    o(P) − o(P_0) = Σ_c (w_c(P) − w_c(P_0))(u_c − o(P_0)) / W(P),   exactly.

With w = s ω(v): w_c(P) − w_c(P_0) = (s_c − s⁰_c) ω_c(v) + s⁰_c (ω_c(v) − ω_c(v_0)). In a column the
differences of shares add up to 0, so each coordinate moves its mass from the column's first type.
A hidden unit whose input moves by less than its size at P_0 is linear on the cell; of any other,
relu differs from half its input by at most half of it. So |(f−g)(P) − (f−g)(P_0)| is at most the
sum, over coordinates and over distinct functions ω, of how far each moves times an interval of its
coefficient (in which f and g cancel), plus Σ ½|G_k| ξ_k over the units not known to be linear, ξ_k
a bound on how far input k moves. [docs/theory/certificates.md, Every length at once]

**Rounding.** P_0 is what the floats s⁰ and v_0 say, exactly. Every weight ω(v), every sum of
weights and the attention then have relative errors below 2^−39 (NumPy's exp and log within 8 units
in the last place; e·ln v is at most 745 in size, beyond which a weight is far below all that is
kept), but for the shares 1 − Σs⁰, which are wrong by at most J 2^−51 in all. Let S = size of direct
part + |G| size of hidden part, M = how far the attention of all heads can move as bounded here. Of
what the identity says, an attention that is wrong by a relative error δ leaves out at most
2δ S W(P_0)/W(P) ≤ 2δ S (1 + M); products with ω and 1/W are within 2δ S M of what they should be,
and what a function moves is within δ s⁰ω/W(P) ≤ δ (1 + M). That is below 2^−35 S (1 + M) in all. A
share 1 − Σs⁰ that is wrong by η leaves out at most 2η S ω/W⁻, ω the largest weight of the column's
first type. What is added is 2^−33 S (1 + M) + 2 J 2^−51 S Σω/W⁻; the same, unit by unit, before a
unit is called linear. W⁻ and W⁺ are taken 2^−36 wider, and with 1 − Σs off by J 2^−51.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verify.certificates.direct.cells import UNCLEAR, Cells
from verify.certificates.direct.codes import PLAIN, log_reciprocal
from verify.certificates.direct.points import Points
from verify.certificates.direct.table import Model, Table

Floats = npt.NDArray[np.float64]

_SLACK = 2.0**-33


@dataclass(frozen=True)
class Bounds:
    """What is known of |f − g| on each cell.

    Attributes:
        bound: (n,), |f − g| is at most this on the cell.
        value: (n,), |f − g| at the point, as computed.
        rounding: (n,), bound on the error of `value`.
        parts: (n, J + 1), what each share, and last the length, contributes.
        light: (n,), whether total weights differ much on the cell.
    """

    bound: Floats
    value: Floats
    rounding: Floats
    parts: Floats
    light: npt.NDArray[np.bool_]


class _Weights:
    """Ranges of ω over the lengths of each cell, and ω at the points, shape (n, I, K)."""

    def __init__(self, table: Table, cells: Cells, points: Points) -> None:
        piece = cells.piece
        self.power, self.factor = table.power[piece], table.factor[piece]
        self.offset, self.origin = table.key_offset[piece], table.origin[piece]
        ends = [self.ratio(length) for length in (cells.last, cells.first)]
        self.ratio_low, self.ratio_high = np.minimum(*ends), np.maximum(*ends)
        self.low = self.factor * self.powers(cells.last)
        self.high = self.factor * self.powers(cells.first)
        self.at_point = self.factor * self.powers(points.length) * self.ratio(points.length)

    def powers(self, lengths: Floats) -> Floats:
        """T^(−e)."""
        return powers(lengths[:, None, None], self.power)

    def ratio(self, length: Floats) -> Floats:
        """(1 − o v)/(1 − o_i v), shape (n, I, K)."""
        return ratio(self.offset[:, None, :], self.origin[:, :, None], length[:, None, None])


def ratio(offset: Floats, origin: Floats, length: Floats) -> Floats:
    """Return (1 − o v)/(1 − o_i v) at v = 1/T, as (T − o)/(T − o_i): without cancellation."""
    with np.errstate(invalid="ignore"):
        quotient = np.maximum(length - offset, 0.0) / (length - origin)
    result: Floats = np.where(np.isfinite(length), quotient, 1.0)
    return result


def powers(lengths: Floats, exponent: Floats) -> Floats:
    """Return T^(−e) for e ≥ 0, with ∞^0 = 1."""
    with np.errstate(invalid="ignore"):
        result: Floats = np.where(exponent == 0, 1.0, np.exp(exponent * log_reciprocal(lengths)))
    return result


def bounded(table: Table, cells: Cells, points: Points) -> Bounds:
    """Return what is known of |f − g| on each cell, from its value at a point."""
    with np.errstate(over="ignore", invalid="ignore"):  # infinite: no bound but the largest one
        return _Bounding(table, cells, points).bounds()


class _Bounding:
    """The work for one batch of cells."""

    def __init__(self, table: Table, cells: Cells, points: Points) -> None:
        self.table, self.cells, self.points = table, cells, points
        self.rows = np.arange(len(cells))[:, None]
        self.period = table.pair.period
        self.types = table.present.shape[1]
        self.coordinate = np.minimum(table.coordinate[cells.piece], self.types - 1)
        self.padding = table.coordinate[cells.piece] == self.types
        self.column = table.column[cells.piece]
        reference = table.reference[cells.piece]
        self.first_type = np.take_along_axis(reference, self.column, axis=1)
        self.weights = _Weights(table, cells, points)
        self.moves = np.maximum(cells.high - points.shares, points.shares - cells.low)
        self.moves = np.where(self.padding, 0.0, self.moves + 2.0**-50 * points.shares)
        self.shares = self._shares(points.shares)
        self.lowest = self._shares(cells.low)
        self._totals()

    def _shares(self, coordinates: Floats) -> Floats:
        """Return the shares of all types, (n, D); those of first types are 1 minus the others."""
        table, piece = self.table, self.cells.piece
        shares = np.zeros((len(piece), self.types + 1))
        np.put_along_axis(shares, table.coordinate[piece], coordinates, axis=1)
        shares = shares[:, :-1]
        tokens = table.pair.vocabulary_size
        rest = 1.0 - shares.reshape(len(piece), self.period, tokens).sum(axis=2)
        np.put_along_axis(shares, table.reference[piece], np.maximum(rest, 0.0), axis=1)
        return shares

    def _totals(self) -> None:
        """Total weights: at the points, and their ranges on the cells."""
        table, piece, w = self.table, self.cells.piece, self.weights
        number, tokens = len(piece), table.pair.vocabulary_size
        attends = table.attends[piece]
        low = w.low * w.ratio_low
        high = w.high * w.ratio_high
        columns = (number, -1, self.period, tokens)
        # What is not fixed of a column goes to its lightest, or its heaviest, type.
        rest = np.take_along_axis(self.lowest, table.reference[piece], axis=1)[:, None, :]
        unclear = self.moves.shape[1] * UNCLEAR
        most_rest, rest = rest + unclear, np.maximum(rest - unclear, 0.0)
        fixed = self.lowest.copy()
        np.put_along_axis(fixed, table.reference[piece], 0.0, axis=1)
        present = table.present[piece]
        possible = np.zeros((number, self.types + 1), dtype=bool)
        np.put_along_axis(possible, table.coordinate[piece], self.cells.high > 0, axis=1)
        possible = possible[:, :-1]
        np.put_along_axis(possible, table.reference[piece], True, axis=1)
        present = (present & possible)[:, None, :]
        lightest = np.where(present, low[:, :, : self.types], np.inf).reshape(columns).min(axis=3)
        heaviest = np.where(present, high[:, :, : self.types], 0.0).reshape(columns).max(axis=3)
        least = (fixed[:, None, :] * low[:, :, : self.types]).sum(axis=2)
        least += (rest * lightest).sum(axis=2) + low[:, :, self.types :].sum(axis=2)
        most = (fixed[:, None, :] * high[:, :, : self.types]).sum(axis=2)
        most += (most_rest * heaviest).sum(axis=2) + high[:, :, self.types :].sum(axis=2)
        last = np.where(self.cells.last <= PLAIN, self.cells.last, np.inf)[:, None]
        least = np.maximum(least, table.floor[piece] / (last - w.origin))
        weight = w.at_point.copy()
        weight[:, :, : self.types] *= self.shares[:, None, :]
        total = weight.sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.attention = np.where(
                (attends & (total > 0))[:, :, None], weight / total[:, :, None], 0.0
            )
            # 1/W from below and from above, a little wider.
            self.least = np.where(attends, (1 - 2.0**-36) / most, 0.0)
            self.most = np.where(attends, (1 + 2.0**-36) / least, 0.0)
        self.undefined = (attends & ((least <= 0) | (total <= 0))).any(axis=1)
        self.most[self.undefined] = 0.0
        self.least[self.undefined] = 0.0
        self.light = (self.least * 64 < self.most).any(axis=1)
        self._functions()
        moved = self.moves[:, None, :] * (
            np.take_along_axis(high, self.coordinate[:, None, :], axis=2)
            + np.take_along_axis(high, self.first_type[:, None, :], axis=2)
        )
        moved = (moved.sum(axis=2) * self.most).sum(axis=1)
        moved += (self.function_moves[:, None, :] * self.function_mass * self.most[:, :, None]).sum(
            axis=(1, 2)
        )
        # What 1 minus the shares of a column is wrong by, moved to or from its first type.
        of_first = np.take_along_axis(high, table.reference[piece][:, None, :], axis=2).sum(axis=2)
        self.unclear = (unclear / _SLACK * of_first * self.most).sum(axis=1)
        self.moved = moved + 2 * self.unclear

    def _functions(self) -> None:
        """How far each distinct function of v moves, and the mass at the point that it carries."""
        table, piece, w = self.table, self.cells.piece, self.weights
        exponent, offset = table.function_power[piece], table.function_offset[piece]
        origin = table.function_origin[piece]

        def at(length: Floats) -> tuple[Floats, Floats]:
            return powers(length[:, None], exponent), ratio(offset, origin, length[:, None])

        ends = [at(length) for length in (self.cells.last, self.cells.first)]
        low = ends[0][0] * np.minimum(ends[0][1], ends[1][1])
        high = ends[1][0] * np.maximum(ends[0][1], ends[1][1])
        here = np.multiply(*at(self.points.length))
        fixed = (exponent == 0) & (offset == origin)
        self.function_moves = np.where(fixed, 0.0, np.maximum(high - here, here - low))
        # s⁰ C of every key, by function: (n, I, K, Q).
        mass = w.factor.copy()
        mass[:, :, : self.types] *= self.shares[:, None, :]
        self.function_parts = mass[:, :, :, None] * table.function[piece]
        self.function_mass = self.function_parts.sum(axis=2)

    def bounds(self) -> Bounds:
        """Return the bounds."""
        outputs, scales, fixed = [], [], []
        for model in self.table.models:
            sums = self._sums(model)
            hidden = model.hidden
            relu = np.maximum(sums[:, :hidden], 0.0)
            outputs.append(sums[:, hidden:] + relu @ model.gains.T)
            size = model.scale[hidden:] + np.abs(model.gains) @ model.scale[:hidden]
            scales.append(float(size.max()))
            fixed.append(sums[:, :hidden])
        values = outputs[0] - outputs[1]
        slack = _SLACK * sum(scales) * (1 + self.moved)
        units = [self._units(model, of) for model, of in zip(self.table.models, fixed, strict=True)]
        parts = np.zeros((values.shape[1], len(self.cells), self.moves.shape[1] + 1))
        for output in range(values.shape[1]):
            parts[output] = self._first_order(output, units)
            for of_model, model in zip(units, self.table.models, strict=True):
                gain = np.abs(model.gains[output]) / 2
                loose = np.where(of_model.linear, 0.0, gain)
                parts[output] += np.einsum("nk,njk->nj", loose, of_model.moves)
        totals = np.abs(values).T + parts.sum(axis=2)
        decides = totals.argmax(axis=0)
        # No output is larger than the sum of all that it is made of.
        bound = np.minimum(totals.max(axis=0) + slack, sum(scales) * (1 + 2.0**-30))
        bound[self.undefined | np.isnan(bound)] = sum(scales) * (1 + 2.0**-30)
        chosen = parts[decides, self.rows[:, 0]]
        chosen[self.undefined] = self._wide()[self.undefined]
        value = np.abs(values).max(axis=1)
        value[self.undefined] = 0.0
        return Bounds(
            bound,
            value,
            _SLACK * sum(scales) * (1 + 2 * self.unclear),
            chosen,
            self.light | self.undefined,
        )

    def _wide(self) -> Floats:
        """Where no bound is known yet: the widths of the cell."""
        lengths = np.log(np.minimum(self.cells.last, 2.0**1000) / self.cells.first) / 1000
        return np.column_stack([self.moves, lengths])

    def _sums(self, model: Model) -> Floats:
        """Return inputs of the hidden units and direct outputs at the points, (n, m + o)."""
        sums = model.base[self.cells.piece]
        for h, values in enumerate(model.values):
            sums = sums + self._on_types(self.attention[:, model.heads.start + h]) @ values
        return sums

    def _on_types(self, keys: Floats) -> Floats:
        """Add what lags have to their types: (n, K) → (n, D)."""
        types = keys[:, : self.types].copy()
        lag_type = self.table.lag_type[self.cells.piece]
        for lag in range(lag_type.shape[1]):
            types[self.rows[:, 0], lag_type[:, lag]] += keys[:, self.types + lag]
        return types

    def _units(self, model: Model, at_point: Floats) -> _Units:
        """How far each share, and the length, move the input of each hidden unit."""
        number, hidden = at_point.shape
        moves = np.zeros((number, self.moves.shape[1] + 1, hidden))
        w = self.weights
        for h, values in enumerate(model.values):
            i = model.heads.start + h
            of_units = values[:, :hidden]
            own = self._on_types(self.attention[:, i]) @ of_units
            low, high = w.low[:, i], w.high[:, i]
            middle, radius = (low + high) / 2, (high - low) / 2
            if self.moves.shape[1]:
                here, there = (
                    np.take_along_axis(middle, k, axis=1)[:, :, None]
                    for k in (self.coordinate, self.first_type)
                )
                near, far = (of_units[k] for k in (self.coordinate, self.first_type))
                step = np.abs(here * near - there * far - (here - there) * own[:, None, :])
                if radius.any():
                    spread, other = (
                        np.take_along_axis(radius, k, axis=1)[:, :, None]
                        for k in (self.coordinate, self.first_type)
                    )
                    step += spread * np.abs(near - own[:, None, :])
                    step += other * np.abs(far - own[:, None, :])
                ratio = np.take_along_axis(w.ratio_high[:, i], self.coordinate, axis=1)
                size = self.moves * ratio * self.most[:, i, None]
                moves[:, :-1] += size[:, :, None] * step
            for q in np.flatnonzero(self.function_moves.any(axis=0)):
                of_keys = self.function_parts[:, i, :, q]
                if of_keys.any():
                    change = self._on_types(of_keys) @ of_units
                    change -= self.function_mass[:, i, q, None] * own
                    size = self.function_moves[:, q] * self.most[:, i]
                    moves[:, -1] += size[:, None] * np.abs(change)
        slack = _SLACK * model.scale[:hidden] * (1 + self.moved[:, None])
        return _Units(np.abs(at_point) > moves.sum(axis=1) + slack, at_point > 0, moves)

    def _first_order(self, output: int, units: list[_Units]) -> Floats:
        """Return how far each share, and the length, move the linear part of one output."""
        number, count = self.moves.shape
        w = self.weights
        low_sum, high_sum = np.zeros((2, number, count))
        functions = self.function_moves.shape[1]
        low_function, high_function = np.zeros((2, number, functions))
        for sign, model, of_model in zip((1.0, -1.0), self.table.models, units, strict=True):
            hidden = model.hidden
            slopes = np.where(of_model.linear, of_model.active.astype(float), 0.5)
            slopes *= model.gains[output]
            for h, values in enumerate(model.values):
                i = model.heads.start + h
                reading = slopes @ values[:, :hidden].T + values[:, hidden + output]
                attention = self._on_types(self.attention[:, i])
                mean = (attention * reading).sum(axis=1, keepdims=True)
                centred = sign * (reading - mean)
                least, most = self.least[:, i, None], self.most[:, i, None]
                if count:
                    near, far = (
                        np.take_along_axis(centred, k, axis=1)
                        for k in (self.coordinate, self.first_type)
                    )
                    low, high = _scaled(w.low[:, i], w.high[:, i], self.coordinate, near)
                    low_far, high_far = _scaled(w.low[:, i], w.high[:, i], self.first_type, -far)
                    low, high = low + low_far, high + high_far
                    bottom = np.take_along_axis(w.ratio_low[:, i], self.coordinate, axis=1) * least
                    top = np.take_along_axis(w.ratio_high[:, i], self.coordinate, axis=1) * most
                    low_sum += np.minimum(low * bottom, low * top)
                    high_sum += np.maximum(high * bottom, high * top)
                parts = self.function_parts[:, i]
                on_keys = np.concatenate(
                    [
                        centred,
                        np.take_along_axis(centred, self.table.lag_type[self.cells.piece], 1),
                    ],
                    axis=1,
                )
                change = np.einsum("nk,nkq->nq", on_keys, parts)
                low_function += np.minimum(change * least, change * most)
                high_function += np.maximum(change * least, change * most)
        parts = np.zeros((number, count + 1))
        parts[:, :-1] = self.moves * np.maximum(np.abs(low_sum), np.abs(high_sum))
        coefficient = np.maximum(np.abs(low_function), np.abs(high_function))
        parts[:, -1] = (self.function_moves * coefficient).sum(axis=1)
        return parts


@dataclass(frozen=True)
class _Units:
    """Hidden units of one model.

    Attributes:
        linear: (n, m), known not to change sign on the cell.
        active: (n, m), positive at the point.
        moves: (n, J + 1, m), how far each coordinate moves the input.
    """

    linear: npt.NDArray[np.bool_]
    active: npt.NDArray[np.bool_]
    moves: Floats


def _scaled(
    low: Floats, high: Floats, which: npt.NDArray[np.intp], by: Floats
) -> tuple[Floats, Floats]:
    """Return the ranges of ω·y for ω in [low, high] ≥ 0."""
    below, above = (np.take_along_axis(end, which, axis=1) for end in (low, high))
    return np.minimum(below * by, above * by), np.maximum(below * by, above * by)
