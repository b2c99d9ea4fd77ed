"""Writes docs/ratios.md and the table of the eight cells in docs/theory.md.

    python docs/ratios.py                     the pages, from the package as it is
    python docs/ratios.py --record COMMIT     docs/ratios_before.csv, from the package imported

The numbers called "before" are those of the first edition, COMMIT. To record them again:

    git worktree add ../first COMMIT
    PYTHONPATH=../first python docs/ratios.py --record COMMIT
"""

from __future__ import annotations

import argparse
import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ratios_grid import CELLS, SYMBOLS, Cell, Question

import bounds
from bounds.parameters import PARAMETERS

HERE = Path(__file__).parent
PAGE = HERE / "ratios.md"
BEFORE = HERE / "ratios_before.csv"
THEORY = HERE / "theory.md"
MARKS = "<!-- python docs/ratios.py -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Side:
    """One side of an answer: an integer or, where it is too long, its logarithm; or why none."""

    length: int | None = None
    log2: float | None = None
    theorem: str = ""
    dominant: str = ""
    why: str = ""


@cache
def _names() -> frozenset[str]:
    return frozenset(h.name for t in bounds.theorems() for h in t.hypotheses if h.name)


def _given(cell: Cell, row: Question) -> tuple[dict[str, Any], set[str]]:
    """What a row asks, without what this version of the package does not know."""
    known = {p.keyword for p in PARAMETERS}
    values = {k: v for k, v in {**cell.base, **row.changes}.items() if v is not None}
    assume = {"true_lipschitz", *row.assume} & _names()
    return {k: v for k, v in values.items() if k in known}, assume


def _side(bound: Any) -> Side:
    return Side(bound.length, bound.log2_length, bound.theorem.key, str(bound.dominant or ""))


def sufficient(cell: Cell, row: Question) -> Side:
    """The shortest sufficient length whose hypotheses are given or asserted."""
    values, assume = _given(cell, row)
    if not set(row.assume) <= _names():
        return Side(why="not known then")
    try:
        bound = bounds.required_length(
            error=cell.error, attention=cell.attention, layers=cell.layers, assume=assume, **values
        )
    except bounds.ParameterError as problem:
        return Side(why=f"none: needs {_needs(problem)}")
    except bounds.UnsupportedSetting:
        return Side(why="none without an assumption on the models")
    except bounds.NotComputable:
        return Side(why="beyond certified arithmetic")
    if bound.log2_length is None:
        words = {"NOT_COMPUTABLE": "no computable bound", "UNKNOWN": "unknown"}
        return Side(why=words.get(bound.status.name, bound.status.name), theorem=bound.theorem.key)
    if bound.constants != "proved":
        return Side(why="only an order of growth", theorem=bound.theorem.key)
    return _side(bound)


def necessary(cell: Cell, row: Question) -> Side:
    """The longest necessary length whose pair satisfies all that is given and asserted."""
    values, assume = _given(cell, row)
    if not set(row.assume) <= _names():
        return Side(why="not known then")
    longest: Side | None = None
    refusals: list[tuple[int, str]] = []
    for theorem in bounds.theorems():
        if not _is_necessary(theorem, cell):
            continue
        try:
            bound = bounds.required_length(theorem=theorem.key, assume=assume, **values)
        except bounds.ParameterError as problem:
            name = theorem.key.removeprefix("derived.")
            refusals.append((_distance(problem), f"`{name}` needs {_needs(problem)}"))
            continue
        except bounds.NotComputable:
            continue
        if bound.log2_length is None:
            refusals.append((0, f"`{theorem.key.removeprefix('derived.')}` gives 0 here"))
        elif longest is None or bound.log2_length > (longest.log2 or 0):
            longest = _side(bound)
    if longest is not None:
        return longest
    return Side(why=f"none: {min(refusals)[1]}" if refusals else "none proved")


