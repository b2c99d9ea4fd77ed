"""Between summaries and inputs: the same input for a coarser model, and an input for a summary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.model.summary import Summary

LONGEST_INPUT = 10**8
"""Longer inputs are not written out (800 MB as int64); their summaries are enough."""


def coarsened(summary: Summary, period: int, locality: int) -> Summary:
    """Return the summary of the same inputs for a model with a Δ that divides, and a smaller τ."""
    if summary.counts.shape[0] == period and summary.suffix.size <= locality + 1:
        return summary
    tokens = summary.counts.shape[1]
    # Python ints: sums of int64 counts can leave int64.
    counts = summary.counts.astype(object).reshape(-1, period, tokens).sum(axis=0)
    leaving = summary.suffix[: max(summary.suffix.size - locality - 1, 0)]
    first = summary.length - summary.suffix.size + 1
    for position, token in enumerate(leaving.tolist(), start=first):
        counts[position % period, token] += 1
    return Summary(counts, summary.suffix[leaving.size :], summary.length)


def expanded(summary: Summary) -> npt.NDArray[np.int64]:
    """Return an input with this summary: in every residue class, tokens in ascending order.

    Raises:
        InputError: the input would be longer than LONGEST_INPUT.
    """
    if summary.length > LONGEST_INPUT:
        raise InputError("length", summary.length, f"at most {LONGEST_INPUT} to be written out")
    period, tokens = summary.counts.shape
    prefix = np.empty(summary.length - summary.suffix.size, dtype=np.int64)
    for residue in range(period):
        # Position i = residue, or Δ for residue 0, is index i − 1.
        places = prefix[(residue - 1) % period :: period]
        places[:] = np.repeat(np.arange(tokens), summary.counts[residue].astype(np.int64))
    return np.concatenate([prefix, summary.suffix.astype(np.int64)])
