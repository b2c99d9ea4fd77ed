"""A sweep over 10⁶ points of one theorem, as a ratio to the same formula in bare NumPy.

    python benchmarks/sweep.py [rounds]

The bare NumPy is `lambdify`, code made of the theorem's own formula, or the same as a person
would write it, `by hand`; neither reads a parameter, checks a hypothesis, nor knows its error. The
sweep does all of that. Runs alternate, in CPU time; ratios are medians of the ratios of
neighbouring runs. Then the largest difference to the certified log2 on random rows.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import sympy

import bounds

THEOREM = "derived.one_layer_linf"
SHARED = {"vocabulary_size": 3, "period": 2, "locality": 1, "precision_bits": 8, "margin": 1}
POINTS = 10**6


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


def timed(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.process_time()
    values = call()
    return time.process_time() - start, values


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    rng = np.random.default_rng(0)
    epsilon, lipschitz = 10 ** rng.uniform(-4, -1, POINTS), 10 ** rng.uniform(-1, 2, POINTS)
    side = round(POINTS**0.5)
    grid = {"epsilon": epsilon[:side], "lipschitz": lipschitz[:side]}
    compiled = lambdified()

    def paired() -> np.ndarray:
        axes = {"epsilon": epsilon, "lipschitz": lipschitz}
        table = bounds.sweep(theorem=THEOREM, paired=axes, **SHARED)
        return table.column("log2_length", float)

    def product() -> np.ndarray:
        table = bounds.sweep(theorem=THEOREM, **grid, **SHARED)
        return table.column("log2_length", float)

    def all_pairs(formula: Callable[..., np.ndarray], **more: int) -> np.ndarray:
        return formula(*np.meshgrid(*grid.values(), indexing="ij"), **more)

    cases = {
        "paired": (paired, lambda: compiled(epsilon, lipschitz)),
        "paired, by hand": (paired, lambda: by_hand(epsilon, lipschitz, **SHARED)),
        "1000 × 1000": (product, lambda: all_pairs(compiled)),
        "1000 × 1000, by hand": (product, lambda: all_pairs(by_hand, **SHARED)),
    }
    for name, (ours, bare) in cases.items():
        ours(), bare()
        ratios, seconds = [], []
        for _ in range(rounds):
            (a, mine), (b, theirs) = timed(ours), timed(bare)
            ratios.append(a / b)
            seconds.append(a)
        assert np.allclose(mine, theirs.ravel(), rtol=0, atol=1e-6)
        print(
            f"{name}: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to "
            f"{max(ratios):.2f}), {statistics.median(seconds):.2f} s for 10⁶ points"
        )
    log2, worst = paired(), 0.0
    for i in rng.integers(0, POINTS, 1000).tolist():
        point = {"epsilon": epsilon[i], "lipschitz": lipschitz[i]}
        truth = bounds.required_length(theorem=THEOREM, **point, **SHARED)
        assert truth.log2_length is not None
        worst = max(worst, abs(truth.log2_length - log2[i]))
    print(f"largest difference to the certified log2 on 1000 rows: {worst:.1g}")


if __name__ == "__main__":
    main()