def _distance(error: bounds.ParameterError) -> int:
    """How far a refusal is from an answer: another class or law is farther than a parameter."""
    return sum(10 if p.allowed.startswith("nothing") else 1 for p in error.problems)


def _needs(error: bounds.ParameterError) -> str:
    """What a refusal allows, in a few words."""
    said = []
    for problem in error.problems:
        allowed = re.sub(r" ?\(derived\.\w+\)", "", problem.allowed)
        if "behind derived" in allowed:
            allowed = "models that this class excludes"
        elif allowed.startswith("nothing: the theorem needs "):
            allowed = allowed.removeprefix("nothing: the theorem needs ").split(";")[0]
        named = problem.name in SYMBOLS and problem.given is None
        said.append(SYMBOLS[problem.name] if named else allowed)
    return "; ".join(dict.fromkeys(said)).replace("|Σ|", "\\|Σ\\|")


def _is_necessary(theorem: Any, cell: Cell) -> bool:
    return (
        theorem.setting == bounds.Setting(cell.error, cell.attention, cell.layers)
        and theorem.direction is bounds.Direction.NECESSARY
        and theorem.constants == "proved"
        and theorem.formula is not None
        and theorem.quantity == "length"
    )


def log2_ratio(above: Side, below: Side) -> float | None:
    """log₂ of sufficient ÷ necessary; None where a side is missing."""
    if above.log2 is None or below.log2 is None:
        return None
    if above.length is not None and below.length is not None:
        return math.log2(above.length) - math.log2(below.length)
    return above.log2 - below.log2


def show(side: Side) -> str:
    """A length as the tables print it."""
    if side.log2 is None:
        return "–"
    if side.length is not None and side.length < 10**9:
        return f"{side.length:,}"
    return f"2^{side.log2:,.1f}"


def show_ratio(logarithm: float | None) -> str:
    """A ratio with two digits or as a power of 2."""
    if logarithm is None:
        return "–"
    if logarithm >= 20:
        return f"2^{logarithm:,.1f}"
    ratio = 2**logarithm
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def both_sides() -> dict[tuple[str, str], tuple[Side, Side]]:
    """(cell, row) → sufficient and necessary, from the package that is imported."""
    return {
        (cell.name, row.label): (sufficient(cell, row), necessary(cell, row))
        for cell in CELLS
        for row in cell.rows
    }


COLUMNS = (
    "commit",
    "cell",
    "row",
    "sufficient",
    "sufficient_log2",
    "sufficient_theorem",
    "why_no_sufficient",
    "necessary",
    "necessary_log2",
    "necessary_theorem",
    "why_no_necessary",
)


def record(commit: str) -> None:
    """Write ratios_before.csv from the package that is imported."""

    def fields(side: Side) -> list[Any]:
        short = side.length if side.length is not None and side.length < 10**15 else None
        return [short, side.log2, side.theorem, side.why]

    with BEFORE.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for (cell, row), (above, below) in both_sides().items():
            table.writerow([commit, cell, row, *fields(above), *fields(below)])


def recorded() -> tuple[str, dict[tuple[str, str], tuple[Side, Side]]]:
    """The commit and the two sides of ratios_before.csv."""

    def side(line: Mapping[str, str], name: str) -> Side:
        length, log2 = line[name], line[f"{name}_log2"]
        return Side(
            int(length) if length else None,
            float(log2) if log2 else None,
            line[f"{name}_theorem"],
            why=line[f"why_no_{name}"],
        )

    with BEFORE.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    table = {
        (line["cell"], line["row"]): (side(line, "sufficient"), side(line, "necessary"))
        for line in lines
    }
    return lines[0]["commit"], table


def _section(theorem: str) -> str:
    """A link to the section that proves a theorem."""
    if not theorem:
        return ""
    entry = bounds.theorem(theorem)
    for page in sorted((HERE / "theory").glob("*.md")):
        if f'<a id="{entry.source.section}"></a>' in page.read_text(encoding="utf-8"):
            name = theorem.removeprefix("derived.")
            return f"[`{name}`](theory/{page.name}#{entry.source.section})"
    return f"`{theorem}`"


