"""Both sides of a question one theorem at a time, and the record of the first edition's answers.

    git worktree add ../first COMMIT
    PYTHONPATH=../first python docs/ratios_first.py COMMIT

puts the questions of ratios_grid.py to the package in ../first and writes ratios_before.csv.
"""

from __future__ import annotations

import csv
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ratios_grid import CELLS, SYMBOLS, Cell, Question

import bounds
from bounds.parameters import PARAMETERS

BEFORE = Path(__file__).with_name("ratios_before.csv")


@dataclass(frozen=True)
class Side:
    """One side of an answer: an integer or, where it is too long, its logarithm; or why none.

    `other_class`: the pair behind it is not shown to have the constants given.
    """

    length: int | None = None
    log2: float | None = None
    theorem: str = ""
    dominant: str = ""
    why: str = ""
    other_class: bool = False


@cache
def _names() -> frozenset[str]:
    return frozenset(h.name for t in bounds.theorems() for h in t.hypotheses if h.name)


def given(cell: Cell, row: Question) -> tuple[dict[str, Any], set[str]]:
    """What a row asks, without what this version of the package does not know."""
    known = {p.keyword for p in PARAMETERS}
    values = {k: v for k, v in {**cell.base, **row.changes}.items() if v is not None}
    assume = {"true_lipschitz", *row.assume} & _names()
    return {k: v for k, v in values.items() if k in known}, assume


def side_of(bound: Any) -> Side:
    """A `LengthBound` as one side."""
    return Side(bound.length, bound.log2_length, bound.theorem.key, str(bound.dominant or ""))


def sufficient(cell: Cell, row: Question) -> Side:
    """The shortest sufficient length whose hypotheses are given or asserted."""
    values, assume = given(cell, row)
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
    return side_of(bound)


def necessary(cell: Cell, row: Question) -> Side:
    """The longest necessary length whose pair satisfies all that is given and asserted."""
    values, assume = given(cell, row)
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
            refusals.append((-1, f"`{theorem.key.removeprefix('derived.')}` gives 0 here"))
        elif longest is None or bound.log2_length > (longest.log2 or 0):
            longest = side_of(bound)
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


def _answers() -> dict[tuple[str, str], tuple[Side, Side]]:
    return {
        (cell.name, row.label): (sufficient(cell, row), necessary(cell, row))
        for cell in CELLS
        for row in cell.rows
    }


def record(commit: str) -> None:
    """Write ratios_before.csv from the package that is imported."""

    def fields(side: Side) -> list[Any]:
        short = side.length if side.length is not None and side.length < 10**15 else None
        return [short, side.log2, side.theorem, side.why]

    with BEFORE.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for (cell, row), (above, below) in _answers().items():
            table.writerow([commit, cell, row, *fields(above), *fields(below)])


if __name__ == "__main__":
    record(sys.argv[1])
