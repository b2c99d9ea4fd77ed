"""Theorem 1 of the softmax certificates: images built exactly, against the bound; and controls."""

from __future__ import annotations

import dataclasses
import functools
import math
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.softmax_models import random_model
from verify import LimitTransformer
from verify.certificates.softmax.image import HeadImage, _Lengths, rounding_error
from verify.certificates.softmax.instance import SoftmaxInstance
from verify.certificates.softmax.rounding import rounded_up

FLOAT_ERROR = 1e-11
REGIMES = ["token", "balanced", "position", "negative"]


# ---------------------------------------------------------------- controls: bounds that are wrong


class NoLengthStep(_Lengths):
    """The shares of the lags, and of the prefix beside them, do not change with the length."""

    def _variation(self, head, step, lags):
        return super()._variation(head, (step[0], step[0]), (lags[0], lags[0]))


class NoDrift(_Lengths):
    """All columns count as equally long."""

    def _variation(self, head, step, lags):
        mean = Fraction(sum(self.free), len(self.free))
        even = dataclasses.replace(self, free=(mean,) * len(self.free))
        return _Lengths._variation(even, head, step, lags)


class NoMild(_Lengths):
    """Mild lags cost nothing."""


class LessRounding(_Lengths):
    """0.8 of what rounding costs."""

    def _variation(self, head, step, lags):
        rounding = tuple(rho * 4 / 5 for rho in self.rounding)
        return _Lengths._variation(dataclasses.replace(self, rounding=rounding), head, step, lags)


class EqualWeights(_Lengths):
    """No e^R: the smallest weight of a column counts as its largest."""

    def _variation(self, head, step, lags):
        return super()._variation(dataclasses.replace(head, smallest=head.largest), step, lags)


class OnlyTheLeastShare(_Lengths):
    """The prefix that is common is as small as can be: one end of the interval of w."""

    def _variation(self, head, step, lags):
        return super()._variation(dataclasses.replace(head, largest=head.smallest), step, lags)


CONTROLS = (NoLengthStep, NoDrift, NoMild, LessRounding, EqualWeights, OnlyTheLeastShare)


# ---------------------------------------------------------------- images


def rounded(targets, forced):
    """Largest remainders; `forced`: an entry that has to keep a unit (Lemma 2′)."""
    down = [math.floor(e) for e in targets]
    left = round(sum(targets)) - sum(down)
    order = sorted(range(len(targets)), key=lambda k: targets[k] - down[k], reverse=True)
    if forced is not None and down[forced] == 0 and forced not in order[:left]:
        order.remove(forced)
        order.insert(0, forced)
    for k in order[:left]:
        down[k] += 1
    return down


