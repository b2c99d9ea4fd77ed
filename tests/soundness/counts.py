"""The truth for one layer: a model sees counts and the suffix, so all inputs can be gone through.

A second implementation of the forward pass, for many summaries at once; `test_truth.py` compares
it with `verify.LimitTransformer`. Weights are small dyadic numbers, so that logits are exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from verify import DirichletLaw, FixedLaw, LimitTransformer

from .profile import Profile


class OneLayer:
    """A one-layer model at a common period and locality, evaluated on arrays of summaries."""

    def __init__(self, f: LimitTransformer, period: int, locality: int) -> None:
        assert len(f.layers) == 1
        assert period % f.period == 0
        assert locality >= f.locality
        self.f, self.period, self.locality = f, period, locality
        tiled = np.tile(f.positions, (period // f.period, 1))
        self.types = (tiled[:, None, :] + f.embedding[None, :, :]).reshape(-1, f.dimension)
        self.biases = []
        for head in f.layers[0].heads:
            bias = np.zeros(locality + 1)
            bias[: head.lag_bias.size] = head.lag_bias
            self.biases.append(bias)

    def outputs(self, length: int, suffix: tuple[int, ...], counts: np.ndarray) -> np.ndarray:
        """Return f on every input with these counts, (M, Δ·|Σ|) floats or ints → (M, o)."""
        f, layer = self.f, self.f.layers[0]
        lags = np.arange(len(suffix) - 1, -1, -1)
        places = ((length - lags) % self.period) * f.vocabulary_size + np.array(suffix)
        keys = np.concatenate([self.types, self.types[places]])
        query = keys[-1]
        amounts = np.concatenate([counts, np.ones((len(counts), len(suffix)))], axis=1)
        present = amounts > 0
        u = np.broadcast_to(query, (len(counts), f.dimension)).copy()
        for head, bias in zip(layer.heads, self.biases, strict=True):
            logits = keys @ (head.query_key @ query)
            scale = math.log(length) if f.precision_bits is None else 1.0
            logits[len(self.types) :] += scale * bias[lags]
            gaps = np.where(present, logits, -np.inf).max(axis=1, keepdims=True) - logits
            if f.precision_bits is None:
                weights = np.where(present, np.exp(-np.maximum(gaps, 0)), 0.0) * amounts
            else:
                kept = present & (gaps * math.log2(length) < f.precision_bits)
                weights = np.where(kept, np.exp(-math.log(length) * np.maximum(gaps, 0)), 0.0)
                weights *= amounts
            weights /= weights.sum(axis=1, keepdims=True)
            u += (weights @ keys) @ head.value.T
        hidden = np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0.0)
        return (u + hidden @ layer.mlp_out.T) @ f.unembedding.T


@lru_cache(maxsize=4096)
def compositions(total: int, parts: int) -> np.ndarray:
    """Return all ways to write `total` as an ordered sum of `parts` integers ≥ 0, (M, parts)."""
    if parts == 1:
        return np.array([[total]])
    rows = [
        np.concatenate([np.full((len(rest), 1), first), rest], axis=1)
        for first in range(total + 1)
        for rest in [compositions(total - first, parts - 1)]
    ]
    return np.concatenate(rows)


def prefix_sizes(prefix: int, period: int) -> list[int]:
    """Return how many of the positions 1..prefix are ≡ r (mod period), r = 0..period−1."""
    return [len(range(r if r else period, prefix + 1, period)) for r in range(period)]


def all_counts(prefix: int, period: int, vocabulary_size: int) -> np.ndarray:
    """Return every table of counts that a prefix of this length can have, (M, Δ·|Σ|)."""
    table = np.zeros((1, 0), dtype=np.int64)
    for size in prefix_sizes(prefix, period):
        block = compositions(size, vocabulary_size)
        table = np.concatenate(
            [np.repeat(table, len(block), axis=0), np.tile(block, (len(table), 1))], axis=1
        )
    return table


def number_of_summaries(length: int, period: int, vocabulary_size: int, locality: int) -> int:
    """How many summaries inputs of this length have."""
    suffix = min(length, locality + 1)
    ways = [
        math.comb(size + vocabulary_size - 1, vocabulary_size - 1)
        for size in prefix_sizes(length - suffix, period)
    ]
    return vocabulary_size**suffix * math.prod(ways)


@dataclass(frozen=True)
class Found:
    """The largest difference at a length, and a summary that has it."""

    length: int
    suffix: tuple[int, ...]
    counts: tuple[int, ...]
    error: float


class CountTruth:
    """All errors of a pair of one-layer models that the budget allows to know."""

    def __init__(
        self,
        f: LimitTransformer,
        g: LimitTransformer,
        *,
        laws: tuple[DirichletLaw | FixedLaw, ...] = (),
        budget: int = 40_000,
        long_lengths: tuple[int, ...] = (),
        seed: int = 0,
    ) -> None:
        """Evaluate f − g on all summaries up to a length, then on chosen longer ones.

        Args:
            laws: of the inputs, for average errors.
            budget: number of summaries, about.
            long_lengths: lengths whose errors are looked for among chosen summaries only.
        """
        self.vocabulary_size = f.vocabulary_size
        self.period = math.lcm(f.period, g.period)
        self.locality = max(f.locality, g.locality)
        self.pair = tuple(OneLayer(m, self.period, self.locality) for m in (f, g))
        self.size = 0.0
        self.worst: dict[int, Found] = {}
        rng = np.random.default_rng(seed)
        exact: list[float] = []
        averages: list[list[float]] = [[] for _ in laws]
        spent = 0
        for length in itertools.count(1):
            spent += self._number(length)
            if spent > budget or length > 2000:
                break
            errors, means = self._at(length, laws)
            exact.append(errors)
            for kept, mean in zip(averages, means, strict=True):
                kept.append(mean)
        beyond: dict[int, float] = {}
        beyond_means: list[dict[int, float]] = [{} for _ in laws]
        longest = len(exact)
        for factor in (2, 4, 8, 32, 128):
            for shifted in range(factor * longest, factor * longest + self.period):
                if laws and self._number(shifted) <= 2 * budget:
                    beyond[shifted], means = self._at(shifted, laws)
                    for known, mean in zip(beyond_means, means, strict=True):
                        known[shifted] = mean
        for length in {*long_lengths, 2 * longest, 10 * longest, 1000 * longest}:
            for shifted in range(length, length + self.period):
                if shifted > longest and shifted not in beyond:
                    beyond[shifted] = self._sampled(rng, shifted)
        self.linf = Profile(tuple(exact), beyond, self.size)
        self.averages = tuple(
            Profile(tuple(kept), known, self.size)
            for kept, known in zip(averages, beyond_means, strict=True)
        )

    def _number(self, length: int) -> int:
        return number_of_summaries(length, self.period, self.vocabulary_size, self.locality)

    def _suffixes(self, length: int) -> Iterator[tuple[int, ...]]:
        size = min(length, self.locality + 1)
        yield from itertools.product(range(self.vocabulary_size), repeat=size)

    def _at(
        self, length: int, laws: tuple[DirichletLaw | FixedLaw, ...]
    ) -> tuple[float, list[float]]:
        """Return the largest error over all inputs of a length, and the mean under each law."""
        size = min(length, self.locality + 1)
        counts = all_counts(length - size, self.period, self.vocabulary_size)
        means = [0.0] * len(laws)
        for suffix in self._suffixes(length):
            errors = self._errors(length, suffix, counts)
            for index, law in enumerate(laws):
                means[index] += float(errors @ probabilities(law, suffix, counts, self.period))
        return self.worst[length].error, means

    def _errors(self, length: int, suffix: tuple[int, ...], counts: np.ndarray) -> np.ndarray:
        of_f, of_g = (m.outputs(length, suffix, counts) for m in self.pair)
        self.size = max(self.size, float(np.abs(of_f).max()), float(np.abs(of_g).max()))
        errors = np.abs(of_f - of_g).max(axis=1)
        row = int(errors.argmax())
        if length not in self.worst or errors[row] > self.worst[length].error:
            counted = tuple(int(c) for c in counts[row])
            self.worst[length] = Found(length, suffix, counted, float(errors[row]))
        return errors

    def _sampled(self, rng: np.random.Generator, length: int) -> float:
        """Return the largest error over hostile summaries: corners, rare tokens, tilted shares."""
        sizes = prefix_sizes(length - min(length, self.locality + 1), self.period)
        suffixes = list(self._suffixes(length))
        if len(suffixes) > 8:
            suffixes = [suffixes[k] for k in rng.choice(len(suffixes), 8, replace=False)]
        counts = np.concatenate(
            [_hostile_column(rng, size, self.vocabulary_size) for size in sizes], axis=1
        )
        for suffix in suffixes:
            self._errors(length, suffix, counts)
        return self.worst[length].error


def _hostile_column(rng: np.random.Generator, size: int, vocabulary_size: int) -> np.ndarray:
    """Return 64 ways to fill `size` places of one residue, (64, |Σ|) exact integers."""
    rows = 64
    shares = np.exp(-rng.exponential(4.0, size=(rows, vocabulary_size)))
    corner = rng.integers(vocabulary_size, size=rows)
    shares[: rows // 2] *= 1e-18
    shares[np.arange(rows), corner] += 1.0
    shares /= shares.sum(axis=1, keepdims=True)
    counts = np.floor(shares * size).astype(np.int64)
    rare = rng.integers(0, 3, size=(rows, vocabulary_size))
    counts = np.where(rng.random((rows, vocabulary_size)) < 0.3, np.minimum(rare, size), counts)
    counts[np.arange(rows), corner] = 0
    over = counts.sum(axis=1) > size
    counts[over] = 0
    counts[np.arange(rows), corner] = size - counts.sum(axis=1)
    return counts


def probabilities(
    law: DirichletLaw | FixedLaw, suffix: tuple[int, ...], counts: np.ndarray, period: int
) -> np.ndarray:
    """Return the probability that an input has this suffix and each of these counts, (M,)."""
    tokens = law.vocabulary_size
    columns = counts.reshape(len(counts), period, tokens)
    ways = (gammaln(columns.sum(axis=2) + 1) - gammaln(columns + 1).sum(axis=2)).sum(axis=1)
    seen = columns.sum(axis=1) + np.bincount(suffix, minlength=tokens)
    if isinstance(law, FixedLaw):
        shares = np.array([float(p) for p in law.probabilities])
        logs = np.log(np.where(shares > 0, shares, 1.0))
        possible = (seen[:, shares == 0] == 0).all(axis=1)
        return np.exp(np.where(possible, ways + seen @ logs, -np.inf))
    alpha = np.array([float(a) for a in law.alpha])
    rising = (gammaln(alpha + seen) - gammaln(alpha)).sum(axis=1)
    total = alpha.sum()
    return np.exp(ways + rising - gammaln(total + seen.sum(axis=1)) + gammaln(total))
