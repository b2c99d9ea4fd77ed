"""Average-error theorems of the cube, attacked from their statements.

One softmax layer (any exchangeable law; exact enumeration), two softmax layers (i.i.d. given the
token law) and two argmax layers with a suffix-only first layer (Monte Carlo; a claim is counted
as kept only if the mean plus four standard errors is within the bound).
"""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from verify import Head, Layer, LimitTransformer

pytestmark = pytest.mark.covers(
    "attack",
    "derived.average_softmax",
    "derived.average_softmax_two_layer",
    "derived.average_two_layer_argmax",
    "derived.average_two_layer_argmax_fixed",
)

C0 = 1 + 1 / math.sqrt(2)


# One softmax layer, exchangeable inputs: with z the last n of the T symbols of x,
#   E|f(x) − f(z)| ≤ Λ Σ_h D_h [ω_R(½√((|Σ|−1)/n))·1[not position dominant]
#                              + 2 min(1, (τ+1) e^R n^(−min(γ,1)))],  ω_R(δ) = δe^R/(1+δ(e^R−1)).


def exchangeable_law(rng, letters, length):
    """A random law on count vectors; given the counts all orders are equally likely."""
    counts = [c for c in itertools.product(range(length + 1), repeat=letters) if sum(c) == length]
    kind = rng.integers(3)
    if kind == 0:  # no mixture of i.i.d. laws: one or two count vectors only
        weights = np.zeros(len(counts))
        weights[rng.choice(len(counts), size=2)] = rng.dirichlet([1, 1])
    else:
        weights = rng.dirichlet(np.full(len(counts), [0.1, 1.0][kind - 1]))
    return {c: w for c, w in zip(counts, weights, strict=True) if w > 0}


def orders(counts):
    tokens = [s for s, c in enumerate(counts) for _ in range(c)]
    return sorted(set(itertools.permutations(tokens)))


@pytest.mark.parametrize("letters", [2, 3, 4])
def test_last_symbols_have_the_histogram_of_the_whole_in_the_mean(letters):
    """E TV(μ_z, μ_x) ≤ ½√((|Σ|−1)/n): exact hypergeometric means, every count vector."""
    worst = Fraction(0)
    for length in (4, 7, 12 if letters < 4 else 8):
        vectors = itertools.product(range(length + 1), repeat=letters)
        for counts in (c for c in vectors if sum(c) == length):
            for n in range(1, length + 1):
                mean = Fraction(0)
                for part in itertools.product(*(range(min(c, n) + 1) for c in counts)):
                    if sum(part) == n:
                        ways = math.prod(map(math.comb, counts, part))
                        far = sum(
                            abs(Fraction(k, n) - Fraction(c, length))
                            for k, c in zip(part, counts, strict=True)
                        )
                        mean += ways * far / 2
                mean /= math.comb(length, n)
                assert mean**2 * 4 * n <= letters - 1, (counts, n)
                worst = max(worst, mean**2 * 4 * n / (letters - 1))
    assert worst > Fraction(1, 5)  # the bound is not far off


