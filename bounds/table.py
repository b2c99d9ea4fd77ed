"""`Table`: rows of equal columns, some worked out only when they are looked at."""

from __future__ import annotations

import csv
import html
import itertools
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import sympy
from flint import fmpz

from bounds.errors import BoundsError, NotComputable, ParameterError, Problem
from bounds.evaluate import enclose
from bounds.numbers import Exact, Structure, brief, exact, plain, written

if TYPE_CHECKING:
    import pandas

_EXACT_IN_FILES = 2**53
"""Integers up to this are numbers in every program; longer ones may lose digits there."""


class Column(Sequence[Any]):
    """The values of one column; `floats` gives them all at once, nan where there is none."""

    def floats(self) -> Any:
        """A float64 array."""
        import numpy as np

        return np.array([as_float(value) for value in self], dtype=float)


class Stored(Column):
    """A column whose values are there."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = tuple(values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]


class Computed(Column):
    """A column whose values are worked out one by one, or all at once as floats."""

    def __init__(
        self, length: int, value: Callable[[int], Any], floats: Callable[[], Any] | None = None
    ) -> None:
        self._length = length
        self._value = value
        self._floats = floats

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._value(i) for i in range(self._length)[index]]
        return self._value(range(self._length)[index])

    def floats(self) -> Any:
        """A float64 array."""
        return super().floats() if self._floats is None else self._floats()


class Picked(Column):
    """Some of the entries of another column."""

    def __init__(self, column: Column, rows: Sequence[int]) -> None:
        self._column = column
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._column[i] for i in self._rows[index]]
        return self._column[self._rows[index]]

    def floats(self) -> Any:
        """A float64 array."""
        import numpy as np

        return self._column.floats()[np.asarray(self._rows, dtype=np.intp)]


class Joined(Column):
    """One column after the other."""

    def __init__(self, first: Column, second: Column) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        place, before = range(len(self))[index], len(self._first)
        return self._first[place] if place < before else self._second[place - before]

    def floats(self) -> Any:
        """A float64 array."""
        import numpy as np

        return np.concatenate([self._first.floats(), self._second.floats()])


class Row(Mapping[str, Any]):
    """One row of a table, by column name."""

    def __init__(self, table: Table, number: int) -> None:
        self._table = table
        self._number = number

    def __getitem__(self, name: str) -> Any:
        return self._table.data[name][self._number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.columns)

    def __len__(self) -> int:
        return len(self._table.columns)

    def __repr__(self) -> str:
        return repr(dict(self))


class Table(Sequence[Mapping[str, Any]]):
    """Rows of equal columns: iterate, index, filter, add, or take a `column`.

    `table[i]` is a row (a mapping), `table[i:j]` a table. Shows well in a notebook.
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        kept = tuple(rows)
        self.data: dict[str, Column] = {c: Stored(row[c] for row in kept) for c in columns}
        self._length = len(kept)

    @classmethod
    def of_columns(cls, data: Mapping[str, Column], length: int) -> Table:
        """A table of the columns given, each with `length` entries."""
        table = cls((), ())
        table.data = dict(data)
        table._length = length
        return table

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.data)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Table: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._rows(range(self._length)[index])
        return Row(self, range(self._length)[index])

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (Row(self, i) for i in range(self._length))

    def __add__(self, other: Table) -> Table:
        """The rows of both; a column that one of them lacks is None there."""
        if not isinstance(other, Table):
            return NotImplemented
        names = dict.fromkeys((*self.columns, *other.columns))
        data = {name: Joined(self._or_none(name), other._or_none(name)) for name in names}
        return Table.of_columns(data, len(self) + len(other))

    def _or_none(self, name: str) -> Column:
        return self.data[name] if name in self.data else Stored([None] * len(self))

    def _rows(self, rows: Sequence[int]) -> Table:
        data = {name: Picked(column, rows) for name, column in self.data.items()}
        return Table.of_columns(data, len(rows))

    def where(
        self, predicate: Callable[[Mapping[str, Any]], Any] | None = None, **values: Any
    ) -> Table:
        """The rows for which `predicate(row)` is true and the columns have these values.

        Args:
            predicate: a function of a row, or None.
            **values: column = value, or a list of values one of which it must be; numbers are
                compared exactly, so `epsilon="1/10"` and `epsilon=0.1` are the same.

        Raises:
            ParameterError: no such column.
        """
        wanted = {name: _wanted(value) for name, value in values.items()}
        for name in wanted:
            self._check(name)
        rows = [
            i
            for i in range(self._length)
            if all(_comparable(self.data[name][i]) in allowed for name, allowed in wanted.items())
            and (predicate is None or predicate(Row(self, i)))
        ]
        return self._rows(rows)

    def column(self, name: str, kind: type | None = None) -> Any:
        """The values of one column, row by row.

        Args:
            name: one of `columns`.
            kind: None: a list of the exact values. `float`: a NumPy array, nan where there is no
                value; for `log2_length` of long sweeps without working out a single length. Any
                other function: a list of its values.

        Raises:
            ParameterError: no such column, or a number beyond the range of floats.
        """
        self._check(name)
        if kind is None:
            return list(self.data[name])
        if kind is float:
            return self.data[name].floats()
        return [None if value is None else kind(value) for value in self.data[name]]

    def _check(self, name: str) -> None:
        if name not in self.data:
            raise ParameterError([Problem("column", name, "one of " + ", ".join(self.columns))])

    def to_csv(self, path: str | Path, *, exact: bool = False) -> None:
        """Write the table for pandas, R, pgfplots and spreadsheets.

        Every number is a decimal. Integers beyond 2^53 are rounded up to 17 digits (down in a row
        whose direction is not "sufficient"); beyond 10^308 the cell is empty, and `log2_length`
        has the number. With `exact`, integers have all their digits and fractions stay
        fractions: for programs with long integers.
        """
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            for row in self:
                up = row.get("direction", "sufficient") in ("sufficient", None)
                writer.writerow(
                    [_written_out(row[c]) if exact else _decimal(row[c], up) for c in self.columns]
                )

    def to_json(self, path: str | Path | None = None) -> str:
        """The rows as a JSON list of objects, also written to `path` if given.

        Numbers that JSON readers keep (integers up to 2^53, floats) are numbers; fractions and
        longer integers are strings with all their digits.
        """
        rows = [{c: _for_json(row[c]) for c in self.columns} for row in self]
        text = json.dumps(rows, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_pandas(self) -> pandas.DataFrame:
        """A `pandas.DataFrame`: numbers as floats, integers up to 2^53 as integers.

        Columns with longer integers hold Python's, so that no digit is lost; use `log2_length`
        to compute with them.

        Raises:
            BoundsError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise BoundsError("pandas is not installed: pip install 'lgbounds[pandas]'") from None
        return pandas.DataFrame({name: _for_pandas(self.data[name]) for name in self.columns})

    def __str__(self) -> str:
        rows = [[name.split("\n") for name in self.columns]]
        shown = self if len(self) <= _SHOWN else self[: _SHOWN // 2]
        rows += [[_cell(row[c], 18).split("\n") for c in self.columns] for row in shown]
        widths = [
            max((len(text) for row in rows for text in row[i]), default=0)
            for i in range(len(rows[0]))
        ]
        lines = [line for row in rows for line in itertools.zip_longest(*row, fillvalue="")]
        text = "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        left = len(self) - len(shown)
        return f"{text}\n… and {left:,} more rows" if left else text

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        shown = self if len(self) <= _SHOWN else self[: _SHOWN // 2]
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{_html(row[c])}</td>" for c in self.columns)
            + "</tr>"
            for row in shown
        )
        left = len(self) - len(shown)
        more = f"<p>… and {left:,} more rows</p>" if left else ""
        return f"<table><tr>{head}</tr>{body}</table>{more}"


_SHOWN = 200
"""Longer tables show half as many rows, and how many are left."""


def as_float(value: Any) -> float:
    """The nearest float of an exact number; nan for None.

    Raises:
        ParameterError: it is beyond the range of floats, or no number.
    """
    if value is None:
        return math.nan
    try:
        if isinstance(value, sympy.Basic):
            found = enclose(value, {})
            return float(found if isinstance(found, Fraction) else found.mid())
        if isinstance(value, Fraction):
            return value.numerator / value.denominator
        return float(value)
    except OverflowError:
        allowed = "numbers below 1.8e308; take log2_length for longer lengths"
        raise ParameterError([Problem("column", value, allowed)]) from None
    except (TypeError, ValueError, NotComputable):
        raise ParameterError([Problem("column", value, "numbers")]) from None


def _wanted(value: Any) -> list[Any]:
    several = isinstance(value, Collection) and not isinstance(value, (str, bytes))
    return [_comparable(one) for one in (value if several else [value])]


def _comparable(value: Any) -> Any:
    """Numbers, and texts that are numbers, as exact numbers; everything else as it is."""
    if value is None or isinstance(value, bool):
        return value
    try:
        return exact(value)
    except ValueError:
        return value


def _html(value: Any) -> str:
    return html.escape(_cell(value, 18)).replace("\n", "<br>")


def _cell(value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, tuple):  # several entries in one cell: one per line
        return "\n".join(str(entry) for entry in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() < 3.3 * digits else f"{len(bin(value)) - 2} bits"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (Fraction, sympy.Basic, Structure)):
        return brief(value)
    return str(value)


def _decimal(value: Any, up: bool) -> str:
    """A number as any program reads it: at most 17 digits, "" where there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction, sympy.Basic)):
        return _cell(value, 18)
    if isinstance(value, int) and abs(value) <= _EXACT_IN_FILES:
        return str(value)
    if isinstance(value, int):
        return _seventeen_digits(value, up)
    try:
        number = as_float(value)
    except ParameterError:  # beyond floats
        return ""
    return repr(number) if math.isfinite(number) else ""


