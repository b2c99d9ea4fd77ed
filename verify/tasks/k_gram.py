"""In-context k-gram: predict the next token from what followed the same k tokens before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_sequence, check_tokens
from verify.model.weights import Head, Layer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InContextKGramTask:
    """The empirical law of x_t over all t whose k-token context is the last one of the input.

    f*(x) = (1/c) Σ_{t=k+1..T} 1[x_{t−k:t−1} = x_{T−k+1:T}] e_{x_t}, c the number of such t
    [izzo2025, Definition 5.4]. The definition leaves 0/0 where no context matches; here that is
    the uniform law on Σ, so that the target is a distribution on every input. `matches` tells
    these inputs apart.

    Attributes:
        k: number of context tokens, ≥ 1.
        vocabulary_size: |Σ|.
        sharpness: s, the second layer's logit per matched token.
        positional_margin: γ ≥ 1 of the first layer's heads, φ(lag) = 1 + γ.
    """

    k: int
    vocabulary_size: int
    sharpness: float
    positional_margin: float

    def matches(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """0-based positions t ≥ k of x whose k preceding tokens equal the last k tokens.

        Raises:
            InputError: x is no sequence of tokens.
        """
        tokens = as_sequence(x)
        check_tokens(tokens, self.vocabulary_size)
        if len(tokens) <= self.k:
            return np.zeros(0, dtype=np.intp)
        equal = np.ones(len(tokens) - self.k, dtype=bool)
        for lag in range(1, self.k + 1):
            equal &= tokens[self.k - lag : len(tokens) - lag] == tokens[len(tokens) - lag]
        return np.flatnonzero(equal) + self.k

    def target(self, x: npt.ArrayLike) -> Floats:
        """f*(x), shape (|Σ|,), sum 1; uniform where the last context never occurred before.

        Raises:
            InputError: x is no sequence of tokens.
        """
        found = np.asarray(x)[self.matches(x)]
        if len(found) == 0:
            return np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        counts = np.bincount(found, minlength=self.vocabulary_size)
        law: Floats = counts / counts.sum()
        return law

    @cached_property
    def transformer(self) -> LimitTransformer:
        """Two softmax layers, d = (k+2)|Σ|: slots of |Σ| coordinates 0..k and an output slot.

        Layer 1, head t = 1..k: attends to lag t and writes the one-hot token found there into
        slot t (slot 0 is the position's own token). Layer 2: the logit of key j is s times the
        number of t with slot t of the key = slot t−1 of the query, that is x_{j−t} = x_{T−t+1};
        the value is the key's own token.
        """
        size, slots = self.vocabulary_size, self.k + 2
        one = np.eye(size)

        def between(target: int, source: int) -> Floats:
            matrix = np.zeros((slots, size, slots, size))
            matrix[target, :, source, :] = one
            return matrix.reshape(slots * size, slots * size)

        zero = np.zeros((slots * size, slots * size))
        previous = []
        for lag in range(1, self.k + 1):
            bias = np.zeros(self.k + 1)
            bias[lag] = 1 + self.positional_margin
            previous.append(Head(zero, between(lag, 0), bias))
        match = sum((between(lag, lag - 1) for lag in range(1, self.k + 1)), zero)
        copy = Head(self.sharpness * match, between(self.k + 1, 0), np.zeros(1))
        embedding = np.eye(size, slots * size)
        return LimitTransformer(
            embedding=embedding,
            positions=np.zeros((1, slots * size)),
            layers=(Layer(tuple(previous)), Layer((copy,))),
            unembedding=np.roll(embedding, (self.k + 1) * size, axis=1),
            precision_bits=None,
        )

    def error_bound(self, x: npt.ArrayLike) -> float:
        """Proven bound on max |transformer(x) − target(x)|, at most 1.

        Head t leaks δ_i = (i−1)/(i^(1+γ) + i − 1) of its attention at position i to other lags.
        With q_i = (1−δ_i)(1−δ_T), a match scores at least k q_i of k, another position i > k at
        most k − q_i. In units of e^{sk} the matches lose D = Σ (1 − e^{−sk(1−q_i)}) of their
        mass c and all other positions have at most X = k + Σ e^{−s q_i}; two measures of which
        the first covers c − D of the second are at total variation ≤ (D + X)/(c + X). Where the
        last context has frequency ρ this is about (e^{−s} + O(s k T^(−1) log T)) / ρ.

        Raises:
            InputError: x is no sequence of tokens.
        """
        matched = self.matches(x)
        length = len(np.asarray(x))
        if len(matched) == 0:
            return 1.0
        i = np.arange(1, length + 1, dtype=np.float64)
        clean = 1 - (i - 1) / (i ** (1 + self.positional_margin) + i - 1)
        clean = clean * clean[-1]
        lost = -np.expm1(-self.sharpness * self.k * (1 - clean[matched])).sum()
        other = np.ones(length, dtype=bool)
        other[matched] = False
        other[: self.k] = False
        extra = self.k + np.exp(-self.sharpness * clean[other]).sum()
        return float(min(1.0, (lost + extra) / (len(matched) + extra)))


def in_context_k_gram(
    k: int, vocabulary_size: int, sharpness: float, *, positional_margin: float = 1.0
) -> InContextKGramTask:
    """The in-context k-gram task and explicit two-layer weights for it.

    No fixed sharpness is good on all inputs: attention on a context that occurs once among T
    tokens needs e^s above T. Where every context has frequency at least ρ, sharpness
    log(1/(ρε)) gives an error of about ε, and log C(f) grows like k·s.

    Args:
        k: number of context tokens, ≥ 1.
        vocabulary_size: |Σ| ≥ 1.
        sharpness: s ≥ 0; the error is about e^{−s} over the frequency of the last context.
        positional_margin: γ ≥ 1.

    Raises:
        InputError: an argument is not such a number.
    """
    for name, whole in (("k", k), ("vocabulary_size", vocabulary_size)):
        if not isinstance(whole, int | np.integer) or isinstance(whole, bool) or whole < 1:
            raise InputError(name, whole, "an integer, at least 1")
    for name, real, least in (
        ("sharpness", sharpness, 0),
        ("positional_margin", positional_margin, 1),
    ):
        number = isinstance(real, int | float | np.number) and not isinstance(real, bool)
        if not number or not isfinite(real) or real < least:
            raise InputError(name, real, f"a finite number, at least {least}")
    return InContextKGramTask(
        int(k), int(vocabulary_size), float(sharpness), float(positional_margin)
    )
