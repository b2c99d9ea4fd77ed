"""Both sides of the largest average error over all lengths from one on, T = ∞ included.

For two lengths n ≤ T ≤ n' that are equal mod Δ, with no near ties from n on,

    ‖f − g‖_T ≤ ‖f − g‖_n + Σ_k w_k(E|l_k(n)| − E|l_k(n')|) + Σ_G S_G(κ_G(n) − κ_G(n')),

averaged over the last tokens: the *curvature* that longer inputs lose, since |F| plus the kinks is
convex in what attention adds and longer inputs vary less, and the *drift* of the attention's mean.
Each rung carries to the next one, the last one to every length (`limit`). Rungs are put where the
bound is largest. Near ties, up to a horizon, are taken for ties; what that changes is added at both
lengths. [docs/theory/certificates.md, average ladder]
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.average.laws import DirichletLaw, FixedLaw, Law
from verify.certificates.average.attention import Hardness, hardness, near_tie
from verify.certificates.average.exact import (
    INSTEAD,
    AverageAgreement,
    LengthAverage,
    likely_classes,
    number_of_evaluations,
)
from verify.certificates.average.infinity import error_at_infinity, least_kinks, least_means
from verify.certificates.average.moments import Moments, moments
from verify.certificates.average.shape import Shape, shape_of
from verify.certificates.average.tables import UNIT
from verify.certificates.average.weighted import WeightedVectors, check_law
from verify.certificates.contexts import Context
from verify.certificates.input_class import PairInputs
from verify.certificates.ladder import read_length
from verify.certificates.window import LIMIT, Progress, float_down, float_up
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.lengths import show_integer
from verify.model.transformer import LimitTransformer
from verify.tables import aligned

Floats = npt.NDArray[np.float64]
Suffix = tuple[int, ...]

MOST_RUNGS = 300

_FARTHEST = 2**60
"""No rung is longer; lengths from which on there are no near ties are not looked for beyond."""


@dataclass(frozen=True)
class Carried:
    """What one rung proves of all lengths of one residue mod Δ, up to the next rung.

    Attributes:
        error: ‖f − g‖ at the rung, rounded up.
        curvature: what the kinks can add, rounded up.
        drift: what the last tokens, as a part of what is attended, can add, rounded up.
        ties: what near ties, taken for ties, can add, rounded up.
    """

    error: Fraction
    curvature: Fraction
    drift: Fraction
    ties: Fraction = Fraction(0)

    @property
    def high(self) -> Fraction:
        """Certified upper bound."""
        return max(self.error, self.error + self.curvature + self.drift) + self.ties


@dataclass(frozen=True)
class AverageRung:
    """Δ lengths whose averages are known, and how far they carry.

    Attributes:
        length: the longest of the Δ lengths.
        reach: the next rung; None: every length.
        averages: at the Δ lengths.
        by_residue: what is proved of the lengths below `reach`, by length mod Δ.
    """

    length: int
    reach: int | None
    averages: AverageAgreement
    by_residue: dict[int, Carried]

    @property
    def low(self) -> Fraction:
        """The largest of the Δ averages, from below."""
        return self.averages.low

    @property
    def high(self) -> Fraction:
        """Certified upper bound at all lengths from the first of the Δ to the next rung."""
        return max(carried.high for carried in self.by_residue.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, rounded to the safe side."""
        return {
            "length": self.length,
            "reach": self.reach,
            "low": float_down(self.low),
            "high": float_up(self.high),
            "evaluations": self.averages.evaluations,
            "by_residue": {
                str(residue): {
                    "error": float_up(carried.error),
                    "curvature": float_up(carried.curvature),
                    "drift": float_up(carried.drift),
                    "ties": float_up(carried.ties),
                }
                for residue, carried in self.by_residue.items()
            },
        }


