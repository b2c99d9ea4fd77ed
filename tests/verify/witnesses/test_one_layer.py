"""Lower bounds for one argmax layer, exhibited: equal on every short input, apart on long ones.

The models depend on an input through its counts and its last token alone (τ = 0), so all inputs
of one length are covered by all counts; the smallest cases are checked on all strings besides.
"""

from fractions import Fraction
from itertools import product
from math import ceil, comb, isqrt, log

import numpy as np
import pytest

import verify
from verify.errors import InputError
from verify.model.summary import Summary
from verify.witnesses import (
    limit_one_residue,
    limit_residues,
    nested_classes,
    presence,
    tents,
    threshold_one_residue,
    threshold_residues,
    threshold_window,
)

pytestmark = [
    pytest.mark.covers(
        "attack",
        "derived.lower_presence",
        "derived.lower_tent",
        "derived.lower_threshold",
        "derived.lower_threshold_window",
        "derived.lower_limit",
        "derived.lower_linf_c3",
    ),
    pytest.mark.covers(
        "tightness",
        "derived.lower_presence",
        "derived.lower_tent",
        "derived.lower_threshold",
        "derived.lower_threshold_window",
        "derived.lower_limit",
        "derived.lower_linf_c3",
    ),
]

ROUNDING = 1e-12  # of float64, for outputs of size about 1


def all_strings(witness, length):
    return (np.array(x) for x in product(range(witness.f.vocabulary_size), repeat=length))