def one_layer(rng, letters, locality, regime):
    """A random softmax layer and its constants (Λ, D, R, γ, position dominant)."""
    width = letters + 1
    embedding = np.eye(letters, width)
    logit_range = rng.uniform(0, 3)
    logits = np.zeros((width, width))
    logits[:letters, :letters] = rng.uniform(0, logit_range, (letters, letters))
    value = np.zeros((width, width))
    value[-1, :letters] = rng.uniform(-1, 1, letters)
    bias = rng.uniform(-0.5, 0.8, locality + 1)
    if regime == "balanced":
        bias[rng.integers(locality + 1)] = 1.0
    elif regime == "position dominant":
        bias[rng.integers(locality + 1)] = rng.uniform(1.3, 2.5)
    levels = sorted({*bias.tolist(), 1.0})
    margin = levels[-1] - levels[-2] if len(levels) > 1 else 1.0
    table = logits[:letters, :letters]
    ranges = (table.max(axis=0) - table.min(axis=0)).max()
    model = LimitTransformer(
        embedding,
        np.zeros((1, width)),
        (Layer(heads=(Head(logits, value, bias),)),),
        np.eye(width)[[-1]],
        None,
    )
    return model, 1.0, np.ptp(value[-1, :letters]), ranges, margin, bias.max() > 1


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["token dominant", "balanced", "position dominant"])
@pytest.mark.parametrize(("letters", "length"), [(2, 9), (3, 7)])
def test_one_softmax_layer_on_finite_exchangeable_laws(regime, letters, length):
    rng = np.random.default_rng([letters, len(regime)])
    worst = 0.0
    for case in range(6):
        locality = case % 3
        model, lam, spread, logit_range, margin, dominant = one_layer(
            rng, letters, locality, regime
        )
        law = exchangeable_law(rng, letters, length)
        strings = {c: orders(c) for c in law}
        outputs = {}

        def value(x, model=model, outputs=outputs):
            if x not in outputs:
                outputs[x] = float(model(np.array(x))[0])
            return outputs[x]

        for n in range(locality + 1, length + 1):
            mean = sum(
                weight * np.mean([abs(value(x) - value(x[-n:])) for x in strings[c]])
                for c, weight in law.items()
            )
            near = 0.5 * math.sqrt((letters - 1) / n)
            tilt = near * math.exp(logit_range) / (1 + near * math.expm1(logit_range))
            leak = 2 * min(1, (locality + 1) * math.exp(logit_range) * n ** -min(margin, 1))
            bound = lam * spread * (tilt * (not dominant) + leak)
            assert mean <= bound + 1e-12
            worst = max(worst, mean / bound)
    assert worst > 0.02


# Two softmax layers, i.i.d. tokens given their law: with z the last n symbols of x,
#   E|f(x) − f(z)| ≤ b(n) + b(T),
#   b(n) = Λ₂{η(1 + D₂D_Y‖M‖/4) + e^{R₂}[ℓ₂β(τ+1)n^(−γ̄)/(1−γ̄) + ℓ₂β'√((|Σ|−1)/n)
#            + D₂√((2τ+1)/(2n)) + (2τ+1)D₂/n]},  η = β(τ+1)n^(−γ') + ½β'√((|Σ|−1)/n).


def norm(matrix):
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


