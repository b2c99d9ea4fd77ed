"""Two softmax layers: time per token, peak memory, and PyTorch's attention on the same model.

    pip install torch==2.13.0        # only for the comparison
    python benchmarks/forward_two_layer.py

First the time per token and the peak memory of the process at growing lengths, then one run
against torch.nn.functional.scaled_dot_product_attention (CPU, causal, float64): the first layer
at all positions, the second at the last one only, as in the fast pass. Two models: one without
lag biases, where PyTorch uses its causal kernel, and one with them, where it needs a mask of
shape (T, T), whose construction is not timed. Outputs must agree to 1e-9, relative to the
largest. Medians of several rounds. Both programs run on one thread, unless OMP_NUM_THREADS says
otherwise.
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


def scaling(f, rng, lengths, repeat):
    """Print the time per token and the peak memory at each length."""
    print(f"{f}, medians of {repeat} rounds")
    print(f"{'T':>10} {'time':>11} {'per token':>11} {'relative':>9} {'peak memory':>12}")
    base = None
    for length in sorted(lengths):
        x = rng.integers(0, f.vocabulary_size, size=length)
        f(x[:1000])
        total = seconds(lambda x=x: f(x), repeat)
        base = base or total / length
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{length:>10} {total * 1e3:>8.1f} ms {total / length * 1e9:>8.1f} ns "
            f"{total / length / base:>9.2f} {memory:>8.0f} MiB"
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
    parser.add_argument("--lengths", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--torch-length", type=int, default=16384)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--vocabulary-size", type=int, default=4)
    parser.add_argument("--period", type=int, default=1)
    parser.add_argument("--locality", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--dimension", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    rng = np.random.default_rng(options.seed)
    sizes = {
        name: getattr(options, name)
        for name in ("vocabulary_size", "period", "locality", "heads", "dimension")
    }
    scaling(model(rng, **sizes), rng, options.lengths, options.repeat)
    against_torch(rng, sizes, options.torch_length, options.repeat)


if __name__ == "__main__":
    main()
