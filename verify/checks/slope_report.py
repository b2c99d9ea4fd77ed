"""Errors against the length of z: rows, power-law fits, tables and files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.result import show_length
from verify.tables import aligned, show_fraction, show_integer, write_json

BALANCED, CHAIN, ROUNDING = "balanced", "random chain", "rounding"

_LEAST_ERROR = 1e-12
"""Errors below are rounding, and no part of a fit."""
_LONGEST_LOG2 = 13_000.0
"""Longer numbers are not written out in files."""


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
        map: "balanced", "random chain" or "rounding".
        length: n, the length asked for.
        short_length: |z|, the mean over the draws.
        input_length: T.
        draws: outcomes of a random map; 1 for the others.
        error: |f(x) − f(z)|, the larger one of f and g, the mean over the draws.
        worst: the same, the largest of the draws.
        proven_error: what the theorem allows; None where it proves nothing.
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
    rounding_allowance: float

    @property
    def holds(self) -> bool:
        """Whether the proven error is respected."""
        beyond = self.worst - self.rounding_allowance
        return self.proven_error is None or beyond <= self.proven_error


@dataclass
class SlopeReport:
    """Errors of the maps on families of inputs, with fitted slopes.

    Attributes:
        name: name of the pair f, g.
        theorem: key of the theorem whose proven errors were tested.
        proven_exponent: rate of the theorem's map, −min(γ, 1/2) or −min(γ, 1).
        epsilon, limit, log2_limit: with an ε, the proven N at which both errors are at most ε
            (None if it has too many digits) and its log2; else None.
        rows: one per family, map and length.
        counterexamples: rows that violate the theorem, with x; `models` then has the weights.
        models: f and g as plain data; filled in with the first counterexample.
    """

    name: str
    theorem: str
    proven_exponent: float
    epsilon: Fraction | None = None
    limit: int | None = None
    log2_limit: float | None = None
    rows: list[SlopeRow] = field(default_factory=list)
    counterexamples: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether no measured error exceeds the proven one."""
        return not self.counterexamples

    @property
    def worst(self) -> SlopeRow | None:
        """The row that comes nearest to its proven error; None without such rows."""
        proven = [row for row in self.rows if row.proven_error]
        return max(proven, key=lambda row: row.worst / (row.proven_error or 1.0), default=None)

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
        cells = [["input", "T up to", "map", "n", "error", "fitted slope", "rate", "theorem"]]
        for (family, name), rows in self.lines().items():
            first, last = rows[0], rows[-1]
            fit = self.fit(family, name)
            rate = "−1/3 (paper)" if name == CHAIN else f"{self.proven_exponent:.3g} (proven)"
            tested = [row for row in rows if row.proven_error is not None]
            failed = sum(not row.holds for row in rows)
            verdict = "–" if not tested else f"FAILS on {failed}" if failed else "holds"
            cells.append(
                [
                    family,
                    show_integer(max(row.input_length for row in rows)),
                    name,
                    f"{first.length:,}…{last.length:,}",
                    f"{first.error:.2g} → {last.error:.2g}",
                    str(fit) if fit else "–",
                    rate.replace("-", "−"),
                    verdict,
                ]
            )
        return "\n".join([self.headline(), *aligned(cells)])

    def headline(self) -> str:
        """Return the pair, the claim, and N where an ε was given, in one line."""
        line = f"{self.name}: |f(x) − f(z)| against n = |z| ({self.theorem})"
        if self.epsilon is None:
            return line
        shown = show_length(self.limit, self.log2_limit or 0.0)
        return f"{line}; proven N = {shown} for ε = {show_fraction(self.epsilon)}"

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
            "epsilon": None if self.epsilon is None else str(self.epsilon),
            "limit": self.limit if (self.log2_limit or 0.0) < _LONGEST_LOG2 else None,
            "log2_limit": self.log2_limit,
            "holds": self.holds,
            "fits": fits,
            "rows": [asdict(row) for row in self.rows],
            "counterexamples": self.counterexamples,
            "models": self.models,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON; the old file stays until the new one is complete."""
        write_json(path, self.to_dict())
