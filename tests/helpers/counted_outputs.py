"""Outputs of one-layer models on many inputs given by their counts, from the definition.

Nothing of `verify.certificates` is used: weights, counts and suffixes in float64, and exact
fractions where a relative weight is near 2^−p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np

NEAR = 1e-9
"""|gap·log₂T − p| below this times p is decided exactly."""


@dataclass(frozen=True)
class CountedInputs:
    """Many inputs; Δ a multiple of both periods, τ at least both localities.

    lengths: (n,) int64; counts: (n, Δ, |Σ|) int64, of the positions 1..T−τ−1; suffix: (n, τ+1)
    tokens by lag, the query first. T > τ.
    """

    lengths: np.ndarray
    counts: np.ndarray
    suffix: np.ndarray

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        return CountedInputs(self.lengths[index], self.counts[index], self.suffix[index])

    @classmethod
    def joined(cls, parts):
        return cls(*(np.concatenate([getattr(p, k) for p in parts]) for k in cls.__annotations__))


def outputs(f, inputs):
    """Return f on each input, shape (n, o)."""
    number, period, tokens = inputs.counts.shape
    lags = inputs.suffix.shape[1]
    residues = np.arange(period)
    y = (f.embedding[None] + f.positions[residues % f.period][:, None]).reshape(-1, f.dimension)
    lag_types = (inputs.lengths[:, None] - np.arange(lags)) % period * tokens + inputs.suffix
    query = lag_types[:, 0]
    counts = inputs.counts.reshape(number, -1).astype(float)
    logarithm = np.log(inputs.lengths.astype(float))
    layer = f.layers[0]
    u = y[query].copy()
    rows = np.arange(number)[:, None]
    for head in layer.heads:
        content = y @ head.query_key @ y.T  # [key, query]
        bias = np.zeros(lags)
        given = np.asarray(head.lag_bias, dtype=float)
        assert not given[lags:].any()
        bias[: min(lags, given.size)] = given[:lags]
        own, suffix = content[:, query].T, content[lag_types, query[:, None]]
        if f.precision_bits is None:
            suffix = suffix + bias * logarithm[:, None]
            largest = _largest(own, counts, suffix)
            weights = np.exp(np.where(counts > 0, own - largest, -np.inf)) * counts
            of_lags = np.exp(suffix - largest)
        else:
            suffix = suffix + bias
            largest = _largest(own, counts, suffix)
            gaps = np.concatenate([np.where(counts > 0, largest - own, 0.0), largest - suffix], 1)
            scaled = gaps * logarithm[:, None]
            p = f.precision_bits
            kept = scaled / math.log(2) < p
            unclear = np.abs(scaled / math.log(2) - p) < NEAR * p
            for k in np.flatnonzero(unclear.any(axis=1)):
                kept[k] = _kept(f, head, inputs, int(k), lag_types[k], y, kept[k])
            relative = np.where(kept, np.exp(-scaled), 0.0)
            weights = relative[:, : counts.shape[1]] * counts
            of_lags = relative[:, counts.shape[1] :]
        total = weights.sum(axis=1) + of_lags.sum(axis=1)
        for lag in range(lags):
            weights[rows[:, 0], lag_types[:, lag]] += of_lags[:, lag]
        u += (weights / total[:, None]) @ y @ head.value.T
    hidden = np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0.0)
    return (u + hidden @ layer.mlp_out.T) @ f.unembedding.T


def differences(f, g, inputs):
    """Return |f − g|, largest output, on each input."""
    return np.abs(outputs(f, inputs) - outputs(g, inputs)).max(axis=1)


def size(f):
    """Return at least the size of every output's parts, for tolerances."""
    y = np.abs(f.embedding[None] + f.positions[:, None]).reshape(-1, f.dimension).max(axis=0)
    layer = f.layers[0]
    u = y + sum(np.abs(h.value) @ y for h in layer.heads)
    hidden = np.abs(layer.mlp_in) @ u + np.abs(layer.mlp_bias)
    return float((np.abs(f.unembedding) @ (u + np.abs(layer.mlp_out) @ hidden)).max())


def _largest(own, counts, suffix):
    present = np.where(counts > 0, own, -np.inf).max(axis=1)
    return np.maximum(present, suffix.max(axis=1))[:, None]


