"""Tables of results."""

from __future__ import annotations

import json
from collections import Counter
from math import sqrt
from pathlib import Path

GROUPS = {
    "`bounds/`, functions": lambda path: path.startswith("bounds/"),
    "checkers of certificates, functions": lambda path: "/recheck/" in path,
    "counting core, functions": lambda path: path.startswith("verify/") and "/recheck/" not in path,
}
_EASY = ("argument None", "assigns None", "returns None")


def wilson(hits: int, number: int) -> tuple[float, float]:
    """The 95 % interval for a share of which `hits` of `number` were seen."""
    if not number:
        return 0.0, 1.0
    z, p = 1.959964, hits / number
    middle = (p + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * sqrt(p * (1 - p) / number + z * z / (4 * number**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def rows(paths: list[Path]) -> list[dict]:
    """The last result of each mutant; what compiles to the same code is none."""
    found = {}
    for path in paths:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["status"] != "control":
                found[row["key"]] = row
    return [row for row in found.values() if row["status"] != "same code"]


def at_import(row: dict) -> bool:
    """Whether the changed code runs once, when the module is imported."""
    return "()" not in row["name"] and "<lambda>" not in row["name"]


def line_of(name: str, chosen: list[dict], of: int | None = None) -> str:
    """One row of a table; `of`: how many mutants there are."""
    count = Counter(row["status"] for row in chosen)
    number = len(chosen)
    dead = count["killed"] + count["timeout"]
    low, high = wilson(dead, number)
    share = f"{100 * dead / number:.1f}" if number else "–"
    if number and (of is None or number < of):
        share += f" ({100 * low:.1f} … {100 * high:.1f})"
    return (
        f"| {name} | {'' if of is None else of} | {number} | {count['killed']} | "
        f"{count['timeout']} | {count['survived']} | {count['no test']} | {share} |"
    )


def report(paths: list[Path], survivors: bool) -> None:
    """Print the tables."""
    found = rows(paths)
    sizes = json.loads((paths[0].parent / "sizes.json").read_text())
    head = (
        "| {} | there are | tried | killed | timed out | survived | no test | % dead (95 %) |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    functions = [row for row in found if not at_import(row)]
    print(head.format(""))
    for name, inside in GROUPS.items():
        size = sum(n[0] for path, n in sizes.items() if inside(path))
        print(line_of(name, [row for row in functions if inside(row["path"])], size))
    size = sum(n[0] for n in sizes.values())
    print(line_of("**all functions**", functions, size))
    hard = [row for row in functions if row["kind"] not in _EASY]
    print(line_of("of these, without None for a value", hard))
    size = sum(n[1] for n in sizes.values())
    print(line_of("what runs at import", [row for row in found if at_import(row)], size))
    print("\n" + head.format("functions of"))
    for path, (size, _) in sorted(sizes.items()):
        if size:
            print(line_of(f"`{path}`", [r for r in functions if r["path"] == path], size))
    print("\n" + head.format("rule"))
    for kind in sorted({row["kind"] for row in functions}):
        print(line_of(kind, [row for row in functions if row["kind"] == kind]))
    if survivors:
        print()
        for row in sorted(found, key=lambda row: (row["path"], row["line"], row["number"])):
            if row["status"] in ("survived", "no test"):
                print(
                    f"{row['key']}:{row['line']} {row['name']} [{row['kind']}] "
                    f"{row['before']}  →  {row['after']}  ({row['status']}, {row['tests']})"
                )
