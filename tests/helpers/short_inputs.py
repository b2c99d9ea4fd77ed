"""All inputs of a length as summaries, from the definition: an oracle for shortest simulations."""

from __future__ import annotations

import itertools

import numpy as np

from verify import Summary


def inputs_of_length(length, vocabulary_size, period, locality, last_token=None):
    """Yield one Summary for each choice of counts and suffix; `last_token`: only with this one."""
    suffix = min(length, locality + 1)
    totals = [
        sum(1 for i in range(1, length - suffix + 1) if i % period == r) for r in range(period)
    ]
    tokens = range(vocabulary_size)
    columns = [
        [c for c in itertools.product(range(total + 1), repeat=vocabulary_size) if sum(c) == total]
        for total in totals
    ]
    for chosen in itertools.product(tokens, repeat=suffix):
        if last_token is None or chosen[-1] == last_token:
            for counts in itertools.product(*columns):
                yield Summary(np.array(counts), np.array(chosen), length)


def shortest_length(x, period, vocabulary_size, locality, simulates, query="same"):
    """Return the least length of a z for which `simulates(z)` is True, z of the query type of x."""
    for length in range(1, x.length + 1):
        if query == "any" or (length - x.length) % period == 0:
            last = None if query == "any" else int(x.suffix[-1])
            candidates = inputs_of_length(length, vocabulary_size, period, locality, last)
            if any(simulates(z) for z in candidates):
                return length
    raise AssertionError("x simulates itself")
