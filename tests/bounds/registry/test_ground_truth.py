"""Brute-force truth beside the theorems: integer half-planes over two letters.

The languages {a·#1 + b·#0 > c} with |a|, |b|, |c| ≤ T. The least N such that agreement of two of
them on all inputs of length ≤ N implies that they are equal is computed over all pairs at once:
the languages are refined, length by length, into classes that agree so far. The empty input
counts as one (length 0).

Which inputs suffice? Membership depends on v = (#1, #0) alone. Let v be in the first language
and not in the second: an integer point of the polyhedron {v ≥ 0, a·v ≥ c + 1, a'·v ≤ c'}. Write
v as a point of the hull of its vertices plus α₁r₁ + α₂r₂ with integer generators r of the
recession cone; a generator is a unit vector or orthogonal to a or to a', so its entries are ≤ T.
Taking ⌊α₁⌋r₁ + ⌊α₂⌋r₂ away leaves an integer point of the polyhedron whose length #1 + #0 is at
most that of a vertex plus 4T. A vertex solves two of the equations v₁ = 0, v₀ = 0, a·v = c + 1,
a'·v = c'; by Cramer's rule its coordinates are ≤ (T + 1)T + T·T. So two different languages
differ on an input of length ≤ 2(2T² + T) + 4T = 4T² + 6T, and all lengths up to there decide.
"""

import itertools

import numpy as np
import pytest


def half_planes(bound):
    values = range(-bound, bound + 1)
    return np.array(list(itertools.product(values, repeat=3)))


def sufficient_length(bound, shortest=0):
    """The last length at which two languages that agreed so far come apart."""
    a, b, c = half_planes(bound).T[:, :, None]
    classes = np.zeros(len(a), dtype=np.int64)
    number, last = 1, shortest
    for length in range(shortest, 4 * bound**2 + 6 * bound + 1):
        ones = np.arange(length + 1)
        accepted = np.packbits(a * ones + b * (length - ones) > c, axis=1)
        key = np.column_stack([classes.view(np.uint8).reshape(len(classes), -1), accepted])
        _, classes = np.unique(
            np.ascontiguousarray(key).view(f"V{key.shape[1]}"), return_inverse=True
        )
        classes = classes.ravel().astype(np.int64)
        if classes.max() + 1 > number:
            number, last = int(classes.max()) + 1, length
    return last, number


def sufficient_length_by_pairs(bound):
    """The same by comparing every pair on every input, for small bounds."""
    longest = 4 * bound**2 + 6 * bound
    inputs = [(n, k - n) for k in range(longest + 1) for n in range(k + 1)]
    rows = {
        tuple(bool(a * n + b * m > c) for n, m in inputs) for a, b, c in half_planes(bound).tolist()
    }
    return max(
        next(sum(v) for v, p, q in zip(inputs, first, second, strict=True) if p != q)
        for first, second in itertools.combinations(rows, 2)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bound", "length"), [(1, 3), (2, 5), (3, 7), (4, 11), (5, 15), (6, 19), (7, 23), (8, 27)]
)
def test_half_planes_are_told_apart_exactly_by_these_lengths(bound, length):
    assert sufficient_length(bound)[0] == length
    if bound >= 3:
        assert length == 4 * bound - 5


def test_half_planes_by_pairs():
    for bound in (1, 2):
        assert sufficient_length_by_pairs(bound) == sufficient_length(bound)[0]


def test_without_the_empty_input_one_more_token_is_needed():
    # Some languages differ first on the empty input and again one token later than all others.
    assert [sufficient_length(bound, shortest=1)[0] for bound in (1, 2)] == [3, 5]
    assert [sufficient_length(bound, shortest=1)[0] for bound in (3, 4, 5, 6)] == [8, 12, 16, 20]
