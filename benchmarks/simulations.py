"""The maps x → z: how their time grows with T, against one forward pass of the model.

A map is made once for many inputs, after the constants of the model are measured; `verify.simulate`
does both, in a time that hardly depends on the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import verify
from benchmarks.growth import grow
from benchmarks.plain import random_model
from benchmarks.rows import Row, growth_row, measured_memory, ratio_row
from benchmarks.timing import alternate
from verify.simulation import SoftmaxSimulator, simulator

SHORT = 500
"""|z| of the balanced map."""


def _tokens(length: int, tokens: int = 2) -> np.ndarray:
    return np.random.default_rng(length).integers(0, tokens, size=length)


def _argmax() -> tuple[Any, str, Callable[[Any], Any]]:
    f = verify.tasks.mod_p(2, 1).transformer
    return f, "1/20", simulator(f, None, epsilon="1/20")


def _softmax() -> tuple[Any, str, Callable[[Any], Any]]:
    f = verify.tasks.trained("simple_plain", omega=4, training_length=32)
    return f, "1/10", SoftmaxSimulator(f, None, epsilon="1/10")


def maps(quick: bool) -> Iterator[Row]:
    """The maps of one layer, for one ε; of two layers, to a z of fixed length (not quick)."""
    sizes = [10**4, 10**5, 10**6] if quick else [10**4, 10**5, 10**6, 10**7]
    rounds, longest = (3, sizes[-1]) if quick else (7, 10**6)
    for layer, case in (("argmax", _argmax), ("softmax", _softmax)):
        f, epsilon, shorten = case()
        x = _tokens(longest)

        def program(n: int, shorten: Callable[[Any], Any] = shorten) -> Callable[[], Any]:
            tokens = _tokens(n)
            return lambda: shorten(tokens)

        yield growth_row(f"the map, one {layer} layer", "T", grow(program, sizes, 3))
        passing = {"forward": lambda f=f, x=x: f(x)}
        mapping = {"map": lambda shorten=shorten, x=x: shorten(x)}
        with_constants = {"all": lambda f=f, x=x, e=epsilon: verify.simulate(x, f, epsilon=e)}
        against = f"one forward pass, T = {longest:,}"
        found = alternate(mapping | passing, rounds)
        yield ratio_row(f"the map, one {layer} layer", against, found)
        found = alternate(with_constants | passing, rounds)
        yield ratio_row(f"`verify.simulate`, one {layer} layer", against, found)
    yield measured_memory("the map, one argmax layer", "T", argmax_of, sizes[1:])
    if not quick:
        yield from _balanced(sizes[:3])


def _balanced(sizes: list[int]) -> Iterator[Row]:
    rng = np.random.default_rng(1)
    f = random_model(rng, 2, vocabulary_size=2, dimension=8, heads=1, lag_bias=False)

    def program(n: int) -> Callable[[], Any]:
        tokens = _tokens(n)
        return lambda: verify.simulate_balanced(tokens, f, length=SHORT)

    what = f"balanced blocks, two softmax layers, |z| ≤ {SHORT}"
    yield growth_row(what, "T", grow(program, sizes, 2))
    x = _tokens(sizes[-1])
    programs = {"map": program(sizes[-1]), "forward": lambda: f(x)}
    yield ratio_row(what, f"one forward pass, T = {sizes[-1]:,}", alternate(programs, 3))


def argmax_of(length: int) -> Callable[[], Any]:
    """For the memory."""
    _, _, shorten = _argmax()
    x = _tokens(length)
    return lambda: shorten(x)
