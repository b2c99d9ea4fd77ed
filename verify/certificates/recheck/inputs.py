"""|f − g| on single inputs, in ball arithmetic or exactly, and all inputs of short lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb
from typing import Any

import flint

from bounds.precision import FLINT
from verify.certificates.recheck.arithmetic import ZERO
from verify.certificates.recheck.models import ExactHead, ExactPair
from verify.certificates.recheck.powers import ball, is_kept

Exponents = list[tuple[int, int, Fraction, Fraction]]

_PRECISIONS = 100, 400, 1600


@dataclass(frozen=True)
class SingleInput:
    """An input as one-layer models see it.

    Attributes:
        length: T.
        counts: how many positions of each type there are, those at the lags below left out.
        at_lag: the types at some lags; lag 0 may be left out, the query is then among the counts.
        query: the type of the last position.
    """

    length: int
    counts: Mapping[int, int]
    at_lag: Mapping[int, int]
    query: int


class Evaluator:
    """|f − g| of a pair on single inputs."""

    def __init__(self, pair: ExactPair) -> None:
        self._pair = pair
        self._matrices: dict[int, list[flint.arb_mat]] = {}

    def error(self, x: SingleInput, wanted: Fraction, below: bool) -> tuple[Fraction, Fraction]:
        """Enclose |f − g|, narrowly enough to compare it with `wanted`, if that can be done.

        below: stop when it is known to be at most `wanted`, or more; else when it is known to be
        at least `wanted`, or less.
        """
        found = self._rational(x)
        if found is not None:
            return found, found
        low, high = ZERO, ZERO
        for precision in _PRECISIONS:
            with FLINT, flint.ctx.workprec(precision):
                low, high = self._enclosed(x, precision)
            if (high <= wanted or low > wanted) if below else (low >= wanted or high < wanted):
                break
        return low, high

    def _classes(self, head: ExactHead, x: SingleInput) -> Exponents:
        """Return (type, number, content logit, lag bias) of all classes that occur."""
        free = [(t, n, head.logit(t, x.query), ZERO) for t, n in x.counts.items() if n]
        lags = [(t, 1, head.logit(t, x.query), head.bias(lag)) for lag, t in x.at_lag.items()]
        return free + lags

    def _exponents(self, head: ExactHead, x: SingleInput) -> Exponents:
        """Return (type, number, a, b): what is not dropped has n times the weight e^a·T^b.

        The largest a and the largest b are 0.
        """
        classes = self._classes(head, x)
        if self._pair.finite:
            level = max(a + bias for _, _, a, bias in classes)
            gaps = [(t, n, level - a - bias) for t, n, a, bias in classes]
            return [(t, n, ZERO, -gap) for t, n, gap in gaps if is_kept(gap, x.length, head.bits)]
        most = max(a for _, _, a, _ in classes)
        steep = max(bias for *_, bias in classes)
        return [(t, n, a - most, bias - steep) for t, n, a, bias in classes]

    def _rational(self, x: SingleInput) -> Fraction | None:
        """Return |f − g| if all weights are rational: equal exponents; or None."""
        shares: list[dict[int, Fraction]] = []
        for head in self._pair.heads:
            exponents = self._exponents(head, x)
            if any(a or (b and x.length > 1) for _, _, a, b in exponents):
                return None
            total, share = sum(n for _, n, _, _ in exponents), dict[int, Fraction]()
            for t, n, _, _ in exponents:
                share[t] = share.get(t, ZERO) + Fraction(n, total)
            shares.append(share)
        difference: Any = 0
        for sign, model in zip((1, -1), self._pair.models, strict=True):
            own = [k for k, head in enumerate(self._pair.heads) if head.model is model]
            pre, out = model.hidden[x.query], model.unembedding @ model.y[x.query]
            for k in own:
                for t, share_of in shares[k].items():
                    pre = pre + share_of * self._pair.heads[k].hidden[t]
                    out = out + share_of * self._pair.heads[k].output[t]
            if len(pre):
                out = out + model.outer @ [max(y, ZERO) for y in pre]
            difference = difference + sign * out
        return max(Fraction(abs(y)) for y in difference)

    def _matrix(self, number: int, precision: int) -> flint.arb_mat:
        """Return the values of a head as its model's hidden units and outputs see them."""
        if precision not in self._matrices:
            matrices = []
            for head in self._pair.heads:
                columns = [[*a, *u] for a, u in zip(head.hidden, head.output, strict=True)]
                rows = [[ball(Fraction(v)) for v in row] for row in zip(*columns, strict=True)]
                matrices.append(flint.arb_mat(rows))
            for model in self._pair.models:
                outputs = [model.unembedding @ y for y in model.y]
                direct = [[*a, *u] for a, u in zip(model.hidden, outputs, strict=True)]
                rows = [[ball(Fraction(v)) for v in row] for row in zip(*direct, strict=True)]
                matrices.append(flint.arb_mat(rows))
                outer = [[ball(Fraction(v)) for v in row] for row in model.outer.tolist()]
                width = len(model.mlp_in)
                matrices.append(flint.arb_mat(outer) if width else flint.arb_mat(len(outer), 0))
            self._matrices[precision] = matrices
        return self._matrices[precision][number]

    def _enclosed(self, x: SingleInput, precision: int) -> tuple[Fraction, Fraction]:
        log = flint.arb(x.length).log()
        types = self._pair.period * self._pair.vocabulary
        heads, outputs = len(self._pair.heads), []
        for number, model in enumerate(self._pair.models):
            seen = flint.arb_mat(types, 1)
            seen[x.query, 0] = flint.arb(1)
            residual = self._matrix(heads + 2 * number, precision) * seen
            for k, head in enumerate(self._pair.heads):
                if head.model is not model:
                    continue
                weights = [
                    (t, n * (ball(a) + ball(b) * log).exp() if a or b else flint.arb(n))
                    for t, n, a, b in self._exponents(head, x)
                ]
                total = sum((w for _, w in weights), flint.arb(0))
                column = flint.arb_mat(types, 1)
                for t, w in weights:
                    column[t, 0] += w / total
                residual += self._matrix(k, precision) * column
            rows = [row[0] for row in residual.tolist()]
            width = len(model.mlp_in)
            out = rows[width:]
            if width:
                zero = flint.arb(0)
                active = flint.arb_mat([[y.max(zero)] for y in rows[:width]])
                more = self._matrix(heads + 2 * number + 1, precision) * active
                out = [a + b[0] for a, b in zip(out, more.tolist(), strict=True)]
            outputs.append(out)
        low, high = ZERO, ZERO
        for a, b in zip(*outputs, strict=True):
            size = abs(a - b)
            low, high = max(low, _rational(size.lower())), max(high, _rational(size.upper()))
        return low, high


