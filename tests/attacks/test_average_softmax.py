"""Average error of one softmax layer with Dirichlet tokens, attacked from the statements.

x has K tokens and z has k tokens before the same a = τ+1 last ones, |z| = n = k + a; one head, query
y, c = content logits of its keys, R their range, q = Σ_s π_s e^(c_s − max c), D the diameter of the
values, γ = max P − second largest of P = {φ(0), …, φ(τ), 1}, c₀ = 1 + 1/√2.

Fluctuation (z = last n symbols of x, tokens i.i.d. of law π, given the suffix), token dominant and
balanced heads:  E|o_x − o_z| ≤ D·min{1, (1 + √(k/K))/√(2kq) + 2c₀/(kq) + (a/n)·[balanced]
+ a n^(1−γ)/(kq)}; position dominant: D·min(1, a e^R n^(−γ)). With π from a Dirichlet prior
(t₁ = 2/k, t₂ = a n^(1−γ)/k, t₃ = 2c₀/k, top = tokens of maximal c, U bounds of E min(1, (t/q)^θ)):

    D·{min[√2 e^(R/2) k^(−1/2), U_½(t₁)] + min[e^R t₃, U_1(t₃)] + (a/n)·[balanced]
       + min[e^R t₂, U_1(t₂)]}.

Any exchangeable law, that is, x with given contents in random order, q the mean of e^(c − max c)
over x before the suffix: D·min{1, 1/√(2kq) + c₀/(kq) + (a/n)·[balanced] + a n^(1−γ)/(kq)}.

Urn: z and x coupled along a binary tree, W̄ = largest Σ of W(α + suffix) over its inner nodes,
ω_R(δ) = δe^R/(1 + δ(e^R − 1)):  E|o_x − o_z| ≤ D·{ω_R(2W̄/k) + (a/n)·[balanced] + a e^R n^(1−γ)/k}.

Two and three tokens; all expectations are finite sums over exact laws of counts.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.special import betaln, gammaln

import bounds

pytestmark = pytest.mark.covers(
    "attack", "derived.average_softmax_dirichlet", "derived.average_softmax_euclidean"
)

C0 = 1 + 1 / math.sqrt(2)
REGIMES = ("token", "balanced", "position")


def binomial(n, q):
    j = np.arange(n + 1)
    return np.exp(
        gammaln(n + 1)
        - gammaln(j + 1)
        - gammaln(n - j + 1)
        + j * math.log(q)
        + (n - j) * math.log1p(-q)
    )


def beta_binomial(n, a, b):
    j = np.arange(n + 1)
    p = np.exp(
        gammaln(n + 1)
        - gammaln(j + 1)
        - gammaln(n - j + 1)
        + betaln(a + j, b + n - j)
        - betaln(a, b)
    )
    return p / p.sum()


class Case:
    """One head with a fixed query: logits per token, suffix tokens, lag biases."""

    def __init__(self, rng, tokens=2, regime=None, logits=None):
        self.regime = regime or rng.choice(REGIMES)
        self.content = logits or rng.choice([0.0, 0.5, 2.0, 6.0, 15.0]) * rng.random(tokens)
        self.content = np.array(self.content, dtype=float)
        lags = int(rng.integers(1, 4))
        self.suffix = rng.integers(tokens, size=lags)
        gap = rng.choice([0.03, 0.3, 0.8, 1.6])
        if self.regime == "token":
            self.bias = np.minimum(1 - gap, 1 - gap - rng.random(lags) * (rng.random(lags) < 0.5))
        elif self.regime == "balanced":
            self.bias = np.where(rng.random(lags) < 0.5, 1.0, 1 - gap)
            self.bias[rng.integers(lags)] = 1.0
        else:
            self.bias = np.where(rng.random(lags) < 0.4, 1 + gap, 1 - gap * rng.random(lags))
            self.bias[rng.integers(lags)] = 1 + gap
        self.alpha = 10 ** rng.uniform(-1.5, 1.0, size=tokens)
        self.law = np.clip(rng.dirichlet(np.full(tokens, 0.4)), 1e-4, 1)
        self.law /= self.law.sum()

    @property
    def a(self):
        return len(self.suffix)

    @property
    def spread(self):
        return float(np.ptp(self.content))

    @property
    def margin(self):
        biases = sorted({1.0, *map(float, self.bias)})
        return biases[-1] - biases[-2] if len(biases) > 1 else 1.0

    def output(self, counts):
        """Σ weight·1[token = 0]: values 1, 0, …, so D = 1; counts (…, tokens) before the suffix."""
        n = counts.sum(-1) + self.a
        weights = np.exp(self.content - self.content.max())
        mass = counts * weights
        for token, phi in zip(self.suffix, self.bias, strict=True):
            mass = mass + (np.eye(len(weights))[token] * weights[token]) * (n[..., None] ** phi)
        return mass[..., 0] / mass.sum(-1)

    def two(self, j, k):
        return self.output(np.stack([j, k - j], axis=-1).astype(float))


# ------------------------------------------------------------------ last symbols


def last_symbols_error(case, k, large, first, rest):
    """E|o_x − o_z|; `first`: law of z's count of token 0, `rest(j)`: that of the others given j."""
    j1, j2 = np.arange(k + 1), np.arange(large - k + 1)
    z = case.two(j1, k)
    x = case.two(j1[:, None] + j2[None], large)
    laws = np.array([rest(j) for j in j1])
    return float((first[:, None] * laws * np.abs(x - z[:, None])).sum())