def _cell_text(side: Side) -> str:
    if side.log2 is None:
        return side.why
    dominant = f"; {side.dominant}" if side.dominant else ""
    return f"**{show(side)}** ({_section(side.theorem)}{dominant})"


def _parameters(cell: Cell) -> str:
    shown = [f"{SYMBOLS[k]} = {v}" for k, v in cell.base.items()]
    return ", ".join(shown)


def page(now: Mapping[tuple[str, str], tuple[Side, Side]]) -> str:
    """The text of ratios.md."""
    commit, before = recorded()
    parts = [
        "# Sufficient ÷ necessary, cell by cell",
        "",
        "Generated by `python docs/ratios.py`; the eight cells at a glance are on the "
        "[page of theory](theory.md#eight-cells).",
        "",
        "*Sufficient* is the shortest length that `required_length` gives for the setting, so "
        "every hypothesis is checked or asserted; *necessary* the longest among the necessary "
        "theorems whose pair satisfies all that is given. Both are about the same class, with L "
        "the least constant (`true_lipschitz`) and the target 3ε unless a row says otherwise. "
        "After each number: its theorem and the term that decides it. A ratio of 1.00 is an "
        "exact answer. "
        f"*Before* are the same questions put to the first edition (commit {commit}, "
        "[ratios_before.csv](ratios_before.csv)); where a keyword or an assumption did not "
        "exist then, it is left out or the row is empty.",
    ]
    for cell in CELLS:
        parts += [
            "",
            f'<a id="{cell.anchor}"></a>',
            f"## {cell.name[0].upper()}{cell.name[1:]}",
            "",
            f"Base: {_parameters(cell)}.",
            *(["", cell.note] if cell.note else []),
            "",
            "| row | sufficient | necessary | ratio | before: sufficient | necessary | ratio |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in cell.rows:
            key = (cell.name, row.label)
            above, below = now[key]
            old_above, old_below = before.get(key, (Side(why="not asked"), Side(why="not asked")))
            cells = [
                row.label.replace("_", "\\_"),
                _cell_text(above),
                _cell_text(below),
                show_ratio(log2_ratio(above, below)),
                show(old_above),
                show(old_below),
                show_ratio(log2_ratio(old_above, old_below)),
            ]
            parts.append("| " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def eight_cells(now: Mapping[tuple[str, str], tuple[Side, Side]]) -> str:
    """The table of theory.md."""
    lines = [
        "| cell | sufficient | necessary | ratio of the two | open |",
        "|---|---|---|---|---|",
    ]
    for cell in CELLS:
        ratios = []
        for index in cell.shown:
            row = cell.rows[index]
            ratio = show_ratio(log2_ratio(*now[cell.name, row.label]))
            ratios.append(f"{ratio} ({row.label})".replace("_", "\\_"))
        enough, least, unsettled = cell.orders
        link = f"[{cell.name}](ratios.md#{cell.anchor})"
        lines.append(f"| {link} | {enough} | {least} | {'; '.join(ratios)} | {unsettled} |")
    deep = [t.key for t in bounds.theorems() if t.setting is not None and _is_deep(t.setting)]
    known = ", ".join(map(_section, deep)) or "nothing proved"
    lines.append(f"| more than two layers | {known} | – | – | every cell |")
    return "\n".join(lines)


def _is_deep(setting: Any) -> bool:
    return setting.layers not in (1, 2)


def with_table(theory: str, table: str) -> str:
    """theory.md with the table between its marks."""
    before, rest = theory.split(MARKS[0])
    return f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", metavar="COMMIT", help="write ratios_before.csv instead")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.record)
        return
    now = both_sides()
    PAGE.write_text(page(now), encoding="utf-8")
    theory = THEORY.read_text(encoding="utf-8")
    THEORY.write_text(with_table(theory, eight_cells(now)), encoding="utf-8")


if __name__ == "__main__":
    main()
