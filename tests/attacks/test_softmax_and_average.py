"""Attacks on two theorems, written from their statements alone: softmax, and average error.

Softmax, one layer, infinite precision: keep the last τ+1 tokens, shrink the histogram of the rest
to n − τ − 1 tokens by largest remainders. Then

    |f(x) − f(z)| ≤ ‖U‖Λ Σ_h D_h e^(R_h) [(S/4+τ+1)/n · 1[not position dominant]
                                           + 2(τ+1) n^(−min(γ_h,1))].

Average, one layer, argmax, i.i.d. tokens of a fixed law π: z is the last n symbols of x, and

    E|f(x) − f(z)| ≤ L Σ_h D_h min(1, c/√(kq) + a/(kq)),   c = 2 + √2,

with k = ⌊(n−τ−1)/Δ⌋, a = n − kΔ, and q the least probability of a top class at its best residue.
Forward passes here are this file's own, by histograms; the package's are compared with them.
"""

from dataclasses import dataclass
from itertools import product
from math import ceil, lgamma, log, sqrt

import numpy as np
import pytest

import verify
from tests.helpers.softmax_constants import norm as spectral
from verify import Head, Layer, LimitTransformer

pytestmark = pytest.mark.covers(
    "attack", "derived.one_layer_softmax", "derived.one_layer_average_fixed"
)

C = 2 + sqrt(2)
ROUNDING = 1e-9


# --------------------------------------------------------------------------------- softmax


@dataclass
class SoftmaxModel:
    """One-hot embedding: content[h][s, y] is the logit of key s for query y, value[h] is (d, S)."""

    content: np.ndarray  # (H, S, S)
    value: np.ndarray  # (H, S, S): column s is what head h adds for key s
    bias: np.ndarray  # (H, τ+1)
    mlp: tuple  # A (m, S), b (m,), B (S, m)
    out: np.ndarray  # (o, S)

    def transformer(self):
        heads = tuple(map(Head, self.content, self.value, self.bias))
        size = self.content.shape[1]
        return LimitTransformer(
            np.eye(size), np.zeros((1, size)), (Layer(heads, *self.mlp),), self.out, None
        )

    def __call__(self, counts, suffix, length):
        """Outputs (batch, o) for prefix counts (batch, S), suffix (batch, τ+1), length (batch,)."""
        query = suffix[:, -1]
        rows = np.arange(len(query))
        u = np.eye(counts.shape[1])[query]
        with np.errstate(divide="ignore"):
            log_counts = np.log(counts)
        for content, value, bias in zip(self.content, self.value, self.bias, strict=True):
            scaled = np.log(length)[:, None] * bias[::-1]  # oldest first: lags τ, ..., 0
            logits = np.hstack(
                [log_counts + content[:, query].T, content[suffix, query[:, None]] + scaled]
            )
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            law = weights[:, : counts.shape[1]].copy()
            for lag in range(suffix.shape[1]):
                np.add.at(law, (rows, suffix[:, lag]), weights[:, counts.shape[1] + lag])
            u = u + law @ value.T
        a, b, back = self.mlp
        return (u + np.maximum(u @ a.T + b, 0) @ back.T) @ self.out.T

    def constants(self):
        """Return ‖U‖Λ, and per head D e^R, γ, whether position dominant."""
        a, _, back = self.mlp
        norm = spectral(self.out) * (1 + spectral(a) * spectral(back))
        heads = []
        for content, value, bias in zip(self.content, self.value, self.bias, strict=True):
            spread = (content.max(axis=0) - content.min(axis=0)).max()
            columns = value.T
            diameter = max(np.linalg.norm(v - w) for v in columns for w in columns)
            levels = sorted({1.0, *bias.tolist()}, reverse=True)
            margin = levels[0] - levels[1] if len(levels) > 1 else 1.0
            heads.append((diameter, spread, margin, bias.max() > 1))
        return norm, heads

    def bound(self, n, histogram=1.0, suffix=1.0, tilt=1.0, power=1.0):
        """The bound at length n; the other arguments weaken one factor each (controls)."""
        norm, heads = self.constants()
        size, reach = self.content.shape[1], self.bias.shape[1]
        total = np.zeros_like(n, dtype=float)
        for diameter, spread, margin, dominant in heads:
            terms = histogram * (size / 4 + reach) / n * (not dominant)
            terms = terms + suffix * 2 * reach * n ** -(power * min(margin, 1.0))
            total += diameter * np.exp(tilt * spread) * terms
        return norm * total

    def length(self, epsilon):
        """The theorem's N for this model and error ε."""
        norm, heads = self.constants()
        size, reach = self.content.shape[1], self.bias.shape[1]
        c = norm * sum(d * np.exp(r) * (size / 4 + 3 * reach) for d, r, _, _ in heads)
        margin = min(m for _, _, m, _ in heads)
        return max(1, ceil((c / epsilon) ** max(1 / margin, 1)))