def _seventeen_digits(value: int, up: bool) -> str:
    """A long integer rounded up or down, such as 11529215046068470e2; "" beyond floats."""
    if abs(value) >= 10**308:
        return ""
    power = len(str(abs(value))) - 17
    mantissa = -(-value // 10**power) if up else value // 10**power
    return f"{mantissa}e{power}"


def digits(number: int) -> str:
    """All decimal digits, however many (`str` refuses more than 4300)."""
    return str(fmpz(number))


def _written_out(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return digits(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    if isinstance(value, (Fraction, sympy.Basic)):
        return _all_digits(value)
    if isinstance(value, Structure):
        return json.dumps(value.data())
    return _cell(value, 18)


def _all_digits(value: Exact) -> str:
    if isinstance(value, Fraction):
        return f"{digits(value.numerator)}/{digits(value.denominator)}"
    text: str = written(value)
    return text


def _for_json(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= _EXACT_IN_FILES else digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (Fraction, sympy.Basic)):
        return _for_json(plain(value)) if plain(value) is not value else _all_digits(value)
    if isinstance(value, tuple):
        return [_for_json(entry) for entry in value]
    if isinstance(value, Structure):
        return value.data()
    return value


def _for_pandas(column: Column) -> Any:
    values = list(column)
    numbers = [v for v in values if v is not None]
    if any(isinstance(v, (Fraction, sympy.Basic, float)) for v in numbers) and all(
        isinstance(v, (int, float, Fraction, sympy.Basic)) for v in numbers
    ):
        return column.floats()
    return values
