"""How long `import bounds` takes, as a ratio to `import sympy`: medians of whole processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(statement: str, runs: int = 9) -> float:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    empty, sympy, bounds = (seconds(s) for s in ("pass", "import sympy", "import bounds"))
    print(f"import sympy: {sympy - empty:.3f} s, import bounds: {bounds - empty:.3f} s")
    print(f"ratio, without the interpreter's start: {(bounds - empty) / (sympy - empty):.2f}")


if __name__ == "__main__":
    main()
