"""`sweep`: required lengths over a grid of parameters, one row per combination."""

from __future__ import annotations

import csv
import html
import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

import sympy

from bounds.errors import BoundsError, ParameterError, Problem
from bounds.length import bound_for, read_request
from bounds.numbers import Structure, brief, plain, written
from bounds.parameters import BY_KEYWORD, read_all
from bounds.result import LengthBound

RESULT_COLUMNS = (
    "length",
    "log2_length",
    "theorem",
    "direction",
    "constants",
    "status",
    "dominant",
    "note",
)


class Table(Sequence[Mapping[str, Any]]):
    """Rows of equal columns: iterate, index, or take a `column`; shows well in a notebook."""

    def __init__(self, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        self.columns = tuple(columns)
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._rows)

    def column(self, name: str) -> list[Any]:
        """The values of one column, row by row."""
        if name not in self.columns:
            raise ParameterError([Problem("column", name, "one of " + ", ".join(self.columns))])
        return [row[name] for row in self._rows]

    def to_csv(self, path: str | Path) -> None:
        """Write the table; integers too long for decimal digits are written in hexadecimal."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows([_cell(row[c], digits=4000) for c in self.columns] for row in self)

    def __str__(self) -> str:
        rows = [[name.split("\n") for name in self.columns]]
        rows += [[_cell(row[c], 18).split("\n") for c in self.columns] for row in self]
        widths = [max(len(text) for row in rows for text in row[i]) for i in range(len(rows[0]))]
        lines = [line for row in rows for line in itertools.zip_longest(*row, fillvalue="")]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{_html(row[c])}</td>" for c in self.columns)
            + "</tr>"
            for row in self
        )
        return f"<table><tr>{head}</tr>{body}</table>"


def sweep(
    *,
    error: str | None = None,
    attention: str | None = None,
    layers: int | None = None,
    theorem: str | None = None,
    assume: Collection[str] = (),
    **parameters: Any,
) -> Table:
    """Required lengths over all combinations of the parameters given as lists.

    Args:
        error, attention, layers, theorem, assume: as in `required_length`.
        **parameters: single values, or lists, tuples, ranges or arrays of values.

    Returns:
        A `Table` with a row per combination, the last list moving fastest: the
        parameters, then `length` (int, or None if too long to write), `log2_length`,
        `theorem`, `direction`, `constants`, `status`, `dominant` and `note` (why a
        combination has no number; the rest of the table is kept).

    Raises:
        ParameterError: a value outside its domain, or an unknown keyword; before any
            row is computed.
    """
    grids = {name: _values(value) for name, value in parameters.items()}
    empty = [Problem(name, [], "at least one value") for name, grid in grids.items() if not grid]
    if empty:
        raise ParameterError(empty)
    problems: list[Problem] = []
    for name, grid in grids.items():
        for value in grid if name in BY_KEYWORD else grid[:1]:
            try:
                read_all({name: value})
            except ParameterError as error_:
                problems.extend(error_.problems)
    if problems:
        raise ParameterError(problems)
    rows = []
    for combination in itertools.product(*grids.values()):
        given = dict(zip(grids, combination, strict=True))
        row = {name: plain(value) for name, value in read_all(given).items()}
        try:
            request = read_request(error, attention, layers, theorem, assume, given)
            rows.append(row | _result(bound_for(request)))
        except BoundsError as reason:
            blank = dict.fromkeys(RESULT_COLUMNS)
            rows.append(row | blank | {"note": " / ".join(str(reason).splitlines())})
    return Table([*grids, *RESULT_COLUMNS], rows)


def _result(bound: LengthBound) -> dict[str, Any]:
    return {
        "length": bound.length,
        "log2_length": bound.log2_length,
        "theorem": bound.theorem.key,
        "direction": str(bound.direction),
        "constants": bound.constants,
        "status": bound.status.name,
        "dominant": bound.dominant,
        "note": "",
    }


def _values(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    try:
        return list(value)
    except TypeError:  # one value, or an array without axes
        return [value]


def _html(value: Any) -> str:
    return html.escape(_cell(value, 18)).replace("\n", "<br>")


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):  # several entries in one cell: one per line
        return "\n".join(str(entry) for entry in value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() < 3.3 * digits:
            return str(value)
        return hex(value) if digits > 1000 else f"{len(bin(value)) - 2} bits"
    if isinstance(value, float):
        return f"{value:.6g}" if digits < 1000 else repr(value)
    if isinstance(value, Structure):
        return value.brief() if digits < 1000 else json.dumps(value.data())
    if isinstance(value, (Fraction, sympy.Basic)):
        return brief(value) if digits < 1000 else str(written(value))
    return str(value)