def claim_given_law(case, k, large, power=0.5):
    a, n = case.a, k + case.a
    if case.regime == "position":
        return min(1, a * math.exp(case.spread) * n**-case.margin)
    q = float(case.law @ np.exp(case.content - case.content.max()))
    return min(
        1,
        (1 + math.sqrt(k / large)) / (2 * k * q) ** power
        + (2 * C0 / (k * q) if power == 0.5 else 0)
        + (a / n if case.regime == "balanced" else 0)
        + a * n ** (1 - case.margin) / (k * q),
    )


LENGTHS = ((1, 2), (3, 30), (20, 25), (40, 160), (120, 300))


def fixed_law_ratios(rng, number, regime=None, **options):
    for _ in range(number):
        case = Case(rng, regime=regime, **options)
        k, large = LENGTHS[rng.integers(len(LENGTHS))]
        q = float(case.law[0])
        rest = binomial(large - k, q)
        error = last_symbols_error(case, k, large, binomial(k, q), lambda j, rest=rest: rest)
        yield error, claim_given_law(case, k, large), case, (k, large)


@pytest.mark.parametrize("regime", REGIMES)
def test_last_symbols_of_a_fixed_law(regime):
    rng = np.random.default_rng(REGIMES.index(regime))
    ratios = [e / c for e, c, *_ in fixed_law_ratios(rng, 250, regime)]
    assert max(ratios) <= 1
    assert max(ratios) >= 0.1


def test_fluctuation_has_the_square_root():
    # With 1/(kq) in place of 1/√(kq) the claim is false already for equal logits.
    rng = np.random.default_rng(0)
    case = Case(rng, regime="token", logits=[0.0, 0.0])
    case.law, case.bias = np.array([0.5, 0.5]), np.full(case.a, -1.0)
    k, large = 400, 1600
    rest = binomial(large - k, 0.5)
    error = last_symbols_error(case, k, large, binomial(k, 0.5), lambda j: rest)
    assert claim_given_law(case, k, large, power=1) < error <= claim_given_law(case, k, large)


def drawn_error(case, k, large, ones):
    """E|o_x − o_z| for x with `ones` of token 0 before the suffix; z drawn without replacement."""
    j = np.arange(max(0, k - large + ones), min(k, ones) + 1)

    def log_choose(n, m):
        return gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)

    p = np.exp(log_choose(ones, j) + log_choose(large - ones, k - j) - log_choose(float(large), k))
    return float((p * np.abs(case.two(j, k) - case.two(np.array(ones), large))).sum())