def two_layers(rng, letters, locality, regime, scale):
    """A random two-layer softmax model and its function b, with all constants from norms."""
    width = letters + 3
    embedding = np.zeros((letters, width))
    embedding[:, :letters] = np.eye(letters)

    def matrix(size=width, columns=width):
        return scale * rng.normal(size=(size, columns)) / width

    bias = rng.uniform(-0.3, 0.6, locality + 1)
    if regime == "balanced":
        bias[-1] = 1.0
    elif regime == "position dominant":
        bias[-1] = 1.8
    head = Head(matrix(), matrix(), bias)
    first = Layer(
        heads=(head,), mlp_in=matrix(4), mlp_bias=rng.normal(size=4), mlp_out=matrix(width, 4)
    )
    last_head = Head(matrix(), matrix(), [0.0])
    last = Layer(
        heads=(last_head,), mlp_in=matrix(4), mlp_bias=rng.normal(size=4), mlp_out=matrix(width, 4)
    )
    model = LimitTransformer(
        embedding, np.zeros((1, width)), (first, last), rng.normal(size=(1, width)), None
    )
    content = embedding @ head.query_key @ embedding.T
    logit_range = float(np.ptp(content, axis=0).max())
    levels = sorted({*bias.tolist(), 1.0})
    margin = levels[-1] - levels[-2] if len(levels) > 1 else 1.0
    values = embedding @ head.value.T
    spread = max(np.linalg.norm(a - b) for a in values for b in values)
    lam1 = 1 + norm(first.mlp_in) * norm(first.mlp_out)
    lam2 = norm(model.unembedding) * (1 + norm(last.mlp_in) * norm(last.mlp_out))
    beta = lam1 * spread * math.exp(logit_range)
    beta_prime = 0.0 if bias.max() > 1 else beta
    wide = max(np.linalg.norm(a - b) for a in embedding for b in embedding)
    y_spread = lam1 * (wide + spread)
    largest = 1 + max(np.linalg.norm(v) for v in values)
    y_max = lam1 * largest + norm(first.mlp_out) * np.linalg.norm(first.mlp_bias)
    m_norm = norm(last_head.query_key)
    r2 = m_norm * y_spread * y_max
    d2 = norm(last_head.value) * y_spread
    l2 = norm(last_head.value) + m_norm * y_max * d2
    half = min(margin, 0.5)

    def bound(n):
        sampling = math.sqrt((letters - 1) / n)
        eta = beta * (locality + 1) * n ** -min(margin, 1) + beta_prime * sampling / 2
        inner = (
            l2 * beta * (locality + 1) * n**-half / (1 - half)
            + l2 * beta_prime * sampling
            + d2 * math.sqrt((2 * locality + 1) / (2 * n))
            + (2 * locality + 1) * d2 / n
        )
        return lam2 * (eta * (1 + d2 * y_spread * m_norm / 4) + math.exp(r2) * inner)

    return model, bound


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["token dominant", "balanced", "position dominant"])
@pytest.mark.parametrize("law", ["fixed", "dirichlet"])
def test_two_softmax_layers_on_average(regime, law):
    rng = np.random.default_rng([len(regime), len(law)])
    letters, length, samples = 3, 400, 60
    for locality, scale in [(0, 0.6), (1, 0.3), (2, 0.6)]:
        model, bound = two_layers(rng, letters, locality, regime, scale)
        fixed = rng.dirichlet(np.ones(letters))
        gaps = {25: [], 100: []}
        for _ in range(samples):
            tokens = fixed if law == "fixed" else rng.dirichlet(np.full(letters, 0.7))
            x = rng.choice(letters, size=length, p=tokens)
            whole = model(x)[0]
            for n, list_ in gaps.items():
                list_.append(abs(whole - model(x[-n:])[0]))
        for n, list_ in gaps.items():
            upper = np.mean(list_) + 4 * np.std(list_) / math.sqrt(samples)
            assert 0 < upper <= bound(n) + bound(length)


# Two argmax layers, first layer inside the suffix, i.i.d. tokens, n ≡ T modulo Δ: with
# z = (first τ symbols of x)(last n − τ symbols of x), k = ⌊(n − 4τ − 1)/Δ⌋, a = 4τ + Δ,
#   E|f(x) − f(z)| ≤ 2L Σ_h D_h E min{1, c₀√((2τ+1)/(kQ_h)) + a/(kQ_h)},
# Q_h = probability, summed over residues, that a gram of that residue is in the top class.


class SuffixOnly:
    """Second-layer logits and values as tables over first-layer states; f is the average value.

    A state is (window of the last ≤ τ+1 tokens, residue); shorter windows occur at the start.
    """

    def __init__(self, rng, letters, locality, period):
        self.letters, self.locality, self.period = letters, locality, period
        self.bias = rng.integers(-1, 2, locality + 1)
        self.values, self.logits = {}, {}
        self.rng = rng

    def grams(self):
        return itertools.product(range(self.letters), repeat=self.locality + 1)

    def states(self, x):
        return [
            (tuple(x[max(0, i - self.locality - 1) : i]), i % self.period)
            for i in range(1, len(x) + 1)
        ]

    def value(self, state):
        if state not in self.values:
            self.values[state] = self.rng.uniform(-1, 1)
        return self.values[state]

    def logit(self, state, query):
        if (state, query) not in self.logits:
            self.logits[state, query] = int(self.rng.integers(0, 3))
        return self.logits[state, query]

    def __call__(self, x):
        states = self.states(x)
        query = states[-1]
        reach = self.locality + 1
        groups = [(s, c, 0) for s, c in Counter(states[:-reach]).items()]
        groups += [(s, 1, self.bias[lag]) for lag, s in enumerate(reversed(states[-reach:]))]
        best = max(self.logit(s, query) + bias for s, _, bias in groups)
        top = [(self.value(s), c) for s, c, bias in groups if self.logit(s, query) + bias == best]
        return sum(v * c for v, c in top) / sum(c for _, c in top)

    def top_probability(self, query, tokens):
        types = [(g, r) for g in self.grams() for r in range(self.period)]
        best = max(self.logit(t, query) for t in types)
        return sum(
            math.prod(tokens[s] for s in gram)
            for gram, r in types
            if self.logit((gram, r), query) == best
        )


