"""The checker's rules for a rare query and for both models at once: curves of the attention.

A number of an honest certificate is at least what the checker finds, and hardly more: lowered by a
millionth it has to be refused. So the checker is held from both sides.
"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import mpmath
import pytest

from tests.helpers.table_models import table_head, table_model
from verify import Certificate, CertificateError, certify, recheck
from verify.certificates.recheck.softmax import _Curve

LESS = Fraction(999_999, 1_000_000)


def infinite(head, mlp=None):
    return table_model([head], precision_bits=None, mlp=mlp)


STEEP = table_head([0, 2.0], token_values=[0, 1])
FALLING = table_head([0, -3.0], token_values=[0, 1])
STILL = table_head([0, 0.0], token_values=[0.5, 0.5])
PAIRS = {
    "equal logits": (infinite(STEEP, ([1, -1.5], [0.2, 0.6])), infinite(STEEP, ([0.7], [0.4]))),
    "one still model": (infinite(STEEP, ([1], [0.5])), infinite(STILL)),
    "the other still model": (infinite(STILL), infinite(FALLING, ([-1], [0.25]))),
}


def lowered(data, place):
    """The certificate with one number lowered; place: keys and indices."""
    thing = data
    for step in place[:-1]:
        thing = thing[step]
    thing[place[-1]] = str(Fraction(thing[place[-1]]) * LESS)
    return Certificate(data)


@pytest.mark.parametrize("name", PAIRS)
def test_numbers_of_curves_are_held_from_both_sides(name):
    f, g = PAIRS[name]
    honest = certify(f, g, epsilon="1/5", horizon=None)
    assert recheck(honest, f, g).length == honest.length
    tried = 0
    for c, context in enumerate(honest.to_dict()["contexts"]):
        places = []
        if context["joint"] is not None:
            places += [("joint", "slope"), ("joint", "rare")]
        if context["rare"] is not None:
            for k, entry in enumerate(context["rare"]["models"]):
                fields = ("constant", "ratio", "variation", "share", "oscillation")
                places += [("rare", "models", k, field) for field in fields if entry["head"] == 0]
        for place in places:
            data = honest.to_dict()
            with pytest.raises(CertificateError) as caught:
                recheck(lowered(data, ("contexts", c, *place)), f, g)
            assert str(caught.value).split(": ")[0].endswith(place[-1])
            tried += 1
    assert tried >= 2


def test_a_still_model_gives_nothing():
    f, g = infinite(STILL), infinite(FALLING)
    honest = certify(f, g, epsilon="1/20", horizon=None)
    assert recheck(honest, f, g).length == honest.length
    rare = [c["rare"] for c in honest.to_dict()["contexts"] if c["rule"] == "rare query"]
    assert rare
    for data, place, value in (
        (honest.to_dict(), "constant_by", "slope"),
        (honest.to_dict(), "constant", "-1"),
        (honest.to_dict(), "head", 0),
    ):
        data["contexts"][0]["rare"]["models"][0][place] = value
        with pytest.raises(CertificateError) as caught:
            recheck(Certificate(data), f, g)
        assert str(caught.value).startswith(f"contexts[0].rare.models[0].{place}: ")


def curve(rng, logit):
    kinks = sorted({Fraction(rng.randint(1, 11), 12) for _ in range(rng.randint(0, 3))})
    slopes = [[Fraction(rng.randint(-5, 5)), Fraction(rng.randint(-5, 5))] for _ in kinks]
    return _Curve(logit, kinks, [[Fraction(1), Fraction(-2)], *slopes])


def value(c, attention, output):
    """The output at an attention, from 0 at 0, by small steps that no kink divides."""
    total, step = Fraction(0), Fraction(1, 12)
    for k in range(int(attention / step)):
        piece = sum(kink <= k * step for kink in c.kinks)
        total += step * c.slopes[piece][output]
    return total


def test_differences_and_oscillations_of_curves():
    rng = random.Random(3)
    ends = [Fraction(k, 12) for k in range(13)]
    for _ in range(12):
        a, b = curve(rng, Fraction(1)), curve(rng, Fraction(1))
        both, turned = a.minus(b), a.times(-1)
        assert both.logit == turned.logit == 1
        for end, output in itertools.product(ends, range(2)):
            difference = value(a, end, output) - value(b, end, output)
            assert value(both, end, output) == difference
            assert value(turned, end, output) == -value(a, end, output)
        for end in ends[1::3]:
            places = [Fraction(k, 12) for k in range(int(end * 12) + 1)]
            changes = []
            for output in range(2):
                seen = [value(a, place, output) for place in places]
                changes.append(max(seen) - min(seen))
            assert a.oscillation(end) == max(changes)


def test_attention_rate_and_share_are_enclosed_narrowly():
    unit, tiny = mpmath.mpf(2) ** -250, mpmath.mpf(10) ** -110
    with mpmath.workdps(120):
        for logit in (Fraction(0), Fraction(2), Fraction(-3), Fraction(7, 3)):
            c, k = (
                _Curve(logit, [], [[Fraction(1)]]),
                mpmath.exp(mpmath.mpf(logit.numerator) / logit.denominator),
            )
            for share in (Fraction(0), Fraction(1, 7), Fraction(2, 3), Fraction(1)):
                s = mpmath.mpf(share.numerator) / share.denominator
                low, high = (mpmath.mpf(x.numerator) / x.denominator for x in c.attention(share))
                right = k * s / (k * s + 1 - s)
                assert low - tiny <= right <= high + tiny <= low + 8 * unit
                low, high = (mpmath.mpf(x.numerator) / x.denominator for x in c.rate(share))
                right = k / (k * s + 1 - s) ** 2
                assert low - tiny <= right <= high + tiny <= low + 1e4 * unit
                ends = c.share(share)
                low, high = (mpmath.mpf(x.numerator) / x.denominator for x in ends)
                right = s / (s + k * (1 - s))
                assert low < right < high
                assert ends[1] - ends[0] < Fraction(1, 1000)
