"""Families of inputs, from harmless to hostile; each input is rebuilt from its family and seed.

Families of tokens make arrays; families of counts make Summaries, whose length may be any integer.
Inputs made here can be pickled and sent to other processes: only what they are built from travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.files import MOST_TEXT, read_bytes
from verify.lengths import show_integer
from verify.model.summary import Summary

Tokens = npt.NDArray[np.int64]
Generator = np.random.Generator

_UNIT = 2**53


@dataclass(frozen=True)
class Input:
    """A named input, built on demand.

    Attributes:
        family: a key of TOKEN_FAMILIES or COUNT_FAMILIES, or "text".
        seed: which member of the family; (family, seed, length) gives the same input every time.
        length: T.
        build: called without arguments, returns the input: (T,) tokens or a Summary.
    """

    family: str
    seed: int
    length: int
    build: Callable[[], Tokens | Summary]

    @property
    def name(self) -> str:
        """Family, seed and length, as tables show them."""
        return f"{self.family}[{self.seed}], T = {show_integer(self.length)}"


@dataclass(frozen=True)
class Member:
    """Builds one member of a family; the arguments are those of `make`."""

    family: str
    seed: int
    length: int
    vocabulary_size: int
    period: int
    locality: int

    def __call__(self) -> Tokens | Summary:
        """Build the input."""
        # The family's name enters the seed, so that two families do not share their randomness.
        rng = np.random.default_rng([self.seed, *self.family.encode()])
        if self.family in TOKEN_FAMILIES:
            return TOKEN_FAMILIES[self.family](rng, self.seed, self.length, self.vocabulary_size)
        suffix = rng.integers(self.vocabulary_size, size=min(self.length, self.locality + 1))
        prefix = self.length - suffix.size
        totals = [_positions(prefix, r, self.period) for r in range(self.period)]
        counts = [
            COUNT_FAMILIES[self.family](rng, self.seed, total, self.vocabulary_size)
            for total in totals
        ]
        return Summary(np.array(counts, dtype=object), suffix, self.length)


@dataclass(frozen=True, eq=False)
class Given:
    """Builds a given input: as it is, or tokens repeated to a length."""

    x: Any
    length: int | None = None

    def __call__(self) -> Any:
        """Return the input."""
        return self.x if self.length is None else np.resize(self.x, self.length)


def make(
    family: str, seed: int, length: int, *, vocabulary_size: int, period: int = 1, locality: int = 0
) -> Input:
    """Return one input of a family.

    Args:
        family: a key of TOKEN_FAMILIES, or of COUNT_FAMILIES for a Summary.
        seed: any integer ≥ 0.
        length: T ≥ 1.
        vocabulary_size: |Σ|.
        period: Δ of the Summary.
        locality: τ of the Summary.

    Raises:
        InputError: no such family, or length < 1.
    """
    if family not in TOKEN_FAMILIES and family not in COUNT_FAMILIES:
        raise InputError(
            "family", family, f"one of {', '.join([*TOKEN_FAMILIES, *COUNT_FAMILIES])}"
        )
    if length < 1:
        raise InputError("length", length, "at least 1")

    build = Member(family, seed, length, vocabulary_size, period, locality)
    return Input(family, seed, length, build)


def standard(
    *,
    vocabulary_size: int,
    period: int,
    locality: int,
    marks: Iterable[int],
    length: int,
    seed: int = 0,
) -> list[Input]:
    """Return the inputs that `verify.check` takes by default.

    Every token family at `length`, every count family far beyond it, and, at the lengths where
    something changes, the families that are most sensitive: around each of `marks`, and the
    shortest inputs there are.

    Args:
        vocabulary_size: |Σ|.
        period: Δ.
        locality: τ.
        marks: lengths such as N and 2^(p/γ); two below to Δ + 1 above each is tried.
        length: T of the long inputs of tokens.
        seed: first seed.
    """
    sizes = {"vocabulary_size": vocabulary_size, "period": period, "locality": locality}
    found = [make(family, seed, length, **sizes) for family in TOKEN_FAMILIES]
    found += [
        make(family, seed + extra, length, **sizes)
        for family in ("rare_once", "only_last")
        for extra in range(1, vocabulary_size)
    ]
    found += [
        make(family, seed + extra, size, **sizes)
        for family in COUNT_FAMILIES
        for extra, size in enumerate((10**9 + 7, 10**12 + 39, 10**15 + 37) * 4)
    ]
    edges = {1, 2, locality + 1, locality + 2}
    for mark in marks:
        edges |= {mark - 1, mark, mark + 1, mark + period + 1}
    for number, edge in enumerate(sorted(edge for edge in edges if edge >= 1)):
        families = ("nested", "rare_once") if edge <= length else ("counts_heavy", "counts_once")
        found += [make(family, seed + number, edge, **sizes) for family in families]
    return found


def from_text(path: str | Path, vocabulary_size: int, length: int | None = None) -> Input:
    """Return a text file as an input, one token per character; repeated to `length` if given.

    Characters in order of frequency get the tokens 0, 1, …; those that do not fit are pooled into
    the last token, |Σ| − 1.

    Raises:
        InputError: the file cannot be read as UTF-8 text, or is empty.
    """
    x = text_tokens(path, vocabulary_size)
    if length is None:
        return Input("text", 0, x.size, Given(x))
    return Input("text repeated", 0, length, Given(x, length))


def text_tokens(path: str | Path, vocabulary_size: int) -> Tokens:
    """Return a text file as tokens, one per character, as `tokens_of` does.

    Raises:
        InputError: the file cannot be read as UTF-8 text, or is empty.
    """
    try:
        text = read_bytes(path, MOST_TEXT).decode()
    except (OSError, ValueError) as error:
        raise InputError("text", str(path), f"a readable UTF-8 text file ({error})") from None
    if not text:
        raise InputError("text", str(path), "a text file with at least one character")
    return tokens_of(text, vocabulary_size)


def tokens_of(text: str, vocabulary_size: int) -> Tokens:
    """Characters as tokens: the most frequent are 0, 1, …; rare ones share the last token."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    values, inverse, counts = np.unique(points, return_inverse=True, return_counts=True)
    # Ties in frequency are broken by code point, so that the map depends on the text alone.
    rank = np.empty(values.size, dtype=np.int64)
    rank[np.lexsort((values, -counts))] = np.arange(values.size)
    return np.minimum(rank, vocabulary_size - 1)[inverse]


