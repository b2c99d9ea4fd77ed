"""Errors against the length of z: rows, power-law fits, tables and files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np

from bounds.result import show_length
from verify.checks.verdict import Verdict, counts_of, overall, tally
from verify.lengths import show_integer, to_json
from verify.tables import aligned, show_fraction, write_json

BALANCED, CHAIN, ROUNDING, TRUNCATED = "balanced", "random chain", "rounding", "truncated"
DEEP = "balanced, any depth"
GROWING = "balanced, q = 1"
"""The balanced map with pieces of 1, 2, 3, … periods, as in [derived, Lemma B3]."""

_LEAST_ERROR = 1e-12
"""Errors below are rounding, and no part of a fit."""

SLOPE_NOTE = """\
proven: the theorem's bound on the error at the largest n; "of it": the largest measured/proven
over all n. The rate is that of the bound, which the errors of the theorem's map stay below; the
fitted slope is that of the errors themselves. Below the bound they may fall at any slope: a fit
flatter than the rate, such as −0.25 ± 0.15 beside −0.5, means errors that are small already at
short n (and, by its ±, few points that scatter), and contradicts nothing."""
"""What stands below tables and figures of slopes."""


@dataclass(frozen=True)
class PowerFit:
    """Least squares line through (log n, log error).

    Attributes:
        exponent: its slope.
        standard_error: of the slope, from the residuals.
        points: number of points; those with an error below 1e-12 are left out.
    """

    exponent: float
    standard_error: float
    points: int

    def __str__(self) -> str:
        """Slope and standard error, two decimals."""
        return f"{self.exponent:+.2f} ± {self.standard_error:.2f}".replace("-", "−")


def fit_power(lengths: Iterable[float], errors: Iterable[float]) -> PowerFit | None:
    """Fit error ∝ n^exponent; None with fewer than three points."""
    pairs = [(n, e) for n, e in zip(lengths, errors, strict=True) if e > _LEAST_ERROR]
    if len({n for n, _ in pairs}) < 3:
        return None
    x, y = np.log(np.array(pairs, dtype=np.float64)).T
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    residuals = y - y.mean() - slope * centred
    variance = float(residuals @ residuals) / (len(x) - 2) / float(centred @ centred)
    return PowerFit(slope, variance**0.5, len(x))


@dataclass(frozen=True)
class SlopeRow:
    """One map on one input at one length.

    Attributes:
        family: name of the input.
        map: "balanced" (pieces with the least proven error), "balanced, q = 1", "random chain" or
            "rounding"; "truncated" for the known-wrong map.
        length: n, the length asked for.
        short_length: |z|, the mean over the draws.
        input_length: T.
        draws: outcomes of a random map; 1 for the others.
        error: |f(x) − f(z)|, the larger one of f and g, the mean over the draws.
        worst: the same, the largest of the draws.
        proven_error: what the theorem allows; None where it proves nothing.
        largest_error: what the error can be for any z with the last token and the residue of x;
            see `verify.checks.output_range`.
        rounding_allowance: what rounding alone can make of an error.
    """

    family: str
    map: str
    length: int
    short_length: float
    input_length: int
    draws: int
    error: float
    worst: float
    proven_error: float | None
    largest_error: float
    rounding_allowance: float

    @property
    def holds(self) -> bool:
        """Whether the proven error is respected."""
        beyond = self.worst - self.rounding_allowance
        return self.proven_error is None or beyond <= self.proven_error

    @property
    def share(self) -> float | None:
        """Measured error / proven error; None where nothing was tried or proved."""
        return self.worst / self.proven_error if self.proven_error else None

    @property
    def verdict(self) -> Verdict:
        """What this row says about the theorem."""
        if not self.holds:
            return Verdict.FAILS
        if self.short_length == self.input_length:
            return Verdict.NOT_SHORTENED
        if self.proven_error is None:
            return Verdict.NO_CLAIM
        return Verdict.VACUOUS if self.proven_error >= self.largest_error else Verdict.HOLDS


@dataclass
class SlopeReport:
    """Errors of the maps on families of inputs, with fitted slopes.

    Attributes:
        name: name of the pair f, g.
        theorem: key of the theorem whose proven errors were tested.
        proven_exponent: rate of the theorem's map: −min(γ, 1/2) for two layers with a lag bias,
            −min(γ, 1) otherwise, for two layers up to a logarithm.
        epsilon, limit, log2_limit: with an ε, the proven N at which both errors are at most ε
            (None if it has too many digits) and its log2; else None.
        rows: one per family, map and length.
        control: name of the known-wrong map that was tested instead of the theorem's, or None.
        counterexamples: rows that violate the theorem, with x; `models` then has the weights.
        models: f and g as plain data; filled in with the first counterexample.
        finished: False while rows are still to come, or if the run was interrupted.
    """

    name: str
    theorem: str
    proven_exponent: float
    epsilon: Fraction | None = None
    limit: int | None = None
    log2_limit: float | None = None
    control: str | None = None
    rows: list[SlopeRow] = field(default_factory=list)
    counterexamples: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    finished: bool = False

    @property
    def holds(self) -> bool:
        """Whether no measured error exceeds the proven one; `verdict` also says if any could."""
        return not self.counterexamples

    @property
    def verdict(self) -> Verdict:
        """The verdict of all rows together."""
        return overall(row.verdict for row in self.rows)

    @property
    def worst(self) -> SlopeRow | None:
        """The row that comes nearest to its proven error; None without such rows."""
        proven = [row for row in self.rows if row.share is not None]
        return max(proven, key=lambda row: row.share or 0.0, default=None)

    def lines(self) -> dict[tuple[str, str], list[SlopeRow]]:
        """Rows by (family, map), in the order of measurement."""
        found: dict[tuple[str, str], list[SlopeRow]] = {}
        for row in self.rows:
            found.setdefault((row.family, row.map), []).append(row)
        return found

    def fit(self, family: str, map: str) -> PowerFit | None:
        """Slope of log error against log |z| for one family and map; None below three points."""
        rows = self.lines().get((family, map), [])
        return fit_power([row.short_length for row in rows], [row.error for row in rows])

    def table(self) -> str:
        """Return the results as text: a line per family and map."""
        titles = ["input", "T up to", "map", "n", "error", "proven", "of it"]
        cells = [[*titles, "fitted slope", "rate", "theorem"]]
        for (family, name), rows in self.lines().items():
            tried = [row for row in rows if row.verdict is not Verdict.NOT_SHORTENED] or rows
            first, last = tried[0], tried[-1]
            fit = self.fit(family, name)
            rate = "−1/3 (paper)" if name == CHAIN else f"{self.proven_exponent:.3g} (proven)"
            shares = [row.share for row in rows if row.share is not None]
            cells.append(
                [
                    family,
                    show_integer(max(row.input_length for row in rows)),
                    name,
                    f"{first.length:,}…{last.length:,}",
                    f"{first.error:.2g} → {last.error:.2g}",
                    "–" if last.proven_error is None else f"{last.proven_error:.2g}",
                    f"{max(shares):.1%}" if shares else "–",
                    str(fit) if fit else "–",
                    rate.replace("-", "−"),
                    tally(row.verdict for row in rows),
                ]
            )
        return "\n".join([self.headline(), *aligned(cells)])

    def headline(self) -> str:
        """Return the pair, the claim, and N where an ε was given, in one line."""
        map_used = f"; known-wrong map: {self.control}" if self.control else ""
        line = f"{self.name}: |f(x) − f(z)| against n = |z| ({self.theorem}{map_used})"
        if self.rows:
            line += f", at most {max(row.largest_error for row in self.rows):.3g} for any z"
        if self.epsilon is None:
            return line
        return f"{line}; proven N = {self.limit_text} for ε = {show_fraction(self.epsilon)}"

    @property
    def limit_text(self) -> str:
        """N as tables show it."""
        if self.limit is not None and self.limit < 10**9:
            return show_integer(self.limit)
        return show_length(self.limit, self.log2_limit or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        fits = []
        for family, name in self.lines():
            fit = self.fit(family, name)
            fits.append({"family": family, "map": name, "fit": asdict(fit) if fit else None})
        return {
            "name": self.name,
            "theorem": self.theorem,
            "proven_exponent": self.proven_exponent,
            "control": self.control,
            "epsilon": None if self.epsilon is None else str(self.epsilon),
            "limit": None if self.limit is None else to_json(self.limit),
            "log2_limit": self.log2_limit,
            "holds": self.holds,
            "verdict": self.verdict,
            "verdicts": counts_of(row.verdict for row in self.rows),
            "finished": self.finished,
            "fits": fits,
            "rows": [_row_data(row) for row in self.rows],
            "counterexamples": self.counterexamples,
            "models": self.models,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON; the old file stays until the new one is complete."""
        write_json(path, self.to_dict())


