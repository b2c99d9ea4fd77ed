"""One-layer softmax models on inputs given by counts, in ball arithmetic, from the definition."""

from __future__ import annotations

import flint
import numpy as np
from flint import arb, arb_mat, fmpq

BITS = 300


def _exact(array):
    rows = np.atleast_2d(array)
    return arb_mat(*rows.shape, [arb(fmpq(*float(x).as_integer_ratio())) for x in rows.ravel()])


def output(f, summary, bits=BITS):
    """Return f on every input with this summary: a list of balls, one for each output.

    The summary may be for a multiple of the model's Δ and for a larger τ.
    """
    with flint.ctx.workprec(bits):
        return _output(f, summary)


def _output(f, summary):
    length, (layer,) = summary.length, f.layers
    period = len(summary.counts)
    keys = [
        (r, s, None, int(count))
        for r, row in enumerate(summary.counts.tolist())
        for s, count in enumerate(row)
        if count
    ]
    suffix = summary.suffix.tolist()[::-1]
    keys += [((length - lag) % period, s, lag, 1) for lag, s in enumerate(suffix)]
    y = [
        _exact(f.embedding[s]).transpose() + _exact(f.positions[r % len(f.positions)]).transpose()
        for r, s, _, _ in keys
    ]
    query = y[next(k for k, key in enumerate(keys) if key[2] == 0)]
    log = arb(length).log()
    total = query
    for head in layer.heads:
        right = _exact(head.query_key) * query
        logits = []
        for row, (_, _, lag, _) in zip(y, keys, strict=True):
            bias = head.lag_bias[lag] if lag is not None and lag < len(head.lag_bias) else 0.0
            logit = (row.transpose() * right)[0, 0]
            logits.append(logit + arb(fmpq(*float(bias).as_integer_ratio())) * log)
        top = logits[0]
        for logit in logits:
            top = top.max(logit)
        weights = [
            (logit - top).exp() * count for logit, (*_, count) in zip(logits, keys, strict=True)
        ]
        mass = sum(weights, arb(0))
        mean = 0 * query
        for weight, row in zip(weights, y, strict=True):
            mean += row * (weight / mass)
        total += _exact(head.value) * mean
    result = _exact(f.unembedding) * total
    if layer.hidden:
        hidden = _exact(layer.mlp_in) * total + _exact(layer.mlp_bias).transpose()
        relu = arb_mat(layer.hidden, 1, [h.max(arb(0)) for h in hidden.entries()])
        result += _exact(f.unembedding) * (_exact(layer.mlp_out) * relu)
    return result.entries()


def error(f, g, summary, bits=BITS):
    """Return |f − g| as a ball, largest output."""
    with flint.ctx.workprec(bits):
        largest = arb(0)
        for a, b in zip(output(f, summary, bits), output(g, summary, bits), strict=True):
            largest = largest.max(abs(a - b))
        return largest
