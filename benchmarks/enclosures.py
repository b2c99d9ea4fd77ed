"""Enclosures of sup |f − g| over all lengths: stored models, the ladder of windows, and at scale.

    python benchmarks/enclosures.py [--quick]

Stored models in finite precision (horizon 2^20) and plain softmax (every length); the same by
windows, for four of them; and random pairs with 128 hidden units (g is f with its embedding moved
by 0.1), softmax, in all regimes of lag biases. Each within a stated budget of cells.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

import numpy as np

import verify
from verify import Head, Layer, LimitTransformer
from verify.tasks.trained import all_trained, trained_pair

SCALE = (
    # |Σ|, Δ, heads, lag biases
    (4, 1, 1, (0.0,)),
    (4, 1, 2, (0.0,)),
    (2, 3, 2, (0.0,)),
    (2, 5, 1, (0.0,)),
    (2, 1, 1, (0.999, 0.0)),
    (2, 1, 1, (1.0, 0.0)),
    (2, 1, 1, (1.001, 0.0)),
    (3, 1, 2, (0.999, 0.5)),
    (2, 5, 1, (0.0, 1.5)),
    (4, 1, 1, (0.0, 0.5)),
)
BUDGET = 200_000
"""Cells, at most."""


def random_pair(size, period, heads, biases, dimension=6, hidden=128, seed=1):
    """Return a random softmax model, and the same with its embedding moved."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape) / np.sqrt(shape[-1])

    f = LimitTransformer(
        rng.normal(size=(size, dimension)),
        rng.normal(size=(period, dimension)),
        (
            Layer(
                tuple(
                    Head(normal(dimension, dimension), normal(dimension, dimension), biases)
                    for _ in range(heads)
                ),
                normal(hidden, dimension),
                rng.normal(size=hidden) / 3,
                normal(dimension, hidden),
            ),
        ),
        normal(1, dimension),
        None,
    )
    moved = f.embedding + 0.1 * rng.normal(size=f.embedding.shape)
    return f, LimitTransformer(moved, f.positions, f.layers, f.unembedding, None)


def timed(call):
    """Return the result of a call and its seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def stored(quick):
    """All stored models: the widest enclosure and the longest time."""
    tasks = {"mod_p": (4096, 24), "simple": (4096, 24), "simple_plain": (1,)}
    for task, starts in tasks.items():
        pairs = all_trained(task)[:: 7 if quick else 1]
        for start in starts:
            horizon = None if task == "simple_plain" else 2**20
            found = [
                timed(
                    lambda p=p, start=start, horizon=horizon: verify.enclose(
                        p.model, p.target, from_length=start, horizon=horizon
                    )
                )
                for p in pairs
            ]
            widest = max(float(result.width) for result, _ in found)
            seconds = sorted(s for _, s in found)
            cells = max(result.cells for result, _ in found)
            print(
                f"{task}, {len(pairs)} models, from {start}: width ≤ {widest:.2e}, "
                f"median {seconds[len(seconds) // 2]:.2f} s, at most {seconds[-1]:.2f} s, "
                f"{cells:,} cells"
            )


def against_windows():
    """Cells and windows on the same lengths, one after the other."""
    for task, settings in (
        ("simple", {"omega": 2, "training_length": 32}),
        ("simple", {"omega": 8, "training_length": 128}),
        ("mod_p", {"period": 2, "training_length": 32}),
        ("mod_p", {"period": 5, "training_length": 128}),
    ):
        pair = trained_pair(task, **settings)
        windows, slow = timed(
            lambda pair=pair: verify.ladder(pair.model, pair.target, length=512, horizon=2**16)
        )
        cells, fast = timed(
            lambda pair=pair, windows=windows: verify.enclose(
                pair.model, pair.target, from_length=windows.from_length, horizon=2**16
            )
        )
        width = float(windows.high - windows.low)
        print(f"{pair.name}, 512 … 2^16:")
        print(f"  windows [{float(windows.low):.4f}, {float(windows.high):.4f}] {slow:.2f} s")
        print(f"  cells [{float(cells.low):.5f}, {float(cells.high):.5f}] {fast:.2f} s")
        print(f"  {width / float(cells.width):.0f} times narrower, {slow / fast:.0f} times faster")


def scale(quick):
    """Random pairs, every length from 16 on."""
    for size, period, heads, biases in SCALE[:: 3 if quick else 1]:
        f, g = random_pair(size, period, heads, biases)
        result, seconds = timed(
            lambda f=f, g=g: verify.enclose(
                f, g, from_length=16, horizon=None, tolerance=Fraction(3, 1000), limit=50 * BUDGET
            )
        )
        print(
            f"|Σ| = {size}, Δ = {period}, H = {heads}, φ = {biases}: "
            f"[{float(result.low):.4f}, {float(result.high):.4f}], {result.cells:,} cells, "
            f"{seconds:.1f} s{'' if result.finished else ', budget spent'}"
        )


def main():
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few of each")
    quick = parser.parse_args().quick
    stored(quick)
    against_windows()
    scale(quick)


if __name__ == "__main__":
    main()