def two_layer_bound(mass, locality, edge):
    """min(1, 1/√(2t′) + C/t′), t′ = kQ/(2τ+1), C = c₀ + a′ + a′/√(c₀ + a′), a′ = a_t/(2τ+1)."""
    t, end = mass / (2 * locality + 1), edge / (2 * locality + 1)
    return min(1, 1 / math.sqrt(2 * t) + (C0 + end + end / math.sqrt(C0 + end)) / t)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["fixed", "dirichlet"])
@pytest.mark.parametrize(
    ("letters", "locality", "period"), [(2, 0, 1), (2, 1, 1), (2, 1, 2), (3, 1, 1), (2, 2, 3)]
)
def test_two_argmax_layers_on_average(law, letters, locality, period):
    rng = np.random.default_rng([letters, locality, period, len(law)])
    samples, worst = 120, 0.0
    for n in (8 * period + 4 * locality + 1, 40 * period + 4 * locality + 1):
        length = n + period * 200
        f = SuffixOnly(rng, letters, locality, period)
        k, edge = (n - 4 * locality - 1) // period, 4 * locality + period
        fixed = rng.dirichlet(np.full(letters, 2.0))
        gaps, bounds = [], []
        for _ in range(samples):
            tokens = fixed if law == "fixed" else rng.dirichlet(np.full(letters, 0.8))
            x = rng.choice(letters, size=length, p=tokens).tolist()
            z = x[:locality] + x[length - n + locality :]
            gaps.append(abs(f(x) - f(z)))
            mass = k * f.top_probability(f.states(x)[-1], tokens)
            bounds.append(two_layer_bound(mass, locality, edge))
        spread = 2.0  # the values lie in [−1, 1]
        upper = np.mean(gaps) + 4 * np.std(gaps) / math.sqrt(samples)
        lower = np.mean(bounds) - 4 * np.std(bounds) / math.sqrt(samples)
        assert upper <= 2 * spread * lower
        worst = max(worst, np.mean(gaps) / (2 * spread * np.mean(bounds)))
    assert worst > 0.003


@pytest.mark.slow
def test_the_first_symbols_must_be_kept():
    """Without them the claim is false: a start-up state of large logit decides the output."""

    class Start(SuffixOnly):
        def logit(self, state, query):
            return 5 if len(state[0]) <= self.locality else 0

        def value(self, state):
            return float(state[0][0] == 1) if len(state[0]) <= self.locality else 0.5

    rng = np.random.default_rng(0)
    f = Start(rng, 2, 1, 1)
    naive, kept = [], []
    for _ in range(200):
        x = rng.integers(0, 2, 3000).tolist()
        z = x[-1500:]
        naive.append(abs(f(x) - f(z)))
        kept.append(abs(f(x) - f(x[:1] + z[1:])))
    mass = 1500 - 5
    bound = 2 * 1.0 * two_layer_bound(mass, 1, 5)
    assert np.mean(naive) - 4 * np.std(naive) / math.sqrt(200) > bound
    assert np.mean(kept) == 0