def random_model(random, kind):
    """`kind`: "general", or a sharp one-dimensional model without an MLP ("sharp")."""
    size, reach = int(random.integers(1, 7)), int(random.integers(1, 6))
    heads = 1 if kind == "sharp" else int(random.integers(1, 4))
    bias = random.uniform(-1, 0.95, (heads, reach))
    for head in range(heads):
        regime = random.integers(4)
        if regime == 1:  # balanced
            bias[head, random.integers(reach)] = 1.0
        elif regime == 2:  # position dominant
            bias[head, random.integers(reach)] = random.choice([1.05, 1.3, 2.0, 3.5])
        elif regime == 3:  # ties
            bias[head] = random.choice([0.0, 0.5, 0.8, 1.0, 1.5], reach)
    scale = random.choice([0.0, 0.3, 1.0, 3.0, 6.0])
    content = scale * random.normal(size=(heads, size, size))
    value = random.normal(size=(heads, size, size))
    hidden = 0
    out = random.normal(size=(int(random.integers(1, 3)), size))
    if kind == "sharp":
        value = np.zeros((1, size, size))
        low, high = content[0].sum(axis=1).argmin(), content[0].sum(axis=1).argmax()
        value[0, 0, high], value[0, 0, low] = 1.0, -1.0 if low != high else 1.0
        out = np.eye(size)[:1]
    else:
        hidden = int(random.integers(0, 4))
    mlp = (
        random.normal(size=(hidden, size)),
        random.normal(size=hidden),
        random.normal(size=(size, hidden)),
    )
    return SoftmaxModel(content, value, bias, mlp, out)


