"""How fast |f(x) − f(z)| falls with the length of z: measured, and fitted as a power of n.

For two softmax layers the balanced map is proven to reach n^(−1/2) ([derived, Lemma B3]); the
paper's random keep/drop chain has n^(−1/3) ([izzo2025, Lemma 5.3]). For one layer the rounding
map has n^(−min(γ, 1)) ([derived, Theorem B5]).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.errors import InputError
from verify.replay import model_data
from verify.report import aligned, show_integer, write_json
from verify.simulation.balanced import simulate_balanced
from verify.simulation.random_chain import simulate_random_chain
from verify.simulation.result import Simulation
from verify.simulation.softmax_one_layer import simulate_softmax_one_layer
from verify.transformer import LimitTransformer

Tokens = NDArray[np.int64]
Family = Callable[[int], Tokens]
"""From the length n wanted for z to the long input x."""

BALANCED, CHAIN, ROUNDING = "balanced", "random chain", "rounding"

_LEAST_ERROR = 1e-12
"""Errors below are rounding, and no part of a fit."""


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

    @property
    def holds(self) -> bool:
        """Whether the proven error is respected."""
        return self.proven_error is None or self.worst <= self.proven_error


@dataclass
class SlopeReport:
    """Errors of the maps on families of inputs, with fitted slopes.

    Attributes:
        name: name of the pair f, g.
        theorem: key of the theorem whose proven errors were tested.
        proven_exponent: rate of the theorem's map, −min(γ, 1/2) or −min(γ, 1).
        rows: one per family, map and length.
        counterexamples: rows that violate the theorem, with x; `models` then has the weights.
        models: f and g as plain data; filled in with the first counterexample.
    """

    name: str
    theorem: str
    proven_exponent: float
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
            cells.append([
                family,
                show_integer(max(row.input_length for row in rows)),
                name,
                f"{first.length:,}…{last.length:,}",
                f"{first.error:.2g} → {last.error:.2g}",
                str(fit) if fit else "–",
                rate.replace("-", "−"),
                verdict,
            ])  # fmt: skip
        return "\n".join(
            [f"{self.name}: |f(x) − f(z)| against n = |z| ({self.theorem})", *aligned(cells)]
        )

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
            "holds": self.holds,
            "fits": fits,
            "rows": [asdict(row) for row in self.rows],
            "counterexamples": self.counterexamples,
            "models": self.models,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON; the old file stays until the new one is complete."""
        write_json(path, self.to_dict())


def measure_slopes(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    lengths: Sequence[int],
    families: Mapping[str, Family] | None = None,
    draws: int = 20,
    seed: int = 0,
    name: str = "f, g",
    progress: Callable[[SlopeRow], None] | None = None,
) -> SlopeReport:
    """Measure |f(x) − f(z)| of the maps that cover f and g, for growing n = |z|.

    Args:
        f: one or two layers in infinite precision.
        g: another such model, or None.
        lengths: the n, increasing.
        families: name → function from n to x; default `standard_families`.
        draws: outcomes of the random chain per input, seeds `seed`, `seed` + 1, ….
        seed: first seed.
        name: what the report calls the pair.
        progress: called after each row.

    Raises:
        InputError: lengths not increasing integers, draws < 1, or an x that is no input.
        WeightsError: no theorem covers f and g.
    """
    given = list(lengths)
    if not given or any(a >= b for a, b in pairwise(given)) or given[0] < 1:
        raise InputError("lengths", lengths, "increasing integers, at least 1")
    if draws < 1:
        raise InputError("draws", draws, "an integer, at least 1")
    if families is None:
        families = standard_families(f.vocabulary_size, longest=given[-1])
    report = _new_report(f, g, name)
    for family, build in families.items():
        for n in given:
            x = build(n)
            for map, results in _simulations(x, f, g, n, draws, seed).items():
                row = _row(family, map, n, len(x), results)
                report.rows.append(row)
                if not row.holds:
                    report.counterexamples.append(asdict(row) | {"x": x.tolist()})
                    report.models = {"f": model_data(f), "g": model_data(g or f)}
                if progress is not None:
                    progress(row)
    return report


def standard_families(vocabulary_size: int, *, longest: int, ratio: int = 100) -> dict[str, Family]:
    """Four long inputs with T = ratio · n: long runs, drifting frequencies, a period, chance.

    Args:
        vocabulary_size: |Σ|.
        longest: the largest n; runs are four times the longest piece of its balanced z.
        ratio: T/n.
    """
    run = 4 * int(np.ceil(np.sqrt(2 * longest)))

    def drift(n: int) -> Tokens:
        rng = np.random.default_rng(1)
        late = rng.random(ratio * n) < np.linspace(0, 1, ratio * n)
        return late.astype(np.int64) * (vocabulary_size - 1)

    return {
        f"runs of {run}": lambda n: np.arange(ratio * n) // run % vocabulary_size,
        "drift": drift,
        "period 7": lambda n: np.resize(
            np.random.default_rng(2).integers(vocabulary_size, size=7), ratio * n
        ),
        "uniform": lambda n: np.random.default_rng(3).integers(vocabulary_size, size=ratio * n),
    }


def _simulations(
    x: Tokens, f: LimitTransformer, g: LimitTransformer | None, n: int, draws: int, seed: int
) -> dict[str, list[Simulation]]:
    if len(f.layers) == 1:
        return {ROUNDING: [simulate_softmax_one_layer(x, f, g, length=n)]}
    return {
        BALANCED: [simulate_balanced(x, f, g, length=n)],
        CHAIN: [simulate_random_chain(x, f, g, length=n, seed=seed + k) for k in range(draws)],
    }


def _row(family: str, map: str, n: int, total: int, results: list[Simulation]) -> SlopeRow:
    errors = [result.error for result in results]
    return SlopeRow(
        family=family,
        map=map,
        length=n,
        short_length=float(np.mean([result.length for result in results])),
        input_length=total,
        draws=len(results),
        error=float(np.mean(errors)),
        worst=max(errors),
        proven_error=results[0].proven_error,
    )


def _new_report(f: LimitTransformer, g: LimitTransformer | None, name: str) -> SlopeReport:
    from verify.measure import measure

    constants = measure(f, g)
    margin = getattr(constants, "positional_margin", Fraction(1))
    layers = len(f.layers)
    key = "derived.one_layer_softmax"
    if layers == 2:
        key = "derived.two_layer_softmax" + ("" if constants.period == 1 else "_periodic")
    rate = min(margin, Fraction(1) if layers == 1 else Fraction(1, 2))
    return SlopeReport(name=name, theorem=key, proven_exponent=-float(rate))
