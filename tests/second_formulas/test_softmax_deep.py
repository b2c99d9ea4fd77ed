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

KEY = "derived.softmax_deep"
BIASES = ("none", "token dominant", "balanced", "position dominant")


def mp(value):
    return mpmath.mpf(value.numerator) / value.denominator


def choose(n, k):
    found = 1
    for i in range(1, k + 1):
        found = found * (n - k + i) // i
    return found


def degree(R, eta):
    """δ and η_δ."""
    delta = 0
    while R and (mp(R) / 2) ** (delta + 1) / mpmath.factorial(delta + 1) > eta:
        delta += 1
    return delta, (mp(R) / 2) ** (delta + 1) / mpmath.factorial(delta + 1) if R else mpmath.mpf(0)


def dimension(c, sigma, period, eta):
    d = period * (sigma - 1)
    for model in c.models:
        for layer in model[1:-1]:
            for h in layer.heads:
                if h.lag_bias != "position dominant":
                    delta, _ = degree(h.logit_range, eta)
                    d += (1 + h.value_rank) * choose(h.score_rank + delta, delta) - 1
        d += sum(h.value_rank for h in model[-1].heads if h.lag_bias != "position dominant")
    return d


def theorem_d(c, model, sigma, period, gamma, eta, theta, q, J, a, n):
    """The last display for one model."""
    taus = c.localities
    d = dimension(c, sigma, period, eta)
    half = mpmath.mpf(3) / 2 if period == 1 else mpmath.mpf(2)
    ln1, lnq = 1 + mpmath.log(mpmath.mpf(q * J * (J + 1)) / 2), mpmath.log(q)
    B = x = x_ = Z = W = Q = E = mpmath.mpf(0)
    P = len(model)
    for level, layer in enumerate(model, start=1):
        tau, lam = taus[level - 1], mp(layer.lipschitz)
        before = mpmath.mpf(sum(taus[: level - 1])) / period
        a_l, c_l, k_l, n_l, s_l, m_l, u_l = mpmath.mpf(1), 0, 0, 0, 0, 0, 0
        for h in layer.heads:
            D, eR = mp(h.value_diameter), mpmath.exp(mp(h.logit_range))
            ell = mp(h.tilt_lipschitz)
            prefix = h.lag_bias != "position dominant"
            n_l += (tau + 1) * D * eR if h.lag_bias != "none" else 0
            s_l += D * eR if prefix else 0
            if level == 1:
                continue
            a_l += D * mp(h.query_lipschitz) / 4
            kappa = mpmath.mpf(tau + 2) ** gamma if h.lag_bias != "none" else 1
            k_l += eR * ell * kappa / (1 - gamma)
            c_l += eR * ell if h.lag_bias in ("balanced", "position dominant") else 0
            m_l += eR * ell if prefix else 0
            if level < P:
                u_l += D * eR * degree(h.logit_range, eta)[1] if prefix else 0
        if level == P:
            break
        B, x, x_, Z, W, Q, E = (
            lam * ((a_l + k_l) * B + n_l),
            lam * ((a_l + c_l) * x + s_l),
            lam * ((a_l + c_l) * x_ + c_l * mpmath.mpf(tau) / period * x),
            lam * ((a_l + c_l) * Z + 2 * m_l * (Z + half * x) + d * (s_l + 2 * u_l)),
            lam * ((a_l + c_l) * W + 2 * m_l * (W + 2 * x_) + 3 * before * s_l),
            lam * ((a_l + c_l) * Q + m_l * (lnq * (Z + half * x) + ln1 * Q)),
            lam * ((a_l + c_l + m_l) * E + 2 * u_l),
        )
    G, H = mpmath.mpf(2) / (q * (J + 1)), mpmath.mpf(2) / (theta * (J + 1))
    t = mpmath.mpf(2) / (q * J * (J + 1))
    share = mpmath.mpf(a) / (theta * q * J * (J + 1) // 2 * period + a)
    rho = Z * G + W * H + Q * t + E + 2 * x * share
    near = mpmath.mpf(n) ** (-gamma)
    return lam * (
        a_l * (2 * B * near + rho)
        + 2 * (k_l * B + n_l) * near
        + c_l * rho
        + s_l * (d * G + 3 * before * H + 2 * share)
        + m_l
        * (2 * (Z + half * x) * G + (lnq * (Z + half * x) + ln1 * Q) * t + 2 * (W + 2 * x_) * H + E)
    )


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


@pytest.mark.covers("second formula", KEY)
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
