"""The definition in rational numbers and balls: any number of layers, either precision.

Nothing of `verify.model` is used but the weights. A number is rational until an exponential makes
a ball of it; what finite precision drops is decided exactly, or refused.
"""

from __future__ import annotations

import itertools

import flint
from flint import arb, fmpq


def output(f, x, bits=192):
    """Return f(x): for each output a fmpq, or an arb that holds it."""
    with flint.ctx.workprec(bits):
        return _output(f, [int(s) for s in x])


def difference(f, g, x, bits=192):
    """Return |f(x) − g(x)|, largest output, as an arb."""
    with flint.ctx.workprec(bits):
        largest = arb(0)
        for a, b in zip(output(f, x, bits), output(g, x, bits), strict=True):
            largest = largest.max(abs(arb(a - b)))
        return largest


def largest(f, g, length, bits=192):
    """Return the largest |f − g| over all inputs of a length, as an arb."""
    with flint.ctx.workprec(bits):
        found = arb(0)
        for x in itertools.product(range(f.vocabulary_size), repeat=length):
            found = found.max(difference(f, g, x, bits))
        return found


def _output(f, x):
    length, rows = len(x), len(f.positions)
    y = [
        _sum(_vector(f.embedding[s]), _vector(f.positions[i % rows]))
        for i, s in enumerate(x, start=1)
    ]
    for number, layer in enumerate(f.layers):
        last = number == len(f.layers) - 1
        above = [
            _layer(f, layer, y[:i], length) for i in ([length] if last else range(1, length + 1))
        ]
        y = above
    return _product(f.unembedding, y[-1])


def _layer(f, layer, y, length):
    u = y[-1]
    for head in layer.heads:
        weights = _attention(f, head, y, length)
        mean = [
            sum((w * v[k] for w, v in zip(weights, y, strict=True)), fmpq(0)) for k in range(len(u))
        ]
        u = _sum(u, _product(head.value, mean))
    hidden = _sum(_product(layer.mlp_in, u), _vector(layer.mlp_bias))
    return _sum(u, _product(layer.mlp_out, [_relu(h) for h in hidden]))


def _attention(f, head, y, length):
    query = _product(head.query_key, y[-1])
    logits = [sum((a * b for a, b in zip(key, query, strict=True)), fmpq(0)) for key in y]
    bias, i = _vector(head.lag_bias), len(y)
    scale = arb(i).log() if f.precision_bits is None else fmpq(1)
    for lag, phi in enumerate(bias[:i]):
        if phi:
            logits[i - 1 - lag] += scale * phi
    top = logits[0]
    for logit in logits[1:]:
        top = _larger(top, logit)
    gaps = [top - logit for logit in logits]
    if f.precision_bits is None:
        weights = [fmpq(1) if gap == 0 else (-arb(gap)).exp() for gap in gaps]
    else:
        weights = [_kept(gap, length, f.precision_bits) for gap in gaps]
    mass = sum(weights, fmpq(0))
    return [w / mass for w in weights]


def _kept(gap, length, bits):
    """T^(−gap), or 0 where it is at most 2^(−p)."""
    if gap == 0:
        return fmpq(1)
    power = length.bit_length() - 1
    if length == 1 << power:
        excess = gap * power - bits
    else:
        excess = arb(gap) * arb(length).log() / arb(2).log() - bits
    if excess >= 0:
        return fmpq(0)
    assert excess < 0, "undecided"
    return (-arb(gap) * arb(length).log()).exp()


def _relu(h):
    return max(h, fmpq(0)) if isinstance(h, fmpq) else h.max(arb(0))


def _larger(a, b):
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return max(a, b)
    return arb(a).max(arb(b))


def _vector(array):
    return [fmpq(*float(v).as_integer_ratio()) for v in array]


def _sum(a, b):
    return [p + q for p, q in zip(a, b, strict=True)]


def _product(matrix, vector):
    return [
        sum((m * v for m, v in zip(_vector(row), vector, strict=True)), fmpq(0)) for row in matrix
    ]
