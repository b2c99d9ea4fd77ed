"""The exact slope of a one-head model whose attention output moves along a line only.

If all differences V(y_t − y_t′) are multiples of one vector v, the attention output is base + αv
with α = Σ π_t α_t, and for each query the output is a piecewise linear function of α alone. Its
greatest |slope| on the interval of possible α, times the length of that interval, bounds
|f(x) − f(z)| / TV(π_x, π_z); no smaller constant does for all laws π if the steepest piece can be
met. The sharp form of `verify.measure.lipschitz` adds up |slope changes| of all pieces instead,
which for a sine of frequency ω is of order ω², against ω here.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

from verify.measure.dyadic import Dyadic
from verify.measure.value_types import type_vectors
from verify.model.transformer import LimitTransformer


def line_lipschitz(f: LimitTransformer) -> Fraction | None:
    """Return the constant, exactly; None if f has several heads or its values leave the line."""
    layer = f.layers[0]
    if len(layer.heads) != 1:
        return None
    types = type_vectors(f)
    values = types @ Dyadic.of(layer.heads[0].value).T
    differences = values - values[:1]
    if not differences.numerators.any():
        return Fraction(0)
    row, column = (int(i) for i in next(zip(*differences.numerators.nonzero(), strict=True)))
    direction = differences[row : row + 1]
    unit = int(direction.numerators[0, column])
    along = differences.numerators[:, column : column + 1] * direction.numerators
    if (differences.numerators * unit != along).any():
        return None  # not all multiples of one vector
    places = [Fraction(int(n), unit) for n in differences.numerators[:, column]]

    unembedding, mlp_out = Dyadic.of(f.unembedding), Dyadic.of(layer.mlp_out)
    mlp_in, bias = Dyadic.of(layer.mlp_in), Dyadic.of(layer.mlp_bias)
    direct = (direction @ unembedding.T).fractions()
    gains = [(unembedding[o : o + 1] @ mlp_out).fractions() for o in range(f.output_dimension)]
    rates = (direction @ mlp_in.T).fractions()
    offsets = (types + values[:1]) @ mlp_in.T + bias
    steepest = max(
        steepest_slope(
            start, per_output, rates, offsets[query].fractions(), min(places), max(places)
        )
        for start, per_output in zip(direct, gains, strict=True)
        for query in range(types.shape[0])
    )
    return steepest * (max(places) - min(places))


def steepest_slope(
    slope: Fraction,
    gains: list[Fraction],
    rates: list[Fraction],
    offsets: list[Fraction],
    low: Fraction,
    high: Fraction,
) -> Fraction:
    """Return max |d/dα (slope·α + Σ_k gain_k relu(rate_k α + offset_k))| over low < α < high."""
    bends = []
    for gain, rate, offset in zip(gains, rates, offsets, strict=True):
        if rate == 0 or gain == 0:
            continue
        place = -offset / rate
        on_at_low = place <= low if rate > 0 else place > low
        slope += gain * rate if on_at_low else 0
        if low < place < high:
            bends.append((place, gain * abs(rate)))
    steepest = abs(slope)
    for _, group in groupby(sorted(bends), key=lambda bend: bend[0]):
        slope += sum(change for _, change in group)
        steepest = max(steepest, abs(slope))
    return steepest
