"""Tables of positions: rows that repeat, as limit transformers take them."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.errors import InputError
from verify.model.qkvo import Floats
from verify.model.validation import as_integer


def periodic_rows(rows: Floats, period: Any, start: Any) -> Floats:
    """Return the table of a limit transformer, (Δ, d): position i = 1, 2, … uses row i mod Δ.

    Args:
        rows: (n, d), the table as the other library keeps it.
        period: Δ; row k + Δ equals row k as far as the table goes.
        start: the row of the first token.

    Raises:
        InputError: period or start is missing or impossible, or the rows do not repeat so.
    """
    count = len(rows)
    ends = (
        f"positions end at row {count - 1}: no longer input exists, and no claim about all is one"
    )
    if period is None:
        allowed = (
            f"Δ from 1 to {count}, the number of rows after which positions repeat. Learned "
            f"absolute {ends}; period={count} takes them as repeating, which agrees with the model "
            f"up to length {count}"
        )
        raise InputError("period", None, allowed)
    delta = as_integer(period)
    if delta is None or not 1 <= delta <= count:
        raise InputError("period", period, f"an integer Δ from 1 to {count}, the number of rows")
    if start is None and delta > 1:
        allowed = "the row of the first token, 0 or 1 as a rule: libraries differ"
        raise InputError("positions_start", None, allowed)
    first = 0 if start is None else as_integer(start)
    if first is None or not 0 <= first < count:
        raise InputError("positions_start", start, f"a row 0..{count - 1}, that of the first token")
    if first + delta <= count:  # read row by row; what lies before the first row is unused
        offset, shift = first, 0
    else:  # read modulo Δ
        offset, shift = 0, first % delta
    used = rows[offset:]
    unequal = np.flatnonzero((used[delta:] != used[:-delta]).any(axis=1))
    if unequal.size:
        place = int(unequal[0]) + offset
        allowed = (
            f"a period of the rows: rows {place} and {place + delta} differ. {ends}; "
            f"given alone, rows {offset}..{offset + delta - 1} would be taken as repeating"
        )
        raise InputError("period", period, allowed)
    # Position i uses used[(shift + i − 1) mod Δ] and has to be row i mod Δ.
    table: Floats = used[(np.arange(delta) - 1 + shift) % delta]
    return table
