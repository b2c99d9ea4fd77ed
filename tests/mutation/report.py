"""Tables of results."""

from __future__ import annotations

import json
from collections import Counter
from math import sqrt
from pathlib import Path


def wilson(hits: int, number: int) -> tuple[float, float]:
    """The 95 % interval for a share of which `hits` of `number` were seen."""
    if not number:
        return 0.0, 1.0
    z, p = 1.959964, hits / number
    middle = (p + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * sqrt(p * (1 - p) / number + z * z / (4 * number**2))
    return middle - half, middle + half


def rows(paths: list[Path]) -> dict[str, dict]:
    """The last result of each mutant."""
    found = {}
    for path in paths:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["status"] != "control":
                found[row["key"]] = row
    return {key: row for key, row in found.items() if row["status"] != "same code"}


def line_of(name: str, chosen: list[dict], total: int | None = None) -> str:
    """One row of a table."""
    count = Counter(row["status"] for row in chosen)
    number = len(chosen)
    dead = count["killed"] + count["timeout"]
    low, high = wilson(dead, number)
    share = f"{100 * dead / max(number, 1):.1f} % ({100 * low:.1f} … {100 * high:.1f})"
    of = "" if total is None else f" of {total}"
    return (
        f"| {name} | {number}{of} | {count['killed']} | {count['timeout']} | "
        f"{count['survived']} | {count['no test']} | {share} |"
    )


def report(paths: list[Path], survivors: bool) -> None:
    """Print the tables."""
    found = list(rows(paths).values())
    print("| | mutants | killed | timed out | survived | no test | killed or timed out |")
    print("|---|---|---|---|---|---|---|")
    for path in sorted({row["path"] for row in found}):
        print(line_of(path, [row for row in found if row["path"] == path]))
    print(line_of("**all**", found))
    plain = [row for row in found if row["kind"] not in ("argument None", "assigns None")]
    print(line_of("without None for a value", plain))
    for kind in sorted({row["kind"].split(" ")[0] for row in found}):
        print(line_of(kind, [row for row in found if row["kind"].split(" ")[0] == kind]))
    if survivors:
        for row in sorted(found, key=lambda row: (row["path"], row["line"])):
            if row["status"] in ("survived", "no test"):
                print(
                    f"{row['key']}:{row['line']} {row['name']} [{row['kind']}] "
                    f"{row['before']}  →  {row['after']}  ({row['status']}, {row['tests']})"
                )