def _kept(f, head, inputs, k, lag_types, y, kept):
    """Return what is kept of one input, decided exactly."""
    tokens = inputs.counts.shape[2]

    def vector(t):
        r, s = divmod(int(t), tokens)
        e, p = f.embedding[s].tolist(), f.positions[r % f.period].tolist()
        return [Fraction(a) + Fraction(b) for a, b in zip(e, p, strict=True)]

    matrix = [[Fraction(m) for m in row] for row in head.query_key.tolist()]
    of_query = vector(lag_types[0])
    column = [
        sum((m * q for m, q in zip(row, of_query, strict=True)), Fraction(0)) for row in matrix
    ]

    def content(t):
        return sum((a * b for a, b in zip(vector(t), column, strict=True)), Fraction(0))

    counts = inputs.counts[k].reshape(-1)
    logits = {t: content(t) for t in np.flatnonzero(counts).tolist()}
    given = head.lag_bias.tolist()
    suffix = [
        content(t) + (Fraction(given[lag]) if lag < len(given) else 0)
        for lag, t in enumerate(lag_types.tolist())
    ]
    largest = max([*logits.values(), *suffix])
    length = int(inputs.lengths[k])

    def stays(gap):
        if gap == 0:
            return True
        digits = 200
        power = length.bit_length() - 1
        if length == 1 << power:
            return gap * power < f.precision_bits
        while True:
            with flint.ctx.workprec(digits):
                excess = flint.arb(flint.fmpq(gap.numerator, gap.denominator))
                excess = excess * flint.arb(length).log() - flint.arb(2).log() * f.precision_bits
                if excess > 0 or excess < 0:
                    return bool(excess < 0)
            digits *= 2

    found = kept.copy()
    for t, logit in logits.items():
        found[t] = stays(largest - logit)
    for lag, logit in enumerate(suffix):
        found[counts.size + lag] = stays(largest - logit)
    return found


# ---------------------------------------------------------------- adversarial inputs