def spread(rng, total, parts):
    """Counts of a column: shares, rare tokens, one token, halves between two integers."""
    if parts == 1:
        return [total]
    kind = rng.integers(5)
    if kind == 0:
        counts = [0] * parts
        counts[int(rng.integers(parts))] = total
        return counts
    if kind == 1:
        counts = [min(int(rng.integers(0, 3)), total // parts) for _ in range(parts)]
        counts[int(rng.integers(parts))] += total - sum(counts)
        return counts
    shares = rng.dirichlet(np.full(parts, float(rng.choice([0.3, 1, 5]))))
    counts = [int(share * total) for share in shares]
    counts[int(rng.integers(parts))] += total - sum(counts)
    return counts


def near_halves(rng, total, units, parts):
    """Counts whose images fall just beside halves: units·c/total ≈ integer ± 1/2."""
    shares = rng.multinomial(max(units - parts // 2, 0), np.full(parts, 1 / parts))
    halves = rng.permutation(parts)[: 2 * (parts // 2)]
    wanted = [Fraction(int(s)) for s in shares]
    for k in halves:
        wanted[k] += Fraction(1, 2)
    counts = [int(w * total / max(units, 1)) for w in wanted]
    counts[int(rng.integers(parts))] += total - sum(counts)
    return counts if min(counts) >= 0 else spread(rng, total, parts)


class Long:
    """A long input of a context: counts of all free positions but the mild lags, lag tokens."""

    def __init__(self, rng, pair, context, kept, short, length):
        self.pair, self.context, self.kept, self.length = pair, context, kept, length
        self.lags = pair.lag_types(context)
        self.mild = [lag for lag in range(len(self.lags)) if lag not in kept]
        steps = (length - short) // pair.period
        self.counts = {}
        for r in range(pair.period):
            column = list(pair.column(r))
            here = [self.lags[lag] for lag in range(len(self.lags)) if self.residue(lag) == r]
            rest = pair.positions(length, r) - len(here)
            units = pair.positions(short, r)
            made = spread if rng.random() < 0.4 else functools.partial(near_halves, units=units)
            numbers = made(rng, rest, parts=len(column))
            self.counts.update(zip(column, numbers, strict=True))
        assert steps > 0

    def residue(self, lag):
        return (self.context.residue - lag) % self.pair.period

    def free(self, t):
        return self.counts[t] + sum(self.lags[lag] == t for lag in self.mild)

    def image(self, rng, images, image, short):
        """Return z: counts of its free positions but the mild lags, and the types at the lags."""
        counts, lags = {}, list(self.lags)
        for r, atoms in enumerate(images.atoms):
            number = image.free[r]
            of_atoms = [sum(self.free(t) for t in atom) for atom in atoms]
            total = sum(of_atoms)
            query = self.lags[0]
            own = next((k for k, atom in enumerate(atoms) if query in atom), None)
            forced = own if 0 in self.mild and own is not None else None
            targets = [Fraction(number * c, total) for c in of_atoms]
            for k, (atom, units) in enumerate(zip(atoms, rounded(targets, forced), strict=True)):
                present = [t for t in atom if self.free(t)]
                filled = dict.fromkeys(atom, 0)
                for j in range(units):
                    if j == 0 and k == forced:
                        filled[query] += 1
                    elif units - j > 50:
                        filled[present[0]] += units - j
                        break
                    else:
                        filled[present[int(rng.integers(len(present)))]] += 1
                counts.update(filled)
        for lag in self.mild:  # any token of the column may stand there; the query at lag 0
            column = [t for t in self.pair.column(self.residue(lag)) if counts[t]]
            lags[lag] = lags[0] if lag == 0 else column[int(rng.integers(len(column)))]
            if counts[lags[lag]] == 0:
                return None
            counts[lags[lag]] -= 1
        return counts, lags


def attention(head, content, counts, lags, length, value_of):
    """Return the attention of a head on each value."""
    top = max(content)
    weights = {}

    def add(value, logit, number):
        weights[value] = weights.get(value, 0.0) + number * math.exp(logit)

    unit, log = float(head.unit), math.log(length)
    biases = [b * unit for b in head.bias]
    scale = max(0.0, *(b * log for b in biases))
    for t, number in counts.items():
        add(value_of[t], (content[t] - top) * unit - scale, number)
    for lag, t in enumerate(lags):
        add(value_of[t], (content[t] - top) * unit + biases[lag] * log - scale, 1)
    mass = sum(weights.values())
    return {value: weight / mass for value, weight in weights.items()}


def random_case(rng):
    period, size = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    locality = int(rng.integers(0, 3))
    models = [
        random_model(
            rng,
            layers=1,
            regimes=rng.choice(REGIMES, int(rng.integers(1, 3))).tolist(),
            size=size,
            locality=locality,
            period=period,
            scale=float(rng.choice([0.1, 0.7, 2.0])),
            dimension=2,
        )
        for _ in range(2)
    ]
    if rng.random() < 0.6:  # some lags without bias, none that must be kept
        models = [weaker_lags(rng, f) for f in models]
    return models


def weaker_lags(rng, f: LimitTransformer):
    layer = f.layers[0]
    heads = tuple(
        dataclasses.replace(
            h,
            lag_bias=np.where(
                rng.random(h.lag_bias.size) < 0.5, 0.0, rng.uniform(-1.5, 0.9, h.lag_bias.size)
            ),
        )
        for h in layer.heads
    )
    return dataclasses.replace(f, layers=(dataclasses.replace(layer, heads=heads),))


@functools.cache
def campaign(cases, seed):
    """Return the images looked at, the worst share of the bound by regime, and the violations."""
    rng = np.random.default_rng(seed)
    looked, worst, wrong = 0, {}, {kind: 0 for kind in (_Lengths, *CONTROLS)}
    for _ in range(cases):
        instance = SoftmaxInstance(*random_case(rng))
        pair = instance.pair
        contexts = list(instance.contexts())
        context = contexts[int(rng.integers(len(contexts)))]
        images = instance.images(context)
        least = pair.locality + 1 + pair.period
        short = instance.short_length(context.residue, least + int(30 * rng.random() ** 3))
        steps = int(2.0 ** rng.uniform(0, 35 if rng.random() < 0.7 else 4))
        length = short + steps * pair.period
        horizon = [None, length, 3 * length][int(rng.integers(3))]
        every = list(images.images(short, horizon))
        for image in [every[k] for k in rng.permutation(len(every))[:3]]:
            x = Long(rng, pair, context, image.kept, short, length)
            z = x.image(rng, images, image, short)
            if z is None:
                continue
            for head, of, found in zip(pair.heads, images.heads, image.heads, strict=True):
                if found is None:
                    continue
                content = head.content[x.lags[0]]
                sides = [
                    attention(head, content, counts, lags, n, head.values)
                    for counts, lags, n in ((x.counts, x.lags, length), (*z, short))
                ]
                keys = sides[0].keys() | sides[1].keys()
                tv = sum(abs(sides[0].get(k, 0) - sides[1].get(k, 0)) for k in keys) / 2
                looked += 1
                kind = regime(found)
                if 1e-6 < found.variation < 1:
                    worst[kind] = max(worst.get(kind, 0), tv / float(found.variation))
                wrong[_Lengths] += tv > float(found.variation) + FLOAT_ERROR
                shared = (pair, context.residue, image.kept, image.free, image.rounding)
                for control in CONTROLS:
                    lengths = control(*shared, short, horizon)
                    bound = lengths._variation(of, found.step, found.lags)
                    bound += 0 if control is NoMild else sum(found.mild)
                    wrong[control] += tv > float(bound) + FLOAT_ERROR
    return looked, worst, wrong


def regime(found: HeadImage):
    if any(found.mild):
        return "mild"
    if found.dominant > 1:
        return "position"
    return "balanced" if found.lags[1] > Fraction(1, 10**6) else "token"


@pytest.mark.slow
def test_no_image_is_further_than_the_bound():
    looked, worst, wrong = campaign(420, 0)
    assert looked > 1500
    assert wrong[_Lengths] == 0
    assert set(worst) == {"mild", "position", "balanced", "token"}
    assert min(worst.values()) > 0.5  # the bound is not far away
    assert max(worst.values()) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("control", CONTROLS)
def test_bounds_that_leave_something_out_are_caught(control):
    assert campaign(420, 0)[2][control] > 0


# ---------------------------------------------------------------- single statements


def test_rounding_errors_are_the_worst_there_are():
    """ρ(a) = ⌊a²/4⌋/a, and ρ′(a) = ⌊a²/4⌋/(a − 1) where one entry must keep a unit."""
    assert [rounding_error(a, False) for a in (1, 2, 3, 4, 5)] == [
        0,
        Fraction(1, 2),
        Fraction(2, 3),
        1,
        Fraction(6, 5),
    ]
    assert [rounding_error(a, True) for a in (1, 2, 3, 4)] == [0, 1, 1, Fraction(4, 3)]
    rng = np.random.default_rng(0)
    for _ in range(3000):
        a, q = int(rng.integers(2, 6)), int(rng.integers(2, 40))
        parts = rng.multinomial(int(rng.integers(1, 9)) * q, np.full(a, 1 / a))
        targets = [Fraction(int(p), q) for p in parts]
        for forced in (None, 0):
            if forced == 0 and not targets[0]:
                continue
            off = sum(abs(d - e) for d, e in zip(rounded(targets, forced), targets, strict=True))
            assert off / 2 <= rounding_error(a, forced is not None)


def test_two_tokens_without_bias_have_the_closed_form():
    """Δ = 1, nothing kept, no bias: kδ/(1 + (k−1)δ) with k = e^R, δ = ρ/Z, whatever the horizon."""
    rng = np.random.default_rng(5)
    f, g = (random_model(rng, layers=1, regimes=["negative"], size=3, locality=0) for _ in range(2))
    f, g = (
        dataclasses.replace(
            m,
            layers=(
                dataclasses.replace(
                    m.layers[0],
                    heads=tuple(dataclasses.replace(h, lag_bias=[0.0]) for h in m.layers[0].heads),
                ),
            ),
        )
        for m in (f, g)
    )
    instance = SoftmaxInstance(f, g)
    for context in instance.contexts():
        images = instance.images(context)
        for short in (3, 20, 2**50):
            forms = []
            for horizon in (None, 4 * short):
                (image,) = (i for i in images.images(short, horizon) if i.kept == ())
                forms.append([head.variation for head in image.heads])
                for head, of in zip(instance.pair.heads, image.heads, strict=True):
                    content = [a * float(head.unit) for a in head.content[context.tokens[0]]]
                    k, delta = math.exp(max(content) - min(content)), 1 / short
                    expected = k * delta / (1 + (k - 1) * delta)
                    assert float(of.variation) == pytest.approx(expected, rel=1e-12)
            assert forms[0] == forms[1]


def test_far_logits_between_columns_cost_nothing():
    """Only the range inside a column counts; e^−10⁵ beside 1 is no trouble."""
    rng = np.random.default_rng(1)
    f = random_model(rng, layers=1, regimes=["negative"], size=2, locality=0, period=2, dimension=2)
    head = dataclasses.replace(f.layers[0].heads[0], lag_bias=[0.0])

    def shifted(gap):
        positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, gap]])
        embedding = np.hstack([f.embedding, np.ones((2, 1))])
        query_key = np.zeros((3, 3))
        query_key[:2, :2] = head.query_key
        query_key[2, 2] = 1.0
        value = np.zeros((3, 3))
        value[:2, :2] = head.value
        layer = dataclasses.replace(
            f.layers[0],
            heads=(dataclasses.replace(head, query_key=query_key, value=value),),
            mlp_in=np.hstack([f.layers[0].mlp_in, np.zeros((4, 1))]),
            mlp_out=np.vstack([f.layers[0].mlp_out, np.zeros((1, 4))]),
        )
        unembedding = np.hstack([f.unembedding, np.zeros((1, 1))])
        return dataclasses.replace(
            f, embedding=embedding, positions=positions, layers=(layer,), unembedding=unembedding
        )

    costs = []
    for gap in (1.0, 40.0, 1e5):
        g = shifted(gap)
        costs.append(float(SoftmaxInstance(g, g).cost(2000).value))
    assert max(costs) < 2.5 * min(costs)
    assert costs[1] == pytest.approx(costs[2], rel=1e-6)


def test_numbers_are_rounded_to_the_safe_side():
    third = Fraction(1, 3)
    assert third < rounded_up(third) < third * (1 + Fraction(1, 2**60))
    assert rounded_up(Fraction(3, 4)) == Fraction(3, 4)
