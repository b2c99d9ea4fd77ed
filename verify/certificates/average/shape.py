"""The piecewise linear function F = f − g of what attention adds, and a convex one above |F|.

Fix the last tokens. With l_k the pre-activation of hidden unit k, c_ok its gain on output o (minus
that of g's units), F_o = A_o + Σ_k c_ok relu(l_k), all affine in the attention. Then

    Φ = max_o |F_o| + ½Σ_k C_k|l_k|,  C_k = max_o |c_ok|,

is convex: ±F_o + ½Σ C_k|l_k| is affine plus Σ_k ½(C_k ± c_ok)|l_k|. Units whose sign is fixed are
affine and are counted with A. If attention is one number t and max_o|F_o| has the slope jumps J at
t_k, then Φ = max_o|F_o| + ½Σ_{J_k<0}|J_k||t − t_k| is convex: only negative jumps count.
[docs/theory/certificates.md, average ladder]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import flint
import numpy as np
import numpy.typing as npt

from bounds.precision import FLINT
from verify.average.laws import DirichletLaw, FixedLaw
from verify.certificates.average.attention import Exact, Group, groups_of, own_values
from verify.certificates.contexts import Context
from verify.certificates.input_class import PairInputs
from verify.certificates.window import float_up

Floats = npt.NDArray[np.float64]

_SPARE = 1 + 2.0**-20


@dataclass(frozen=True)
class Piece:
    """max_o |F_o| on an interval of the one number t: for each output, intercept and slope."""

    start: Fraction
    stop: Fraction
    outputs: tuple[tuple[Fraction, Fraction], ...]


@dataclass(frozen=True)
class Shape:
    """F on the inputs of one context, and Φ.

    Attributes:
        groups: the groups of heads whose attention matters.
        functionals: for each group (keys, K), exact: l_k (or t − t_k) is Σ over groups and keys of
            attention times entry.
        weights: (K,) what multiplies |l_k| in Φ, at least.
        steepness: for each group, the most by which Φ, and also Σ_k weight·|l_k|, changes if all
            its attention moves.
        own: what does not depend on the attention: hidden units of f, of g, outputs of f − g.
        gains: (o, hidden units), c.
        pieces: if attention is one number, F as a function of it; else empty.
        numbers: if attention is one number, that of each key of the group.
        loose: for each head whose logits within a level differ, by how much F changes if all its
            attention moves, and the largest difference.
    """

    groups: tuple[Group, ...]
    functionals: tuple[Exact, ...]
    weights: Floats
    steepness: tuple[float, ...]
    own: Exact
    gains: Floats
    pieces: tuple[Piece, ...] = ()
    numbers: Exact | None = None
    loose: tuple[tuple[float, Fraction], ...] = ()

    @cached_property
    def rounded(self) -> tuple[Floats, ...]:
        """The functionals as float64."""
        return tuple(_floats(table) for table in self.functionals)

    def looseness(self, length: int) -> Fraction:
        """Return what near ties, taken for ties, change in F at this length, at most.

        Weights within a level differ by factors of at most T^κ: attention moves by tanh(κ ln T/4).
        """
        total = Fraction(0)
        with FLINT, flint.ctx.workprec(64):
            logarithm = flint.arb(length).log()
            for steepness, spread in self.loose:
                ball = flint.arb(flint.fmpq(spread.numerator, spread.denominator))
                moved = (ball * logarithm / 4).tanh().upper()
                total += Fraction(steepness) * Fraction(math.nextafter(float(moved), math.inf))
        return total

    @cached_property
    def errors(self) -> Floats:
        """Bound on the rounding errors of Σ attention·functional for each k.

        Entries are rounded once, attention (a quotient of exact integers) once, products and sums
        of `keys` terms in any order: (keys + 4)u of the largest entries; doubled.
        """
        keys = sum(len(group.attended) for group in self.groups) + 4
        largest = sum(
            (
                np.abs(table[group.attended]).max(axis=0)
                for group, table in zip(self.groups, self.rounded, strict=True)
            ),
            np.zeros(self.weights.size),
        )
        bound: Floats = 2 * keys * 2.0**-53 * largest + 2.0**-1000
        return bound


def shape_of(
    inputs: PairInputs,
    context: Context,
    law: DirichletLaw | FixedLaw,
    horizon: int | None = None,
) -> Shape:
    """Return the shape of f − g in a context, attention being on the largest logits only.

    Args:
        inputs, context, law, horizon: as in `verify.certificates.average.attention.hardness`.

    Raises:
        InputError: the theorem does not cover the attention of a head.
    """
    own = own_values(inputs, context)
    f, g = inputs.outputs
    gains = np.concatenate([f.gains, -g.gains], axis=1)
    varied, loose = [], []
    for group in groups_of(inputs, context, law, horizon):
        constant = group.constant
        if constant is None:
            varied.append(group)
        else:
            own = own + constant
        for values, spread in group.loose:
            rows = values[group.attended]
            ranges = _up(rows.max(axis=0) - rows.min(axis=0))
            units = gains.shape[1]
            change = (ranges[units:] + np.abs(gains) @ ranges[:units]).max()
            loose.append((float(change) * _SPARE, spread))
    found = None
    if len(varied) == 1:
        numbers = _on_a_line(varied[0])
        if numbers is not None:
            found = _of_one_number(varied[0], numbers, own, gains)
    return replace(found or _general(varied, own, gains), loose=tuple(loose))


def _general(groups: Sequence[Group], own: Exact, gains: Floats) -> Shape:
    """Return the shape by which every hidden unit counts that can change its sign."""
    units = gains.shape[1]
    lows = own[:units].copy()
    highs = own[:units].copy()
    for group in groups:
        rows = group.values[group.attended][:, :units]
        lows, highs = lows + rows.min(axis=0), highs + rows.max(axis=0)
    kinked = [k for k in range(units) if lows[k] < 0 < highs[k] and gains[:, k].any()]
    linear = [k for k in range(units) if lows[k] >= 0 and highs[k] > 0]
    exact_gains = np.array(
        [[Fraction(c) for c in row] for row in gains.tolist()], dtype=object
    ).reshape(gains.shape)
    functionals, steepness = [], []
    largest = np.abs(gains[:, kinked]).max(axis=0)
    signed = np.concatenate([gains[:, kinked], -gains[:, kinked]])
    # Slopes of ±c relu(l) + ½C|l| on both sides of 0.
    slopes = np.maximum(largest / 2, largest / 2 + signed)
    for number, group in enumerate(groups):
        table = group.values[:, kinked].copy()
        if number == 0:
            table = table + own[kinked]  # attention adds up to 1
        functionals.append(table)
        rows = group.values[group.attended]
        straight = rows[:, units:]
        if linear:
            straight = straight + rows[:, linear] @ exact_gains[:, linear].T
        ranges = _up(straight.max(axis=0) - straight.min(axis=0))
        spread = rows[:, kinked]
        widths = _up(spread.max(axis=0) - spread.min(axis=0)) if kinked else np.zeros(0)
        by_output = np.concatenate([ranges, ranges]) + slopes @ widths
        steepness.append(float(by_output.max()) * _SPARE)
    return Shape(tuple(groups), tuple(functionals), largest / 2, tuple(steepness), own, gains)


def _of_one_number(group: Group, numbers: Exact, own: Exact, gains: Floats) -> Shape:
    """Return the shape where attention is one number in [0, 1]."""
    first = next(k for k in group.attended if numbers[k] == 0)
    last = next(k for k in group.attended if numbers[k] == 1)
    start = own + group.values[first]
    step = group.values[last] - group.values[first]
    pieces = _pieces(start, step, gains)
    knots, jumps = [], []
    for before, after in itertools.pairwise(pieces):
        jump = _slope(after, after.start, +1) - _slope(before, before.stop, -1)
        if jump < 0:
            knots.append(after.start)
            jumps.append(-jump)
    weights = np.array([float_up(jump / 2) for jump in jumps])
    total = sum((Fraction(w) for w in weights.tolist()), Fraction(0))
    ends = (_slope(pieces[0], Fraction(0), +1) - total, _slope(pieces[-1], Fraction(1), -1) + total)
    steepness = float_up(max(total, *(abs(end) for end in ends)))
    table = np.empty((len(numbers), len(knots)), dtype=object)
    for k, knot in enumerate(knots):
        table[:, k] = [number - knot for number in numbers]
    return Shape((group,), (table,), weights, (steepness,), own, gains, pieces, numbers)


def _pieces(start: Exact, step: Exact, gains: Floats) -> tuple[Piece, ...]:
    """Return F between the points of [0, 1] at which a hidden unit changes its sign."""
    outputs, units = gains.shape
    zeros: dict[Fraction, list[int]] = {}
    active = []
    for k in range(units):
        if not gains[:, k].any():
            continue
        before, after = start[k], start[k] + step[k]
        if before > 0 or (before == 0 and after > 0):
            active.append(k)
        if (before < 0 < after) or (after < 0 < before):
            zeros.setdefault(-before / step[k], []).append(k)
    c = [[Fraction(v) for v in row] for row in gains.tolist()]
    lines = [
        [
            start[units + o] + sum((c[o][k] * start[k] for k in active), Fraction(0)),
            step[units + o] + sum((c[o][k] * step[k] for k in active), Fraction(0)),
        ]
        for o in range(outputs)
    ]
    found = []
    left = Fraction(0)
    for knot in sorted(zeros):
        found.append(Piece(left, knot, tuple((a, b) for a, b in lines)))
        for k in zeros[knot]:
            sign = 1 if step[k] > 0 else -1
            for o in range(outputs):
                lines[o][0] += sign * c[o][k] * start[k]
                lines[o][1] += sign * c[o][k] * step[k]
        left = knot
    found.append(Piece(left, Fraction(1), tuple((a, b) for a, b in lines)))
    return tuple(found)


def _slope(piece: Piece, at: Fraction, side: int) -> Fraction:
    """Return the right (+1) or left (−1) derivative of max_o |F_o| at a point of a piece."""
    values = [(a + b * at, b) for a, b in piece.outputs]
    largest = max(abs(value) for value, _ in values)
    slopes = []
    for value, b in values:
        if abs(value) == largest:
            slopes.append(b if value > 0 else -b if value < 0 else side * abs(b))
    return max(slopes) if side > 0 else min(slopes)


def _on_a_line(group: Group) -> Exact | None:
    """Return a number for each key so that values are affine in it, 0 and 1 at the ends."""
    rows = group.values
    keys = group.attended
    first = rows[keys[0]]
    other = next((k for k in keys if (rows[k] != first).any()), None)
    if other is None:
        return None
    direction = rows[other] - first
    axis = int(np.flatnonzero(direction != 0)[0])
    numbers: Exact = np.full(len(rows), Fraction(0), dtype=object)
    for k in keys:
        numbers[k] = (rows[k][axis] - first[axis]) / direction[axis]
        if (rows[k] - first != numbers[k] * direction).any():
            return None
    low, high = min(numbers[keys]), max(numbers[keys])
    for k in keys:
        numbers[k] = (numbers[k] - low) / (high - low)
    return numbers


def _floats(table: Exact) -> Floats:
    return np.array([float(v) for v in table.ravel()]).reshape(table.shape)


def _up(row: Exact) -> Floats:
    return np.array([float_up(v) for v in row])
