"""One claim on one batch of inputs: shorten each input, measure, and report every violation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from verify.checks import inputs as families
from verify.checks.check_softmax import check_softmax
from verify.checks.inputs import Given, Input
from verify.checks.output_range import largest_error
from verify.checks.report import Report, Row
from verify.checks.slope_report import SlopeReport
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.model.plain import model_data, summary_data
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_sequence
from verify.simulation import OneLayerSimulator, simulator
from verify.simulation.argmax.summaries import LONGEST_INPUT

Progress = Callable[[Any, Any, int], None]
"""Called after each row with the report so far, the new row, and the number of rows to come in all.

The report has every row that was done, also when the check is interrupted afterwards."""


@usual_float_errors
def check(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    inputs: Iterable[Any] | None = None,
    theorem: str | None = None,
    length: int = 10**6,
    seed: int = 0,
    name: str = "f, g",
    progress: Progress | None = None,
    control: str | None = None,
) -> Report | SlopeReport:
    """Test a theorem's conclusions for f and g on many inputs; return the report.

    One layer in finite precision: a Report. Softmax models: a SlopeReport, see
    `verify.checks.check_softmax`; `theorem` is then left at None.

    Args:
        f: a model.
        g: the other model of the pair; without it, f stands for both.
        epsilon: ε > 0, the error allowed for each of f and g.
        inputs: arrays of tokens, Summaries, or `verify.checks.inputs.Input`s; by default
            `standard_inputs`, from harmless to hostile.
        theorem: key of the theorem; by default the one for the models' precision and layers.
        length: T of the long default inputs, 1 to 10⁸; inputs far longer are made as Summaries.
        seed: first seed of the default inputs, at least 0.
        name: what the report calls the pair.
        progress: called after each row with the report so far, the row, and the number of rows
            in all; whoever keeps that report loses nothing to an interruption.
        control: "truncated", or in finite precision "thinned", runs a map that is known to be
            wrong instead of the theorem's, to see the check fail.

    Raises:
        InputError: an argument is not usable.
    """
    if isinstance(f, LimitTransformer) and f.attention == "softmax":
        if theorem is not None:
            raise InputError("theorem", theorem, "None for softmax models")
        return check_softmax(
            f,
            g,
            epsilon=epsilon,
            inputs=inputs,
            length=length,
            seed=seed,
            name=name,
            progress=progress,
            control=control,
        )
    run = simulator(f, g, epsilon=epsilon, theorem=theorem, control=control)
    if inputs is None:
        inputs = standard_inputs(run, length=length, seed=seed)
    report = new_report(run, name)
    extend(report, run, inputs, progress)
    return report


def standard_inputs(run: OneLayerSimulator, *, length: int = 10**6, seed: int = 0) -> list[Input]:
    """Return the default inputs of a pair, with the lengths at which its bound changes.

    Raises:
        InputError: length or seed is not usable.
    """
    for name, value, least, most in (
        ("length", length, 1, LONGEST_INPUT),
        ("seed", seed, 0, 2**62),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InputError(name, value, f"an integer from {least} to {most}")
    return families.standard(
        vocabulary_size=run.f.vocabulary_size,
        period=run.period,
        locality=run.locality,
        marks=run.marks(),
        length=length,
        seed=seed,
    )


def new_report(run: OneLayerSimulator, name: str) -> Report:
    """Return a report without rows."""
    return Report(
        name=name,
        theorem=run.theorem,
        epsilon=run.epsilon,
        limit=run.bound.length,
        log2_limit=run.bound.log2_length,
        constants=run.constants.parameters(),
        control=run.control,
    )


@usual_float_errors
def extend(
    report: Report,
    run: OneLayerSimulator,
    inputs: Iterable[Any],
    progress: Progress | None = None,
) -> None:
    """Add a row per input. An interruption leaves the rows of the inputs that were done."""
    batch = [_named(number, x) for number, x in enumerate(inputs)]
    for entry in batch:
        row = _tested(report, run, entry)
        report.rows.append(row)
        if progress is not None:
            progress(report, row, len(batch))
    report.finished = True


def _named(number: int, x: Any) -> Input:
    if isinstance(x, Input):
        return x
    length = x.length if isinstance(x, Summary) else as_sequence(x, f"inputs[{number}]").size
    return Input("given", number, length, Given(x))


def _tested(report: Report, run: OneLayerSimulator, entry: Input) -> Row:
    simulation = run(entry.build())
    row = Row(
        family=entry.family,
        seed=entry.seed,
        length=simulation.summary.length,
        short_length=simulation.length,
        error_f=simulation.error_f,
        error_g=simulation.error_g,
        proven_error=simulation.proven_error,
        largest_error=largest_error(run.f, run.g),
        rounding_allowance=simulation.rounding_allowance,
        hardmax=simulation.hardmax,
        violations=simulation.violations,
    )
    if not row.holds:
        report.counterexamples.append(
            {
                "family": row.family,
                "seed": row.seed,
                "violations": list(row.violations),
                "summary": summary_data(simulation.summary),
            }
        )
        report.models = {"f": model_data(run.f), "g": model_data(run.g)}
    return row