@dataclass(frozen=True)
class AverageLadder:
    """Both sides of sup ‖f − g‖_T over all lengths T ≥ `from_length`, T = ∞ included.

    Attributes:
        rungs: from short to long; the last one carries to every length, or up to the horizon.
        law: of the inputs.
        horizon: the longest length covered, where near ties were taken for ties; None: every one.
        limit: both sides of the limit of ‖f − g‖_T, by length mod Δ, where they are known.
        finished: False if the run was interrupted; both sides hold all the same.
    """

    rungs: tuple[AverageRung, ...]
    law: Law
    limit: dict[int, tuple[Fraction, Fraction]]
    finished: bool = True
    horizon: int | None = None

    @property
    def from_length(self) -> int:
        """The shortest length that is covered."""
        return min(self.rungs[0].averages.by_length)

    @property
    def low(self) -> Fraction:
        """Certified lower bound: an average at one of the lengths, or their limit."""
        return max([rung.low for rung in self.rungs] + [low for low, _ in self.limit.values()])

    @property
    def high(self) -> Fraction:
        """Certified upper bound for every length."""
        return max(rung.high for rung in self.rungs)

    @property
    def enclosure(self) -> tuple[Fraction, Fraction]:
        """(low, high)."""
        return self.low, self.high

    @property
    def by_residue(self) -> dict[int, tuple[Fraction, Fraction]]:
        """(low, high) for the lengths of each residue mod Δ."""
        found: dict[int, tuple[Fraction, Fraction]] = {}
        for residue in self.rungs[0].by_residue:
            lows = [
                entry.low
                for rung in self.rungs
                for length, entry in rung.averages.by_length.items()
                if length % len(self.rungs[0].by_residue) == residue
            ]
            lows += [self.limit[residue][0]] if residue in self.limit else []
            found[residue] = max(lows), max(r.by_residue[residue].high for r in self.rungs)
        return found

    @property
    def evaluations(self) -> int:
        """Number of count vectors looked at."""
        return sum(rung.averages.evaluations for rung in self.rungs)

    def table(self) -> str:
        """Return a line per rung: its average and what is added up to the next one."""
        cells = [
            [
                "length",
                "reaches to",
                "evaluations",
                "average",
                "curvature",
                "drift",
                "ties",
                "bound",
            ]
        ]
        for rung in self.rungs:
            worst = max(rung.by_residue.values(), key=lambda carried: carried.high)
            cells.append(
                [
                    show_integer(rung.length),
                    self._reach(rung),
                    show_integer(rung.averages.evaluations),
                    f"{float(worst.error):.6g}",
                    f"{float(worst.curvature):.2g}",
                    f"{float(worst.drift):.2g}",
                    f"{float(worst.ties):.2g}",
                    f"{float_up(rung.high):.6g}",
                ]
            )
        return "\n".join([str(self), *aligned(cells)])

    def _reach(self, rung: AverageRung) -> str:
        last = self.horizon if rung.reach is None else rung.reach
        return "∞" if last is None else show_integer(last)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, rounded to the safe side."""
        return {
            "law": str(self.law),
            "from_length": self.from_length,
            "horizon": self.horizon,
            "low": float_down(self.low),
            "high": float_up(self.high),
            "by_residue": {
                str(residue): [float_down(low), float_up(high)]
                for residue, (low, high) in self.by_residue.items()
            },
            "limit": {
                str(residue): [float_down(low), float_up(high)]
                for residue, (low, high) in self.limit.items()
            },
            "evaluations": self.evaluations,
            "finished": self.finished,
            "rungs": [rung.to_dict() for rung in self.rungs],
        }

    def __str__(self) -> str:
        """Return the enclosure in one line."""
        rest = "" if self.finished else " (interrupted)"
        to = "on" if self.horizon is None else f"to {show_integer(self.horizon)}"
        return (
            f"{float_down(self.low):.6g} ≤ largest average |f − g| over all lengths from "
            f"{show_integer(self.from_length)} {to} ≤ {float_up(self.high):.6g}{rest}"
        )

    def __repr__(self) -> str:
        """Return the class and what `str` says: the fields are more than a screen."""
        return f"<AverageLadder {self}>"


@usual_float_errors
def enclose_average(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    law: Law,
    length: int | None = None,
    horizon: int | None = None,
    factor: float = 2,
    accuracy: float = 0.01,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> AverageLadder:
    """Return both sides of sup ‖f − g‖_T over all lengths T ≥ length − Δ + 1, T = ∞ included.

    ‖f − g‖_T is the average of |f − g|, the largest output, over inputs of length T. Rungs are
    added where the bound is largest, until the two sides are close or the limit is reached. An
    interruption (Ctrl-C) leaves the rungs that were done; `.finished` is then False.

    Args:
        f: a model of one layer: in finite precision, without near ties from some length on or with
            a horizon, or in infinite precision with attention that is uniform.
        g: the other one, with the same |Σ| and number of outputs.
        law: a DirichletLaw or a FixedLaw.
        length: the longest of the Δ lengths of the first rung; None: the least one possible.
        horizon: the longest length of interest; near ties are then taken for ties, at a cost that
            grows with its logarithm. None: every length.
        factor: ratio of lengths, > 1, at which the ladder is continued.
        accuracy: stop where high − low ≤ accuracy·high.
        limit: the largest number of evaluations to do.
        progress: called with the evaluations done and `limit`.

    Raises:
        InputError: an argument is not usable, the theorem does not cover the models or the
            length, or the first rung would take more than `limit` evaluations.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    inputs = PairInputs(f, g)
    known = check_law(law, inputs.vocabulary_size, INSTEAD)
    for name, value, least in (("factor", factor, 1.0), ("accuracy", accuracy, 0.0)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > least:
            raise InputError(name, value, f"a number > {least:g}")
    if length is not None:
        length = read_length("length", length, 1)
    if horizon is not None:
        horizon = read_length("horizon", horizon, length or 1, or_none=True)
    climb = Climb(inputs, known, limit, progress, horizon)
    return climb.ladder(climb.start(length), factor, accuracy)


@dataclass
class Climb:
    """The rungs of two models under a law, as far as they were computed."""

    inputs: PairInputs
    law: DirichletLaw | FixedLaw
    limit: int
    progress: Progress | None = None
    horizon: int | None = None
    used: int = 0
    _shapes: dict[tuple[int, Suffix], Shape] = field(default_factory=dict)
    _limits: dict[tuple[int, Suffix], Floats | None] = field(default_factory=dict)
    _rungs: dict[int, dict[int, list[tuple[Fraction, Suffix, Moments]]]] = field(
        default_factory=dict
    )
    _rounding: dict[tuple[int, Suffix], Fraction] = field(default_factory=dict)
    _averages: dict[int, AverageAgreement] = field(default_factory=dict)
    _limit_found: dict[int, tuple[Fraction, Fraction]] | None = None
    _carried: dict[tuple[int, int | None], dict[int, Carried]] = field(default_factory=dict)

    def start(self, length: int | None) -> int:
        """Return the longest length of the first rung, if the theorem covers it.

        Raises:
            InputError: it does not.
        """
        least, obstacle = self.least_length()
        if least is None:
            allowed = (
                "for the average at every length: models whose unequal logits are far apart at "
                f"lengths that can be evaluated; {obstacle} (verify.agreement(..., law=law) gives "
                "the average at given lengths)"
            )
            raise InputError("f, g", "logits that are nearly equal", allowed)
        if self.horizon is not None and self.horizon < least:
            raise InputError("horizon", self.horizon, f"at least {least}; {obstacle}")
        if length is not None and length < least:
            allowed = (
                f"at least {least}, from where on no logits are nearly equal and each residue has "
                f"a position; {obstacle or 'shorter lengths: verify.agreement(..., law=law)'}"
            )
            raise InputError("length", length, allowed)
        return least if length is None else length

    def least_length(self) -> tuple[int | None, str]:
        """Return the least longest length of a first rung, and what forbids shorter ones.

        None: it is beyond reach.
        """
        inputs = self.inputs
        first = inputs.locality + 1 + inputs.period
        found: dict[tuple[str, int], Hardness] = {}
        for residue in range(inputs.period):
            for suffix in self._suffixes():
                context = Context(residue, suffix[::-1])
                for head in hardness(inputs, context, self.law, self.horizon):
                    key = head.head, head.precision_bits
                    known = found.get(key)
                    if head.gap is not None and (
                        known is None or known.gap is None or head.gap < known.gap
                    ):
                        found[key] = head
        least, obstacle = first, ""
        for head in found.values():
            if head.holds(least):
                continue
            obstacle = near_tie(head, least)
            if not head.holds(_FARTHEST):
                return None, obstacle
            low, high = least, _FARTHEST
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if head.holds(middle) else (middle, high)
            least = high
        return least + inputs.period - 1, obstacle

    def ladder(self, first: int, factor: float, accuracy: float) -> AverageLadder:
        """Return the ladder from a first rung on.

        Raises:
            InputError: the first rung would take more than the limit, or is not covered.
        """
        if not self.affordable(first):
            allowed = (
                f"at most {self.limit:,} evaluations (limit); length {show_integer(first)} takes "
                "more"
            )
            raise InputError("limit", self.limit, allowed)
        tops = [first]
        self.look(first)
        finished = True
        try:
            while True:
                found = self.assembled(tops, True)
                rounding = max(
                    e.rounding for top in tops for e in self.averages(top).by_length.values()
                )
                wanted = max(Fraction(accuracy) * found.high, 8 * Fraction(rounding))
                if found.high - found.low <= wanted or len(tops) == MOST_RUNGS:
                    break
                worst = max(range(len(tops)), key=lambda i: found.rungs[i].high)
                top = self.between(tops, worst, factor)
                if top is None or not self.affordable(top):
                    break
                self.look(top)
                tops = sorted([*tops, top])
        except KeyboardInterrupt:
            finished = False
        return self.assembled(tops, finished)

    def affordable(self, top: int) -> bool:
        """Return whether the Δ lengths up to this one are within the limit."""
        total = self.used
        for length in self._window(top):
            total += number_of_evaluations(self.inputs, self.law, length, self.limit)
            if total > self.limit:
                return False
        return True

    def look(self, top: int) -> None:
        """Compute the moments of the Δ lengths up to this one."""
        found: dict[int, list[tuple[Fraction, Suffix, Moments]]] = {}
        for length in self._window(top):
            sizes = self.inputs.column_sizes(length)
            entries = []
            for probability, one_class in likely_classes(self.inputs, self.law, length):
                residue = length % self.inputs.period
                shape = self._shape(residue, one_class.suffix)
                # Between the models and the tables that are evaluated.
                self._rounding[residue, one_class.suffix] = Fraction(one_class.rounding)
                weighted = WeightedVectors(one_class, self.law)
                result = moments(one_class, weighted, shape, sizes, self.count)
                entries.append((probability, one_class.suffix, result))
            found[length] = entries
        self._rungs[top] = found

    def count(self, evaluations: int) -> None:
        """Add to the evaluations done."""
        self.used += evaluations
        if self.progress is not None:
            self.progress(self.used, self.limit)

    def _window(self, top: int) -> range:
        return range(top - self.inputs.period + 1, top + 1)

    def between(self, tops: list[int], index: int, factor: float) -> int | None:
        """Return a new rung after one of the rungs, at a multiple of Δ from all others."""
        period, here = self.inputs.period, tops[index]
        if index + 1 < len(tops):
            above = tops[index + 1]
            wanted, most = math.sqrt(here * above), (above - here) // period - 1
        else:
            wanted, most = here * factor, (_FARTHEST - here) // period
        steps = min(max(round((wanted - here) / period), 1), most)
        return here + steps * period if steps >= 1 else None

    def _suffixes(self) -> list[Suffix]:
        tokens = range(self.inputs.vocabulary_size)
        every = itertools.product(tokens, repeat=self.inputs.locality + 1)
        return [suffix for suffix in every if self.law.probability(suffix)]

    def _shape(self, residue: int, suffix: Suffix) -> Shape:
        if (residue, suffix) not in self._shapes:
            context = Context(residue, suffix[::-1])
            self._shapes[residue, suffix] = shape_of(self.inputs, context, self.law, self.horizon)
        return self._shapes[residue, suffix]

    # ------------------------------------------------------------ from rung to rung

    def assembled(self, tops: list[int], finished: bool) -> AverageLadder:
        """Return the ladder with these rungs, all of them looked at."""
        reaches: list[int | None] = [*tops[1:], None]
        rungs = [
            AverageRung(top, reach, self.averages(top), self._carry(top, reach))
            for top, reach in zip(tops, reaches, strict=True)
        ]
        return AverageLadder(tuple(rungs), self.law, self._limit(), finished, self._reaches())

    def _reaches(self) -> int | None:
        """Return the horizon, if it matters."""
        loose = any(shape.loose for shape in self._shapes.values())
        return self.horizon if loose else None

    def averages(self, top: int) -> AverageAgreement:
        """Return the averages at the Δ lengths of a rung."""
        if top in self._averages:
            return self._averages[top]
        found = {}
        for length, entries in self._rungs[top].items():
            value = sum((p * Fraction(m.error) for p, _, m in entries), Fraction(0))
            bound = sum((p * Fraction(m.error_bound) for p, _, m in entries), Fraction(0))
            shown = float(value)
            bound += abs(value - Fraction(shown))
            evaluations = sum(m.evaluations for _, _, m in entries)
            found[length] = LengthAverage(shown, float_up(bound), evaluations)
        self._averages[top] = AverageAgreement(found, self.law)
        return self._averages[top]

    def _carry(self, top: int, reach: int | None) -> dict[int, Carried]:
        """Return what a rung proves up to the next one, by residue."""
        if (top, reach) not in self._carried:
            averages = self.averages(top).by_length
            self._carried[top, reach] = {
                length % self.inputs.period: self._one(top, reach, length, averages[length])
                for length in self._window(top)
            }
        return self._carried[top, reach]

    def _one(self, top: int, reach: int | None, length: int, average: LengthAverage) -> Carried:
        period = self.inputs.period
        if reach is not None and reach - top == period:  # no length lies between
            return Carried(average.high, Fraction(0), Fraction(0))
        residue = length % period
        curvature, drift, loose = Fraction(0), Fraction(0), Fraction(0)
        # Values of the models and of the tables that are evaluated differ by the rounding, which
        # the average's own bound holds once; here again for the longer length.
        error = average.high
        for index, (probability, suffix, here) in enumerate(self._rungs[top][length]):
            shape = self._shape(residue, suffix)
            if reach is None:
                kinks, bounds = self._kinks_at_infinity(residue, suffix, here)
                bias = np.zeros(len(shape.groups))
            else:
                there = self._rungs[reach][length + reach - top][index][2]
                kinks, bounds = there.kinks, there.kinks_bound
                bias = np.maximum(there.bias - there.bias_bound, 0.0)
            differences = (here.kinks - kinks) + (here.kinks_bound + bounds)
            rounding = 4 * UNIT * float(shape.weights @ (here.kinks + kinks))
            bent = math.fsum((shape.weights * differences).tolist()) + 2 * rounding
            moved = np.maximum(here.bias + here.bias_bound - bias, 0.0)
            slid = math.fsum((np.array(shape.steepness) * moved).tolist()) * (1 + 2.0**-20)
            curvature += probability * Fraction(bent)
            drift += probability * Fraction(slid)
            error += probability * Fraction(here.error_bound)
            if shape.loose:
                farthest = self.horizon if reach is None else reach
                assert farthest is not None
                ties = shape.looseness(length) + shape.looseness(max(farthest, length))
                loose += probability * ties
        return Carried(error, curvature, drift, loose)

    def _kinks_at_infinity(
        self, residue: int, suffix: Suffix, here: Moments
    ) -> tuple[Floats, Floats]:
        """Return lower bounds of E|l_k| in the limit, and 0 as the bound on their error."""
        shape = self._shape(residue, suffix)
        zero = np.zeros(shape.weights.size)
        if (residue, suffix) not in self._limits:
            self._limits[residue, suffix] = least_kinks(shape, self.law, suffix)
        found = self._limits[residue, suffix]
        if found is not None:
            return found, zero
        # Attention on different classes: Jensen's inequality, or the spread given the token law.
        lowest = least_means(shape, self.law, suffix)
        moved = zero.copy()
        for index, group in enumerate(shape.groups):
            table = shape.rounded[index][group.attended]
            width = (table.max(axis=0) - table.min(axis=0)) * (1 + 2.0**-20)
            bias = here.bias[index] + here.bias_bound[index]
            moved += width * (here.spread[index] / 2 + bias) * (1 + 2.0**-20)
        return np.maximum(lowest, here.kinks - here.kinks_bound - moved), zero

    def _limit(self) -> dict[int, tuple[Fraction, Fraction]]:
        """Return both sides of the limit of ‖f − g‖_T, where they are known."""
        if self._limit_found is not None:
            return self._limit_found
        found: dict[int, tuple[Fraction, Fraction]] = {}
        if self._reaches() is not None:
            return found
        for residue in range(self.inputs.period):
            low = high = Fraction(0)
            for suffix in self._suffixes():
                shape = self._shape(residue, suffix)
                both = error_at_infinity(shape, self.law, suffix)
                if both is None:
                    break
                probability = self.law.probability(suffix)
                rounding = self._rounding[residue, suffix]
                low += probability * max(both[0] - rounding, Fraction(0))
                high += probability * (both[1] + rounding)
            else:
                found[residue] = low, high
        self._limit_found = found
        return found
