"""A sweep over 10⁶ points of one theorem, as a ratio to the same formula in bare NumPy.

    python -m benchmarks --only sweeps

The bare NumPy is `lambdify`, code made of the theorem's own formula, or the same as a person
would write it, `by hand`; neither reads a parameter, checks a hypothesis, nor knows its error. The
sweep does all of that. Before anything is timed, its log2 is compared to the certified one on
random rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy

import bounds
from benchmarks.growth import grow
from benchmarks.rows import Row, growth_row, measured_memory, ratio_row
from benchmarks.timing import alternate

THEOREM = "derived.one_layer_linf"
SHARED = {"vocabulary_size": 3, "period": 2, "locality": 1, "precision_bits": 8, "margin": 1}


def by_hand(epsilon, lipschitz, vocabulary_size, period, locality, precision_bits, margin):
    s = epsilon  # (3 ε − ε)/2
    e = period * (vocabulary_size + 1) / 4 + locality + 1
    one = 1 + lipschitz / s
    two_heads = one * np.where(lipschitz <= s, 1, one)
    growth = np.minimum(two_heads, one ** min(2, period * (vocabulary_size - 1) + 1))
    simulation = period * (np.ceil(e * (growth - 1)) + 1) + locality
    hardmax = np.ceil(2.0 ** (precision_bits / margin)) + period - 1
    return np.log2(np.where(lipschitz <= s, period, np.maximum(simulation, hardmax)))


def lambdified() -> Callable[..., np.ndarray]:
    entry = bounds.theorem(THEOREM)
    symbols = bounds.symbols
    defaults = {
        symbols.target: 3 * symbols.epsilon,
        symbols.lipschitz_other: symbols.lipschitz,
        symbols.heads: 1,
    }
    names = ["epsilon", "lipschitz", *SHARED]
    formula = sympy.lambdify(
        [symbols[k] for k in names], entry.expression.subs(defaults), "numpy", cse=True
    )
    return lambda epsilon, lipschitz: np.log2(formula(epsilon, lipschitz, **_named(formula)))


def _named(formula: Callable[..., np.ndarray]) -> dict[str, int]:
    return dict(zip(formula.__code__.co_varnames[2:7], SHARED.values(), strict=True))


def _values(points: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    epsilon, lipschitz = 10 ** rng.uniform(-4, -1, points), 10 ** rng.uniform(-1, 2, points)
    return {"epsilon": epsilon, "lipschitz": lipschitz}


def paired(points: int) -> Callable[[], np.ndarray]:
    """A sweep over random pairs of ε and L."""
    values = _values(points)

    def swept() -> np.ndarray:
        table = bounds.sweep(theorem=THEOREM, paired=values, **SHARED)
        return table.column("log2_length", float)

    return swept


def _grid(side: int) -> Callable[[], np.ndarray]:
    values = _values(side)

    def swept() -> np.ndarray:
        table = bounds.sweep(theorem=THEOREM, **values, **SHARED)
        return table.column("log2_length", float)

    return swept


def sweeps(quick: bool) -> Iterator[Row]:
    """10⁶ pairs, and 1000 × 1000 points."""
    side, rounds = (300, 5) if quick else (1000, 15)
    compiled, values, short = lambdified(), _values(side**2), _values(side)

    def on_grid(formula: Callable[..., np.ndarray], **more: int) -> Callable[[], np.ndarray]:
        return lambda: formula(*np.meshgrid(*short.values(), indexing="ij"), **more)

    _compare_with_certified(paired(side**2)(), values, 30 if quick else 300)
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        f"{side**2:,} pairs": (
            paired(side**2),
            {
                "its formula, lambdified": lambda: compiled(**values),
                "its formula by hand": lambda: by_hand(**values, **SHARED),
            },
        ),
        f"{side} × {side} points": (
            _grid(side),
            {
                "its formula, lambdified": on_grid(compiled),
                "its formula by hand": on_grid(by_hand, **SHARED),
            },
        ),
    }
    for name, (ours, others) in cases.items():
        for against, other in others.items():
            np.testing.assert_allclose(ours(), other().ravel(), rtol=0, atol=1e-6)
            found = alternate({"ours": ours, against: other}, rounds)
            yield ratio_row(
                f"`bounds.sweep`, {name}", f"NumPy, {against}", found, goal="" if quick else "≤ 5"
            )
    sizes = [2 * 10**3, 10**4, 10**5] if quick else [2 * 10**3, 2 * 10**4, 2 * 10**5, 2 * 10**6]
    yield growth_row("`bounds.sweep`, pairs", "points", grow(paired, sizes, 3), goal="≤ 1")
    yield measured_memory("`bounds.sweep`, pairs", "points", paired, sizes[1:])


def _compare_with_certified(log2: np.ndarray, values: dict[str, np.ndarray], rows: int) -> None:
    for i in np.random.default_rng(1).integers(0, len(log2), rows).tolist():
        point = {name: column[i] for name, column in values.items()}
        truth = bounds.required_length(theorem=THEOREM, **point, **SHARED).log2_length
        assert truth is not None
        if not abs(truth - log2[i]) <= 1e-9 * max(1, abs(truth)):
            raise AssertionError(f"log2 {log2[i]} at {point}; certified: {truth}")
