"""The maps x → z: how their time grows with T, against one forward pass of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import verify
from benchmarks.growth import grow
from benchmarks.plain import random_model
from benchmarks.rows import Row, growth_row, measured_memory, ratio_row
from benchmarks.timing import alternate

SHORT = 500


def _tokens(length: int, tokens: int = 2) -> np.ndarray:
    return np.random.default_rng(length).integers(0, tokens, size=length)


def _counts(length: int) -> tuple[Any, Callable[[], Any]]:
    f, x = verify.tasks.mod_p(2, 1).transformer, _tokens(length)
    return lambda: f(x), lambda: verify.simulate(x, f, epsilon="1/20")


def _softmax(layers: int, simulate: Callable[..., Any]) -> Callable[[int], tuple[Any, Any]]:
    rng = np.random.default_rng(1)
    f = random_model(rng, layers, vocabulary_size=2, dimension=8, heads=1, lag_bias=layers == 1)

    def programs(length: int) -> tuple[Any, Any]:
        x = _tokens(length)
        return lambda: f(x), lambda: simulate(x, f, length=SHORT)

    return programs


MAPS: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "counts, one argmax layer": _counts,
    "rounded counts, one softmax layer": _softmax(1, verify.simulate_softmax_one_layer),
    "balanced blocks, two softmax layers": _softmax(2, verify.simulate_balanced),
}


def maps(quick: bool) -> Iterator[Row]:
    """Every map at growing T, to a z of fixed length or for a fixed ε; quick: one layer only."""
    sizes = [10**3, 10**4, 10**5] if quick else [10**4, 10**5, 10**6, 10**7]
    for name, programs in list(MAPS.items())[: 2 if quick else 3]:
        fit = grow(lambda n, programs=programs: programs(n)[1], sizes, 2)
        yield growth_row(name, "T", fit)
        passing, mapping = programs(sizes[-1])
        found = alternate({"map": mapping, "forward": passing}, 3 if quick else 5)
        yield ratio_row(f"{name}, T = {sizes[-1]:,}", "one forward pass f(x)", found)
    yield measured_memory("counts, one argmax layer", "T", counts_of, sizes[1:])


def counts_of(length: int) -> Callable[[], Any]:
    """For the memory."""
    return _counts(length)[1]
