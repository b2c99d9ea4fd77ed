"""|f − g| on one input of any length, in ball arithmetic, from the definition.

The types and lags with their exact logits, weights as balls, values as exact rationals: nothing of
the float64 code is used here.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import flint

from bounds.precision import FLINT
from verify.certificates.contexts import Context, HeadLogits, Pair, floor_of
from verify.certificates.outputs import trimmed
from verify.errors import WeightsError
from verify.measure.dyadic import Dyadic, concatenate
from verify.measure.value_types import type_vectors
from verify.model.precision import is_dropped
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer

_DIGITS = 160
_GRID = 2**60

Row = list[flint.arb]


def error_range(pair: Pair, summary: Summary) -> tuple[Fraction, Fraction]:
    """Return rational lower and upper bounds of |f − g|, largest output, on an input.

    Args:
        pair: f and g.
        summary: an input, with the pair's period and locality.

    Raises:
        WeightsError: the logits are so large that no digits bound what comes of them.
    """
    digits = _DIGITS
    while True:
        with FLINT, flint.ctx.workprec(digits):
            outputs = [output_balls(pair, name, summary) for name in ("f", "g")]
            errors = [abs(a - b) for a, b in zip(*outputs, strict=True)]
            if all(error.is_finite() for error in errors):
                low = max(-floor_of(-error * _GRID) - 2 for error in errors)
                high = max(floor_of(error * _GRID) + 1 for error in errors)
                if high - low <= 2**20 or digits > 10_000:
                    return max(Fraction(low, _GRID), Fraction(0)), Fraction(high, _GRID)
        if digits > 10_000:
            found = f"an output that {digits:,} bits do not bound"
            raise WeightsError("query_key", found, "smaller weights")
        digits *= 2


def output_balls(pair: Pair, name: str, summary: Summary) -> Row:
    """Return the outputs of f or g, by its name, on an input, in the current precision."""
    model = pair.f if name == "f" else pair.g
    return _output(model, [h for h in pair.heads if h.model == name], pair, summary)


def _output(model: LimitTransformer, heads: list[HeadLogits], pair: Pair, summary: Summary) -> Row:
    """Return the outputs of one model."""
    tokens = pair.vocabulary_size
    residue = summary.length % pair.period
    context = Context(residue, tuple(summary.suffix.tolist()[::-1]))
    lags = pair.lag_types(context)
    counts = {t: int(c) for t, c in enumerate(summary.counts.ravel().tolist()) if c}
    table = _Exact.of(model, pair.period * tokens)
    sums = list(table.own[lags[0]])
    for number, head in enumerate(heads):
        shares = _attention(head, lags, counts, summary.length)
        for t, share in shares.items():
            for k, entry in enumerate(table.values[number][t]):
                sums[k] += share * entry
    hidden = len(table.gains[0]) if table.gains else 0
    relu = [entry.max(flint.arb(0)) for entry in sums[:hidden]]
    return [
        direct + sum((g * a for g, a in zip(gains, relu, strict=True)), flint.arb(0))
        for direct, gains in zip(sums[hidden:], table.gains, strict=True)
    ]


def _attention(
    head: HeadLogits, lags: tuple[int, ...], counts: dict[int, int], length: int
) -> dict[int, flint.arb]:
    """Return the attention of one head on the types."""
    content = head.content[lags[0]]
    unit = flint.arb(flint.fmpq(head.unit.numerator, head.unit.denominator))
    logarithm = flint.arb(length).log()
    keys = [(t, content[t], 0, number) for t, number in counts.items()]
    keys += [(t, content[t], head.bias[lag], 1) for lag, t in enumerate(lags)]
    weights: dict[int, flint.arb] = {}
    if head.precision_bits:
        largest = max(logit + bias for _, logit, bias, _ in keys)
        for t, logit, bias, number in keys:
            gap = largest - logit - bias
            if not is_dropped(length, gap * head.unit, head.precision_bits):
                weight = (-(gap * unit) * logarithm).exp() * number
                weights[t] = weights.get(t, flint.arb(0)) + weight
    else:
        # Shifted by a power of two near the largest, so that exponents stay small.
        exponents = [
            (logit * unit + bias * unit * logarithm, number, t) for t, logit, bias, number in keys
        ]
        shift = max(floor_of(exponent) for exponent, _, _ in exponents)
        for exponent, number, t in exponents:
            weight = (exponent - shift).exp() * number
            weights[t] = weights.get(t, flint.arb(0)) + weight
    total = sum(weights.values(), flint.arb(0))
    return {t: weight / total for t, weight in weights.items()}


class _Exact:
    """The table of `verify.certificates.outputs`, unrounded."""

    def __init__(self, model: LimitTransformer, types: int) -> None:
        layer, vectors = model.layers[0], type_vectors(model)
        read = concatenate([Dyadic.of(layer.mlp_in), Dyadic.of(model.unembedding)]).T
        width = layer.hidden + model.output_dimension
        bias = Dyadic.of([*layer.mlp_bias.tolist(), *[0.0] * model.output_dimension])
        own = [t % vectors.shape[0] for t in range(types)]
        start = _balls(vectors @ read + bias, width)
        self.own = [start[t] for t in own]
        self.values = []
        for head in layer.heads:
            rows = _balls(vectors @ Dyadic.of(head.value).T @ read, width)
            self.values.append([rows[t] for t in own])
        gains = Dyadic.of(model.unembedding) @ Dyadic.of(layer.mlp_out)
        self.gains = _balls(gains, layer.hidden)

    @staticmethod
    def of(model: LimitTransformer, types: int) -> _Exact:
        """Return the table of a model; the last ones are kept."""
        return _exact_table(trimmed(model), types)


@lru_cache(maxsize=8)
def _exact_table(model: LimitTransformer, types: int) -> _Exact:
    return _Exact(model, types)


def _balls(exact: Dyadic, width: int) -> list[Row]:
    """Return rows of exact balls."""
    scale = flint.arb(2) ** (-exact.exponent)
    with FLINT, flint.ctx.workprec(2000):
        entries = [flint.arb(int(n)) * scale for n in exact.numerators.ravel()]
    if not width:
        return [[] for _ in range(exact.shape[0])]
    return [entries[k : k + width] for k in range(0, len(entries), width)]
