"""Theorem D from its statement in docs/theory/softmax_deep.md: the recursion and the bound, mpmath.

Nothing is shared with `bounds.depth_error` but the constants that go in.
"""

from dataclasses import dataclass

import mpmath


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


@dataclass(frozen=True)
class Level:
    """What the recursion has reached after a layer."""

    B: object = mpmath.mpf(0)
    x: object = mpmath.mpf(0)
    x_: object = mpmath.mpf(0)
    Z: object = mpmath.mpf(0)
    W: object = mpmath.mpf(0)
    Q: object = mpmath.mpf(0)
    E: object = mpmath.mpf(0)

    def zeta(self, g, h, t):
        """ζ_l(k) from g_k, h_k, t_k."""
        return self.Z * g + self.W * h + self.Q * t + self.E


@dataclass(frozen=True)
class Sums:
    """a_l, c_l, k_l, n_l, s_l, m_l, u_l of one layer."""

    a: object
    c: object
    k: object
    n: object
    s: object
    m: object
    u: object


def sums(layer, tau, first, middle, gamma, eta):
    a, c, k, n, s, m, u = (mpmath.mpf(v) for v in (1, 0, 0, 0, 0, 0, 0))
    for h in layer.heads:
        D, eR, ell = mp(h.value_diameter), mpmath.exp(mp(h.logit_range)), mp(h.tilt_lipschitz)
        prefix = h.lag_bias != "position dominant"
        n += (tau + 1) * D * eR if h.lag_bias != "none" else 0
        s += D * eR if prefix else 0
        if first:
            continue
        a += D * mp(h.query_lipschitz) / 4
        kappa = mpmath.mpf(tau + 2) ** gamma if h.lag_bias != "none" else 1
        k += eR * ell * kappa / (1 - gamma)
        c += eR * ell if h.lag_bias in ("balanced", "position dominant") else 0
        m += eR * ell if prefix else 0
        if middle:
            u += D * eR * degree(h.logit_range, eta)[1] if prefix else 0
    return Sums(a, c, k, n, s, m, u)


def levels(c, model, sigma, period, gamma, eta, q, J, without=()):
    """The recursion after layers 0, …, P−1; `without`: sources that are left out, to see a failure.

    Sources: "Z" (d(s + 2u)), "W" (3τs), "x'" (cτx), "Q" (ln q), "E" (2u), "B" (n).
    """
    taus, d = c.localities, dimension(c, sigma, period, eta)
    half = mpmath.mpf(3) / 2 if period == 1 else mpmath.mpf(2)
    ln1, lnq = 1 + mpmath.log(mpmath.mpf(q * J * (J + 1)) / 2), mpmath.log(q)
    on = {name: int(name not in without) for name in ("Z", "W", "x'", "Q", "E", "B")}
    found = [Level()]
    for level, layer in enumerate(model[:-1], start=1):
        v, lam, tau = found[-1], mp(layer.lipschitz), taus[level - 1]
        before = mpmath.mpf(sum(taus[: level - 1])) / period
        y = sums(layer, tau, level == 1, level > 1, gamma, eta)
        both = y.a + y.c
        found.append(
            Level(
                B=lam * ((y.a + y.k) * v.B + on["B"] * y.n),
                x=lam * (both * v.x + y.s),
                x_=lam * (both * v.x_ + on["x'"] * y.c * mpmath.mpf(tau) / period * v.x),
                Z=lam * (both * v.Z + 2 * y.m * (v.Z + half * v.x) + on["Z"] * d * (y.s + 2 * y.u)),
                W=lam * (both * v.W + 2 * y.m * (v.W + 2 * v.x_) + on["W"] * 3 * before * y.s),
                Q=lam * (both * v.Q + y.m * (on["Q"] * lnq * (v.Z + half * v.x) + ln1 * v.Q)),
                E=lam * ((both + y.m) * v.E + on["E"] * 2 * y.u),
            )
        )
    return found


def theorem_d(c, model, sigma, period, gamma, eta, theta, q, J, a, n):
    """The last display for one model."""
    taus, d = c.localities, dimension(c, sigma, period, eta)
    half = mpmath.mpf(3) / 2 if period == 1 else mpmath.mpf(2)
    ln1, lnq = 1 + mpmath.log(mpmath.mpf(q * J * (J + 1)) / 2), mpmath.log(q)
    v = levels(c, model, sigma, period, gamma, eta, q, J)[-1]
    y = sums(model[-1], taus[-1], False, False, gamma, eta)
    before = mpmath.mpf(sum(taus[:-1])) / period
    G, H = mpmath.mpf(2) / (q * (J + 1)), mpmath.mpf(2) / (theta * (J + 1))
    t = mpmath.mpf(2) / (q * J * (J + 1))
    share = mpmath.mpf(a) / (theta * q * J * (J + 1) // 2 * period + a)
    rho = v.zeta(G, H, t) + 2 * v.x * share
    near = mpmath.mpf(n) ** (-gamma)
    return mp(model[-1].lipschitz) * (
        y.a * (2 * v.B * near + rho)
        + 2 * (y.k * v.B + y.n) * near
        + y.c * rho
        + y.s * (d * G + 3 * before * H + 2 * share)
        + y.m
        * (
            2 * (v.Z + half * v.x) * G
            + (lnq * (v.Z + half * v.x) + ln1 * v.Q) * t
            + 2 * (v.W + 2 * v.x_) * H
            + v.E
        )
    )
