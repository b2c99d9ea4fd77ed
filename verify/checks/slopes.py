"""How fast |f(x) − f(z)| falls with the length of z: measured, and fitted as a power of n.

For two softmax layers the balanced map is proven to reach n^(−1/2) ([derived, Lemma B3⁺]), and
(ln n)/n without lag biases; the paper's random keep/drop chain has n^(−1/3) ([izzo2025, Lemma
5.3]). For one layer the rounding map has n^(−min(γ, 1)) ([derived, Theorem B5]). For any depth the
balanced map has n^(−1/2) up to logarithms ([derived, Theorem D]).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.checks.output_range import largest_error
from verify.checks.slope_report import (
    BALANCED,
    CHAIN,
    DEEP,
    GROWING,
    ROUNDING,
    TRUNCATED,
    SlopeReport,
    SlopeRow,
)
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.model.plain import model_data, model_from
from verify.model.transformer import LimitTransformer
from verify.simulation.result import Simulation
from verify.simulation.softmax.balanced import simulate_balanced
from verify.simulation.softmax.controls import CONTROLS, simulate_truncated
from verify.simulation.softmax.deep import covers_only_depth, simulate_deep
from verify.simulation.softmax.one_layer import simulate_softmax_one_layer
from verify.simulation.softmax.random_chain import simulate_random_chains
from verify.simulation.softmax.simulator import SoftmaxSimulator

Tokens = NDArray[np.int64]
Family = Callable[[int], Tokens]
"""From the length n wanted for z to the long input x."""
Progress = Callable[[SlopeReport, SlopeRow, int], None]
"""Called with the report so far, the new row, and the number of rows in all."""


def measure_slopes(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any = None,
    lengths: Sequence[int],
    families: Mapping[str, Family] | None = None,
    draws: int = 20,
    seed: int = 0,
    name: str = "f, g",
    progress: Progress | None = None,
    control: str | None = None,
    maps: Sequence[str] | None = None,
) -> SlopeReport:
    """Measure |f(x) − f(z)| of the maps that cover f and g, for growing n = |z|.

    Args:
        f: a model in infinite precision.
        g: another such model, or None.
        epsilon: ε > 0 to state the proven N for; None for no such statement.
        lengths: the n, increasing.
        families: name → function from n to x; default `standard_families`.
        draws: outcomes of the random chain per input, seeds `seed`, `seed` + 1, ….
        seed: first seed.
        name: what the report calls the pair.
        progress: called after each row with the report so far, the row, and the number of rows
            in all; whoever keeps that report loses nothing to an interruption.
        control: "truncated" runs a map that is known to be wrong instead of the theorem's.
        maps: which maps, by their names in reports. None (default): one layer "rounding", two
            layers "balanced, q = 1" and "random chain"; "balanced" has the pieces that
            `verify.simulate` takes, of least proven error, and takes minutes on long inputs.

    Raises:
        InputError: lengths not increasing integers, draws < 1, no such control or map, or an x
            that is no input.
        WeightsError: no theorem covers f and g.
    """
    given = list(lengths)
    if not given or any(a >= b for a, b in pairwise(given)) or given[0] < 1:
        raise InputError("lengths", lengths, "increasing integers, at least 1")
    if draws < 1:
        raise InputError("draws", draws, "an integer, at least 1")
    if families is None:
        families = standard_families(f.vocabulary_size, longest=given[-1])
    report = new_slope_report(f, g, name=name, epsilon=epsilon, control=control)
    seeds = range(seed, seed + draws)
    extend_slopes(report, f, g, given, families, seeds, progress, maps)
    return report


@usual_float_errors
def new_slope_report(
    f: LimitTransformer,
    g: LimitTransformer | None,
    *,
    name: str,
    epsilon: Any = None,
    control: str | None = None,
) -> SlopeReport:
    """Return a report without rows; measures the pair.

    Raises:
        InputError: no such control.
        WeightsError: no theorem covers f and g.
    """
    if control is not None and control not in CONTROLS:
        raise InputError("control", control, f"one of {', '.join(CONTROLS)}, or None")
    run = SoftmaxSimulator(f, g, 1 if epsilon is None else epsilon)
    margin = run.constants.parameters()["positional_margin"]
    halved = run.pair.layers > 1 and run.constants.locality > 0
    rate = min(margin, Fraction(1, 2) if halved else Fraction(1))
    report = SlopeReport(
        name=name, theorem=run.theorem, proven_exponent=-float(rate), control=control
    )
    if epsilon is not None:
        report.epsilon = run.epsilon
        report.limit, report.log2_limit = run.bound.length, run.bound.log2_length
    return report


@usual_float_errors
def extend_slopes(
    report: SlopeReport,
    f: LimitTransformer,
    g: LimitTransformer | None,
    lengths: Sequence[int],
    families: Mapping[str, Family],
    seeds: Sequence[int],
    progress: Progress | None = None,
    maps: Sequence[str] | None = None,
) -> None:
    """Add a row per family, length and map. An interruption leaves the rows that were done.

    Raises:
        InputError: a map that there is not for so many layers.
    """
    known = _maps(f, g)
    if maps is None:
        maps = known[:2] if report.control is None else (TRUNCATED,)
    elif unknown := [name for name in maps if name not in known]:
        raise InputError("maps", unknown[0], f"some of {', '.join(known)}")
    total = len(families) * len(lengths) * len(maps)
    largest = largest_error(f, g)
    for family, build in families.items():
        for n in lengths:
            x = build(n)
            for map in maps:
                results = run_map(map, x, f, g, n, seeds)
                row = _row(family, map, n, len(x), results, largest)
                report.rows.append(row)
                if not row.holds:
                    report.counterexamples.append(asdict(row) | {"x": x.tolist()})
                    report.models = {"f": model_data(f), "g": None if g is None else model_data(g)}
                if progress is not None:
                    progress(report, row, total)
    report.finished = True


def _maps(f: LimitTransformer, g: LimitTransformer | None) -> tuple[str, ...]:
    """The maps that cover the models, those run by default first.

    For two layers the theorem's map with growing pieces, and the paper's random chain. The pieces
    of least proven error are many short ones: one linear program each, minutes for long inputs.
    """
    if covers_only_depth(f, g):
        return (DEEP,)
    return (ROUNDING,) if len(f.layers) == 1 else (GROWING, CHAIN, BALANCED)


def standard_families(
    vocabulary_size: int, *, longest: int, ratio: int = 100, most: int = 10**7
) -> dict[str, Family]:
    """Six long inputs with T = ratio · n, from harmless to hostile; they can be pickled.

    Long runs, drifting frequencies, a period, chance; and two whose last n tokens, a constant or
    long runs, say nothing of the alternation before.

    Args:
        vocabulary_size: |Σ|.
        longest: the largest n; runs are four times the longest piece of its balanced z.
        ratio: T/n.
        most: largest T.
    """
    run = 4 * int(np.ceil(np.sqrt(2 * longest)))
    builders: dict[str, Callable[[int, int], Tokens]] = {
        f"runs of {run}": partial(_runs, vocabulary_size, run),
        "drift": partial(_drift, vocabulary_size),
        "period 7": partial(_periodic, vocabulary_size),
        "uniform": partial(_uniform, vocabulary_size),
        "late constant": partial(_late_constant, vocabulary_size),
        "late runs": partial(_late_runs, vocabulary_size),
    }
    return {name: partial(_sized, build, ratio, most) for name, build in builders.items()}


def _sized(build: Callable[[int, int], Tokens], ratio: int, most: int, n: int) -> Tokens:
    """The input of a family for one n."""
    return build(min(ratio * n, most), n)


def _runs(vocabulary_size: int, run: int, total: int, n: int) -> Tokens:
    return np.arange(total) // run % vocabulary_size


def _drift(vocabulary_size: int, total: int, n: int) -> Tokens:
    late = np.random.default_rng(1).random(total) < np.linspace(0, 1, total)
    return late.astype(np.int64) * (vocabulary_size - 1)


def _periodic(vocabulary_size: int, total: int, n: int) -> Tokens:
    return np.resize(np.random.default_rng(2).integers(vocabulary_size, size=7), total)


def _uniform(vocabulary_size: int, total: int, n: int) -> Tokens:
    return np.random.default_rng(3).integers(vocabulary_size, size=total)


def _late_constant(vocabulary_size: int, total: int, n: int) -> Tokens:
    x = np.arange(total) % vocabulary_size
    x[-n:] = vocabulary_size - 1
    return x


def _late_runs(vocabulary_size: int, total: int, n: int) -> Tokens:
    x = np.arange(total) % vocabulary_size
    run = int(np.ceil(np.sqrt(2 * n)))
    x[-n:] = np.arange(min(n, total)) // run % vocabulary_size
    return x


def run_map(
    map: str, x: Any, f: LimitTransformer, g: LimitTransformer | None, n: int, seeds: Sequence[int]
) -> list[Simulation]:
    """Outcomes of a map at length n: one per seed of the random chain, one for other maps."""
    if map == CHAIN:
        return simulate_random_chains(x, f, g, length=n, seeds=seeds)
    simulate = _SINGLE_MAPS[map]
    return [simulate(x, f, g, length=n)]


def replay_slopes(report: Mapping[str, Any]) -> list[Simulation]:
    """Run the counterexamples of a saved slope report again."""
    f, g = (report["models"][name] and model_from(report["models"][name]) for name in "fg")
    return [
        run_map(found["map"], np.array(found["x"]), f, g, found["length"], [0])[0]
        for found in report["counterexamples"]
    ]


def _row(
    family: str, map: str, n: int, total: int, results: list[Simulation], largest: float
) -> SlopeRow:
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
        largest_error=largest,
        rounding_allowance=max(result.rounding_allowance for result in results),
    )


_SINGLE_MAPS: dict[str, Callable[..., Simulation]] = {
    BALANCED: simulate_balanced,
    DEEP: simulate_deep,
    GROWING: partial(simulate_balanced, theta=1),
    ROUNDING: simulate_softmax_one_layer,
    TRUNCATED: simulate_truncated,
}
