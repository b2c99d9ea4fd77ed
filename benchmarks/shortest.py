"""`verify.shortest`: seconds, growth with |x| and with 1/ε, and against trying all short inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import verify
from benchmarks.growth import grow
from benchmarks.rows import Row, growth_row, ratio_row
from benchmarks.timing import alternate
from verify.tasks.trained import trained_pair


def by_trying(x: np.ndarray, f: Any, g: Any, budget: float) -> int:
    """The length of the shortest z with the last token and parity of x, by forward passes alone."""
    wanted = f(x), g(x)
    for length in range(2 - len(x) % 2, len(x), 2):
        for start in itertools.product((0, 1), repeat=length - 1):
            z = np.array([*start, x[-1]])
            if sum(np.abs(m(z) - w).max() for m, w in zip((f, g), wanted, strict=True)) <= budget:
                return length
    return len(x)


def input_of(length: int) -> np.ndarray:
    """A Sturmian word: shares of token 1 that no short input has."""
    return (np.arange(length) * (5**0.5 - 1) / 2 % 1 < 3 / 2 - 5**0.5 / 2).astype(int)


def shortest(quick: bool) -> Iterator[Row]:
    """By outputs and by attention."""
    pair = trained_pair("mod_p", period=2, training_length=32)
    f, g = pair.model, pair.target
    exact = verify.tasks.mod_p(2, 1).transformer

    for way in ("outputs", "attention"):
        model, other = (f, g) if way == "outputs" else (exact, exact)

        def program(length: int, way: Any = way, pair: Any = (model, other)) -> Callable[[], Any]:
            x = input_of(length)
            return lambda: verify.shortest(x, *pair, epsilon="1/20", reproduces=way)

        sizes = [10**2, 10**3, 10**4] if quick else [10**3, 10**4, 10**5, 10**6]
        yield growth_row(f"`verify.shortest`, {way}", "T", grow(program, sizes, 2))

    def finer(inverse: int) -> Callable[[], Any]:
        x = input_of(10**4)
        return lambda: verify.shortest(x, f, g, epsilon=Fraction(1, inverse))

    sizes = [8, 32, 128] if quick else [4, 8, 16, 32, 64, 128]
    yield growth_row(f"`verify.shortest`, outputs, {pair.name}", "1/ε", grow(finer, sizes, 2))
    x = input_of(400)
    found = int(verify.shortest(x, f, g, epsilon="1/40").length)
    tried = by_trying(x, f, g, 0.05)
    if found != tried:
        raise AssertionError(f"shortest: {found}; by trying: {tried}")
    programs = {
        "trying": lambda: by_trying(x, f, g, 0.05),
        "shortest": lambda: verify.shortest(x, f, g, epsilon="1/40"),
    }
    what = f"`verify.shortest`, ε = 1/40, |z| = {found}"
    yield ratio_row("f(z), g(z) of every short z in turn", what, alternate(programs, 3))
