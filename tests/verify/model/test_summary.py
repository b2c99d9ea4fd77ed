"""Counts and suffix of an input: by hand, for every integer type, and with its messages."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify import InputError, Summary, summarise
from verify.model import summary as module


def by_hand(x, vocabulary_size, period, locality):
    """Return counts and suffix by a loop over 1-based positions."""
    length = len(x)
    counts = [[0] * vocabulary_size for _ in range(period)]
    for i in range(1, length - locality):
        counts[i % period][x[i - 1]] += 1
    return counts, list(x[max(length - locality - 1, 0) :])


@given(
    x=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    period=st.integers(1, 5),
    locality=st.integers(0, 6),
    block=st.sampled_from([1, 2, 7, 1 << 15]),
)
def test_summary_by_hand(x, period, locality, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        s = summarise(x, 5, period, locality)
    counts, suffix = by_hand(x, 5, period, locality)
    assert s.counts.tolist() == counts
    assert s.suffix.tolist() == suffix
    assert s.length == len(x)
    assert s == Summary(counts, suffix, len(x))
    assert hash(s) == hash(Summary(np.array(counts, dtype=object), suffix, len(x)))


@pytest.mark.parametrize(
    "dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8", "<i8"]
)
def test_every_integer_type(dtype):
    x = np.random.default_rng(0).integers(0, 3, size=100_000)
    expected = summarise(x, 3, 3, 2)
    assert summarise(x.astype(dtype), 3, 3, 2) == expected
    both = np.repeat(x.astype(dtype), 2)
    assert summarise(both[::2], 3, 3, 2) == expected
    assert summarise(both[::-1][1::2][::-1], 3, 3, 2) == expected


def test_memory_does_not_grow_with_the_length():
    peaks = []
    for length in (200_000, 2_000_000):
        x = np.random.default_rng(0).integers(0, 4, size=length, dtype=np.uint8)
        tracemalloc.start()
        summarise(x, 4, 2, 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= peaks[0] + 10_000
    assert peaks[1] < 2_000_000


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([], r"x: got \[\] \(list\); allowed: a sequence of at least one token"),
        (np.zeros(0, dtype=int), "x: got .*allowed: a sequence of at least one token"),
        ([[0, 1]], "x: got .*integer tokens with one axis; this one has 2"),
        (3, "x: got 3.*integer tokens with one axis; this one has 0"),
        (None, "x: got None.*integer tokens with one axis"),
        ("012", "x: got '012'.*integer tokens with one axis"),
        ([[0], [1, 2]], "x: got .*integer tokens with one axis"),
        ([0.0, 1.0], "x: got .*integer tokens, not bool, float or objects; these are float64"),
        ([True, False], "x: got .*integer tokens, not bool, float or objects; these are bool"),
        ([0, 2**70], "x: got .*integer tokens, not bool, float or objects; these are object"),
        (["a", "b"], "x: got .*integer tokens, not bool, float or objects; these are <U1"),
        ([0, 1, 3, 0, 0, 0], r"x\[2\]: got 3 \(int\); allowed: tokens 0..2"),
        ([0, -1, 2, 0, 0, 0], r"x\[1\]: got -1 \(int\); allowed: tokens 0..2"),
        ([0, 0, 0, 0, 0, 3], r"x\[5\]: got 3 \(int\); allowed: tokens 0..2"),
        (np.array([-1], dtype=np.int8), r"x\[0\]: got -1 \(int\); allowed: tokens 0..2"),
        (
            np.array([0, 2**64 - 1], dtype=np.uint64),
            r"x\[1\]: got 18446744073709551615 \(int\); allowed: tokens 0..2",
        ),
    ],
)
def test_bad_inputs(x, message):
    with pytest.raises(InputError, match=f"^{message}"):
        summarise(x, 3, 2, 1)


def test_bad_token_far_inside_is_found_at_its_place():
    x = np.zeros(100_001, dtype=np.int32)
    x[77_777] = 9
    with pytest.raises(InputError, match=r"^x\[77777\]: got 9"):
        summarise(x, 3, 3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 0), "vocabulary_size: got 0 .*an integer, at least 1"),
        ((3, True, 0), "period: got True .*an integer, at least 1"),
        ((3, 1.0, 0), "period: got 1.0 .*an integer, at least 1"),
        ((3, 1, -1), "locality: got -1 .*an integer, at least 0"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises(InputError, match=f"^{message}"):
        summarise([0], *arguments)


BIG = 10**400


def test_counts_of_any_size():
    s = Summary(np.array([[BIG, 1]], dtype=object), [0], BIG + 2)
    assert s.counts.dtype == object
    assert s.length == BIG + 2
    small = Summary(np.array([[5, 1]], dtype=np.uint64), [0], 7)
    assert small.counts.dtype == np.int64


@pytest.mark.parametrize(
    ("counts", "suffix", "length", "message"),
    [
        ([1, 2], [0], 4, r"counts: .*shape \(Δ, \|Σ\|\), both at least 1; this one is \(2,\)"),
        ([[]], [0], 1, r"counts: .*this one is \(1, 0\)"),
        ([[1.0, 2.0]], [0], 4, "counts: .*integers, at least 0"),
        ([[True, False]], [0], 2, "counts: .*integers, at least 0"),
        ([[3, -1]], [0], 3, "counts: .*integers, at least 0"),
        ([[1, 2]], [], 3, "suffix: .*at least one token"),
        ([[1, 2]], [2], 4, r"suffix\[0\]: got 2 \(int\); allowed: tokens 0..1"),
        ([[1, 2]], [0], 4.0, "length: got 4.0 .*an integer, at least 1"),
        ([[1, 2]], [0], True, "length: got True .*an integer, at least 1"),
        ([[1, 2]], [0], 5, r"counts\[0\]: got 3 .*a sum of 4 over the tokens"),
        ([[1, 0], [0, 1]], [0], 4, r"counts\[1\]: got 1 .*a sum of 2 .*i ≡ 1 \(mod 2\)"),
        ([[2, 0], [0, 1]], [0], 4, r"counts\[0\]: got 2 .*a sum of 1 .*i ≡ 0 \(mod 2\)"),
        ([[0, 0]], [0, 0], 1, r"counts\[0\]: got 0 .*length 1 with a suffix of 2"),
    ],
)
def test_bad_summaries(counts, suffix, length, message):
    with pytest.raises(InputError) as caught:
        Summary(counts, suffix, length)
    assert re.match(message, str(caught.value))


def test_a_summary_is_read_only():
    s = summarise([0, 1, 0], 2, 1, 0)
    for array in (s.counts, s.suffix):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
