"""Theorem D a second time: the recursion from its statement in docs/theory/softmax_deep.md, mpmath.

Nothing is shared with `bounds.depth_error` but the constants that go in.
"""

import random
from fractions import Fraction as F

import mpmath
import pytest
from flint import arb, ctx

import bounds
from bounds.depth_error import coefficients, interval
from tests.helpers.theorem_d import mp, theorem_d

KEY = "derived.softmax_deep"
BIASES = ("none", "token dominant", "balanced", "position dominant")


def random_constants(rng, depth=None, small=False):
    def number(most):
        return F(rng.randint(0, 1000), 1000) * most

    def model(depth):
        layers = []
        for _ in range(depth):
            heads = tuple(
                bounds.HeadConstants(
                    *(number(1 if small else 4), number(2), number(3), number(2)),
                    *(rng.randint(0, 3), rng.randint(0, 2)),
                    rng.choice(BIASES),
                )
                for _ in range(rng.randint(0, 2))
            )
            layers.append(bounds.LayerConstants(number(2), rng.randint(0, 2), heads))
        return tuple(layers)

    depth = depth or rng.randint(2, 5)
    return bounds.DepthConstants(model(depth), rng.choice([None, model(depth)]))


@pytest.mark.covers("second formula", "derived.softmax_deep")
def test_the_recursion_from_its_statement():
    rng = random.Random(20)
    with mpmath.workprec(200), ctx.workprec(200):
        for _ in range(120):
            c = random_constants(rng)
            sigma, period = rng.randint(1, 4), rng.choice([1, 1, 2, 3])
            gamma, log_eta = F(rng.randint(1, 63), 64), rng.randint(-12, 3)
            theta, q, J = (rng.choice([1, 2, 7, 100, 10**6]) for _ in range(3))
            # the end that costs most, and the shortest length of any residue
            tau = sum(c.localities)
            cells = period * theta * q * J * (J + 1) // 2
            a, n = tau + period, cells + tau + 1
            found = coefficients(c, sigma, period, interval(gamma), log_eta)
            for model, one in zip(c.models, found, strict=False):
                again = theorem_d(
                    *(c, model, sigma, period, mp(gamma), mpmath.mpf(2) ** log_eta),
                    *(theta, q, J, a, n),
                )
                value = one.at(arb(theta), arb(q), arb(J), period, a, interval(gamma))
                middle = mpmath.mpf(value.mid().str(50, radius=False))
                assert abs(middle - again) <= mpmath.mpf(10) ** -40 * (1 + abs(again))


def test_the_reported_length_is_certified_by_the_second_formula():
    """At the θ, q, J, γ̄, η that are shown, the error is at most s, and N is their length."""
    rng = random.Random(21)
    with mpmath.workprec(200):
        for _ in range(6):
            c = random_constants(rng, rng.randint(2, 3), small=True)
            period, margin = rng.choice([1, 2]), F(rng.choice([1, 3, 5]), 4)
            given = {"vocabulary_size": 2, "period": period, "positional_margin": margin}
            r = bounds.required_length(theorem=KEY, epsilon="1/10", depth_constants=c, **given)
            chosen = {str(name): value for name, value in r.choice.items()}
            theta, q, J, tau = (int(chosen[name]) for name in ("theta", "q", "J", "tau^*"))
            gamma = chosen[r"\bar\gamma"]
            assert tau == sum(c.localities)
            assert 0 < gamma < 1
            assert gamma <= margin or not c.has_bias
            cells = period * theta * q * J * (J + 1) // 2
            assert r.length == cells + tau + period
            eta = mpmath.mpf(2) ** int(chosen[r"\log_2\eta"])
            for model in c.models:
                for a in range(tau + 1, tau + period + 1):
                    error = theorem_d(
                        c, model, 2, period, mp(gamma), eta, theta, q, J, a, cells + a
                    )
                    assert error <= mpmath.mpf(1) / 10
