"""One layer: the fast forward pass against one np.bincount over the same tokens, and plain NumPy.

    python -m benchmarks.forward_one_layer

All are timed in turn, in one process and on the same input, in many short rounds of CPU time:
the table shows the ratio of the minima, the median of the ratios of each round, and by how much
the pass takes longer. np.bincount only counts; the pass has to look whether every token is in
range, too, and which residue its position has. The plain line is what one would write first:
embed all tokens, one logit per position, softmax with log T scaling and rounding, weighted mean.
It is timed where its arrays of shape (T, d) are small, and its output must equal that of the pass.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from verify import Head, Layer, LimitTransformer


def model(rng, *, vocabulary_size, period, locality, heads, dimension, precision_bits):
    """Return a model with normal weights and an MLP of width 2d."""

    def normal(*shape):
        return rng.normal(size=shape) / np.sqrt(dimension)

    layer = Layer(
        tuple(
            Head(
                normal(dimension, dimension),
                normal(dimension, dimension),
                rng.normal(size=locality + 1),
            )
            for _ in range(heads)
        ),
        normal(2 * dimension, dimension),
        normal(2 * dimension),
        normal(dimension, 2 * dimension),
    )
    return LimitTransformer(
        rng.normal(size=(vocabulary_size, dimension)),
        rng.normal(size=(period, dimension)),
        (layer,),
        normal(2, dimension),
        precision_bits,
    )


def plain(f, x):
    """Return f(x) by whole arrays over all positions, for the last query."""
    length, layer = len(x), f.layers[0]
    y = f.embedding[x] + f.positions[np.arange(1, length + 1) % f.period]
    u = y[-1].copy()
    for head in layer.heads:
        a = y @ (head.query_key @ y[-1])
        tau = head.lag_bias.size
        a[-tau:] += head.lag_bias[::-1][-length:]
        s = np.exp(np.log(length) * (a - a.max()))
        s[s <= 2.0**-f.precision_bits] = 0.0
        s /= s.sum()
        u += head.value @ (s @ y)
    u += layer.mlp_out @ np.maximum(layer.mlp_in @ u + layer.mlp_bias, 0.0)
    return f.unembedding @ u


def alternate(functions, budget, clock=time.process_time):
    """Return the times of one call of each, (functions, rounds): all in turn, round after round.

    In a round each is called so often that it takes about a millisecond. At least five rounds,
    at most as many as take `budget` seconds on the clock.
    """
    often = []
    for function in functions:
        function()
        start = time.perf_counter()
        function()
        often.append(1 + int(1e-3 / (time.perf_counter() - start + 1e-7)))
    rounds, end = [], clock() + budget
    while len(rounds) < 5 or clock() < end:
        rounds.append([])
        for function, number in zip(functions, often, strict=True):
            start = clock()
            for _ in range(number):
                function()
            rounds[-1].append((clock() - start) / number)
    return np.array(rounds).T


SIZES = (
    # |Σ|, Δ, d
    (4, 2, 16),
    (4, 2, 32),
    (64, 8, 32),
)
LENGTHS = (10, 100, 1000, 10**4, 10**6, 10**7)


def measure(
    sizes=SIZES,
    lengths=LENGTHS,
    precision_bits=(8, None),
    token_types=("int64",),
    plain_up_to=10**5,
    budget=1.0,
    seed=0,
):
    """Return one row for each case, a dict; times in seconds. τ = 2, H = 2."""
    rng = np.random.default_rng(seed)
    rows = []
    for vocabulary_size, period, dimension in sizes:
        for bits in precision_bits:
            f = model(
                rng,
                vocabulary_size=vocabulary_size,
                period=period,
                locality=2,
                heads=2,
                dimension=dimension,
                precision_bits=bits,
            )
            for token_type in token_types:
                for length in lengths:
                    x = rng.integers(0, vocabulary_size, size=length).astype(token_type)
                    functions = [lambda f=f, x=x: f(x), lambda x=x: np.bincount(x)]
                    if length <= plain_up_to and bits is not None:
                        functions.append(lambda f=f, x=x: plain(f, x))
                        np.testing.assert_allclose(plain(f, x), f(x), rtol=1e-9, atol=1e-12)
                    times = alternate(functions, budget)
                    least = times.min(axis=1)
                    rows.append(
                        {
                            "model": f"|Σ| = {vocabulary_size}, Δ = {period}, d = {dimension}",
                            "attention": f.attention,
                            "tokens": token_type,
                            "length": length,
                            "pass": float(least[0]),
                            "bincount": float(least[1]),
                            "plain": float(least[2]) if len(least) > 2 else None,
                            "ratio of minima": float(least[0] / least[1]),
                            "median ratio": float(np.median(times[0] / times[1])),
                            "more": float(least[0] - least[1]),
                        }
                    )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--plain-up-to", type=int, default=10**5, help="longest T of plain NumPy")
    parser.add_argument("--budget", type=float, default=1.0, help="CPU seconds for each row")
    parser.add_argument("--token-types", nargs="+", default=["int64"], help="NumPy integer types")
    options = parser.parse_args()
    rows = measure(
        lengths=options.lengths,
        token_types=options.token_types,
        plain_up_to=options.plain_up_to,
        budget=options.budget,
    )
    print("CPU time; τ = 2, H = 2; pass/bincount: of the minima, and the median of all rounds")
    print(
        f"{'model':<24} {'attention':<9} {'tokens':<6} {'T':>9} {'pass':>11} {'bincount':>11} "
        f"{'of minima':>10} {'median':>7} {'more':>10} {'plain/pass':>11}"
    )
    for row in rows:
        times = [f"{row[name] * 1e6:8.1f} µs" for name in ("pass", "bincount", "more")]
        plain_ratio = f"{row['plain'] / row['pass']:.1f}" if row["plain"] else "-"
        print(
            f"{row['model']:<24} {row['attention']:<9} {row['tokens']:<6} {row['length']:>9} "
            f"{times[0]:>11} {times[1]:>11} {row['ratio of minima']:>10.2f} "
            f"{row['median ratio']:>7.2f} {times[2]:>10} {plain_ratio:>11}"
        )


if __name__ == "__main__":
    main()
