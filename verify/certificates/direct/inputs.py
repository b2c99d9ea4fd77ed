"""From a point of a piece to an explicit input, and to the true |f − g| there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from verify.certificates.counted_input import CountedInput
from verify.certificates.direct.codes import LONGEST_EXPONENT, length_of
from verify.certificates.direct.exact import error_range
from verify.certificates.direct.pieces import Piece
from verify.certificates.direct.search import Found
from verify.certificates.direct.table import Table
from verify.certificates.window import LengthAgreement, float_up
from verify.model.summary import Summary
from verify.model.validation import in_range

_SHORTEST_LIMIT = 2**20
"""A limit of inputs is shown by an input of at least this length."""


def attained(table: Table, found: Found, loss: float, start: int = 1) -> LengthAgreement:
    """Return an input at the point that was found, with what |f − g| truly is there.

    At a limit of inputs, lengths are tried until |f − g| is within `loss` of the limit, or at its
    nearest; the shortest such input found is returned. It is no shorter than `start`.
    """
    piece = table.pieces[found.piece]
    start = max(start, piece.first)
    start += (piece.residue - start) % table.pair.period
    length = length_of(found.length)
    if length is not None:
        return _evaluated(table, piece, max(length, start), found)
    best = None
    length = max(_SHORTEST_LIMIT, start)
    while length.bit_length() <= LONGEST_EXPONENT:
        entry = _evaluated(table, piece, length, found)
        if best is None or entry.low > best.low:
            best = entry
        if float(entry.low) >= found.value - loss:
            break
        length = length**2
    assert best is not None
    return best


def input_at(
    table: Table, piece: Piece, length: int, shares: tuple[float, ...], number: int
) -> Summary:
    """Return an input of a piece whose shares are as near to those given as counts can be."""
    pair = table.pair
    # Floats may lie beside lengths beyond 2^53: stay within the piece.
    length = max(length - (length - piece.residue) % pair.period, piece.first)
    length = length if piece.last is None else min(length, piece.last)
    exact = {
        int(kind): Fraction(share)
        for kind, share in zip(table.coordinate[number].tolist(), shares, strict=True)
        if kind < table.present.shape[1]
    }
    counts: dict[int, int] = {}
    for r, column in enumerate(piece.columns):
        total = (length - piece.offsets[r]) // pair.period
        wanted = {t: exact[t] * total for t in column[1:]}
        taken = {t: int(w) for t, w in wanted.items()}
        rest = total - sum(taken.values())
        if rest < 0:  # the shares add up to a little more than 1
            taken[max(taken, key=lambda t: taken[t])] += rest
            rest = 0
        # Nearest counts: the largest parts of a token first, as long as some are left.
        for t in sorted(wanted, key=lambda t: taken[t] - wanted[t]):
            if wanted[t] - taken[t] >= Fraction(1, 2) and rest > 0:
                taken[t] += 1
                rest -= 1
        counts |= taken | {column[0]: rest}
    for presence in piece.presences:
        if not any(counts[t] for t in presence):
            # Too rare a token for this length: one of them, in the place of a common one.
            column = next(c for c in piece.columns if set(c) & set(presence))
            counts[max(column, key=lambda t: counts[t])] -= 1
            counts[next(t for t in presence if t in column)] += 1
    return _summary(table, piece, length, counts)


def _summary(table: Table, piece: Piece, length: int, counts: dict[int, int]) -> Summary:
    """Return the input with these counts of all positions but the lags counted by themselves."""
    pair = table.pair
    tokens = pair.vocabulary_size
    left = dict(counts)
    suffix = []
    for lag in range(min(pair.locality + 1, length)):
        kind = piece.lags.get(lag)
        if kind is None:
            column = piece.columns[(piece.residue - lag) % pair.period]
            first = next((t for t in column if piece.query in piece.members[t]), None)
            if lag == 0 and first is not None:
                kind, given = piece.query, first
            else:
                # Lag 0 comes first, so that the query is not given away.
                given = max(column, key=lambda t: left[t])
                kind = given
            left[given] -= 1
        suffix.append(kind % tokens)
    table_of_counts = np.zeros((pair.period, tokens), dtype=object)
    for t, count in left.items():
        table_of_counts[divmod(t, tokens)] = count
    return Summary(table_of_counts, np.array(suffix[::-1]), length)


def _evaluated(table: Table, piece: Piece, length: int, found: Found) -> LengthAgreement:
    summary = input_at(table, piece, length, found.shares, found.piece)
    low, high = error_range(table.pair, summary)
    in_range("unembedding", float_up((low + high) / 2))
    middle = float((low + high) / 2)
    rounding = float_up(max(high - Fraction(middle), Fraction(middle) - low))
    return LengthAgreement(middle, rounding, CountedInput(summary), 1)