def slope_summary(reports: Iterable[SlopeReport]) -> str:
    """Return one line per pair: proven N, the range of n, measured/proven, verdicts."""
    cells = [["pair", "ε", "proven N", "n", "proven at n", "any z", "worst of it", "theorem"]]
    for report in reports:
        tested = [row for row in report.rows if row.share is not None]
        worst, last = report.worst, max(tested, key=lambda row: row.length, default=None)
        verdicts = tally(row.verdict for row in report.rows) or "no rows"
        cells.append(
            [
                report.name,
                "–" if report.epsilon is None else show_fraction(report.epsilon),
                "–" if report.epsilon is None else report.limit_text,
                "–" if last is None else f"{tested[0].length:,}…{last.length:,}",
                "–" if last is None else f"{last.proven_error:.2g}",
                "–" if last is None else f"{last.largest_error:.2g}",
                "–" if worst is None else f"{worst.share:.1%}",
                verdicts + ("" if report.finished else " (interrupted)"),
            ]
        )
    return "\n".join(aligned(cells))


def _row_data(row: SlopeRow) -> dict[str, Any]:
    """A row as plain data; JSON has no infinity, so that one is written as text."""
    numbers = {"proven_error": row.proven_error, "largest_error": row.largest_error}
    safe = {name: "inf" if value == inf else value for name, value in numbers.items()}
    return asdict(row) | safe | {"share": row.share, "verdict": row.verdict}