def attack_inputs(random, model, batch):
    """Counts, suffixes, n: rare tokens that rounding loses, extreme suffixes, counts to 10¹²."""
    size, reach = model.content.shape[1], model.bias.shape[1]
    n = reach + np.floor(np.exp(random.uniform(0, np.log(3e4), batch))).astype(np.int64) - 1
    n[: batch // 8] = reach
    suffix = random.integers(0, size, (batch, reach))
    same = random.random(batch) < 0.5
    suffix[same] = suffix[same][:, -1:]
    factor = np.exp(random.uniform(0, np.log(1e12 / n.max()), batch))
    prefix = np.maximum(np.floor((n - reach) * factor), n - reach + 1).astype(np.int64)
    order = model.content.sum(axis=(0, 2)).argsort()
    counts = np.zeros((batch, size))
    for row in range(batch):
        total, kind = int(prefix[row]), random.integers(4)
        law = random.dirichlet(np.full(size, random.choice([0.05, 0.3, 1.0, 10.0])))
        if kind == 0:  # just below one half of a token in z
            law = np.zeros(size)
            law[order[-1]] = random.choice([0.49, 0.51]) / max(n[row] - reach, 1)
            law[order[0]] += 1 - law.sum()
        elif kind == 1:  # all fractions near one half
            law = (np.floor(random.random(size) * n[row] / size) + 0.49) / max(n[row], 1)
            law[order[0]] += max(0.0, 1 - law.sum())
        elif kind == 2:  # one token only
            law = np.eye(size)[random.integers(size)]
        law = np.abs(law) / np.abs(law).sum()
        row_counts = np.floor(law * total)
        row_counts[order[0]] += total - row_counts.sum()
        counts[row] = np.maximum(row_counts, 0)
    return counts, suffix, n


def shrink(counts, n):
    """Largest-remainder rounding of n·(histogram), row by row."""
    exact = counts / counts.sum(axis=1, keepdims=True) * n[:, None]
    down = np.floor(exact)
    missing = np.rint(n - down.sum(axis=1)).astype(int)
    order = np.argsort(-(exact - down), axis=1, kind="stable")
    rank = np.argsort(order, axis=1)
    return down + (rank < missing[:, None])


def softmax_differences(random, kind, models, batch):
    """Yield model, n, ‖f(x) − f(z)‖₂ for each attack input."""
    for _ in range(models):
        model = random_model(random, kind)
        counts, suffix, n = attack_inputs(random, model, batch)
        reach = model.bias.shape[1]
        z = shrink(counts, n - reach)
        assert (z.sum(axis=1) == n - reach).all()
        long = model(counts, suffix, counts.sum(axis=1) + reach)
        short = model(z, suffix, n.astype(float))
        yield model, n.astype(float), np.linalg.norm(long - short, axis=1)


@pytest.mark.parametrize("kind", ["general", "sharp"])
def test_softmax_bound_holds_on_attack_inputs(kind):
    random = np.random.default_rng(11)
    cases, worst = 0, 0.0
    for model, n, difference in softmax_differences(random, kind, models=250, batch=64):
        bound = model.bound(n)
        assert (difference <= bound + ROUNDING * (1 + bound)).all()
        positive = bound > 0
        if positive.any():
            worst = max(worst, (difference[positive] / bound[positive]).max())
        cases += n.size
    assert cases >= 10_000
    if kind == "sharp":
        assert worst > 0.25  # the attack comes within a factor 4


@pytest.mark.parametrize(
    "weakening",
    [
        {"histogram": 0.0},
        {"suffix": 0.0},
        {"histogram": 0.25, "suffix": 0.25},
        {"tilt": 0.0},
        {"tilt": 0.5},
        {"power": 1.5},
    ],
)
def test_the_attack_refutes_weaker_bounds(weakening):
    """Control: without any one factor the same inputs break the bound."""
    random = np.random.default_rng(11)
    cases = softmax_differences(random, "sharp", models=250, batch=64)
    assert any((difference > model.bound(n, **weakening)).any() for model, n, difference in cases)


def test_softmax_required_length():
    """The theorem's N, also where it is below τ + 1: the last token alone is then enough."""
    random = np.random.default_rng(12)
    short_cases = 0
    for _ in range(300):
        model = random_model(random, "general" if random.random() < 0.5 else "sharp")
        norm, heads = model.constants()
        size = sum(norm * d for d, _, _, _ in heads)
        epsilon = max(size, 1e-3) * float(np.exp(random.uniform(np.log(0.02), np.log(30))))
        length, reach = model.length(epsilon), model.bias.shape[1]
        if length > 10**9:
            continue
        counts, suffix, _ = attack_inputs(random, model, 16)
        total = counts.sum(axis=1)
        counts, suffix = counts[total + reach > length], suffix[total + reach > length]
        if not len(counts):
            continue
        long = model(counts, suffix, counts.sum(axis=1) + reach)
        if length <= reach:
            short_cases += 1
            one = SoftmaxModel(model.content, model.value, model.bias[:, :1], model.mlp, model.out)
            short = one(np.zeros_like(counts), suffix[:, -1:], np.ones(len(counts)))
        else:
            n = np.full(len(counts), length - reach)
            short = model(shrink(counts, n), suffix, np.full(len(counts), float(length)))
        assert (np.linalg.norm(long - short, axis=1) <= epsilon * (1 + ROUNDING)).all()
    assert short_cases > 10


def test_the_histogram_formula_is_the_model():
    random = np.random.default_rng(13)
    for _ in range(60):
        model = random_model(random, "general")
        size, reach = model.content.shape[1], model.bias.shape[1]
        x = random.integers(0, size, int(random.integers(reach, 40)))
        counts = np.bincount(x[: x.size - reach], minlength=size)[None, :]
        expected = model(counts, x[None, x.size - reach :], np.array([float(x.size)]))[0]
        np.testing.assert_allclose(model.transformer()(x), expected, atol=1e-9)


# --------------------------------------------------------------------------------- average


def average_bound(n, period, locality, q, lipschitz=1.0):
    k = (n - locality - 1) // period
    a = n - k * period
    return lipschitz * min(1.0, C / sqrt(k * q) + a / (k * q))


def argmax_model(size, period, locality, random):
    """One head, no MLP: logits of value types (one-hot), ties on purpose; margin at least 1."""
    width = 4  # logit, value, the number 1, output
    content = random.integers(0, 2, (period, size)).astype(float)
    bias = random.choice([0.0, 1.0, -1.0, 0.5], locality + 1)
    value = random.uniform(-1, 1, (period, size))
    embedding, positions = np.zeros((size, width)), np.zeros((period, width))
    # Additive embeddings: token part and residue part of the logit and of the value.
    token_logit, residue_logit = content[0], random.integers(0, 2, period).astype(float)
    token_value, residue_value = value[0], random.uniform(-1, 1, period) * (period > 1)
    embedding[:, 0], positions[:, 0] = token_logit, residue_logit
    embedding[:, 1], positions[:, 1] = token_value, residue_value
    embedding[:, 2] = 1.0
    query_key, read = np.zeros((width, width)), np.zeros((width, width))
    query_key[0, 2] = 8.0
    read[3, 1] = 1.0
    unembedding = np.zeros((1, width))
    unembedding[0, 3] = 1.0
    f = LimitTransformer(
        embedding, positions, (Layer((Head(query_key, read, 8 * bias),)),), unembedding, 2
    )
    logits = token_logit[None, :] + residue_logit[:, None]
    values = token_value[None, :] + residue_value[:, None]
    return f, logits, values


def class_probability(logits, law):
    """Best probability over residues of the class of maximal content logit, inside the support."""
    top = logits[:, law > 0].max()
    return max(float(law[(row == top) & (law > 0)].sum()) for row in logits)


@pytest.mark.parametrize(
    ("size", "period", "locality"), [(2, 1, 0), (2, 2, 0), (3, 1, 1), (2, 2, 1)]
)
def test_average_bound_over_all_strings(size, period, locality):
    """Exact expectation over all strings of length T ≤ 10 (7 for three tokens), every n."""
    random = np.random.default_rng(size + 10 * period + 100 * locality)
    length = 10 if size == 2 else 7
    nontrivial = 0
    for _ in range(2):
        f, logits, values = argmax_model(size, period, locality, random)
        law = random.dirichlet(np.ones(size))
        q, spread = class_probability(logits, law), np.ptp(values)
        strings = np.array(list(product(range(size), repeat=length)))
        weight = law[strings].prod(axis=1)
        at_length = np.array([f(x)[0] for x in strings])
        shorts = range(length - period, locality + period, -period)
        for n in shorts:
            values_at = {z: f(np.array(z))[0] for z in product(range(size), repeat=n)}
            at_n = np.array([values_at[tuple(x[-n:].tolist())] for x in strings])
            mean = float(weight @ np.abs(at_length - at_n))
            assert mean <= average_bound(n, period, locality, q, spread) + ROUNDING
            nontrivial += mean > 0
    assert nontrivial > 0


def multinomial_table(total, law):
    """All (a, b) = counts of the two top tokens among `total` i.i.d. tokens, and probabilities."""
    p, r = law
    rest = max(1 - p - r, 0.0)
    a, b = np.meshgrid(np.arange(total + 1), np.arange(total + 1), indexing="ij")
    keep = (a + b <= total) & ((rest > 0) | (a + b == total))
    a, b = a[keep], b[keep]
    gamma = np.vectorize(lgamma)
    others = total - a - b
    logs = lgamma(total + 1) - gamma(a + 1) - gamma(b + 1) - gamma(others + 1)
    logs = logs + a * log(p) + b * log(r) + others * (log(rest) if rest > 0 else 0.0)
    return a, b, np.exp(logs)


def class_average(a, b, absent):
    """Average of the values +½ and −½ of two tied top tokens; `absent` where neither occurs."""
    present = a + b > 0
    return np.where(present, (a - b) / (2 * np.maximum(a + b, 1)), absent)


@pytest.mark.parametrize(("q", "skew"), [(1.0, 0.5), (0.6, 0.5), (0.6, 0.1), (0.25, 0.5)])
@pytest.mark.parametrize(("n", "extra"), [(20, 1), (20, 20), (50, 50), (80, 20)])
def test_average_bound_exactly_with_a_thin_top_class(q, skew, n, extra):
    """Δ = 1, τ = 0, three tokens: two tied on top, the third shows where both are absent."""
    law = (q * skew, q * (1 - skew))
    a, b, weight = multinomial_table(n, law)
    more_a, more_b, more_weight = multinomial_table(extra, law)
    assert weight.sum() == pytest.approx(1)
    mean = 0.0
    for da, db, w in zip(more_a, more_b, more_weight, strict=True):
        if w > 1e-15:
            gap = np.abs(class_average(a, b, 0.5) - class_average(a + da, b + db, 0.5))
            mean += w * float(weight @ gap)
    assert mean <= average_bound(n, 1, 0, q)
    assert mean > 0


@pytest.mark.parametrize(
    ("q", "skew"), [(1.0, 0.5), (0.5, 0.5), (0.2, 0.5), (0.1, 0.2), (0.05, 0.5)]
)
def test_average_bound_exactly_against_the_infinite_input(q, skew):
    """T → ∞: f(x) is the mean of the top class; every n, values at the diameter when absent."""
    law = (q * skew, q * (1 - skew))
    ratios = []
    for n in (3, 10, 40, 120, 260):
        a, b, weight = multinomial_table(n, law)
        limit = skew - 0.5
        absent = 0.5 if limit < 0 else -0.5
        mean = float(weight @ np.abs(class_average(a, b, absent) - limit))
        bound = average_bound(n, 1, 0, q)
        assert mean <= bound
        ratios.append(mean / bound)
    assert max(ratios) > 0.1  # the bound is not idle


def test_average_control_the_square_root_is_needed():
    """Control: 0.3/√(kq) instead of (2+√2)/√(kq) is refuted by the same enumeration."""
    a, b, weight = multinomial_table(200, (0.5, 0.5))
    mean = float(weight @ np.abs(class_average(a, b, 0.5)))
    assert mean > 0.3 / sqrt(199)


@pytest.mark.parametrize("epsilon", [0.5, 0.2, 0.1])
def test_average_required_length(epsilon):
    """k = max(4c²Λ²/(qε²), 2aΛ/(qε)): one fair coin on top, binomial, exact."""
    q, a = 1.0, 1
    k = ceil(max(4 * C**2 / (q * epsilon**2), 2 * a / (q * epsilon)))
    n = k + a
    heads = np.arange(n + 1)
    gamma = np.vectorize(lgamma)
    weight = np.exp(lgamma(n + 1) - gamma(heads + 1) - gamma(n - heads + 1) - n * log(2))
    assert float(weight @ np.abs(heads / n - 0.5)) <= epsilon


@pytest.mark.parametrize("seed", range(6))
def test_average_bound_by_sampling_two_residues_and_ties_with_the_suffix(seed):
    """Δ = 2, τ = 2, logits of the suffix tied with the top class: mean minus 5σ below the bound."""
    random = np.random.default_rng(seed)
    size, period, locality = 3, 2, 2
    f, logits, values = argmax_model(size, period, locality, random)
    law = random.dirichlet(np.full(size, 2.0))
    q, spread = class_probability(logits, law), np.ptp(values)
    n, length = 61, 121
    gaps = []
    for _ in range(300):
        x = random.choice(size, length, p=law)
        gaps.append(abs(f(x)[0] - f(x[-n:])[0]))
    mean, error = np.mean(gaps), np.std(gaps) / sqrt(len(gaps))
    assert mean - 5 * error <= average_bound(n, period, locality, q, spread)
    margin = verify.measure(f).margin  # None: all logits are equal
    assert margin is None or margin >= 2  # hardmax at every length ≥ 2: T⁻² ≤ 2⁻²
