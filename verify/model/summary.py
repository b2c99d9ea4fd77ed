"""All that a one-layer limit transformer sees of its input: counts by type, and the suffix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.lengths import Length
from verify.model.validation import as_sequence, check_tokens

_BLOCK = 1 << 15
"""Tokens per step of the count: what is worked on stays in the processor's cache."""

_SHORT = 1 << 10
"""Inputs up to here need no table of offsets as long as a block."""

_LARGEST = 2**63 - 1
"""Largest int64."""


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """Counts of the prefix by residue and token, and the suffix, of an input of length T.

    A one-layer limit transformer is a function of the summary alone. Prefix: the positions
    1..T−τ−1; suffix: the last min(T, τ+1) positions, those that a lag bias can reach.

    Attributes:
        counts: shape (Δ, |Σ|), counts[r, s] = number of prefix positions i ≡ r (mod Δ) with
            token s; int64, or an object array of Python ints for counts of any size.
        suffix: shape (min(T, τ+1),), tokens, oldest first; the last one is the query.
        length: T, a Python int.

    Raises:
        InputError: an argument has a wrong type or shape, or the counts of some residue do not
            add up to the number of its positions.
    """

    counts: npt.NDArray[Any]
    suffix: npt.NDArray[np.intp]
    length: int

    def __post_init__(self) -> None:
        """Copy the arrays to read-only ones and check them against each other."""
        counts = np.array(self.counts)
        if counts.ndim != 2 or counts.size == 0:
            allowed = f"shape (Δ, |Σ|), both at least 1; this one is {counts.shape}"
            raise InputError("counts", self.counts, allowed)
        whole = counts.dtype.kind in "iu" or all(type(c) is int for c in counts.flat)
        if not whole or (counts < 0).any():
            raise InputError("counts", self.counts, "integers, at least 0")
        if int(counts.max()) <= _LARGEST // counts.shape[1]:
            counts = counts.astype(np.int64)
        else:  # sums beyond int64: Python ints
            counts = counts.astype(object)
        totals = counts.sum(axis=1).tolist()
        suffix = as_sequence(self.suffix, "suffix")
        check_tokens(suffix, counts.shape[1], name="suffix")
        if isinstance(self.length, bool) or not isinstance(self.length, (int, np.integer)):
            raise InputError("length", self.length, "an integer, at least 1")
        length = int(self.length)
        period, prefix = counts.shape[0], length - suffix.size
        for residue, total in enumerate(totals):
            # Positions i = 1..prefix with i mod Δ = r.
            expected = (prefix - residue) // period + (residue > 0) if prefix >= residue else 0
            if total != expected or prefix < 0:
                allowed = (
                    f"a sum of {expected} over the tokens, the number of prefix positions "
                    f"i ≡ {residue} (mod {period}) of an input of length {length} with a suffix "
                    f"of {suffix.size}"
                )
                raise InputError(f"counts[{residue}]", total, allowed)
        suffix = suffix.astype(np.intp)
        for name, array in (("counts", counts), ("suffix", suffix)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "length", length)

    @classmethod
    def _of_checked(
        cls, counts: npt.NDArray[np.int64], suffix: npt.NDArray[np.intp], length: int
    ) -> Summary:
        """Return the Summary of arrays that nobody else holds and that fit together."""
        summary = object.__new__(cls)
        for name, array in (("counts", counts), ("suffix", suffix)):
            array.flags.writeable = False
            object.__setattr__(summary, name, array)
        object.__setattr__(summary, "length", length)
        return summary

    def __repr__(self) -> str:
        """Length, shape of the counts and number of suffix tokens: counts may have any size."""
        period, tokens = self.counts.shape
        return (
            f"Summary(length={Length(self.length)!r}, counts=<{period} × {tokens} array>, "
            f"suffix=<{self.suffix.size} tokens>)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle through the constructor, which makes the arrays read-only again."""
        return type(self), (self.counts, self.suffix, self.length)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        if not isinstance(other, Summary):
            return NotImplemented
        return (
            self.length == other.length
            and np.array_equal(self.suffix, other.suffix)
            and np.array_equal(self.counts, other.counts)
        )

    def __hash__(self) -> int:
        """Hash by value."""
        return hash((self.length, tuple(self.suffix.tolist()), tuple(self.counts.flat)))


def summarise(x: Any, vocabulary_size: int, period: int, locality: int) -> Summary:
    """Return the Summary of the input `x`, in one read and with memory independent of its length.

    Args:
        x: (T,) integers in 0..|Σ|−1, of any integer type.
        vocabulary_size: |Σ|, at least 1.
        period: Δ, at least 1.
        locality: τ, at least 0.

    Raises:
        InputError: x is empty, has not one axis, is not of an integer type, or has a token out
            of range.
    """
    for name, value, least in (
        ("vocabulary_size", vocabulary_size, 1),
        ("period", period, 1),
        ("locality", locality, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InputError(name, value, f"an integer, at least {least}")
    return summary_of(as_sequence(x), vocabulary_size, period, locality)


def summary_of(
    tokens: npt.NDArray[Any], vocabulary_size: int, period: int, locality: int
) -> Summary:
    """Return the Summary of an array from `as_sequence`; sizes as in `summarise`, unchecked."""
    prefix = max(tokens.size - locality - 1, 0)
    counts = _count_types(tokens[:prefix], vocabulary_size, period)
    suffix = tokens[prefix:]
    check_tokens(suffix, vocabulary_size, first=prefix)
    return Summary._of_checked(counts, suffix.astype(np.intp), tokens.size)


def _count_types(
    tokens: npt.NDArray[Any], vocabulary_size: int, period: int
) -> npt.NDArray[np.int64]:
    """Count (residue of the 1-based position, token); each block is checked, then counted."""
    number = period * vocabulary_size
    # Every block starts at the same residue, and is worth the table that it is counted into.
    step = -(-max(_BLOCK, number) // period) * period
    counts = np.zeros(number, dtype=np.int64)
    if period > 1:
        longest = min(step, tokens.size)
        offsets = _offsets(period, vocabulary_size, _SHORT if longest <= _SHORT else step)
        types = np.empty(longest, dtype=np.intp)
    for first in range(0, tokens.size, step):
        block = tokens[first : first + step]
        check_tokens(block, vocabulary_size, first)
        if period == 1:
            here = block.astype(np.intp, copy=False)
        elif block.dtype == np.intp:
            here = np.add(block, offsets[: block.size], out=types[: block.size])
        else:
            here = types[: block.size]
            here[:] = block  # in two steps: one of mixed types goes through small buffers
            here += offsets[: block.size]
        counts += np.bincount(here, minlength=number)
    return counts.reshape(period, vocabulary_size)


@lru_cache(maxsize=4)
def _offsets(period: int, vocabulary_size: int, size: int) -> npt.NDArray[np.intp]:
    """Return |Σ|·(i mod Δ) for i = 1..`size`, read-only."""
    offsets: npt.NDArray[np.intp] = np.arange(1, size + 1) % period * vocabulary_size
    offsets.flags.writeable = False
    return offsets
