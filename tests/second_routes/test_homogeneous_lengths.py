"""Lengths do not depend on the unit of the output.

Theorem. If (f, g) agree within ε up to N and must agree within η everywhere, so do (cf, cg) within cε and
cη, c > 0; a constant that bounds a change of the output is c times as large for cf. So the least length is a
function of the ratios alone, and a formula that is one cell of that function must be one too: multiplying
ε, the target and every output sized constant by the same rational number leaves N as it is, exactly.

Equality (of what is searched in floats, up to 10⁻⁶ in log2 where lengths are beyond 2³⁰). It is claimed of every theorem with proved constants, those apart that are listed here, with the
reason. (The paper's `complexity` has no stated unit: its orders of growth are not claimed to be invariant.)
"""

from dataclasses import replace
from fractions import Fraction

import pytest

import bounds
from bounds.parameters import BY_KEYWORD
from tests.second_routes.registry_points import SEARCHED_IN_FLOATS, WITH_FORMULA, asked, points

OUTPUT_SIZED = {
    "epsilon",
    "target",
    "averages_error",
    "lipschitz",
    "lipschitz_other",
    "lipschitz_euclidean",
    "lipschitz_marginal",
    "lipschitz_histogram",
    "amplitude",
    "complexity_balanced",
    "complexity_periodic",
    "complexity_average",
    "lipschitz_query",
    "lipschitz_keys",
    "limit_query",
    "limit_keys",
    "influence_keys",
}
assert set(BY_KEYWORD) >= OUTPUT_SIZED

NOT_CLAIMED = {
    "derived.lower_two_layer": "its pair has weights of fixed norms, L ≥ 3/2: it reads ε and the target alone",
}
PROVED = [
    key
    for key in WITH_FORMULA
    if bounds.theorem(key).constants == "proved"
    and OUTPUT_SIZED & set(bounds.theorem(key).parameters)
]


def scaled(values, factor):
    return {
        k: v * factor if k in OUTPUT_SIZED else _deep(v, factor) if k == "depth_constants" else v
        for k, v in values.items()
    }


def _deep(constants, factor):
    """Theorem D's constants with the readout scaled: Λ of the last layer."""
    *others, last = constants.f
    return bounds.DepthConstants((*others, replace(last, lipschitz=last.lipschitz * factor)))


def homogeneous(key, factors, tally):
    for n, (values, bound) in enumerate(points(key)):
        factor = factors[n % len(factors)]
        other = asked(key, scaled(values, factor))
        assert other is not None, (key, values, factor)
        if key in SEARCHED_IN_FLOATS and bound.log2_length > 30:
            assert abs(other.log2_length - bound.log2_length) < 1e-6, (key, values, factor)
            tally["scaled lengths, searched in floats"] += 1
            continue
        assert other.length == bound.length, (key, values, factor)
        assert other.log2_length == bound.log2_length or bound.length is not None
        tally["scaled lengths"] += 1


@pytest.mark.parametrize("key", sorted({*PROVED} - {*NOT_CLAIMED}))
def test_scaling(key, tally):
    homogeneous(key, (Fraction(7, 3), Fraction(1, 10**9)), tally)


def test_control_a_constant_is_not_scaled(tally, monkeypatch):
    monkeypatch.setitem(globals(), "OUTPUT_SIZED", OUTPUT_SIZED - {"lipschitz"})
    for key in ("derived.one_layer_linf", "derived.lower_linf_c3", "derived.one_layer_softmax"):
        with pytest.raises(AssertionError):
            homogeneous(key, (Fraction(1, 1000),), tally)
