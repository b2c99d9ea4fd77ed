"""Two softmax layers: against cumulative counts in NumPy, and against attention in PyTorch.

    pip install torch==2.13.0        # only for the comparison with PyTorch
    python -m benchmarks.forward_two_layer

First, against the bare kernel of every such pass: how often each type (residue, token) occurs up
to every position, kept for all of them, in NumPy with its defaults:

    np.cumsum(np.arange(number)[:, None] == types, axis=1)        # (n, T), int64

That was the cheapest of four ways of writing it; rows of np.eye, zeros filled by index, and
positions first take up to 20 times as long. With dtype=np.int32 it takes about half the time at
lengths where memory counts: the second column of ratios. The pass computes, beside these counts,
two layers of attention and the ReLU network of every position. CPU time, in turn, in one process:
ratios of minima, and medians of the ratios of all rounds. Peak memory is that of the process.

Then one run against torch.nn.functional.scaled_dot_product_attention (CPU, causal, float64): the
first layer at all positions, the second at the last one only, as in the fast pass. Two models: one
without lag biases, where PyTorch uses its causal kernel, and one with them, where it needs a mask
of shape (T, T), whose construction is not timed. Outputs must agree to 1e-9, relative to the
largest. Both programs run on one thread, unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy and PyTorch are imported

import numpy as np

from verify import Head, Layer, LimitTransformer


def model(rng, *, vocabulary_size, period, locality, heads, dimension, lag_bias=True):
    """Return a model with normal weights, MLPs of width 2d, and lag biases around 1."""

    def normal(*shape):
        return rng.normal(size=shape) / np.sqrt(dimension)

    def layer():
        return Layer(
            tuple(
                Head(
                    normal(dimension, dimension),
                    normal(dimension, dimension),
                    rng.uniform(0.0, 2.0, size=locality + 1) if lag_bias else np.zeros(1),
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
        (layer(), layer()),
        normal(2, dimension),
        None,
    )


def seconds(function, repeat):
    """Return the median wall-clock time of `repeat` calls."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def cumulative_counts(x, vocabulary_size, period, dtype=None):
    """Return how often each type occurs up to each position, (n, T)."""
    number = vocabulary_size * period
    types = x if period == 1 else x + np.arange(1, len(x) + 1) % period * vocabulary_size
    return np.cumsum(np.arange(number)[:, None] == types, axis=1, dtype=dtype)


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


SIZES = (
    # |Σ|, Δ
    (4, 1),
    (4, 2),
    (16, 4),
)
LENGTHS = (10**4, 10**5, 10**6, 10**7)


