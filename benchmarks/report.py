"""The tables of docs/benchmarks.md, from benchmarks.json."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MARKS = "<!-- python -m benchmarks -->", "<!-- end of the tables -->"

_ABOUT = (
    "Times are CPU times: on a quiet machine those of a watch. Load: processes that ran in the "
    "last minute, the benchmark among them; above the number of cores, caches are shared."
)

Row = Mapping[str, Any]


def with_tables(page: str, benchmarks: Mapping[str, Mapping[str, Any]]) -> str:
    """The page with the tables between its marks.

    Raises:
        ValueError: the page does not have each mark once, in this order.
    """
    once = [page.count(mark) for mark in MARKS] == [1, 1]
    if not once or page.index(MARKS[0]) > page.index(MARKS[1]):
        raise ValueError(f"the page needs the lines {MARKS[0]} and {MARKS[1]}, once each")
    before, rest = page.split(MARKS[0])
    return f"{before}{MARKS[0]}\n\n{tables(benchmarks)}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def tables(benchmarks: Mapping[str, Mapping[str, Any]]) -> str:
    """When and on what, then one table for each kind of row."""
    rows = [row for entry in benchmarks.values() for row in entry["rows"]]
    parts = [_when(benchmarks)]
    for kinds, title, head, cells in _KINDS:
        own = [row for row in rows if row["kind"] in kinds]
        if own:
            lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
            lines += [f"| {' | '.join(_cell(c) for c in cells(row))} |" for row in own]
            parts.append(f"### {title}\n\n" + "\n".join(lines))
    failed = {name: entry["error"] for name, entry in benchmarks.items() if entry.get("error")}
    parts += [f"**{name} failed:** {error}" for name, error in failed.items()]
    return "\n\n".join(parts)


def _when(benchmarks: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| benchmark | date | load | took | commit |", "|---|---|---|---|---|"]
    machines: dict[str, None] = {}
    for name, entry in benchmarks.items():
        own = entry["machine"]
        quick = ", quick" if entry["quick"] else ""
        cells = (f"`{name}`{quick}", entry["date"], entry["load"], f"{entry['seconds']:.0f} s")
        lines.append(f"| {' | '.join(map(str, (*cells, own['commit'])))} |")
        packages = ", ".join(f"{k} {v}" for k, v in own["packages"].items() if v)
        threads = "one thread" if own["threads"] == "1" else f"threads: {own['threads']}"
        machines[
            f"{own['cores']} cores, {own['processor']}, {own['system']}, {threads}; "
            f"Python {own['python']}, {packages}"
        ] = None
    return "\n".join([f"Machine: {'; or: '.join(machines)}. {_ABOUT}", "", *lines])


def _ratio(row: Row) -> Sequence[str]:
    if row["kind"] == "missing":
        return row["what"], row["against"], row["why"], "–", "–", row["goal"] or "–"
    low, high = row["quartiles"]
    return (
        row["what"],
        row["against"],
        f"**{_times(row['median'])}** ({_times(low)} … {_times(high)})",
        _times(row["of_minima"]),
        f"{duration(row['seconds'])} : {duration(row['other_seconds'])}",
        row["goal"] or "–",
    )


def _growth(row: Row) -> Sequence[str]:
    points = ", ".join(
        f"{_size(n)}: {duration(s)}" for n, s in zip(row["sizes"], row["seconds"], strict=True)
    )
    return (
        row["what"],
        row["size"],
        f"**{row['exponent']:.2f}** ± {row['standard_error']:.2f}",
        f"{2 ** row['residual']:.2f}",
        points,
        row["goal"] or "–",
    )


def _seconds(row: Row) -> Sequence[str]:
    found = row["seconds"]
    return (
        row["what"],
        str(len(found)),
        duration(statistics.median(found)),
        duration(max(found)),
        row["goal"] or "–",
    )


def _memory(row: Row) -> Sequence[str]:
    points = "; ".join(
        f"{_size(p['size'])}: {_mib(p['peak'])} = {_mib(p['imported'])} + "
        f"{_mib(p['with_input'] - p['imported'])} + {_mib(p['peak'] - p['with_input'])}"
        for p in row["points"]
    )
    return row["what"], row["size"], points, row["goal"] or "–"


_KINDS: tuple[tuple[tuple[str, ...], str, tuple[str, ...], Callable[[Row], Sequence[str]]], ...] = (
    (
        ("ratio", "missing"),
        "Against other programs",
        ("time of", "÷ time of", "median (quartiles)", "of minima", "times", "goal"),
        _ratio,
    ),
    (
        ("growth",),
        "Growth",
        ("what", "size", "exponent", "farthest point, factor", "points in the fit", "goal"),
        _growth,
    ),
    (("seconds",), "Seconds", ("what", "calls", "median", "at most", "goal"), _seconds),
    (
        ("memory",),
        "Peak memory, MiB: all = imports + input + work",
        ("what", "size", "peak", "goal"),
        _memory,
    ),
)


def duration(seconds: float) -> str:
    """With three digits and a unit."""
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= unit:
            return f"{_digits(seconds / unit)} {name}"
    return f"{_digits(seconds / 1e-9)} ns"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _times(value: float) -> str:
    return f"1/{_digits(1 / value)}" if value < 0.1 else _digits(value)


def _size(value: float) -> str:
    return f"{value:,.0f}" if value < 1e12 else f"{value:.3g}"


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
