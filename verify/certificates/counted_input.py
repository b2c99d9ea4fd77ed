"""An explicit input given by its counts: what a verdict rests on, ready to be run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.certificates.outputs import trimmed
from verify.lengths import show_integer
from verify.model.plain import summary_data, summary_from
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.simulation.argmax.summaries import coarsened, expanded


@dataclass(frozen=True)
class CountedInput:
    """An input as the two models of a pair see it; any order of its prefix tokens will do.

    Attributes:
        summary: counts and suffix; Δ is the least common multiple of the least periods of f and
            g, τ the larger of their least localities.
    """

    summary: Summary

    @property
    def length(self) -> int:
        """T."""
        return self.summary.length

    @property
    def residue(self) -> int:
        """T mod Δ."""
        return self.length % len(self.summary.counts)

    def tokens(self) -> npt.NDArray[np.int64]:
        """Return such an input, shape (T,), in every residue class tokens in ascending order.

        Raises:
            InputError: it would be longer than 10⁸ tokens.
        """
        return expanded(self.summary)

    def output(self, f: LimitTransformer) -> npt.NDArray[np.float64]:
        """Return f on this input, shape (o,), by the model's own forward pass."""
        least = trimmed(f)
        return least.of_summary(coarsened(self.summary, least.period, least.locality))

    def error(self, f: LimitTransformer, g: LimitTransformer) -> float:
        """Return |f − g| on this input, largest output, by the models' own forward pass."""
        return float(np.abs(self.output(f) - self.output(g)).max())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return summary_data(self.summary)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CountedInput:
        """Return the input that `to_dict` described."""
        return cls(summary_from(data))

    def __str__(self) -> str:
        """Return length, counts and suffix in one line."""
        counts = "; ".join(
            f"{residue} mod {len(self.summary.counts)}: {' '.join(map(show_integer, row))}"
            for residue, row in enumerate(self.summary.counts.tolist())
        )
        suffix = " ".join(map(str, self.summary.suffix.tolist()))
        length = show_integer(self.length)
        return f"length {length}, prefix tokens by residue ({counts}), last tokens {suffix}"
