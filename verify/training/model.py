"""Trainable limit transformers: parameters with μP scaling, and forward passes in jax.

The passes compute the same function as `verify.LimitTransformer`, arranged so that the width d
enters only tables over token types: one layer costs O(Δ|Σ|·m) per input at any length, two layers
O(T·|Σ|·H). Products such as KᵀQ/d and U/d are formed here; `export` forms the same ones.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from verify.training.experiment import Experiment

Params = dict[str, jax.Array]
BASE_WIDTH = 32


def initialise(experiment: Experiment, key: jax.Array) -> Params:
    """Random parameters: entries of E and b are O(1), matrices have variance 1/fan-in.

    U and the first layer's Q are 0: training starts at uniform attention and output 0. K and Q are
    kept apart (d, d), as trained transformers have them; heads come first (H, d, d).
    """
    d, m, heads = experiment.width, experiment.hidden, experiment.heads
    keys = iter(jax.random.split(key, 12))

    def normal(*shape: int, fan_in: int = 1) -> jax.Array:
        return jax.random.normal(next(keys), shape) / math.sqrt(fan_in)

    outputs = experiment.vocabulary_size if experiment.task == "k_gram" else 1
    params = {
        "embedding": normal(experiment.vocabulary_size, d),
        "positions": normal(experiment.period, d) * (experiment.period > 1),
        "key": normal(heads, d, d, fan_in=d),
        "query": jnp.zeros((heads, d, d)),
        "value": normal(heads, d, d, fan_in=d),
        "lag_bias": jnp.zeros((heads, experiment.locality + 1)),
        "mlp_in": normal(m, d, fan_in=d),
        "mlp_bias": normal(m),
        "mlp_out": normal(d, m, fan_in=m),
        "unembedding": jnp.zeros((outputs, d)),
    }
    if experiment.task == "k_gram":
        params["lag_bias"] = normal(heads, experiment.locality + 1)
        for name in ("key", "query", "value"):
            params[f"{name}_2"] = normal(1, d, d, fan_in=d)
    return params


def learning_rates(experiment: Experiment) -> dict[str, float]:
    """μP factors for Adam: d₀/d for matrices between widths, 1 for the rest, 0 where frozen.

    The factor 1/d of the unembedding and of KᵀQ is in the forward pass. Frozen are the positions of
    a task without any, and the lag biases of a plain one-layer model.
    """
    hidden = {"key", "query", "value", "key_2", "query_2", "value_2", "mlp_in", "mlp_out"}
    frozen = set()
    if experiment.period == 1:
        frozen.add("positions")
    if experiment.task != "k_gram" and experiment.scaling == "plain":
        frozen.add("lag_bias")
    names = {"embedding", "positions", "lag_bias", "mlp_bias", "unembedding"} | hidden
    factors = {name: BASE_WIDTH / experiment.width if name in hidden else 1.0 for name in names}
    for name in ("key", "query"):
        factors[name] *= experiment.attention_rate
    return {name: 0.0 if name in frozen else factor for name, factor in factors.items()}


def forward(experiment: Experiment, params: Params, batch: dict[str, jax.Array]) -> jax.Array:
    """Outputs (B, o) of a batch made by the experiment's task."""
    if experiment.task == "k_gram":
        return two_layer(experiment, params, batch)
    return one_layer(experiment, params, batch)


def one_layer(experiment: Experiment, params: Params, batch: dict[str, jax.Array]) -> jax.Array:
    """Output (B, 1) of the one-layer model on counted inputs."""
    types = type_embeddings(params)
    query = jax.nn.one_hot(batch["suffix"][:, 0], len(types))
    weights = one_layer_attention(experiment, params, batch)
    heads = [(weights[:, h], types @ v.T) for h, v in enumerate(params["value"])]
    return _readout(params, [(query, types), *heads])


def one_layer_attention(
    experiment: Experiment, params: Params, batch: dict[str, jax.Array]
) -> jax.Array:
    """Attention (B, H, Δ|Σ|) of the last position, summed over positions of the same type."""
    types = type_embeddings(params)
    suffix = jax.nn.one_hot(batch["suffix"], len(types))  # (B, τ+1, types)
    content = _content(types, params["key"], params["query"])  # (H, key, query)
    prefix_logits = jnp.einsum("bq,hkq->bhk", suffix[:, 0], content)
    suffix_logits = jnp.einsum("btk,bhk->bht", suffix, prefix_logits) + params["lag_bias"]
    logits = jnp.concatenate([prefix_logits, suffix_logits], axis=2)
    number = jnp.concatenate([batch["counts"], batch["present"].astype(jnp.float32)], axis=1)

    present = number[:, None, :] > 0
    below = logits - jnp.where(present, logits, -jnp.inf).max(axis=2, keepdims=True)
    if experiment.scaling == "log":
        below = below * jnp.log(batch["length"])[:, None, None]
    kept = present
    if experiment.precision_bits is not None:
        kept = present & (below > -experiment.precision_bits * math.log(2))
    # The inner where keeps exp of a dropped logit, possibly huge, away from the gradient.
    terms = jnp.where(kept, jnp.exp(jnp.where(kept, below, 0.0)), 0.0) * number[:, None, :]
    weights = terms / terms.sum(axis=2, keepdims=True)
    split = len(types)
    return weights[:, :, :split] + jnp.einsum("bht,btk->bhk", weights[:, :, split:], suffix)


