"""Two softmax layers: our pass on one CPU core against PyTorch's attention on a GPU.

    pip install torch
    python -m benchmarks.forward_gpu

The same model without lag biases, so that PyTorch may use its fastest causal kernel; the second
layer at the last position only, as in our pass. Wall-clock medians of runs in turn, after two
warm-ups, transfers of the tokens not counted. The difference of the outputs is relative to the
largest: it is what the number format costs, since our pass and float64 on the GPU agree.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy and PyTorch are imported

import numpy as np

from benchmarks.forward_two_layer import model

LENGTHS = {"float64": [2**14], "float32": [2**14, 2**17], "bfloat16": [2**14, 2**17, 2**20]}
"""By number format; longer ones take minutes."""


def on_gpu(torch, f, x, dtype):
    """Return a function that computes f(x) on the GPU."""
    attention = torch.nn.functional.scaled_dot_product_attention

    def tensor(array):
        return torch.tensor(np.array(array), dtype=dtype, device="cuda")

    tokens = torch.tensor(x, device="cuda")
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
            y = embedding[tokens] + positions[0]  # period 1
            for number, (heads, mlp_in, mlp_bias, mlp_out) in enumerate(layers):
                queries = y if number == 0 else y[-1:]
                u = queries.clone()
                for query_key, value in heads:
                    u += attention(
                        (queries @ query_key.T)[None, None],
                        y[None, None],
                        (y @ value.T)[None, None],
                        is_causal=number == 0,
                        scale=1.0,
                    )[0, 0]
                y = u + torch.relu(u @ mlp_in.T + mlp_bias) @ mlp_out.T
            result = unembedding @ y[-1]
            torch.cuda.synchronize()
            return result.double().cpu().numpy()

    return forward


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        raise SystemExit("PyTorch is not installed: pip install torch") from None
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU")
    print(torch.cuda.get_device_name(0), "PyTorch", torch.__version__)

    rng = np.random.default_rng(0)
    sizes = {"vocabulary_size": 4, "period": 1, "locality": 2, "heads": 2, "dimension": 16}
    f = model(rng, **sizes, lag_bias=False)
    print(f"{'T':>9} {'format':>9} {'ours':>10} {'GPU':>10} {'GPU/ours':>9} {'difference':>11}")
    for name, lengths in LENGTHS.items():
        for length in lengths:
            x = rng.integers(0, f.vocabulary_size, size=length)
            theirs = on_gpu(torch, f, x, getattr(torch, name))
            for _ in range(2):
                f(x), theirs()
            pairs = [(seconds(lambda x=x: f(x)), seconds(theirs)) for _ in range(options.rounds)]
            (_, ours), (_, other) = pairs[-1]
            print(
                f"{length:>9} {name:>9} {1e3 * median(a[0] for a, _ in pairs):>7.1f} ms "
                f"{1e3 * median(b[0] for _, b in pairs):>7.1f} ms "
                f"{median(b[0] / a[0] for a, b in pairs):>9.2f} "
                f"{np.abs(ours - other).max() / np.abs(ours).max():>11.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