def splits(total, parts):
    """All ways to write `total` as an ordered sum of `parts` integers ≥ 0."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in splits(total - first, parts - 1):
            yield (first, *rest)


def all_summaries(vocabulary_size, period, length):
    """Every Summary of inputs of this length at τ = 0."""
    residues = np.arange(1, length) % period
    sizes = [int((residues == r).sum()) for r in range(period)]
    for rows in product(*(list(splits(size, vocabulary_size)) for size in sizes)):
        for query in range(vocabulary_size):
            yield Summary(np.array(rows), np.array([query]), length)


def worst_over(witness, summaries):
    return max(abs(witness.f.of_summary(s)[0] - witness.g.of_summary(s)[0]) for s in summaries)


def difference(witness, x):
    return abs(witness.f(x)[0] - witness.g(x)[0])


def assert_agree_by_counts(witness, lengths=None):
    size, period = witness.f.vocabulary_size, witness.f.period
    for length in range(1, witness.agree_up_to + 1) if lengths is None else lengths:
        assert length <= witness.agree_up_to
        worst = worst_over(witness, all_summaries(size, period, length))
        assert worst <= witness.epsilon + ROUNDING, length


class Exact:
    """One of these models in fractions: attention is uniform over the keys of greatest logit."""

    def __init__(self, model):
        fraction = np.vectorize(Fraction, otypes=[object])
        self.types = fraction(model.positions)[:, None, :] + fraction(model.embedding)[None, :, :]
        (layer,) = model.layers
        (head,) = layer.heads
        self.logits = np.einsum(
            "rsi,ij,qtj->qtrs", self.types, fraction(head.query_key), self.types
        )
        self.values = self.types @ fraction(head.value).T
        self.mlp_in, self.mlp_bias = fraction(layer.mlp_in), fraction(layer.mlp_bias)
        self.mlp_out = fraction(model.unembedding) @ fraction(layer.mlp_out)
        self.readout = fraction(model.unembedding)[0]
        self.period = model.period

    def __call__(self, summary):
        query = summary.length % self.period, summary.suffix[-1]
        counts = summary.counts.copy()
        counts[query] += 1
        logits = self.logits[query]
        top = (counts > 0) & (logits == max(logits[counts > 0]))
        seen = (self.values[top] * counts[top][:, None]).sum(axis=0)
        state = self.types[query] + seen / Fraction(int(counts[top].sum()))
        inner = np.maximum(self.mlp_in @ state + self.mlp_bias, Fraction(0))
        return self.readout @ state + sum(self.mlp_out[0] * inner)


def exact_worst(witness, lengths):
    """The largest |f − g| over all inputs of these lengths, in fractions."""
    size, period = witness.f.vocabulary_size, witness.f.period
    f, g = Exact(witness.f), Exact(witness.g)
    return max(abs(f(s) - g(s)) for length in lengths for s in all_summaries(size, period, length))


def assert_agree_on_strings(witness, up_to):
    assert up_to <= witness.agree_up_to
    for length in range(1, up_to + 1):
        for x in all_strings(witness, length):
            assert difference(witness, x) <= witness.epsilon + ROUNDING, x


def assert_apart(witness, lengths):
    for length in lengths:
        x = witness.long_input(length)
        assert x.size >= length
        assert difference(witness, x) >= witness.gap - ROUNDING, length


def measured(witness):
    return verify.measure(witness.f, witness.g)


class TestThresholdResidues:
    """Theorem A."""

    def test_known_value_two_residues_half_margin_four_bits(self):
        witness = threshold_residues(period=2, precision_bits=4, margin="1/2", lipschitz=1)
        assert witness.agree_up_to == 255
        for length in range(1, 256):
            x = np.zeros(length, dtype=int)
            assert witness.f(x)[0] == witness.g(x)[0] == 0
        for length in range(256, 700):
            expected = 0.25 if length % 2 == 0 else 0
            assert difference(witness, np.zeros(length, dtype=int)) == expected

    @pytest.mark.parametrize(
        ("period", "bits", "margin"),
        [(2, 1, 1), (2, 7, 1), (3, 3, "1/2"), (3, 6, "3/4"), (5, 5, "5/8"), (4, 2, "1/4")],
    )
    def test_equal_below_the_threshold_and_apart_from_it_on(self, period, bits, margin):
        witness = threshold_residues(period, bits, margin, lipschitz=3)
        power, root = Fraction(margin).numerator, Fraction(margin).denominator
        first = next(t for t in range(1, 10**6) if t**power >= 2 ** (bits * root))
        assert witness.agree_up_to == first - 1
        assert witness.gap == Fraction(3 * (period - 1), 2 * period)
        for length in range(1, 3 * first):
            apart = difference(witness, np.zeros(length, dtype=int))
            if length < first or length % period:
                assert apart == 0
            else:
                assert apart == pytest.approx(float(witness.gap), abs=ROUNDING)

    def test_constants_are_as_stated(self):
        witness = threshold_residues(3, 6, "3/4", lipschitz=2)
        constants = measured(witness)
        assert constants.lipschitz_sharp == constants.lipschitz == 2
        assert constants.margin == Fraction(3, 4)
        assert constants.precision_bits == 6
        assert (constants.period, constants.locality) == (3, 0)

    @pytest.mark.parametrize(("period", "margin"), [(1, "1/2"), (2, "3/2"), (2, "1/10"), (2, 0)])
    def test_bad_input(self, period, margin):
        with pytest.raises(InputError):
            threshold_residues(period, 4, margin)


class TestThresholdOneResidue:
    """Theorem C."""

    @pytest.mark.parametrize(
        ("bits", "margin", "slope"),
        [(3, 1, "4.6"), (2, "1/2", 5), (4, "3/4", 100), (1, 1, 8), (1, "1/4", 9)],
    )
    def test_within_epsilon_for_all_counts(self, bits, margin, slope):
        witness = threshold_one_residue(slope, 1, 3, bits, margin)
        assert_agree_by_counts(witness)
        first = witness.agree_up_to + 1
        assert witness.gap > 3
        assert_apart(witness, [witness.first_long, witness.first_long + 1, 10 * first + 7, 5000])

    def test_all_strings(self):
        assert_agree_on_strings(threshold_one_residue(5, 1, 3, 3, 1), up_to=7)

    def test_any_smaller_target(self):
        witness = threshold_one_residue("2.2", 1, "1.1", 2, "1/2")
        assert_agree_by_counts(witness)
        assert_apart(witness, [witness.first_long, 10**4])
        assert witness.gap > Fraction("1.1")

    def test_constants_are_as_stated(self):
        constants = measured(threshold_one_residue(100, 1, 3, 4, "3/4"))
        assert constants.lipschitz_sharp <= 100
        assert constants.margin == Fraction(3, 4)
        assert constants.period == 1

    @pytest.mark.parametrize(("slope", "target"), [(4, 3), (100, "3.01"), (100, 1)])
    def test_bad_input(self, slope, target):
        with pytest.raises(InputError):
            threshold_one_residue(slope, 1, target)


class TestThresholdWindow:
    """Theorem B(i)."""

    @pytest.mark.slow
    @pytest.mark.parametrize(("bits", "margin"), [(4, "1/2"), (3, "1/2"), (2, "1/4"), (5, "3/4")])
    def test_within_epsilon_for_all_counts_then_a_jump(self, bits, margin):
        witness = threshold_window(bits, margin, lipschitz=2)
        first = ceil(2 ** (bits / float(Fraction(margin))))
        assert witness.agree_up_to == first - 2
        # The worst counts at each length are near an even split; the last lengths are the worst.
        last = witness.agree_up_to
        assert_agree_by_counts(witness, {*range(1, min(last, 60) + 1), *range(last - 2, last + 1)})
        assert witness.gap > 1  # L/2 and more
        assert_apart(witness, [witness.first_long])

    def test_agree_again_from_the_threshold_on(self):
        witness = threshold_window(3, "1/2")
        for length in (64, 65, 200):
            assert worst_over(witness, all_summaries(2, 1, length)) <= ROUNDING

    def test_the_jump_is_between_logits_that_nearly_coincide(self):
        witness = threshold_window(4, "1/4", lipschitz=1)
        logits = verify.measure(witness.f).margin, verify.measure(witness.g).margin
        assert 0 < logits[0] - logits[1] < Fraction(1, 10**5)
        assert_apart(witness, [witness.first_long])
        assert witness.gap > Fraction(999, 1000)

    def test_constants_are_as_stated(self):
        constants = measured(threshold_window(3, "1/2", lipschitz=2))
        assert constants.lipschitz_sharp == 2
        assert constants.margin == Fraction(1, 2)

    def test_empty_window_is_refused(self):
        with pytest.raises(InputError, match="margin"):
            threshold_window(1, "7/8")  # ⌈2^(8/7)⌉ − 1 = 2 = 2^p


class TestLimit:
    """Theorem B(iii) and B(ii)."""

    @pytest.mark.parametrize(
        ("slope", "target", "period", "margin"),
        [(10, 1, 2, "1/2"), (16, 3, 2, "1/4"), (8, 1, 3, "1/2"), (40, 3, 4, 1), (10, 3, 2, 2)],
    )
    def test_residues(self, slope, target, period, margin):
        witness = limit_residues(slope, target, period, 8, margin)
        gamma = float(Fraction(margin))
        bound = ((period - 1) * (slope / target - 1)) ** (1 / gamma)
        assert witness.agree_up_to == min(ceil(bound - 1e-9), ceil(2 ** (8 / gamma))) - 1
        for length in range(1, min(witness.agree_up_to, 900) + 1):
            assert difference(witness, np.zeros(length, dtype=int)) <= ROUNDING
        assert witness.gap > target
        if witness.first_long < 10**5:
            assert_apart(witness, range(witness.first_long, witness.first_long + 2 * period))

    def test_residues_capped_by_the_hardmax_threshold(self):
        witness = limit_residues(1000, 1, 2, 3, 1)
        assert witness.agree_up_to == 7
        assert_apart(witness, [8, 10, 1000])

    def test_residues_are_visible_right_after_the_bound(self):
        witness = limit_residues(10, 1, 2, 20, "1/2")  # (10 − 1)² = 81
        assert witness.agree_up_to == 80
        assert witness.f(np.zeros(82, dtype=int))[0] > 1e-3

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("slope", "target", "margin"),
        [(20, 3, "1/2"), (10, 3, "1/4"), (20, 1, 1), (30, 2, "3/4"), (25, "7/2", "1/2")],
    )
    def test_one_residue(self, slope, target, margin):
        witness = limit_one_residue(slope, 1, target, 12, margin)
        c, gamma = float(Fraction(target)), float(Fraction(margin))
        limit = (2 * slope / (c + 1)) ** (4 / ((c + 1) * gamma))
        assert 0.9 * log(limit) - log(2) <= log(witness.agree_up_to) <= log(limit)
        lengths = {*range(1, 40), *range(witness.agree_up_to - 2, witness.agree_up_to + 1)}
        assert_agree_by_counts(witness, [n for n in lengths if 1 <= n <= witness.agree_up_to < 400])

    def test_one_residue_apart_for_ever(self):
        witness = limit_one_residue(20, 1, 3, 8, "1/2")
        assert witness.first_long == 2**16
        assert_apart(witness, [2**16, 2**16 + 1, 200_001])

    def test_one_residue_all_strings(self):
        witness = limit_one_residue(20, 1, 3, 8, 1)
        assert_agree_on_strings(witness, up_to=witness.agree_up_to)
        assert witness.agree_up_to == 7
        assert_apart(witness, [256, 257])

    def test_one_residue_is_not_within_epsilon_much_later(self):
        witness = limit_one_residue(20, 1, 3, 24, "1/2")
        worst = worst_over(witness, all_summaries(2, 1, 3 * witness.agree_up_to))
        assert worst > 1.2

    @pytest.mark.parametrize(
        ("slope", "target", "margin"), [(10, 3, "1/2"), (20, 1, 1), (25, "7/2", "1/2")]
    )
    def test_constants_are_as_stated(self, slope, target, margin):
        witness = limit_one_residue(slope, 1, target, 24, margin)
        constants = measured(witness)
        assert constants.lipschitz <= slope + ROUNDING  # the steepest piece of the staircase
        assert constants.margin == Fraction(margin)
        residues = measured(limit_residues(10, 1, 2, 8, "1/2"))
        assert residues.lipschitz_sharp == 10
        assert residues.margin == Fraction(1, 2)

    def test_bad_input(self):
        with pytest.raises(InputError, match="target"):
            limit_one_residue("9.9", 1, 3)
        with pytest.raises(InputError, match="period"):
            limit_residues(10, 1, period=1)
        with pytest.raises(InputError, match="target"):
            limit_residues(10, 10)


class TestPresence:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("slope", "epsilon", "target"),
        [(12, 0, "0.999"), (12, 0, "1/2"), (10, "1/2", "3/2"), (7, 1, 3), (5, "1/10", "1/5")],
    )
    def test_within_epsilon_for_all_counts(self, slope, epsilon, target):
        witness = presence(slope, epsilon, target)
        bound = slope / (Fraction(target) - Fraction(epsilon))
        assert witness.agree_up_to == ceil(bound) - 1
        assert_agree_by_counts(witness)
        assert witness.gap > Fraction(target)
        assert_apart(witness, [witness.first_long, 10**5])

    def test_presence_is_presence(self):
        witness = presence(6, 0, "0.99")  # N = 6 = L
        assert witness.agree_up_to == 6
        assert_agree_on_strings(witness, up_to=6)
        height = float(witness.f(np.array([0]))[0])
        for x in all_strings(witness, 9):
            assert witness.f(x)[0] == pytest.approx(height * (0 in x), abs=ROUNDING)
            assert witness.g(x)[0] == pytest.approx(min(height, 6 * (x == 0).mean()), abs=ROUNDING)

    def test_constants_are_as_stated(self):
        constants = measured(presence(12, 0, "1/2"))
        assert constants.lipschitz_sharp == 12
        assert constants.margin == 8  # p: hardmax from length 2 on

    def test_bad_input(self):
        with pytest.raises(InputError, match="target"):
            presence(1, 0, 1)


class TestTents:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("slope", "target", "size", "period"),
        [
            (20, 1, 2, 1),
            (20, 1, 3, 1),
            (9, 1, 4, 1),
            (20, "1.1", 2, 2),
            (12, 1, 3, 2),
            (5, 1, 3, 3),
        ],
    )
    def test_equal_for_all_counts_then_apart(self, slope, target, size, period):
        witness = tents(slope, target, size, period)
        bound = (size - 1) * slope / (4 * Fraction(target))
        assert witness.agree_up_to == period * ceil(bound) - 1
        assert_agree_by_counts(witness)
        assert witness.gap > Fraction(target)
        assert_apart(witness, [1, 1000, 12345])

    @pytest.mark.parametrize(
        ("target", "size", "period"), [("6/5", 2, 1), ("6/5", 2, 2), ("6/5", 3, 1), (2, 2, 3)]
    )
    def test_the_value_of_the_registry_in_fractions(self, target, size, period):
        """Exactly 0 up to Δ⌈Q⌉ − 1, no longer at Δ⌈Q⌉, and above the target later."""
        witness = tents(20, target, size, period)  # θ is a power of 1/2: no float is rounded
        value = period * ceil((size - 1) * Fraction(20) / (4 * Fraction(target)))
        assert exact_worst(witness, range(1, value)) == 0
        assert exact_worst(witness, [value]) > 0
        x = witness.long_input(100)
        assert abs(Fraction(witness.f(x)[0])) > Fraction(target)

    def test_visible_soon_after(self):
        witness = tents(20, 1, 2, 1)  # N = 4: 1/(2θ) = 4
        assert witness.agree_up_to == 4
        assert max(difference(witness, x) for x in all_strings(witness, 5)) > 1e-3

    def test_true_lipschitz_constant(self):
        assert measured(tents(20, 1, 2, 1)).lipschitz <= 20

    def test_bad_input(self):
        with pytest.raises(InputError, match="target"):
            tents(2, 1)


class TestNestedClasses:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("slope", "target", "size", "period"),
        [(6, 3, 3, 1), (5, 2, 3, 1), (8, 3, 3, 1), (7, 3, 4, 1), (5, 3, 5, 1), ("4.1", 3, 3, 2)],
    )
    def test_within_epsilon_for_all_counts_then_apart(self, slope, target, size, period):
        witness = nested_classes(slope, 1, target, size, period)
        factor = max(Fraction(1), Fraction(size - 2, 2))
        bound = factor * Fraction(slope) ** 2 / (Fraction(target) - 1) ** 2
        assert witness.agree_up_to == period * ceil(bound) - 1
        if comb(witness.agree_up_to // period + size, size) ** period < 40_000:
            assert_agree_by_counts(witness)
        else:
            assert_agree_by_counts(witness, range(1, 9))
        assert witness.gap > target
        assert_apart(witness, [1])

    @pytest.mark.parametrize(("slope", "period"), [("4.5", 1), (6, 1), ("4.1", 2)])
    def test_the_value_of_the_registry_in_fractions(self, slope, period):
        """Within ε up to Δ⌈Q⌉ − 1, exactly; more than ε, and than 3ε, later."""
        witness = nested_classes(slope, 1, 3, 3, period)
        value = period * ceil(Fraction(slope) ** 2 / 4)
        assert exact_worst(witness, range(1, value)) <= 1
        assert difference(witness, witness.long_input(100)) > 3

    @pytest.mark.slow
    def test_visible_soon_after(self):
        witness = nested_classes(8, 1, 3)  # Q = 16
        assert witness.agree_up_to == 15
        worst = max(worst_over(witness, all_summaries(3, 1, n)) for n in range(16, 26))
        assert worst > 1.01

    def test_all_strings(self):
        assert_agree_on_strings(nested_classes(8, 1, 3), up_to=7)

    @pytest.mark.slow
    @pytest.mark.parametrize("size", [3, 5, 6])
    def test_true_lipschitz_constant_on_random_pairs_of_counts(self, size):
        witness = nested_classes(8, 1, 3, size)
        random = np.random.default_rng(3)
        steepest = 0.0
        for _ in range(1500):
            a, b = (random.multinomial(40, random.dirichlet(np.ones(size))) for _ in range(2))
            a, b = (np.append(c[:-1], max(c[-1], 1)) for c in (a, b))  # query: the last token
            laws, values = [], []
            for counts in (a, b):
                prefix = counts - np.eye(size, dtype=int)[-1]
                s = Summary(prefix[None, :], np.array([size - 1]), int(counts.sum()))
                shown = np.append(counts[:-1], 0) if counts[:-1].any() else counts
                laws.append((shown / shown.sum(), counts / counts.sum()))
                values.append((witness.f.of_summary(s)[0], witness.g.of_summary(s)[0]))
            for k in range(2):
                distance = np.abs(laws[0][k] - laws[1][k]).sum() / 2
                assert abs(values[0][k] - values[1][k]) <= 8 * distance + ROUNDING
                if distance > 0:
                    steepest = max(steepest, abs(values[0][k] - values[1][k]) / distance)
        assert steepest > 2

    @pytest.mark.parametrize(("slope", "target", "size"), [(4, 3, 3), (8, "3.1", 3), (8, 3, 2)])
    def test_bad_input(self, slope, target, size):
        with pytest.raises(InputError):
            nested_classes(slope, 1, target, size)


def least_string(shares, budget, largest):
    """Fewest positions at one residue that fit both models within `budget`, by brute force.

    x shows `shares` to f; to g it shows f's tokens with a share that is negligible.
    """
    for total in range(1, largest + 1):
        for kept in range(1, total + 1):
            if Fraction(kept, total) > budget:
                continue
            for counts in splits(kept, len(shares)):
                if _distance(counts, kept, shares) <= budget:
                    return total
    return None


def _distance(counts, total, shares):
    return sum(
        (max(Fraction(0), share - Fraction(count, total)))
        for count, share in zip(counts, shares, strict=True)
    )


@pytest.mark.parametrize(("size", "delta"), [(3, "1/4"), (3, "1/5"), (4, "1/4"), (5, "1/3")])
def test_one_string_for_both_models_is_long(size, delta):
    """`derived.lower_single_z` (i): brute force never beats (|Σ| − 2)/(4δ²)."""
    budget = Fraction(delta)
    small = size - 2
    theta = 2 * budget / small + Fraction(1, 10**6)
    shares = (*[theta] * small, 1 - small * theta)
    bound = small / (4 * budget**2)
    least = least_string(shares, budget, largest=2 * ceil(bound) + 20)
    assert least is not None
    assert least >= bound
    assert least <= 4 * bound + 8  # and it is attained up to a constant


@pytest.mark.parametrize(("locality", "delta"), [(0, "1/4"), (1, "1/3"), (2, "1/5")])
def test_one_string_that_keeps_the_suffix_is_long(locality, delta):
    """`derived.lower_single_z` (ii): the suffix needs (τ+1)/δ², counted position by position."""
    budget, suffix = Fraction(delta), locality + 1
    fits = (
        total
        for total in range(suffix, 10**4)
        for kept in range(suffix, total + 1)
        if Fraction(suffix, kept) <= budget and Fraction(kept, total) <= budget
    )
    assert next(fits) == ceil(ceil(suffix / budget) / budget)
    assert ceil(ceil(suffix / budget) / budget) >= suffix / budget**2


def test_every_witness_agrees_with_the_naive_forward_pass():
    random = np.random.default_rng(5)
    for witness in (
        threshold_residues(3, 3, "1/2"),
        threshold_one_residue(5, 1, 3, 3, 1),
        threshold_window(3, "1/2"),
        limit_residues(10, 1, 3, 4, "1/2"),
        limit_one_residue(20, 1, 3, 4, 1),
        presence(6, 0, "0.99"),
        tents(20, 1, 3, 2),
        nested_classes(8, 1, 3),
    ):
        for _ in range(20):
            length = int(random.integers(1, isqrt(5000)))
            x = random.integers(0, witness.f.vocabulary_size, length)
            for model in (witness.f, witness.g):
                assert model(x)[0] == pytest.approx(verify.reference(model, x)[0], abs=1e-10)