def two_layer(experiment: Experiment, params: Params, batch: dict[str, jax.Array]) -> jax.Array:
    """Output (B, |Σ|) of the two-layer model on tokens; the first layer has no MLP.

    Then y_i is a linear combination, with weights `features`, of a table of (H+1)|Σ| vectors.
    """
    features = first_layer(experiment, params, batch["tokens"])  # (B, T, F)
    embedding = params["embedding"]
    table = jnp.concatenate([embedding, *(embedding @ v.T for v in params["value"])])
    content = _content(table, params["key_2"], params["query_2"])[0]
    steps = jnp.arange(features.shape[1])
    last = (steps == batch["length"][:, None] - 1).astype(features.dtype)
    query = jnp.einsum("bt,btf->bf", last, features)
    logits = jnp.einsum("btf,bf->bt", features, query @ content.T)
    weights = jax.nn.softmax(jnp.where(steps < batch["length"][:, None], logits, -jnp.inf), axis=1)
    attended = jnp.einsum("bt,btf->bf", weights, features)
    return _readout(params, [(query, table), (attended, table @ params["value_2"][0].T)])


def first_layer(experiment: Experiment, params: Params, tokens: jax.Array) -> jax.Array:
    """Own token and the attention of each head, by token, at every position (B, T, (H+1)|Σ|).

    Positions before the suffix enter through running histograms: O(T·|Σ|), not O(T²).
    """
    heads, lags = params["lag_bias"].shape
    one_hot = jax.nn.one_hot(tokens, experiment.vocabulary_size)
    at_lag = [
        jnp.pad(one_hot, ((0, 0), (t, 0), (0, 0)))[:, : one_hot.shape[1]] for t in range(lags)
    ]
    older = jnp.pad(one_hot.cumsum(axis=1), ((0, 0), (lags, 0), (0, 0)))[:, : one_hot.shape[1]]
    stacked = jnp.stack([older, *at_lag], axis=2)  # (B, T, 1 + lags, |Σ|)

    exponents = jnp.pad(params["lag_bias"], ((0, 0), (1, 0)))  # older positions: φ = 0
    exponents = exponents - exponents.max(axis=1, keepdims=True)
    position = jnp.arange(1, one_hot.shape[1] + 1)
    scale = jnp.log(position) if experiment.scaling == "log" else jnp.ones(len(position))
    by_lag = jnp.exp(scale[:, None, None] * exponents)  # (T, H, 1 + lags)
    content = _content(params["embedding"], params["key"], params["query"])
    number = jnp.einsum("btls,thl->bths", stacked, by_lag)
    # The maximum runs over tokens that are there: the largest content logit may not be.
    present = number > 0
    logits = jnp.einsum("btq,hkq->bthk", one_hot, content)
    below = logits - jnp.where(present, logits, -jnp.inf).max(axis=3, keepdims=True)
    terms = number * jnp.exp(jnp.where(present, below, 0.0))
    weights = terms / terms.sum(axis=3, keepdims=True)
    flat = weights.reshape(*tokens.shape, heads * experiment.vocabulary_size)
    return jnp.concatenate([one_hot, flat], axis=2)


def type_embeddings(params: Params) -> jax.Array:
    """Embeddings y = E[s] + p_r of all types (Δ|Σ|, d), numbered residue · |Σ| + token."""
    y = params["positions"][:, None, :] + params["embedding"][None, :, :]
    return y.reshape(-1, y.shape[-1])


def _content(table: jax.Array, key: jax.Array, query: jax.Array) -> jax.Array:
    """Content logits (H, key row, query row) between rows of a table: y_kᵀ (KᵀQ/d) y_q."""
    keys = jnp.einsum("kd,hed->hke", table, key)
    queries = jnp.einsum("qd,hed->hqe", table, query)
    return jnp.einsum("hke,hqe->hkq", keys, queries) / table.shape[1]


def _readout(params: Params, parts: list[tuple[jax.Array, jax.Array]]) -> jax.Array:
    """(U/d)(Y + B relu(A Y + b)) for Y = Σ weights @ table, without forming Y (B, d)."""
    unembedding = params["unembedding"] / params["unembedding"].shape[1]
    hidden = params["mlp_bias"]
    output = jnp.zeros(len(unembedding))
    for weights, table in parts:
        hidden = hidden + weights @ (table @ params["mlp_in"].T)
        output = output + weights @ (table @ unembedding.T)
    return output + jax.nn.relu(hidden) @ (unembedding @ params["mlp_out"]).T
