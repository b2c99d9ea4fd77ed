"""Forward passes of one and of two layers, against the same model in NumPy, PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import plain
from benchmarks.growth import grow
from benchmarks.rows import Row, growth_row, measured_memory, missing_row, ratio_row
from benchmarks.timing import alternate

NOT_INSTALLED = "not installed"


def _equal(ours: np.ndarray, other: np.ndarray) -> None:
    """A program that computes something else is no comparison."""
    difference = np.abs(ours - other).max() / np.abs(ours).max()
    if not difference <= 1e-9:
        raise AssertionError(f"the outputs differ by {difference:.1e}")


def _tokens(f: Any, length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, f.vocabulary_size, size=length)


def _one_layer(dimension: int = 32, precision_bits: int | None = 8) -> Any:
    return plain.random_model(
        np.random.default_rng(0), 1, period=2, dimension=dimension, precision_bits=precision_bits
    )


def _two_layers(lag_bias: bool = True) -> Any:
    return plain.random_model(np.random.default_rng(0), 2, lag_bias=lag_bias)


def _against(what: str, f: Any, length: int, rounds: int, goals: dict[str, str]) -> Iterator[Row]:
    """The other program ÷ ours, for NumPy, PyTorch and JAX as far as they are there."""
    x = _tokens(f, length)
    others: dict[str, Callable[[], np.ndarray] | None] = {}
    if "NumPy" in goals:
        others["NumPy"] = lambda: plain.in_numpy(f, x)
    if f.precision_bits is None:
        torch, jax = plain.torch_or_none(), plain.jax_or_none()
        others["PyTorch SDPA"] = plain.in_torch(torch, f, x) if torch else None
        if "JAX" in goals:
            others["JAX, compiled"] = plain.in_jax(jax, f, x) if jax else None
    for name, other in others.items():
        against = f"{what}, T = {length:,}"
        if other is None:
            yield missing_row(name, against, NOT_INSTALLED)
            continue
        _equal(f(x), other())
        found = alternate({name: other, "ours": lambda: f(x)}, rounds)
        yield ratio_row(name, against, found, goal=goals.get(name.split()[0], ""))


def one_layer(quick: bool) -> Iterator[Row]:
    """Finite precision against NumPy and one `np.bincount`; plain softmax against all three."""
    rounds = 3 if quick else 9
    rounded, exact = _one_layer(), _one_layer(precision_bits=None)
    for length in (10**4, 10**6):
        goal = {"NumPy": "≥ 50" if length == 10**6 else ""}
        yield from _against("one layer, 8 bits, d = 32", rounded, length, rounds, goal)
    longest = 10**6 if quick else 10**7
    x = _tokens(rounded, longest)
    counted = alternate({"ours": lambda: rounded(x), "bincount": lambda: np.bincount(x)}, rounds)
    what = f"one layer, 8 bits, d = 32, T = {longest:,}"
    yield ratio_row(what, "one np.bincount", counted, goal="≤ 3")
    length = 10**5 if quick else 10**6
    goals = {"NumPy": "", "PyTorch": "", "JAX": ""}
    yield from _against("one softmax layer, d = 32", exact, length, min(rounds, 5), goals)

    def program(n: int) -> Callable[[], Any]:
        tokens = _tokens(rounded, n)
        return lambda: rounded(tokens)

    sizes = [10**4, 10**5, 10**6, 10**7][: 3 if quick else 4]
    yield growth_row("one layer, 8 bits, d = 32", "T", grow(program, sizes, rounds))
    yield measured_memory("one layer, 8 bits, d = 32", "T", one_layer_of, sizes[1:])


def two_layers(quick: bool) -> Iterator[Row]:
    """Two softmax layers, with and without lag biases."""
    rounds = 2 if quick else 5
    for lag_bias, name in ((False, "no lag bias"), (True, "lag biases")):
        f, what = _two_layers(lag_bias), f"two softmax layers, d = 16, {name}"
        yield from _against(what, f, 1024 if quick else 2048, rounds, {"NumPy": "", "JAX": ""})
        if not quick:
            # Masks are (T, T) in float64, one for each head.
            yield from _against(what, f, 8192 if lag_bias else 16384, 4, {"PyTorch": "≥ 100"})

    f = _two_layers()

    def program(n: int) -> Callable[[], Any]:
        tokens = _tokens(f, n)
        return lambda: f(tokens)

    sizes = [10**4, 10**5, 10**6] if quick else [10**4, 10**5, 10**6, 10**7]
    fit = grow(program, sizes, 2)
    yield growth_row("two softmax layers, d = 16, lag biases", "T", fit, goal="≤ 1.1")
    what = "two softmax layers, d = 16, lag biases"
    yield measured_memory(what, "T", two_layers_of, sizes[1:], goal="< 1 GiB")


def one_layer_of(length: int) -> Callable[[], Any]:
    """For the memory: a forward pass of one layer."""
    f = _one_layer()
    x = _tokens(f, length)
    return lambda: f(x)


def two_layers_of(length: int) -> Callable[[], Any]:
    """For the memory: a forward pass of two layers."""
    f = _two_layers()
    x = _tokens(f, length)
    return lambda: f(x)
