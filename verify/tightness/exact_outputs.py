"""Attention and outputs on one input without rounding, and the exact distance of two inputs.

Where every head is hardmax at an input (what lies below the largest logit is dropped, by the exact
rule of finite precision), attention is uniform on a set and all outputs are rational numbers. Else
outputs are balls, which get smaller until they decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import flint

from bounds.precision import FLINT
from verify.certificates.contexts import Context, HeadLogits, Pair
from verify.certificates.direct.exact import output_balls
from verify.certificates.outputs import trimmed
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.value_types import type_vectors
from verify.model.precision import is_dropped
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer

Law = dict[int, Fraction]
"""Attention of a head: the share of each type r·|Σ| + s that has one."""

_DIGITS = (160, 640, 2560)


def hardmax_laws(pair: Pair, summary: Summary) -> list[Law | None]:
    """Return the attention of each head of f, then of g; None where it is not hardmax."""
    tokens = tuple(summary.suffix.tolist()[::-1])
    lags = pair.lag_types(Context(summary.length % pair.period, tokens))
    counts = {t: int(c) for t, c in enumerate(summary.counts.ravel().tolist()) if c}
    return [_hardmax_law(head, lags, counts, summary.length) for head in pair.heads]


def _hardmax_law(
    head: HeadLogits, lags: tuple[int, ...], counts: dict[int, int], length: int
) -> Law | None:
    if not head.precision_bits:
        return None
    content = head.content[lags[0]]
    keys = [(content[t], t, number) for t, number in counts.items()]
    keys += [(content[t] + head.bias[lag], t, 1) for lag, t in enumerate(lags)]
    top = max(logit for logit, _, _ in keys)
    second = max((logit for logit, _, _ in keys if logit < top), default=None)
    if second is not None:
        gap = (top - second) * head.unit
        if not is_dropped(length, gap, head.precision_bits):
            return None
    members: dict[int, int] = {}
    for logit, t, number in keys:
        if logit == top:
            members[t] = members.get(t, 0) + number
    total = sum(members.values())
    return {t: Fraction(number, total) for t, number in members.items()}


def total_variation(first: Law, second: Law) -> Fraction:
    """Return the total variation of two laws on types."""
    zero = Fraction(0)
    return sum(
        (max(share - second.get(t, zero), zero) for t, share in first.items()), start=Fraction(0)
    )


@dataclass(frozen=True)
class Interval:
    """Where a number lies: low ≤ number ≤ high; equal where it is known exactly."""

    low: Fraction
    high: Fraction

    def at_most(self, bound: Fraction) -> bool | None:
        """Whether the number is ≤ bound; None where the interval does not tell."""
        if self.high <= bound:
            return True
        return False if self.low > bound else None

    def __add__(self, other: Interval) -> Interval:
        """Return where the sum lies."""
        return Interval(self.low + other.low, self.high + other.high)


class ExactOutputs:
    """Exact outputs of a pair, and the distances between inputs."""

    def __init__(self, pair: Pair) -> None:
        """Take the pair; tables are made when they are needed."""
        self.pair = pair

    def distances(self, x: Summary, z: Summary, digits: int = _DIGITS[0]) -> tuple[Interval, ...]:
        """Return where |f(x) − f(z)| and |g(x) − g(z)|, largest output, lie."""
        laws = [hardmax_laws(self.pair, s) for s in (x, z)]
        return tuple(self._distance(name, (x, z), laws, digits) for name in ("f", "g"))

    def close(self, x: Summary, z: Summary, budget: Fraction, each: bool) -> bool | None:
        """Whether |Δf| + |Δg| ≤ budget (each: both ≤ budget/2); None if it cannot be decided."""
        verdict: bool | None = None
        for digits in _DIGITS:
            of_f, of_g = self.distances(x, z, digits)
            if each:
                parts = [side.at_most(budget / 2) for side in (of_f, of_g)]
                verdict = False if False in parts else None if None in parts else True
            else:
                verdict = (of_f + of_g).at_most(budget)
            if verdict is not None:
                break
        return verdict

    def rounded(self, x: Summary) -> tuple[list[float], list[float]]:
        """Return the outputs of f and of g, each within 2^−50 of its size, plus 2^−100."""
        laws = hardmax_laws(self.pair, x)
        found = []
        for name in ("f", "g"):
            rational = self._rational(name, x, laws)
            if rational is not None:
                found.append([float(Fraction(int(v.p), int(v.q))) for v in rational])
            else:
                with FLINT, flint.ctx.workprec(_DIGITS[0]):
                    balls = output_balls(self.pair, name, x)
                    found.append([float(ball.mid()) for ball in balls])
        return found[0], found[1]

    def _distance(
        self, name: str, inputs: tuple[Summary, Summary], laws: list[list[Law | None]], digits: int
    ) -> Interval:
        rows = [self._rational(name, s, own) for s, own in zip(inputs, laws, strict=True)]
        if rows[0] is not None and rows[1] is not None:
            largest = max(abs(a - b) for a, b in zip(rows[0], rows[1], strict=True))
            exact = Fraction(int(largest.p), int(largest.q))
            return Interval(exact, exact)
        with FLINT, flint.ctx.workprec(digits):
            balls = [
                output_balls(self.pair, name, s)
                if row is None
                else [flint.arb(value) for value in row]
                for s, row in zip(inputs, rows, strict=True)
            ]
            errors = [abs(a - b) for a, b in zip(*balls, strict=True)]
            lows, highs = zip(*(_ends(error) for error in errors), strict=True)
        return Interval(max(max(lows), Fraction(0)), max(highs))

    def _rational(
        self, name: str, summary: Summary, laws: list[Law | None]
    ) -> list[flint.fmpq] | None:
        own = [law for h, law in zip(self.pair.heads, laws, strict=True) if h.model == name]
        if None in own:
            return None
        model = self.pair.f if name == "f" else self.pair.g
        table = _rational_table(trimmed(model), len(self.pair.types))
        residue = summary.length % self.pair.period
        sums = list(table.own[residue * self.pair.vocabulary_size + int(summary.suffix[-1])])
        for number, law in enumerate(own):
            assert law is not None
            for t, share in law.items():
                weight = flint.fmpq(share.numerator, share.denominator)
                for k, entry in enumerate(table.values[number][t]):
                    sums[k] += weight * entry
        hidden = len(table.gains[0]) if table.gains else 0
        relu = [max(entry, flint.fmpq(0)) for entry in sums[:hidden]]
        return [
            direct + sum((g * a for g, a in zip(gains, relu, strict=True)), flint.fmpq(0))
            for direct, gains in zip(sums[hidden:], table.gains, strict=True)
        ]


@dataclass(frozen=True)
class _Table:
    """The table of `verify.certificates.outputs` as rational numbers."""

    own: list[list[flint.fmpq]]
    values: list[list[list[flint.fmpq]]]
    gains: list[list[flint.fmpq]]


@lru_cache(maxsize=8)
def _rational_table(model: LimitTransformer, types: int) -> _Table:
    layer, vectors = model.layers[0], type_vectors(model)
    read = concatenate([Dyadic.of(layer.mlp_in), Dyadic.of(model.unembedding)]).T
    width = layer.hidden + model.output_dimension
    bias = Dyadic.of([*layer.mlp_bias.tolist(), *[0.0] * model.output_dimension])
    repeated = [t % vectors.shape[0] for t in range(types)]
    start = _rows(vectors @ read + bias, width)
    values = [_rows(vectors @ Dyadic.of(h.value).T @ read, width) for h in layer.heads]
    gains = Dyadic.of(model.unembedding) @ Dyadic.of(layer.mlp_out)
    return _Table(
        [start[t] for t in repeated],
        [[rows[t] for t in repeated] for rows in values],
        _rows(gains, layer.hidden),
    )


def _rows(exact: Dyadic, width: int) -> list[list[flint.fmpq]]:
    unit = 1 << exact.exponent
    entries = [flint.fmpq(int(n), unit) for n in exact.numerators.ravel()]
    if not width:
        return [[] for _ in range(exact.shape[0])]
    return [entries[k : k + width] for k in range(0, len(entries), width)]


def _ends(ball: flint.arb) -> tuple[Fraction, Fraction]:
    """Return the ends of a ball, which are dyadic, as they are."""
    return _dyadic(ball.lower()), _dyadic(ball.upper())


def _dyadic(number: flint.arb) -> Fraction:
    mantissa, exponent = (int(part) for part in number.mid().man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent
