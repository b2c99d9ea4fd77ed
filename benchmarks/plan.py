"""All benchmarks, in the order in which they run; each imports what it needs when it runs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.rows import Row


@dataclass(frozen=True)
class Benchmark:
    """A function of a module of this package that yields rows.

    Attributes:
        name: for --only.
        about: in a line.
        module, function: takes `quick`, yields rows as they are measured.
    """

    name: str
    about: str
    module: str
    function: str

    def rows(self, quick: bool) -> Iterator[Row]:
        """Measure."""
        module = importlib.import_module(self.module)
        yield from getattr(module, self.function)(quick)


PLAN = (
    Benchmark(
        "imports", "import time and first answers, whole processes", "benchmarks.imports", "imports"
    ),
    Benchmark(
        "forward-1", "one layer: NumPy, PyTorch, JAX, bincount", "benchmarks.forward", "one_layer"
    ),
    Benchmark(
        "forward-2", "two softmax layers: NumPy, PyTorch, JAX", "benchmarks.forward", "two_layers"
    ),
    Benchmark("simulations", "the maps x → z", "benchmarks.simulations", "maps"),
    Benchmark(
        "certificates",
        "certify, prove, enclose, recheck on stored models",
        "benchmarks.certificates",
        "certificates",
    ),
    Benchmark("shortest", "verify.shortest", "benchmarks.shortest", "shortest"),
    Benchmark("sweeps", "bounds.sweep against bare NumPy", "benchmarks.sweep", "sweeps"),
    Benchmark("measures", "verify.measure", "benchmarks.measures", "measures"),
)
