"""A limit transformer as one would write it first: in NumPy, PyTorch and JAX, whole arrays.

All layers but the last at all positions, the last one for the last query only, as in `verify`'s
forward pass. One layer needs arrays of shape (T, d); two layers logits of shape (T, T). Lag biases
in PyTorch are a mask, whose construction is not timed. Finite precision, which drops small
weights, is there in NumPy for one layer only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from verify import Head, Layer, LimitTransformer


def random_model(
    rng: np.random.Generator,
    layers: int,
    *,
    vocabulary_size: int = 4,
    period: int = 1,
    locality: int = 2,
    heads: int = 2,
    dimension: int = 16,
    precision_bits: int | None = None,
    lag_bias: bool = True,
) -> LimitTransformer:
    """Normal weights, MLPs of width 2d, lag biases around 1."""

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) / np.sqrt(dimension)

    def layer() -> Layer:
        lags = rng.uniform(0.0, 2.0, size=locality + 1) if lag_bias else np.zeros(1)
        square = dimension, dimension
        return Layer(
            tuple(Head(normal(*square), normal(*square), lags) for _ in range(heads)),
            normal(2 * dimension, dimension),
            normal(2 * dimension),
            normal(dimension, 2 * dimension),
        )

    return LimitTransformer(
        rng.normal(size=(vocabulary_size, dimension)),
        rng.normal(size=(period, dimension)),
        tuple(layer() for _ in range(layers)),
        normal(2, dimension),
        precision_bits,
    )


def in_numpy(f: LimitTransformer, x: np.ndarray) -> np.ndarray:
    """f(x), shape (o,)."""
    length = len(x)
    y = f.embedding[x] + f.positions[np.arange(1, length + 1) % f.period]
    for layer in f.layers[:-1]:
        y = _all_queries(layer, y)
    layer, query = f.layers[-1], y[-1]
    u = query.copy()
    for head in layer.heads:
        logits = y @ (head.query_key @ query)
        lags = min(len(head.lag_bias), length)
        biases = head.lag_bias[:lags][::-1]
        if f.precision_bits is None:
            logits[length - lags :] += np.log(length) * biases
            s = np.exp(logits - logits.max())
        else:
            logits[length - lags :] += biases
            s = np.exp(np.log(length) * (logits - logits.max()))
            s[s <= 2.0**-f.precision_bits] = 0.0
        u += head.value @ ((s / s.sum()) @ y)
    u += layer.mlp_out @ np.maximum(layer.mlp_in @ u + layer.mlp_bias, 0.0)
    return f.unembedding @ u


def _all_queries(layer: Layer, y: np.ndarray) -> np.ndarray:
    length, u = len(y), y.copy()
    future = np.triu(np.ones((length, length), dtype=bool), 1)
    scale = np.log(np.arange(1, length + 1))
    for head in layer.heads:
        logits = (y @ head.query_key.T) @ y.T
        for lag, bias in enumerate(head.lag_bias[:length]):
            logits.ravel()[lag * length :: length + 1] += bias * scale[lag:]
        logits[future] = -np.inf
        s = np.exp(logits - logits.max(axis=1, keepdims=True))
        u += (s / s.sum(axis=1, keepdims=True)) @ y @ head.value.T
    return u + np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0.0) @ layer.mlp_out.T


def in_torch(torch: Any, f: LimitTransformer, x: np.ndarray) -> Callable[[], np.ndarray]:
    """A function that returns f(x), by `scaled_dot_product_attention` on the CPU in float64."""
    attention = torch.nn.functional.scaled_dot_product_attention
    length = len(x)
    tokens, residues = torch.tensor(x), torch.arange(1, length + 1) % f.period
    embedding, positions, unembedding = map(
        _tensor(torch), (f.embedding, f.positions, f.unembedding)
    )
    scales = torch.log(torch.arange(1, length + 1, dtype=torch.float64))
    layers = []
    for layer in f.layers:
        last = layer is f.layers[-1]
        masks = [_mask(torch, head.lag_bias, scales, last) for head in layer.heads]
        weights = [(_tensor(torch)(h.query_key), _tensor(torch)(h.value)) for h in layer.heads]
        mlp = tuple(map(_tensor(torch), (layer.mlp_in, layer.mlp_bias, layer.mlp_out)))
        layers.append((weights, masks, mlp, last))

    def forward() -> np.ndarray:
        with torch.no_grad():
            y = embedding[tokens] + positions[residues]
            for weights, masks, (mlp_in, mlp_bias, mlp_out), last in layers:
                queries = y[-1:] if last else y
                u = queries.clone()
                for (query_key, value), mask in zip(weights, masks, strict=True):
                    u += attention(
                        (queries @ query_key.T)[None, None],
                        y[None, None],
                        (y @ value.T)[None, None],
                        attn_mask=mask,
                        is_causal=not last and mask is None,
                        scale=1.0,
                    )[0, 0]
                y = u + torch.relu(u @ mlp_in.T + mlp_bias) @ mlp_out.T
            return (unembedding @ y[-1]).numpy()

    return forward


def _tensor(torch: Any) -> Callable[[np.ndarray], Any]:
    return lambda array: torch.tensor(np.array(array))


def _mask(torch: Any, biases: np.ndarray, scales: Any, last: bool) -> Any:
    """log(i)·φ(i − j) for j ≤ i, −∞ above; None without lag biases: then the kernel is causal."""
    if not np.any(biases):
        return None
    length = len(scales)
    if last:
        mask = torch.zeros((1, length), dtype=torch.float64)
        for lag, bias in enumerate(biases[:length]):
            mask[0, length - 1 - lag] = float(bias) * scales[-1]
        return mask
    mask = torch.full((length, length), -torch.inf, dtype=torch.float64).triu_(1)
    for lag, bias in enumerate(biases[:length]):
        rows = torch.arange(lag, length)
        mask[rows, rows - lag] = scales[rows] * float(bias)
    return mask


def in_jax(jax: Any, f: LimitTransformer, x: np.ndarray) -> Callable[[], np.ndarray]:
    """A compiled function that returns f(x), float64 on the CPU; compiling is not timed."""
    jnp = jax.numpy
    length = len(x)
    scales = jnp.log(jnp.arange(1, length + 1, dtype=jnp.float64))

    def with_lags(logits: Any, biases: np.ndarray, rows: Any) -> Any:
        columns = jnp.arange(length)
        for lag, bias in enumerate(biases[:length]):
            at_lag = rows[:, None] - lag == columns[None, :]
            logits = logits + float(bias) * scales[rows][:, None] * at_lag
        return logits

    def program(tokens: Any) -> Any:
        y = jnp.asarray(f.embedding)[tokens]
        y = y + jnp.asarray(f.positions)[jnp.arange(1, length + 1) % f.period]
        for layer in f.layers:
            last = layer is f.layers[-1]
            rows = jnp.arange(length - 1, length) if last else jnp.arange(length)
            queries = u = y[rows]
            for head in layer.heads:
                logits = with_lags((queries @ head.query_key.T) @ y.T, head.lag_bias, rows)
                if not last:
                    logits = jnp.where(rows[:, None] >= jnp.arange(length), logits, -jnp.inf)
                s = jnp.exp(logits - logits.max(axis=1, keepdims=True))
                u = u + (s / s.sum(axis=1, keepdims=True)) @ y @ head.value.T
            y = u + jnp.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0.0) @ layer.mlp_out.T
        return f.unembedding @ y[-1]

    compiled, tokens = jax.jit(program), jnp.asarray(x)
    compiled(tokens).block_until_ready()
    return lambda: np.asarray(compiled(tokens))


def torch_or_none() -> Any:
    """PyTorch on one thread, or None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def jax_or_none() -> Any:
    """JAX in float64 on the CPU, or None."""
    try:
        import jax
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    return jax