def _rational(x: flint.arb) -> Fraction:
    """Return a ball of radius 0 as a rational number."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def free_positions(length: int, residue: int, period: int, lags: frozenset[int]) -> int:
    """Return n_r(T): the positions 1..T of a residue without those at some lags."""
    first = residue or period
    number = (length - first) // period + 1 if length >= first else 0
    for lag in lags:
        number -= (length - lag) % period == residue
    return number


def how_many_inputs(pair: ExactPair, length: int) -> int:
    """Return how many inputs of a length are different for one-layer models."""
    lags = frozenset(range(min(length, pair.lags)))
    number: int = pair.vocabulary ** len(lags)
    for r in range(pair.period):
        free = free_positions(length, r, pair.period, lags)
        number *= comb(free + pair.vocabulary - 1, free)
    return number


def all_inputs(pair: ExactPair, length: int) -> Iterator[SingleInput]:
    """Yield all inputs of a length, up to the order of the tokens that no lag bias reaches."""
    size, period = pair.vocabulary, pair.period
    lags = frozenset(range(min(length, pair.lags)))
    columns = [
        list(_compositions(free_positions(length, r, period, lags), size)) for r in range(period)
    ]
    for tokens in product(range(size), repeat=len(lags)):
        at_lag = {lag: (length - lag) % period * size + s for lag, s in enumerate(tokens)}
        for rows in product(*columns):
            counts = {r * size + s: n for r, row in enumerate(rows) for s, n in enumerate(row)}
            yield SingleInput(length, counts, at_lag, at_lag[0])


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)