def _uniform(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """Independent tokens, all equally likely."""
    return rng.integers(tokens, size=length)


def _heavy_tailed(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """Independent tokens; probabilities spread over twelve decades."""
    return rng.choice(tokens, size=length, p=_decades(rng, tokens))


def _periodic(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """A random word of 1 to 12 tokens, repeated."""
    return np.resize(rng.integers(tokens, size=rng.integers(1, 13)), length)


def _halves(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """One token first, another after a random cut: order without mixture."""
    first, second = rng.integers(tokens, size=2)
    x = np.full(length, first)
    x[rng.integers(length + 1) :] = second
    return x


def _pure(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """A single token throughout."""
    return np.full(length, seed % tokens)


def _rare_once(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """One token occurs once, at the first position; the others are independent."""
    return _hidden(rng, seed, length, tokens, place=0)


def _only_last(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """One token occurs once, at the last position."""
    return _hidden(rng, seed, length, tokens, place=length - 1)


def _hidden(rng: Generator, seed: int, length: int, tokens: int, place: int) -> Tokens:
    rare = seed % tokens
    x = rng.integers(max(tokens - 1, 1), size=length)
    if tokens > 1:
        x += x >= rare
    x[place] = rare
    return x


def _balanced(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """All counts equal up to 1, in random order."""
    return rng.permutation(np.arange(length) % tokens)


def _nested(rng: Generator, seed: int, length: int, tokens: int) -> Tokens:
    """Each token ten to ten thousand times rarer than the one before it, in random order."""
    order = rng.permutation(tokens)
    weights = 10.0 ** (-rng.uniform(1, 4) * np.arange(tokens))
    return order[rng.choice(tokens, size=length, p=weights / weights.sum())]


def _counts_heavy(rng: Generator, seed: int, total: int, tokens: int) -> list[int]:
    """Frequencies over twelve decades, drawn anew for every residue."""
    # Shares as integers over 2⁵³: a total of any size is cut exactly.
    shares = [int(share * _UNIT) for share in _decades(rng, tokens).tolist()]
    counts = [total * share // _UNIT for share in shares]
    rest = total - sum(counts)
    counts[int(rng.integers(tokens)) if rest >= 0 else counts.index(max(counts))] += rest
    return counts


def _counts_even(rng: Generator, seed: int, total: int, tokens: int) -> list[int]:
    """Equal counts up to 1."""
    return [(total + s) // tokens for s in range(tokens)]


def _counts_once(rng: Generator, seed: int, total: int, tokens: int) -> list[int]:
    """One token fills the column, every other occurs at most once."""
    counts = [int(c) for c in rng.integers(2, size=tokens)]
    counts[seed % tokens] = 0
    if sum(counts) > total:
        counts = [0] * tokens
    counts[seed % tokens] = total - sum(counts)
    return counts


def _decades(rng: Generator, tokens: int) -> npt.NDArray[np.float64]:
    weights = 10.0 ** -rng.uniform(0, 12, size=tokens)
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


def _positions(prefix: int, residue: int, period: int) -> int:
    """How many of the positions 1..prefix are ≡ residue (mod period)."""
    return (prefix - residue) // period + (residue > 0) if prefix >= residue else 0


TokenFamily = Callable[[Generator, int, int, int], Tokens]
TOKEN_FAMILIES: dict[str, TokenFamily] = {
    "uniform": _uniform,
    "heavy_tailed": _heavy_tailed,
    "periodic": _periodic,
    "halves": _halves,
    "pure": _pure,
    "rare_once": _rare_once,
    "only_last": _only_last,
    "balanced": _balanced,
    "nested": _nested,
}
"""Name → function of (rng, seed, length, |Σ|) that gives tokens."""

CountFamily = Callable[[Generator, int, int, int], list[int]]
COUNT_FAMILIES: dict[str, CountFamily] = {
    "counts_heavy": _counts_heavy,
    "counts_even": _counts_even,
    "counts_once": _counts_once,
}
"""Name → function of (rng, seed, positions of one residue, |Σ|) that gives counts by token."""
