"""What the attention of softmax heads changes from a long input to its short image: Theorem 1.

For one context and one set of kept lags; the other lags are mild, and count with the prefix by
type. All numbers are certified bounds. [docs/theory/certificates.md, Softmax certificates]
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import flint
from flint import arb

from bounds.precision import FLINT
from verify.certificates.contexts import Context, HeadLogits, Pair
from verify.certificates.softmax.rounding import (
    PRECISION,
    Bounds,
    ball,
    exponential,
    rounded_down,
    rounded_up,
    upper,
)
from verify.certificates.values import Constant

ZERO, ONE = Fraction(0), Fraction(1)

Horizon = int | None
"""T*; None: every length."""


@dataclass(frozen=True)
class HeadOfContext:
    """One head in one context.

    Attributes:
        constant: L of all types, at this query; 0 for a head of one value.
        live: whether it has more than one value.
        largest, smallest: e^a of each column, from above and from below; a: the logit, less the
            largest of all types. Empty unless live, as are the others.
        lags: e^a of the types at the lags.
        bias: φ at the lags.
    """

    constant: Constant
    live: bool
    largest: tuple[Fraction, ...]
    smallest: tuple[Fraction, ...]
    lags: tuple[Bounds, ...]
    bias: tuple[Fraction, ...]


@dataclass(frozen=True)
class HeadImage:
    """One head, for one set of kept lags and lengths.

    Attributes:
        dominant: ψ, the larger of 1 and φ at the kept lags.
        step: h(Z) from above, h(T*) from below.
        lags: B(Z) from above, B(T*) from below.
        mild: M(Z), and the supremum of M above Z, from above.
        variation: the bound of TV, at most 1.
    """

    dominant: Fraction
    step: tuple[Fraction, Fraction]
    lags: tuple[Fraction, Fraction]
    mild: tuple[Fraction, Fraction]
    variation: Fraction


@dataclass(frozen=True)
class Image:
    """The images of one context's inputs, for one set of kept lags.

    Attributes:
        kept: the kept lags.
        free: n_r(Z) of each residue.
        rounding: ρ_r of each residue.
        heads: one for each head of the pair; None: not live.
        cost: Σ L·TV, from above.
    """

    kept: tuple[int, ...]
    free: tuple[int, ...]
    rounding: tuple[Fraction, ...]
    heads: tuple[HeadImage | None, ...]
    cost: Fraction


class ContextImages:
    """The images of one context, for all lengths and sets of kept lags.

    Attributes:
        atoms: for each residue its types, put together where they may be exchanged.
        heads: one for each head of the pair.
    """

    def __init__(self, pair: Pair, context: Context, constants: Sequence[Constant]) -> None:
        """Read the logits.

        Args:
            pair: the models.
            context: which.
            constants: L of each head over all types, at this context's query.
        """
        self._pair, self._context = pair, context
        self._types = pair.lag_types(context)
        self.atoms = tuple(_atoms(pair, self._types[0], r) for r in range(pair.period))
        with FLINT, flint.ctx.workprec(PRECISION):
            self.heads = tuple(
                self._head(head, constant)
                for head, constant in zip(pair.heads, constants, strict=True)
            )

    def images(self, short: int, horizon: Horizon) -> Iterator[Image]:
        """Yield an image for every usable set of kept lags, the largest set first.

        Args:
            short: Z.
            horizon: T* > Z.
        """
        if short <= self._pair.locality:
            return
        for kept in self._kept_sets:
            if len(kept) < short:
                yield self._image(kept, short, horizon)

    @cached_property
    def _kept_sets(self) -> list[tuple[int, ...]]:
        lags = range(self._pair.locality + 1)
        heavy = {lag for head in self.heads if head.live for lag in lags if head.bias[lag] >= 1}
        return [
            kept
            for size in reversed(range(len(lags) + 1))
            for kept in itertools.combinations(lags, size)
            if heavy <= set(kept)
        ]

    def _head(self, head: HeadLogits, constant: Constant) -> HeadOfContext:
        if len(set(head.values)) == 1:
            return HeadOfContext(Constant(ZERO, False), False, (), (), (), ())
        content = head.content[self._types[0]]
        top = max(content)
        known = {
            logit: exponential(ball((logit - top) * head.unit)) for logit in dict.fromkeys(content)
        }
        columns = [[content[t] for t in self._pair.column(r)] for r in range(self._pair.period)]
        return HeadOfContext(
            constant,
            True,
            tuple(known[max(column)].high for column in columns),
            tuple(known[min(column)].low for column in columns),
            tuple(known[content[t]] for t in self._types),
            tuple(bias * head.unit for bias in head.bias),
        )

    def _image(self, kept: tuple[int, ...], short: int, horizon: Horizon) -> Image:
        pair, residue = self._pair, self._context.residue
        taken = [(residue - lag) % pair.period for lag in kept]
        free = tuple(pair.positions(short, r) - taken.count(r) for r in range(pair.period))
        rounding = tuple(
            rounding_error(len(atoms), forced=0 not in kept and r == residue)
            for r, atoms in enumerate(self.atoms)
        )
        with FLINT, flint.ctx.workprec(PRECISION):
            lengths = _Lengths(pair, residue, kept, free, rounding, short, horizon)
            heads = tuple(lengths.of_head(head) if head.live else None for head in self.heads)
        cost = sum(
            (
                head.constant.value * image.variation
                for head, image in zip(self.heads, heads, strict=True)
                if image is not None
            ),
            ZERO,
        )
        return Image(kept, free, rounding, heads, cost)


def rounding_error(atoms: int, forced: bool) -> Fraction:
    """Return ρ (or ρ′: one atom must keep a token) of a column with so many atoms."""
    if atoms == 1:
        return ZERO
    return Fraction(atoms**2 // 4, atoms - 1 if forced else atoms)


@dataclass(frozen=True)
class _Lengths:
    """What the heads share, for one set of kept lags and lengths."""

    pair: Pair
    residue: int
    kept: tuple[int, ...]
    free: tuple[int, ...]
    rounding: tuple[Fraction, ...]
    short: int
    horizon: Horizon

    def of_head(self, head: HeadOfContext) -> HeadImage:
        """Return the bounds of one head."""
        dominant = max([ONE, *(head.bias[lag] for lag in self.kept)])
        step = self._power(self.short, 1 - dominant).high, self._at_horizon(1 - dominant, 0)
        exponents = [(head.lags[lag], head.bias[lag] + 1 - dominant) for lag in self.kept]
        lags = (
            rounded_up(
                sum(
                    (weight.high * self._power(self.short, s).high for weight, s in exponents), ZERO
                )
                / sum(self.free)
            ),
            rounded_down(
                sum((weight.low * self._at_horizon(s, 1) for weight, s in exponents), ZERO)
            ),
        )
        mild = self._mild(head)
        variation = self._variation(head, step, lags) + sum(mild)
        return HeadImage(dominant, step, lags, mild, min(rounded_up(variation), ONE))

    def _power(self, base: int, exponent: Fraction) -> Bounds:
        if exponent == 0:
            return Bounds(ONE, ONE)
        return exponential(ball(exponent) * arb(base).log())

    def _at_horizon(self, exponent: Fraction, divided: int) -> Fraction:
        """Return T*^exponent, over m(T*) if divided, from below; the limit for every length."""
        if self.horizon is None:
            return Fraction(int(exponent == divided))
        positions = self.horizon - len(self.kept)
        return self._power(self.horizon, exponent).low / (positions if divided else 1)

    def _variation(
        self, head: HeadOfContext, step: tuple[Fraction, Fraction], lags: tuple[Fraction, Fraction]
    ) -> Fraction:
        number = sum(self.free)
        mean = Fraction(number, len(self.free))
        free = [Fraction(n) for n in self.free]
        columns = list(zip(head.largest, head.smallest, free, self.rounding, strict=True))

        def total(terms: Iterable[Fraction]) -> Fraction:
            return sum(terms, start=ZERO) / number

        more = total(most * (rho + max(n - mean, ZERO)) for most, _, n, rho in columns)
        less = total(most * (rho + max(mean - n, ZERO)) for most, _, n, rho in columns)
        low = total(least * max(min(n, mean) - rho, ZERO) for _, least, n, rho in columns)
        high = total(most * n for most, _, n, _ in columns)
        excesses = [
            (step[0] * more + w * (step[0] - step[1]) + lags[0] - lags[1], w) for w in (low, high)
        ]
        excesses.append((step[0] * less, low))
        return max(
            excess / (excess + w * step[1] + lags[1]) if excess else ZERO for excess, w in excesses
        )

    def _mild(self, head: HeadOfContext) -> tuple[Fraction, Fraction]:
        """Return M(Z), and the supremum of M(T) for Z < T ≤ T*, from above."""
        lags = [lag for lag in range(len(head.bias)) if lag not in self.kept and head.bias[lag]]
        if not lags:
            return ZERO, ZERO
        biases = [head.bias[lag] for lag in lags]
        tilt = ball(max([ZERO, *biases]) - min([ZERO, *biases])) / 4
        log = arb(self.short).log()
        at_short = [upper((tilt * log).tanh())]
        later = [ONE if self.horizon is None else upper((tilt * arb(self.horizon).log()).tanh())]
        weights = [head.largest[(self.residue - lag) % self.pair.period] for lag in lags]
        pairs = list(zip(weights, biases, strict=True))
        mass = sum(
            (least * n for least, n in zip(head.smallest, self.free, strict=True)), start=ZERO
        )
        if mass:
            moved = [_moved(phi, log) for _, phi in pairs]
            at_short.append(_one_way(pairs, moved) / mass)
            fewest = sum(
                (
                    least * min(Fraction(n, self.short), Fraction(1, self.pair.period))
                    for least, n in zip(head.smallest, self.free, strict=True)
                ),
                start=ZERO,
            )
            if fewest:
                rates = [_steepest(phi, self.short) for _, phi in pairs]
                later.append(_one_way(pairs, rates) / fewest)
        return rounded_up(min(at_short)), rounded_up(min(later))


def _one_way(pairs: Sequence[tuple[Fraction, Fraction]], sizes: Sequence[Fraction]) -> Fraction:
    """Return the larger of the sums over positive and over negative biases."""
    more, less = ZERO, ZERO
    for (weight, phi), size in zip(pairs, sizes, strict=True):
        if phi > 0:
            more += weight * size
        else:
            less += weight * size
    return max(more, less)


def _moved(phi: Fraction, log: arb) -> Fraction:
    """Return |Z^φ − 1| from above."""
    return upper(abs((ball(phi) * log).exp() - 1))


def _steepest(phi: Fraction, short: int) -> Fraction:
    """Return the supremum of |T^φ − 1|/T over T > Z, from above, for φ < 1, φ ≠ 0."""
    bias = ball(phi)
    power = (bias * arb(short).log()).exp()
    if (power * (1 - bias) > 1) if phi > 0 else (power * (1 - bias) < 1):
        return upper(abs(power - 1)) / short  # beyond the maximum
    return upper(abs(bias) / (1 - bias) * ((-bias).log1p() / bias).exp())


def _atoms(pair: Pair, query: int, residue: int) -> tuple[tuple[int, ...], ...]:
    """Return the types of a column, together where no live head tells them apart."""
    live = [head for head in pair.heads if len(set(head.values)) > 1]
    groups: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for t in pair.column(residue):
        groups[tuple((head.content[query][t], head.values[t]) for head in live)].append(t)
    return tuple(tuple(group) for group in groups.values())