def measure(sizes=SIZES, lengths=LENGTHS, largest=5 * 10**7, budget=2.0, seed=0):
    """Return one row for each case, a dict; times in seconds. τ = 2, H = 2, d = 16, MLPs of 32.

    Where n·T is above `largest`, the counts of the kernel would not fit.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for vocabulary_size, period in sizes:
        f = model(
            rng,
            vocabulary_size=vocabulary_size,
            period=period,
            locality=2,
            heads=2,
            dimension=16,
        )
        for length in sorted(lengths):
            if vocabulary_size * period * length > largest:
                continue
            x = rng.integers(0, vocabulary_size, size=length)
            f(x)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            kernels = [
                lambda x=x, s=vocabulary_size, p=period, d=dtype: cumulative_counts(x, s, p, d)
                for dtype in (None, np.int32)
            ]
            times = alternate([lambda f=f, x=x: f(x), *kernels], budget)
            least = times.min(axis=1)
            rows.append(
                {
                    "model": f"|Σ| = {vocabulary_size}, Δ = {period}",
                    "length": length,
                    "pass": float(least[0]),
                    "counts": float(least[1]),
                    "ratio of minima": float(least[0] / least[1]),
                    "median ratio": float(np.median(times[0] / times[1])),
                    "ratio of minima, int32": float(least[0] / least[2]),
                    "peak memory": memory,
                }
            )
    return rows


def against_counts(lengths, budget):
    """Print the rows of `measure`."""
    print("τ = 2, H = 2, d = 16, MLPs of 32; per token; pass/counts")
    print(
        f"{'model':<16} {'T':>9} {'pass':>10} {'counts':>10} {'of minima':>10} {'median':>7} "
        f"{'int32':>7} {'peak memory':>12}"
    )
    for row in measure(lengths=lengths, budget=budget):
        each = [f"{row[name] / row['length'] * 1e9:7.1f} ns" for name in ("pass", "counts")]
        print(
            f"{row['model']:<16} {row['length']:>9} {each[0]:>10} {each[1]:>10} "
            f"{row['ratio of minima']:>10.1f} {row['median ratio']:>7.1f} "
            f"{row['ratio of minima, int32']:>7.1f} {row['peak memory'] / 2**20:>8.0f} MiB"
        )


def torch_forward(torch, f, x, masks):
    """Return a function that computes f(x) with PyTorch, embedding included."""
    attention = torch.nn.functional.scaled_dot_product_attention
    residues = torch.arange(1, len(x) + 1) % f.period
    tokens = torch.tensor(x)

    def tensor(array):
        return torch.tensor(np.array(array))

    embedding, positions, unembedding = map(tensor, (f.embedding, f.positions, f.unembedding))
    layers = [
        (
            [(tensor(h.query_key), tensor(h.value)) for h in layer.heads],
            *map(tensor, (layer.mlp_in, layer.mlp_bias, layer.mlp_out)),
        )
        for layer in f.layers
    ]

    def forward():
        with torch.no_grad():
            y = embedding[tokens] + positions[residues]
            for number, (heads, mlp_in, mlp_bias, mlp_out) in enumerate(layers):
                queries = y if number == 0 else y[-1:]
                u = queries.clone()
                for h, (query_key, value) in enumerate(heads):
                    mask = masks[number][h] if masks else None
                    u += attention(
                        (queries @ query_key.T)[None, None],
                        y[None, None],
                        (y @ value.T)[None, None],
                        attn_mask=mask,
                        is_causal=number == 0 and mask is None,
                        scale=1.0,
                    )[0, 0]
                y = u + torch.relu(u @ mlp_in.T + mlp_bias) @ mlp_out.T
            return (unembedding @ y[-1]).numpy()

    return forward


def torch_masks(torch, f, length):
    """Return log(i)·φ(i − j) for j ≤ i and −∞ above, for each layer and head."""
    scale = torch.log(torch.arange(1, length + 1, dtype=torch.float64))
    masks = []
    for number, layer in enumerate(f.layers):
        rows = []
        for head in layer.heads:
            mask = torch.full((length, length), -torch.inf, dtype=torch.float64).triu_(1)
            for lag, phi in enumerate(head.lag_bias):
                index = torch.arange(lag, length)
                mask[index, index - lag] = scale[index] * phi
            rows.append(mask if number == 0 else mask[-1:].clone())
        masks.append(rows)
    return masks


def against_torch(rng, sizes, length, repeat):
    """Print the times of both programs and their ratio, without and with lag biases."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: no comparison. pip install torch==2.13.0")
        return
    print(f"\nPyTorch {torch.__version__}, {torch.get_num_threads()} threads, T = {length}")
    print(f"{'model':>16} {'fast':>11} {'PyTorch':>12} {'PyTorch/fast':>13} {'difference':>11}")
    for name, lag_bias in (("no lag bias", False), ("lag biases", True)):
        f = model(rng, **sizes, lag_bias=lag_bias)
        x = rng.integers(0, f.vocabulary_size, size=length)
        theirs = torch_forward(torch, f, x, torch_masks(torch, f, length) if lag_bias else None)
        ours, other = f(x), theirs()
        difference = np.abs(ours - other).max() / np.abs(ours).max()
        if not difference <= 1e-9:
            raise SystemExit(f"the outputs differ by {difference:.1e}")
        fast = seconds(lambda f=f, x=x: f(x), 5 * repeat)
        slow = seconds(theirs, repeat)
        print(
            f"{name:>16} {fast * 1e3:>8.2f} ms {slow * 1e3:>9.1f} ms {slow / fast:>13.0f} "
            f"{difference:>11.1e}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--budget", type=float, default=2.0, help="CPU seconds for each row")
    parser.add_argument("--torch-length", type=int, default=16384, help="0: without PyTorch")
    parser.add_argument("--repeat", type=int, default=3, help="rounds beside PyTorch")
    options = parser.parse_args()

    against_counts(options.lengths, options.budget)
    if options.torch_length:
        sizes = {"vocabulary_size": 4, "period": 1, "locality": 2, "heads": 2, "dimension": 16}
        against_torch(np.random.default_rng(0), sizes, options.torch_length, options.repeat)


if __name__ == "__main__":
    main()