@pytest.mark.parametrize("regime", REGIMES)
def test_contents_in_random_order(regime):
    rng, worst = np.random.default_rng(REGIMES.index(regime) + 10), 0.0
    for _ in range(600):
        case = Case(rng, regime=regime)
        k, large = LENGTHS[rng.integers(len(LENGTHS))]
        ones = int(rng.choice([0, 1, large // 2, large - 1, rng.integers(large + 1)]))
        weights = np.exp(case.content - case.content.max())
        q = (ones * weights[0] + (large - ones) * weights[1]) / large
        a, n = case.a, k + case.a
        claim = a * math.exp(case.spread) * n**-case.margin
        if regime != "position":
            claim = 1 / math.sqrt(2 * k * q) + (C0 + a * n ** (1 - case.margin)) / (k * q)
            claim += a / n if regime == "balanced" else 0
            assert q >= math.exp(-case.spread) * (1 - 1e-12)
        error = drawn_error(case, k, large, ones)
        assert error <= min(1, claim) + 1e-12
        worst = max(worst, error / min(1, claim))
    assert worst > 0.1


def test_a_rare_heavy_token_needs_the_second_order():
    """A control: without e^R the fluctuation is exceeded."""
    case = Case(np.random.default_rng(0), regime="token", logits=[6.0, 0.0])
    case.suffix, case.bias = np.array([1]), np.array([-9.0])
    error = drawn_error(case, 120, 12000, 60)
    assert error > 1 / math.sqrt(2 * 120)


def U(theta, t, a, b):
    if t >= 1:
        return 1.0
    middle = math.log(1 / t) if a == theta else (1 - t ** (a - theta)) / (a - theta)
    return min(1.0, (t**a / a + t**theta * middle) / math.exp(betaln(a, b)))


def claim_dirichlet(case, k):
    """The claim for the prior α."""
    a, n, gamma = case.a, k + case.a, case.margin
    if case.regime == "position":
        return min(1, a * math.exp(case.spread) * n**-gamma)
    top = float(case.alpha[case.content == case.content.max()].sum())
    rest = float(case.alpha.sum()) + 1 - top
    t1, t2, t3 = 2 / k, a * n ** (1 - gamma) / k, 2 * C0 / k
    return (
        min(math.sqrt(2 / k) * math.exp(case.spread / 2), U(0.5, t1, top, rest))
        + min(math.exp(case.spread) * t3, U(1, t3, top, rest))
        + (a / n if case.regime == "balanced" else 0)
        + min(math.exp(case.spread) * t2, U(1, t2, top, rest))
    )


def suffixes(case):
    """All suffixes with their Dirichlet probabilities, and the Dirichlet parameters after them."""
    total = 0.0
    for suffix in itertools.product(range(len(case.alpha)), repeat=case.a):
        counts, p = case.alpha.copy(), 1.0
        for s in suffix:
            p *= counts[s] / counts.sum()
            counts[s] += 1
        total += p
        yield np.array(suffix), p, counts
    assert total == pytest.approx(1)


def averaged(case, error_given):
    """E over suffixes, for logits that are the same for all queries."""
    kept, total = case.suffix, 0.0
    for suffix, p, posterior in suffixes(case):
        case.suffix = suffix
        total += p * error_given(posterior)
    case.suffix = kept
    return total


def dirichlet_error(case, k, large):
    def given(posterior):
        a, b = posterior
        return last_symbols_error(
            case,
            k,
            large,
            beta_binomial(k, a, b),
            lambda j: beta_binomial(large - k, a + j, b + k - j),
        )

    return averaged(case, given)


@pytest.mark.parametrize("regime", REGIMES)
def test_last_symbols_of_a_dirichlet_law(regime):
    rng = np.random.default_rng(10 + REGIMES.index(regime))
    worst = 0.0
    for _ in range(60):
        case = Case(rng, regime=regime)
        k, large = LENGTHS[rng.integers(4)]
        worst = max(worst, dirichlet_error(case, k, large) / claim_dirichlet(case, k))
    assert 0.03 <= worst <= 1


# ------------------------------------------------------------------ urns


def certified(a, b):
    return 2 * a * b / (a + b) + 2 + max(a, b)


def tilt(R, delta):
    return delta * math.exp(R) / (1 + delta * math.expm1(R))


def claim_urn(case, k, wasserstein, rate=1.0):
    a, n = case.a, k + case.a
    if case.regime == "position":
        return a * math.exp(case.spread) * n**-case.margin
    return (
        tilt(case.spread, 2 * wasserstein / k**rate)
        + (a / n if case.regime == "balanced" else 0)
        + a * math.exp(case.spread) * n ** (1 - case.margin) / k
    )


def couple(p, q):
    """Quantile coupling of two laws on 0..: indices of both, probabilities."""
    p, q = np.cumsum(p), np.cumsum(q)
    p[-1] = q[-1] = 1.0
    cuts = np.unique(np.concatenate([[0.0], p, q]))
    middle = (cuts[1:] + cuts[:-1]) / 2
    return np.searchsorted(p, middle), np.searchsorted(q, middle), np.diff(cuts)


def urn_error(case, k, large):
    def given(posterior):
        jz, jx, p = couple(beta_binomial(k, *posterior), beta_binomial(large, *posterior))
        return float(p @ np.abs(case.two(jz, k) - case.two(jx, large)))

    return averaged(case, given)


def largest_sum(case):
    """W̄ for two tokens."""
    return max(certified(case.alpha[0] + j, case.alpha[1] + case.a - j) for j in range(case.a + 1))


URN_LENGTHS = ((2, 3), (10, 1000), (100, 101), (600, 5000))


@pytest.mark.parametrize("regime", REGIMES)
def test_urn_coupling_of_two_tokens(regime):
    rng = np.random.default_rng(20 + REGIMES.index(regime))
    worst = 0.0
    for _ in range(150):
        case = Case(rng, regime=regime)
        k, large = URN_LENGTHS[rng.integers(4)]
        worst = max(worst, urn_error(case, k, large) / claim_urn(case, k, largest_sum(case)))
    assert 0.01 <= worst <= 1


@pytest.mark.slow
def test_urn_coupling_is_what_removes_the_square_root():
    # Uniform attention on an urn of two colours: the last n symbols do not reach the urn's rate.
    rng = np.random.default_rng(1)
    case = Case(rng, regime="token", logits=[0.0, 0.0])
    case.alpha, case.suffix, case.bias = np.ones(2), np.zeros(1, dtype=int), np.array([-3.0])
    k, large = 1500, 4500
    claim = claim_urn(case, k, 0.5)  # the factor W̄ at most: it is no matter of the constant
    assert urn_error(case, k, large) < claim < dirichlet_error(case, k, large)


@pytest.mark.slow
def test_urn_coupling_of_three_tokens():
    # Both nodes of the tree ((0, 1), 2) split by quantiles; W̄ adds up over the nodes.
    rng = np.random.default_rng(33)
    for i in range(30):
        case = Case(rng, tokens=3, regime=REGIMES[i % 3])
        k, large = ((4, 9), (30, 90))[i % 2]
        wasserstein = 0.0
        for w in itertools.product(range(case.a + 1), repeat=3):
            if sum(w) == case.a:
                x = case.alpha + w
                wasserstein = max(wasserstein, certified(x[0], x[1]) + certified(x[0] + x[1], x[2]))

        def given(x, case=case, k=k, large=large):
            error = 0.0
            mz, mx, p = couple(
                beta_binomial(k, x[0] + x[1], x[2]), beta_binomial(large, x[0] + x[1], x[2])
            )
            for small, big, weight in zip(mz, mx, p, strict=True):
                jz, jx, q = couple(beta_binomial(small, x[0], x[1]), beta_binomial(big, x[0], x[1]))
                z = np.stack([jz, small - jz, np.full(len(jz), k - small)], axis=-1)
                y = np.stack([jx, big - jx, np.full(len(jx), large - big)], axis=-1)
                error += weight * float(q @ np.abs(case.output(z * 1.0) - case.output(y * 1.0)))
            return error

        assert averaged(case, given) <= claim_urn(case, k, wasserstein)


# ------------------------------------------------------------------ the registry


def test_registered_length_makes_a_bound_small_enough():
    rng = np.random.default_rng(7)
    for _ in range(150):
        R, gamma = (
            float(np.round(rng.uniform(0, 6), 3)),
            float(np.round(10 ** rng.uniform(-0.7, 0.4), 3)),
        )
        L, s = (
            float(np.round(10 ** rng.uniform(-1, 2), 3)),
            float(np.round(10 ** rng.uniform(-3, 1), 4)),
        )
        locality, W = int(rng.integers(4)), float(np.round(rng.uniform(0, 40), 2))
        r = bounds.required_length(
            theorem="derived.average_softmax_dirichlet",
            epsilon=str(s),
            lipschitz=str(L),
            lipschitz_euclidean=str(L),
            vocabulary_size=3,
            locality=locality,
            positional_margin=str(gamma),
            logit_range=str(R),
            urn_constant=str(W),
            alpha_min=1,
            alpha_total=3,
        )
        a, n = locality + 1, math.floor(2.0**r.log2_length * (1 + 1e-12))
        k = n - a
        assert k >= 1
        last = math.exp(R / 2) / math.sqrt(2 * k) + math.exp(R) * C0 / k
        last += a / n + math.exp(R) * a * n ** (1 - gamma) / k
        urn = tilt(R, 2 * W / k) + a / n + a * math.exp(R) * n ** (1 - gamma) / k
        # A position dominant head has a e^R n^(−γ) only, which is less than the last term.
        assert L * min(last, urn) <= s * (1 + 1e-9)
