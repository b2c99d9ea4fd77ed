"""Measured constants as a text table: symbol, meaning, value; what the tables share."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from bounds.precision import FLINT
from verify.measure.norms import PRECISION, interval

Row = tuple[str, ...]


def size_rows(vocabulary_size: int, period: int, locality: int, heads: int) -> list[Row]:
    """Return the rows that every table begins with."""
    return [
        ("|Σ|", "tokens", str(vocabulary_size)),
        ("Δ", "period of the positions", str(period)),
        ("τ", "largest lag with a bias", str(locality)),
        ("H", "heads", str(heads)),
    ]


def pair(norm: Any, enclosed: Any) -> Row:
    """Return the two cells of a constant in both forms."""
    return (number(norm), number(enclosed))


def number(value: Fraction | Any) -> str:
    """Return four digits of a number ≥ 0, also where no float holds it."""
    with FLINT, ctx.workprec(PRECISION):
        size = interval(value) if isinstance(value, Fraction) else value
        if not size > 0:
            return "0"
        log10 = float(size.upper().log() / arb(10).log())
        return f"{float(size.upper()):.4g}" if abs(log10) < 300 else f"10^{log10:.6g}"


def lines(rows: Iterable[Row]) -> str:
    """Return the rows as aligned columns; numbers to the right."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
