"""ModPTask: the fraction of token 1 among the positions t ≡ k (mod p); harder as p grows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import InputError
from verify.model.summary import summarise
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer


@dataclass(frozen=True)
class ModPTask:
    """The fraction of token 1 among the positions t ≡ k (mod period), and weights that give it.

    Positions are 1-based. Where an input has no position of the residue (length < k, or
    length < period for k = 0), the source leaves 0/0; here it is the fraction among *all*
    positions, which is what attention does when every key has the same logit.
    Source: [izzo2025, section 6, ModPTask].

    Attributes:
        period: Δ = p of the task's name, at least 1.
        residue: k, 0 ≤ k < period.
        precision_bits: bits of precision of the model.
    """

    period: int
    residue: int
    precision_bits: int

    def target(self, x: npt.ArrayLike) -> float:
        """Return the target on the tokens x, (T,) integers 0 or 1.

        Raises:
            InputError: x is no such sequence.
        """
        summary = summarise(x, 2, self.period, 0)
        counts = [[int(c) for c in row] for row in summary.counts]
        counts[summary.length % self.period][int(summary.suffix[-1])] += 1
        return self.target_of_counts(counts)

    def target_of_counts(self, counts: Any) -> float:
        """Return the target from counts, shape (period, 2): positions i with i mod period = r.

        Raises:
            InputError: not such integers ≥ 0, or all 0.
        """
        try:
            table = np.array(counts, dtype=object)
        except ValueError:
            table = np.zeros(0, dtype=object)
        if table.shape != (self.period, 2) or not all(
            isinstance(c, int | np.integer) and not isinstance(c, bool) and c >= 0
            for c in table.flat
        ):
            allowed = f"integers, at least 0, shape ({self.period}, 2)"
            raise InputError("counts", counts, allowed)
        zeros, ones = table[self.residue]
        if zeros + ones == 0:
            zeros, ones = table.sum(axis=0)
        if zeros + ones == 0:
            raise InputError("counts", counts, "at least one position")
        return float(Fraction(int(ones), int(zeros + ones)))

    @cached_property
    def transformer(self) -> LimitTransformer:
        """Explicit weights; coordinates: token 1, right residue, constant 1, output.

        Keys of the right residue get logit p = precision_bits, all others 0. So the logit margin
        is p, 2^(p/γ) = 2, and attention is uniform on the residue from length 2 on.
        """
        embedding = np.zeros((2, 4))
        embedding[1, 0] = 1.0
        positions = np.zeros((self.period, 4))
        positions[self.residue, 1] = 1.0
        positions[:, 2] = 1.0
        query_key = np.zeros((4, 4))
        query_key[1, 2] = float(self.precision_bits)
        value = np.zeros((4, 4))
        value[3, 0] = 1.0
        head = Head(query_key=query_key, value=value, lag_bias=np.zeros(1))
        return LimitTransformer(
            embedding=embedding,
            positions=positions,
            layers=(Layer((head,)),),
            unembedding=np.array([[0.0, 0.0, 0.0, 1.0]]),
            precision_bits=self.precision_bits,
        )


def mod_p(period: int, residue: int, *, precision_bits: int = 8) -> ModPTask:
    """Return ModPTask: the fraction of token 1 among the positions t ≡ residue (mod period).

    Args:
        period: at least 1.
        residue: 0 ≤ residue < period.
        precision_bits: p ≥ 1 of the model.

    Raises:
        InputError: an argument is not such an integer.
    """
    for name, value, least in (
        ("period", period, 1),
        ("residue", residue, 0),
        ("precision_bits", precision_bits, 1),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise InputError(name, value, f"an integer, at least {least}")
    if residue >= period:
        raise InputError("residue", residue, f"an integer from 0 to period − 1 = {period - 1}")
    return ModPTask(int(period), int(residue), int(precision_bits))
