"""Reports of checks: every input a row, nothing filtered; tables and JSON files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

from bounds.result import show_length
from verify.checks.verdict import Verdict, counts_of, overall, tally
from verify.errors import Counterexample
from verify.files import write_beside
from verify.lengths import show_integer, to_json


@dataclass(frozen=True)
class Row:
    """What one input showed.

    Attributes:
        family, seed: which input; see `verify.checks.inputs`.
        length: T = |x|.
        short_length: |z|; equal to T where x was short enough already.
        error_f, error_g: |f(x) − f(z)| and |g(x) − g(z)|, largest output.
        proven_error: what the theorem allows each of them to be, ε.
        largest_error: what they can be for any z with the last token and the residue of x; see
            `verify.checks.output_range`.
        rounding_allowance: what rounding alone can make of an error.
        hardmax: whether attention was hardmax at |x| and |z|.
        violations: conclusions of the theorem that failed; empty if it holds.
    """

    family: str
    seed: int
    length: int
    short_length: int
    error_f: float
    error_g: float
    proven_error: float
    largest_error: float
    rounding_allowance: float
    hardmax: bool
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no conclusion is violated."""
        return not self.violations

    @property
    def verdict(self) -> Verdict:
        """What this row says about the theorem."""
        if self.violations:
            return Verdict.FAILS
        if self.short_length == self.length:
            return Verdict.NOT_SHORTENED
        return Verdict.VACUOUS if self.proven_error >= self.largest_error else Verdict.HOLDS

    @property
    def error(self) -> float:
        """The larger of the two errors."""
        return max(self.error_f, self.error_g)


@dataclass
class Report:
    """One claim on one batch of inputs; it grows row by row and can be saved at any time.

    Attributes:
        name: name of the pair f, g.
        theorem: key of the theorem whose conclusions were tested.
        epsilon: error that it allows for each of f and g.
        limit, log2_limit: proven N (None if it has too many digits) and its log2.
        constants: what was measured on the pair, as keywords of `bounds.required_length`.
        control: name of the known-wrong map that was tested instead of the theorem's, or None.
        rows: one per input.
        counterexamples: the inputs with violations, with all that `replay` needs.
        models: f and g as plain data; filled in with the first counterexample.
        finished: False while inputs are still to come, or if the run was interrupted.
    """

    name: str
    theorem: str
    epsilon: Fraction
    limit: int | None
    log2_limit: float | None
    constants: Mapping[str, Any]
    control: str | None = None
    rows: list[Row] = field(default_factory=list)
    counterexamples: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    finished: bool = False

    @property
    def holds(self) -> bool:
        """Whether no input violates the theorem; `verdict` also says whether any could have."""
        return not self.counterexamples

    @property
    def verdict(self) -> Verdict:
        """The verdict of all rows together."""
        return overall(row.verdict for row in self.rows)

    def raise_for_counterexample(self) -> None:
        """Do nothing if the theorem holds on every input.

        Raises:
            Counterexample: it does not; `.data` is the report as plain data, models included.
        """
        if self.counterexamples:
            first = self.counterexamples[0]
            raise Counterexample(
                f"{self.name}: {self.theorem} fails on {len(self.counterexamples)} inputs, first "
                f"{first['family']}[{first['seed']}]: {'; '.join(first['violations'])}",
                self.to_dict(),
            )

    @property
    def worst(self) -> Row | None:
        """The input with the largest error; None without inputs."""
        return max(self.rows, key=lambda row: row.error, default=None)

    @property
    def limit_text(self) -> str:
        """N as tables show it."""
        if self.limit is not None and self.limit < 10**9:
            return show_integer(self.limit)
        return show_length(self.limit, self.log2_limit)

    def table(self, *, each: bool = False) -> str:
        """Return the results as text: a line per family of inputs, or per input with `each`."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            label = f"{row.family}[{row.seed}]" if each else row.family
            groups.setdefault(label, []).append(row)
        cells = [
            ["inputs", "", "longest T", "used |z|", "worst error", "proven", "of it", "theorem"]
        ]
        for label, rows in groups.items():
            worst = max(row.error for row in rows)
            cells.append(
                [
                    label,
                    str(len(rows)),
                    show_integer(max(row.length for row in rows)),
                    show_integer(max(row.short_length for row in rows)),
                    f"{worst:.3g}",
                    f"{float(self.epsilon):.3g}",
                    f"{worst / float(self.epsilon):.1%}",
                    tally(row.verdict for row in rows),
                ]
            )
        return "\n".join([self.headline(), *aligned(cells)])

    def headline(self) -> str:
        """Return the pair, the claim and N in one line."""
        map_used = f"; known-wrong map: {self.control}" if self.control else ""
        return (
            f"{self.name}: proven N = {self.limit_text} for ε = {show_fraction(self.epsilon)} "
            f"({self.theorem}{map_used})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; exact numbers as strings."""
        return {
            "name": self.name,
            "theorem": self.theorem,
            "control": self.control,
            "epsilon": str(self.epsilon),
            "limit": None if self.limit is None else to_json(self.limit),
            "log2_limit": self.log2_limit,
            "constants": {
                k: v if isinstance(v, int) else str(v) for k, v in self.constants.items()
            },
            "holds": self.holds,
            "verdict": self.verdict,
            "verdicts": counts_of(row.verdict for row in self.rows),
            "finished": self.finished,
            "rows": [_row_data(row) for row in self.rows],
            "counterexamples": self.counterexamples,
            "models": self.models,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON; `verify.replay` reads it. The old file stays until the end."""
        write_json(path, self.to_dict())


def summary_table(reports: Sequence[Report]) -> str:
    """Return one line per pair: proven N, used |z|, longest T, worst error, verdicts."""
    cells = [["pair", "ε", "proven N", "used |z|", "longest T", "worst error", "of ε", "theorem"]]
    for report in reports:
        shortened = [row for row in report.rows if row.short_length < row.length]
        worst = max((row.error for row in report.rows), default=0.0)
        verdicts = tally(row.verdict for row in report.rows) or "no rows"
        cells.append(
            [
                report.name,
                show_fraction(report.epsilon),
                report.limit_text,
                show_integer(max((row.short_length for row in shortened), default=0)),
                show_integer(max((row.length for row in report.rows), default=0)),
                f"{worst:.3g}",
                f"{worst / float(report.epsilon):.1%}",
                verdicts + ("" if report.finished else " (interrupted)"),
            ]
        )
    return "\n".join(aligned(cells))


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Write a file that is either complete or not there: first beside it, then renamed."""
    text = json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    write_beside(path, text.encode())


def _row_data(row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return asdict(row) | {
        "length": to_json(row.length),
        "short_length": to_json(row.short_length),
        "violations": list(row.violations),
        "verdict": row.verdict,
    }


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of text as lines with aligned columns; the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if number == 0 else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def show_fraction(value: Fraction) -> str:
    """The fraction itself where it is short, else four digits."""
    text = str(value)
    return text if len(text) <= 9 else f"{float(value):.4g}"
