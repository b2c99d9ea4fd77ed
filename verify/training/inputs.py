"""Random inputs, as token probabilities and as what a model needs of them.

Three input distributions, all with tokens independent given their probabilities:

- `uniform`: every token is uniform on Σ;
- `dirichlet`: one vector of probabilities per input, drawn from Dir(1, …, 1), for all positions;
- `conditional`: one draw from Dir(1, …, 1) per residue t mod Δ (mod_p) or per context of k tokens
  (k_gram). Under the other two, averages over any subset of positions tend to the same limit, so
  that long inputs cannot tell right attention from wrong; under this one they can.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.training.experiment import Distribution, Setting

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class CountedInputs:
    """Inputs of a one-layer model, which sees counts and the suffix only: O(1) each, at any length.

    `lengths` (B,); `counts` (B, Δ, |Σ|): prefix positions 1..T−τ−1 by residue and token;
    `suffix_tokens`, `suffix_residues` (B, τ+1): lag 0 (the query) first; `suffix_present` (B, τ+1):
    False where the lag reaches before the first token.
    """

    lengths: Ints
    counts: Ints
    suffix_tokens: Ints
    suffix_residues: Ints
    suffix_present: NDArray[np.bool_]

    def all_counts(self) -> Ints:
        """Counts (B, Δ, |Σ|) of prefix and suffix together."""
        total = self.counts.copy()
        rows = np.arange(len(total))
        for lag in range(self.suffix_tokens.shape[1]):
            at = (rows, self.suffix_residues[:, lag], self.suffix_tokens[:, lag])
            np.add.at(total, at, self.suffix_present[:, lag].astype(np.int64))
        return total


def counted_inputs(
    rng: np.random.Generator,
    lengths: Ints,
    setting: Setting,
    distribution: Distribution,
    locality: int,
) -> CountedInputs:
    """Inputs of the given lengths, with the law of tokens drawn one by one, but not drawn so.

    Given the probabilities, the counts of a residue are multinomial and independent of the suffix.
    """
    period, size, batch = setting.period, setting.vocabulary_size, len(lengths)
    if distribution == "uniform":
        probabilities = np.full((batch, period, size), 1 / size)
    elif distribution == "dirichlet":
        one = rng.dirichlet(np.ones(size), batch)[:, None, :]
        probabilities = np.broadcast_to(one, (batch, period, size))
    else:
        probabilities = rng.dirichlet(np.ones(size), (batch, period))

    prefix = np.maximum(lengths - locality - 1, 0)[:, None]
    first = np.array([period, *range(1, period)])  # first position with residue 0, 1, …, Δ−1
    per_residue = (prefix - first + period) // period
    counts = rng.multinomial(per_residue, probabilities)

    positions = lengths[:, None] - np.arange(locality + 1)
    residues = positions % period
    cumulative = probabilities.cumsum(axis=2)[np.arange(batch)[:, None], residues]
    tokens = (rng.random(residues.shape)[..., None] > cumulative[..., :-1]).sum(axis=2)
    return CountedInputs(lengths, counts, tokens, residues, positions >= 1)


def token_inputs(
    rng: np.random.Generator,
    lengths: Ints,
    setting: Setting,
    distribution: Distribution,
) -> Ints:
    """Token sequences (B, max length); entries beyond an input's length are 0 and not read."""
    size, k, batch = setting.vocabulary_size, setting.k, len(lengths)
    longest = int(lengths.max())
    if distribution == "uniform":
        tokens = rng.integers(0, size, (batch, longest))
    elif distribution == "dirichlet":
        cumulative = rng.dirichlet(np.ones(size), batch).cumsum(axis=1)
        tokens = (rng.random((batch, longest, 1)) > cumulative[:, None, :-1]).sum(axis=2)
    else:
        tokens = _chain(rng, batch, longest, size, k)
    tokens[np.arange(longest) >= lengths[:, None]] = 0
    return tokens


def _chain(rng: np.random.Generator, batch: int, longest: int, size: int, k: int) -> Ints:
    """Markov chains of order k, one random kernel per input; the first k tokens are uniform."""
    cumulative = rng.dirichlet(np.ones(size), (batch, size**k)).cumsum(axis=2)[..., :-1]
    uniform = rng.random((batch, longest))
    tokens = np.zeros((batch, longest), dtype=np.int64)
    context = np.zeros(batch, dtype=np.int64)
    rows = np.arange(batch)
    for t in range(longest):
        if t < k:
            tokens[:, t] = (uniform[:, t] * size).astype(np.int64)
        else:
            tokens[:, t] = (uniform[:, t, None] > cumulative[rows, context]).sum(axis=1)
        context = (context * size + tokens[:, t]) % size**k
    return tokens


def stack(batches: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Stack the batches of several runs along a new second axis (step, run, input, …)."""
    return {name: np.stack([b[name] for b in batches], axis=1) for name in batches[0]}
