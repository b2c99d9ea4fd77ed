"""One layer, last query only: a function of the counts of the types and of the suffix.

All prefix positions of one type (residue, token) have the same key, hence the same logit: a type
that occurs c times has the weight c·exp(a) = exp(a + log c). Counts of any size are exact up to
the logarithm, and nothing overflows.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.model.forward.arithmetic import Floats, lag_bias, mlp, softmax
from verify.model.precision import dropped
from verify.model.summary import Summary
from verify.model.validation import in_range
from verify.model.weights import Head, Weights

Indices = npt.NDArray[np.intp]


def output(f: Weights, summary: Summary) -> Floats:
    """Return the output, shape (o,), of a one-layer model on every input with this summary."""
    with np.errstate(over="ignore", invalid="ignore"):
        result: Floats = f.unembedding @ last_residual(f, summary)
    in_range("unembedding", result)
    return result


def last_residual(f: Weights, summary: Summary) -> Floats:
    """Return the first layer's output at the last position, shape (d,)."""
    length, suffix = summary.length, summary.suffix
    # Keys: the types that the prefix has, once each, then the positions of the suffix.
    present = np.flatnonzero(summary.counts.ravel() > 0)
    residues, tokens = np.divmod(present, f.vocabulary_size)
    lags = np.arange(suffix.size - 1, -1, -1)
    suffix_residues = np.array([(length - int(lag)) % f.period for lag in lags], dtype=np.intp)
    residues = np.concatenate([residues, suffix_residues])
    tokens = np.concatenate([tokens, suffix])
    keys = f.embedding[tokens] + f.positions[residues]
    query = keys[-1]
    log_counts = np.concatenate([_logarithms(summary.counts.ravel()[present]), np.zeros(lags.size)])

    layer = f.layers[0]
    u = query
    for head in layer.heads:
        content = keys @ (head.query_key @ query)
        in_range("query_key", content)
        bias = np.zeros(len(keys))
        bias[present.size :] = lag_bias(head, f.locality)[lags]
        if f.precision_bits is None:
            logits = content + math.log(length) * bias
            in_range("lag_bias", logits.max())
        else:
            logits = _rounded(f, head, length, tokens, residues, content, bias)
        u = u + head.value @ (softmax(logits + log_counts) @ keys)
    return mlp(layer, u)


def _logarithms(counts: npt.NDArray[Any]) -> Floats:
    """Natural logarithms of positive integers; math.log takes Python ints of any size."""
    if counts.dtype == object:
        return np.array([math.log(count) for count in counts])
    logarithms: Floats = np.log(counts)
    return logarithms


def _rounded(
    f: Weights,
    head: Head,
    length: int,
    tokens: Indices,
    residues: Indices,
    content: Floats,
    bias: Floats,
) -> Floats:
    """Return log T·(a − max a), and −inf for the keys that finite precision drops."""
    assert f.precision_bits is not None
    logits = content + bias
    gaps = logits.max() - logits
    keys = f.embedding[tokens] + f.positions[residues]
    # Standard bound on the rounding errors of a bilinear form, with a factor 2 to spare.
    size = np.abs(keys) @ (np.abs(head.query_key) @ np.abs(keys[-1])) + np.abs(bias)
    gap_error = 4 * (f.dimension + 4) * np.finfo(float).eps * float(size.max())

    products = None
    largest = Fraction(0)

    def exact_logit(k: int) -> Fraction:
        key = _exact(f.embedding[tokens[k]], f.positions[residues[k]])
        assert products is not None
        return sum(map(Fraction.__mul__, key, products), Fraction(float(bias[k])))

    def exact_gap(k: int) -> Fraction:
        nonlocal products, largest
        if products is None:
            query = _exact(f.embedding[tokens[-1]], f.positions[residues[-1]])
            products = [
                sum((Fraction(float(m)) * q for m, q in zip(row, query, strict=True)), Fraction(0))
                for row in head.query_key
            ]
            near = np.flatnonzero(gaps <= gap_error)
            largest = max(exact_logit(int(j)) for j in near)
        return largest - exact_logit(k)

    drop = dropped(length, gaps, f.precision_bits, gap_error, exact_gap)
    return np.where(drop, -np.inf, -math.log(length) * gaps)


def _exact(embedding: Floats, position: Floats) -> list[Fraction]:
    """Return the sum of two rows without rounding."""
    return [
        Fraction(a) + Fraction(b)
        for a, b in zip(embedding.tolist(), position.tolist(), strict=True)
    ]
