"""One layer, finite precision: the fast forward pass against plain NumPy and one np.bincount.

    python benchmarks/forward_one_layer.py

All three are timed in turn, in one run and on the same input; the table shows medians and their
ratios. The plain line is what one would write first: embed all tokens, one logit per position,
softmax with log T scaling and rounding, weighted mean. It is timed at the lengths where its
arrays of shape (T, d) fit into a few GB, and its output must equal that of the fast pass.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

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


def seconds(function, *arguments):
    """Return the wall-clock time of one call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[10**4, 10**6, 10**7])
    parser.add_argument(
        "--plain-up-to", type=int, default=10**6, help="longest T of the plain line"
    )
    parser.add_argument("--repeat", type=int, default=9, help="odd number of timed rounds")
    parser.add_argument("--vocabulary-size", type=int, default=4)
    parser.add_argument("--period", type=int, default=2)
    parser.add_argument("--locality", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--dimension", type=int, default=32)
    parser.add_argument("--precision-bits", type=int, default=8)
    parser.add_argument("--token-type", default="int64", help="NumPy integer type of the input")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    rng = np.random.default_rng(options.seed)
    f = model(
        rng,
        vocabulary_size=options.vocabulary_size,
        period=options.period,
        locality=options.locality,
        heads=options.heads,
        dimension=options.dimension,
        precision_bits=options.precision_bits,
    )
    print(f"{f}, tokens as {options.token_type}, medians of {options.repeat} rounds")
    names = f"{'fast':>10} {'bincount':>10} {'plain':>10}"
    print(f"{'T':>10} {names} {'fast/bincount':>14} {'plain/fast':>11}")
    for length in options.lengths:
        x = rng.integers(0, options.vocabulary_size, size=length).astype(options.token_type)
        functions = {"fast": lambda x=x: f(x), "bincount": lambda x=x: np.bincount(x)}
        if length <= options.plain_up_to:
            functions["plain"] = lambda x=x: plain(f, x)
            np.testing.assert_allclose(plain(f, x), f(x), rtol=1e-9, atol=1e-12)
        times = {name: [] for name in functions}
        for _ in range(options.repeat):
            for name, function in functions.items():
                times[name].append(seconds(function))
        middle = {name: median(values) for name, values in times.items()}
        cells = [
            f"{middle[name] * 1e3:7.3f} ms" if name in middle else "-"
            for name in ("fast", "bincount", "plain")
        ]
        speedup = f"{middle['plain'] / middle['fast']:.0f}" if "plain" in middle else "-"
        print(
            f"{length:>10} {cells[0]:>10} {cells[1]:>10} {cells[2]:>10} "
            f"{middle['fast'] / middle['bincount']:>14.2f} {speedup:>11}"
        )


if __name__ == "__main__":
    main()
