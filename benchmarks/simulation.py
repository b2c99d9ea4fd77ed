"""Simulations of long inputs against the forward pass on the same input.

    python -m benchmarks.simulation [--two-layers]

Two figures for each model: the map alone (`verify.simulation.simulator(...)(x)`, or the simulator
of softmax models), made once for many inputs; and one call of `verify.simulate(x, f, ...)`, which
measures the constants of the model first, in exact arithmetic, in a time that does not depend on
the input. CPU time, in turn, in one process: ratios of minima, and medians of all rounds.

`--two-layers`: the balanced map of two softmax layers, once. It solves a linear program for every
piece of z, and evaluates what it balances at every suffix that occurs in a piece.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is imported

import numpy as np

import verify
from verify.simulation import SoftmaxSimulator, simulator
from verify.simulation.softmax.balanced import simulate_balanced


def cases():
    """Return name → (model, ε)."""
    trained = verify.tasks.trained("simple_plain", omega=4, training_length=32)
    return {
        "argmax, mod_p, Δ = 2": (verify.tasks.mod_p(2, 1).transformer, "1/20"),
        "argmax, mod_p, Δ = 5": (verify.tasks.mod_p(5, 2).transformer, "1/20"),
        "softmax, simple, trained": (trained, "1/10"),
    }


def alternate(functions, budget, clock=time.process_time):
    """Return the times of one call of each, (functions, rounds): all in turn, round after round."""
    for function in functions:
        function()
    rounds, end = [], clock() + budget
    while len(rounds) < 5 or clock() < end:
        rounds.append([])
        for function in functions:
            start = clock()
            function()
            rounds[-1].append(clock() - start)
    return np.array(rounds).T


def measure(lengths=(10**6, 10**7), budget=3.0, seed=0):
    """Return one row for each case, a dict; times in seconds."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, (f, epsilon) in cases().items():
        softmax = f.attention == "softmax"
        shorten = (SoftmaxSimulator if softmax else simulator)(f, None, epsilon=epsilon)
        for length in lengths:
            x = rng.integers(0, f.vocabulary_size, size=length)
            functions = [
                lambda f=f, x=x: f(x),
                lambda shorten=shorten, x=x: shorten(x),
                lambda f=f, x=x, epsilon=epsilon: verify.simulate(x, f, epsilon=epsilon),
            ]
            times = alternate(functions, budget)
            least = times.min(axis=1)
            rows.append(
                {
                    "model": name,
                    "length": length,
                    "short": int(shorten(x).length),
                    "pass": float(least[0]),
                    "map": float(least[1]),
                    "simulate": float(least[2]),
                    "map, of minima": float(least[1] / least[0]),
                    "map, median": float(np.median(times[1] / times[0])),
                    "simulate, of minima": float(least[2] / least[0]),
                    "simulate, median": float(np.median(times[2] / times[0])),
                }
            )
    return rows


def two_layers(length=10**5, short=1000, seed=0):
    """Return the seconds of the forward pass and of the balanced map of a random model."""
    rng = np.random.default_rng(seed)

    def layer(bias):
        head = verify.Head(rng.normal(size=(3, 3)) / 3, rng.normal(size=(3, 3)) / 3, bias)
        return verify.Layer((head,))

    f = verify.LimitTransformer(
        rng.normal(size=(4, 3)),
        np.zeros((1, 3)),
        (layer([0.5, 0.0]), layer([0.0])),
        np.eye(3),
        None,
    )
    x = rng.integers(0, 4, size=length)
    seconds = []
    for call in (lambda: f(x), lambda: simulate_balanced(x, f, length=short)):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[10**6, 10**7])
    parser.add_argument("--budget", type=float, default=3.0, help="CPU seconds for each row")
    parser.add_argument("--two-layers", action="store_true")
    options = parser.parse_args()
    if options.two_layers:
        forward, balanced = two_layers()
        print(f"T = 100,000, |z| ≤ 1000: pass {forward:.3f} s, balanced map {balanced:.1f} s")
        return
    print(
        f"{'model':<26} {'T':>9} {'|z|':>9} {'pass':>9} {'map/pass':>9} {'median':>7} "
        f"{'simulate/pass':>14} {'median':>7}"
    )
    for row in measure(lengths=options.lengths, budget=options.budget):
        print(
            f"{row['model']:<26} {row['length']:>9} {row['short']:>9} "
            f"{row['pass'] * 1e3:>6.1f} ms {row['map, of minima']:>9.2f} "
            f"{row['map, median']:>7.2f} {row['simulate, of minima']:>14.2f} "
            f"{row['simulate, median']:>7.2f}"
        )


if __name__ == "__main__":
    main()
