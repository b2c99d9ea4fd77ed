"""The table: theorem, cases, how many could have failed, how many did."""

from __future__ import annotations

import math

from .runner import Result

HEADER = (
    "theorem",
    "cases",
    "applicable",
    "refutable",
    "biting",
    "tightest",
    "violations",
    "first at",
    "time",
)


def table(result: Result) -> str:
    """Return the tallies as text, and what was not tested at all."""
    rows = [HEADER]
    for key, tally in result.tallies.items():
        tightest = "–" if math.isinf(tally.tightest) else f"{tally.tightest:.3g}"
        first = "–" if tally.first is None else f"{tally.first[0]} ({tally.first[1]})"
        rows.append(
            (
                key,
                str(tally.cases),
                str(tally.applicable),
                str(tally.refutable),
                str(tally.biting),
                tightest,
                str(tally.violations),
                first,
                f"{tally.seconds:.1f} s",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    idle = [key for key, tally in result.tallies.items() if not tally.biting]
    lines.append("")
    lines.append(f"{result.cases} cases in {result.seconds:.0f} s.")
    lines.append("No biting case: " + (", ".join(idle) if idle else "none") + ".")
    return "\n".join(lines)
