"""The truth for two layers, and for chains of tokens: all strings, as far as the budget goes.

A second implementation of the definition for many inputs of one length at once; `test_truth.py`
compares it with `verify.reference`.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from verify import LimitTransformer
from verify.average.laws import Law

from .profile import Profile


def outputs(f: LimitTransformer, strings: np.ndarray) -> np.ndarray:
    """Return f at each of the (M, T) strings, (M, o)."""
    y = f.embedding[strings] + f.positions[np.arange(1, strings.shape[1] + 1) % f.period]
    for layer in f.layers[:-1]:
        y = _layer(f, layer, y, last_only=False)
    return _layer(f, f.layers[-1], y, last_only=True)[:, 0] @ f.unembedding.T


def first_layer(f: LimitTransformer, strings: np.ndarray) -> np.ndarray:
    """Return the first layer's outputs, (M, T, d)."""
    y = f.embedding[strings] + f.positions[np.arange(1, strings.shape[1] + 1) % f.period]
    return _layer(f, f.layers[0], y, last_only=False)


def _layer(f: LimitTransformer, layer, y: np.ndarray, *, last_only: bool) -> np.ndarray:
    length = y.shape[1]
    queries = np.array([length - 1]) if last_only else np.arange(length)
    lag = queries[:, None] - np.arange(length)
    u = y[:, queries].copy()
    for head in layer.heads:
        bias = np.zeros(max(length, head.lag_bias.size))
        bias[: head.lag_bias.size] = head.lag_bias
        scale = np.log(queries + 1.0)[:, None] if f.precision_bits is None else 1.0
        logits = (y[:, queries] @ head.query_key.T) @ y.transpose(0, 2, 1)
        logits = logits + np.where(lag >= 0, scale * bias[np.maximum(lag, 0)], -np.inf)
        gaps = logits.max(axis=2, keepdims=True) - logits
        if f.precision_bits is None:
            weights = np.exp(-gaps)
        else:
            kept = gaps * math.log2(length) < f.precision_bits
            weights = np.where(kept, np.exp(-math.log(length) * np.where(kept, gaps, 0.0)), 0.0)
        if length == 1:
            weights = np.ones_like(weights)
        weights /= weights.sum(axis=2, keepdims=True)
        u += (weights @ y) @ head.value.T
    return u + np.maximum(u @ layer.mlp_in.T + layer.mlp_bias, 0.0) @ layer.mlp_out.T


def all_strings(vocabulary_size: int, length: int) -> np.ndarray:
    """Return every string of a length, (|Σ|^T, T)."""
    places = np.arange(vocabulary_size**length)
    powers = vocabulary_size ** np.arange(length - 1, -1, -1)
    return places[:, None] // powers % vocabulary_size


def hostile_strings(rng: np.random.Generator, vocabulary_size: int, length: int) -> np.ndarray:
    """Return strings that are constant, periodic, in runs, with rare tokens, or random."""
    rows = [np.full(length, token) for token in range(vocabulary_size)]
    for token, other in itertools.permutations(range(vocabulary_size), 2):
        rare = np.full(length, token)
        rare[rng.integers(length)] = other
        first, last = np.full(length, token), np.full(length, token)
        first[0], last[-1] = other, other
        rows += [rare, first, last, np.where(np.arange(length) < length // 2, token, other)]
    for cycle in (2, 3, 5):
        rows.append(np.resize(rng.integers(vocabulary_size, size=cycle), length))
    for _ in range(8):
        shares = rng.dirichlet(np.full(vocabulary_size, 0.5))
        rows.append(rng.choice(vocabulary_size, size=length, p=shares))
    return np.array(rows)


class StringTruth:
    """The errors of a pair of models over all strings up to a length, and chosen longer ones."""

    def __init__(
        self,
        f: LimitTransformer,
        g: LimitTransformer,
        *,
        laws: tuple[Law, ...] = (),
        budget: int = 10_000,
        long_lengths: tuple[int, ...] = (),
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.pair, self.size = (f, g), 0.0
        self.worst: dict[int, tuple[np.ndarray, float]] = {}
        exact: list[float] = []
        averages: list[list[float]] = [[] for _ in laws]
        spent = 0
        for length in itertools.count(1):
            spent += f.vocabulary_size**length
            if spent > budget or length > 128:
                break
            strings = all_strings(f.vocabulary_size, length)
            errors = self._errors(strings)
            exact.append(float(errors.max()))
            for kept, law in zip(averages, laws, strict=True):
                kept.append(float(errors @ _probabilities(law, strings)))
        longest = len(exact)
        wanted = {longest + 1, longest + 2, 2 * longest, 4 * longest, *long_lengths}
        beyond = {
            length: float(self._errors(hostile_strings(rng, f.vocabulary_size, length)).max())
            for length in sorted(wanted)
            if longest < length <= 160
        }
        self.linf = Profile(tuple(exact), beyond, self.size)
        # With one token there is one string: its error is the average, too.
        known = beyond if f.vocabulary_size == 1 else {}
        self.averages = tuple(Profile(tuple(kept), known, self.size) for kept in averages)

    def _errors(self, strings: np.ndarray) -> np.ndarray:
        of_f, of_g = (outputs(m, strings) for m in self.pair)
        self.size = max(self.size, float(np.abs(of_f).max()), float(np.abs(of_g).max()))
        errors = np.abs(of_f - of_g).max(axis=1)
        row = int(errors.argmax())
        self.worst[strings.shape[1]] = (strings[row], float(errors[row]))
        return errors


def _probabilities(law: Law, strings: np.ndarray) -> np.ndarray:
    """Return the probability of each string, from the law's definition in float64."""
    if hasattr(law, "kernel"):
        kernel = np.array([[float(p) for p in row] for row in law.kernel])
        start = np.array([float(p) for p in law.stationary])
        steps = kernel[strings[:, :-1], strings[:, 1:]]
        return start[strings[:, 0]] * steps.prod(axis=1)
    if hasattr(law, "probabilities"):
        return np.array([float(p) for p in law.probabilities])[strings].prod(axis=1)
    seen = np.tile([float(a) for a in law.alpha], (len(strings), 1))
    rows, result = np.arange(len(strings)), np.ones(len(strings))
    for column in strings.T:
        result *= seen[rows, column] / seen.sum(axis=1)
        seen[rows, column] += 1
    return result