def prefix_positions(lengths, lags, period):
    """Return the number of positions 1..T−lags of each residue, shape (n, Δ)."""
    prefix = (lengths - lags)[:, None]
    r = np.arange(period)
    return np.where(prefix >= r, (prefix - r) // period + (r > 0), 0)


def fill(rng, totals, tokens):
    """Return counts (n, Δ, |Σ|) with the totals (n, Δ): random, rare, one token, equal, grids."""
    number, period = totals.shape
    left = totals.copy()
    counts = np.zeros((number, period, tokens), dtype=np.int64)
    order = rng.permuted(np.tile(np.arange(tokens), (number, period, 1)), axis=2)
    style = rng.integers(0, 7, size=(number, 1))
    for k in range(tokens - 1):
        u = rng.random((number, period))
        exponent = np.exp2(-rng.random((number, period)) * 60)
        wanted = np.select(
            [style == 0, style == 1, style == 2, style == 3, style == 4, style == 5],
            [
                (u * (left + 1)).astype(np.int64),
                rng.integers(0, 3, size=(number, period)),
                np.zeros_like(left),
                np.where(u < 0.5, 0, 1),
                left // max(tokens - k, 1) + rng.integers(-1, 2, size=(number, period)),
                (exponent * left).astype(np.int64),
            ],
            default=np.rint(np.rint(u * 16) / 16 * left).astype(np.int64),
        )
        chosen = np.clip(wanted, 0, left)
        np.put_along_axis(counts, order[:, :, k : k + 1], chosen[:, :, None], axis=2)
        left = left - chosen
    np.put_along_axis(counts, order[:, :, -1:], left[:, :, None], axis=2)
    return counts


def adversarial_lengths(rng, number, start, last, special, period):
    """Return lengths start … last: log-uniform, near the ends, near special lengths, each residue."""
    low, high = math.log(start), math.log(last + 1)
    lengths = np.exp(low + (high - low) * rng.random(number) ** rng.choice([0.3, 1, 3], number))
    lengths = lengths.astype(np.int64)
    style = rng.integers(0, 5, size=number)
    lengths = np.where(style == 0, start + rng.integers(0, 2 * period + 2, size=number), lengths)
    lengths = np.where(style == 1, last - rng.integers(0, 2 * period + 2, size=number), lengths)
    if special:
        near = rng.choice(np.array(sorted(special), dtype=np.int64), size=number)
        near = near + rng.integers(-period - 1, period + 2, size=number)
        lengths = np.where(style == 2, near, lengths)
    return np.clip(lengths, start, last)


def adversarial(rng, number, *, start, last, period, locality, tokens, special=()):
    """Return random inputs of the lengths start … last."""
    lengths = adversarial_lengths(rng, number, start, last, special, period)
    totals = prefix_positions(lengths, locality + 1, period)
    suffix = rng.integers(0, tokens, size=(number, locality + 1))
    same = rng.random(number) < 0.2
    suffix[same] = suffix[same, :1]
    counts = fill(rng, totals, tokens)
    # Sometimes all columns have one token alone, or all but the suffix.
    pure = rng.random(number) < 0.1
    one = rng.integers(0, tokens, size=number)
    counts[pure] = 0
    counts[pure, :, one[pure]] = totals[pure]
    return CountedInputs(lengths, counts, suffix)


def mutated(rng, inputs, *, start, last):
    """Return neighbours: tokens moved within columns, other lengths with like shares, suffixes."""
    number, period, tokens = inputs.counts.shape
    lags = inputs.suffix.shape[1]
    lengths, suffix = inputs.lengths.copy(), inputs.suffix.copy()
    style = rng.integers(0, 4, size=number)
    factor = np.exp(rng.normal(size=number) * rng.choice([0.01, 0.3, 2.0], size=number))
    shift = rng.integers(-2, 3, size=number) * np.where(rng.random(number) < 0.8, period, 1)
    moved = np.where(style == 0, lengths + shift, lengths)
    scaled = np.clip(lengths * factor, 1, 2.0**62).astype(np.int64)
    scaled += (lengths - scaled) % period
    moved = np.where(style == 1, scaled, moved)
    lengths = np.clip(moved, start, last)
    change = style == 2
    k = rng.integers(0, lags, size=number)
    suffix[change, k[change]] = rng.integers(0, tokens, size=int(change.sum()))
    totals = prefix_positions(lengths, lags, period)
    before = np.maximum(inputs.counts.sum(axis=2), 1)
    ratio = totals / before
    exact = totals == inputs.counts.sum(axis=2)
    counts = np.where(
        exact[:, :, None], inputs.counts, np.rint(inputs.counts * ratio[:, :, None])
    ).astype(np.int64)
    keep = (~exact)[:, :, None] & (inputs.counts <= 3)
    counts = np.where(keep, inputs.counts, counts)
    # Move some tokens from one to another in one column.
    rows, r = np.arange(number), rng.integers(0, period, size=number)
    a, b = rng.integers(0, tokens, size=(2, number))
    most = counts[rows, r, a]
    size = np.exp2(rng.random(number) * np.log2(most + 1.0)).astype(np.int64)
    amount = np.where(rng.random(number) < 0.5, rng.integers(0, 3, size=number), size)
    amount = np.where(rng.random(number) < 0.1, most, amount)
    amount = np.minimum(amount, most)
    counts[rows, r, a] -= amount
    counts[rows, r, b] += amount
    counts = np.maximum(counts, 0)
    # Whatever is missing or too much goes to the commonest token.
    top = counts.argmax(axis=2)[:, :, None]
    lacking = totals[:, :, None] - counts.sum(axis=2, keepdims=True)
    np.put_along_axis(counts, top, np.take_along_axis(counts, top, 2) + lacking, axis=2)
    good = (counts >= 0).all(axis=(1, 2))
    return CountedInputs(lengths[good], counts[good], suffix[good])


def climbed(rng, f, g, inputs, *, start, last, rounds, size):
    """Return the number of inputs tried, and the input with the largest |f − g| with its value.

    A population is mutated; its best half survives each round.
    """
    values = differences(f, g, inputs)
    tried = len(inputs)
    for _ in range(rounds):
        order = np.argsort(-values, kind="stable")[: max(size // 4, 1)]
        kept, values = inputs[order], values[order]
        parents = kept[rng.integers(0, len(kept), size=size)]
        children = mutated(rng, parents, start=start, last=last)
        inputs = CountedInputs.joined([kept, children])
        values = np.concatenate([values, differences(f, g, children)])
        tried += len(children)
    best = int(values.argmax())
    return tried, inputs[best : best + 1], float(values[best])
