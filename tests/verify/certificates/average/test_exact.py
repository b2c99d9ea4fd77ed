"""Exact average errors by counting: against all strings, and the probabilities against fractions."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.average_cases import nothing, of_share, random_law
from tests.helpers.model_pairs import random_pair
from verify import (
    Agreement,
    AverageAgreement,
    DirichletLaw,
    FixedLaw,
    InputError,
    MarkovLaw,
    agreement,
    tasks,
)
from verify.average import SwitchedLaw, exact_average_error
from verify.certificates.average import tables
from verify.certificates.average.weighted import WeightedVectors
from verify.certificates.input_class import PairInputs

LONGEST = {2: 8, 3: 6}


def pair_and_law(seed):
    rng = np.random.default_rng(seed)
    f, g = random_pair(rng, vocabulary_size=int(rng.integers(2, 4)))
    return (
        f,
        g,
        random_law(rng, f.vocabulary_size),
        int(rng.integers(1, LONGEST[f.vocabulary_size])),
    )


def against_strings(seeds):
    periods, localities, laws = set(), set(), set()
    for seed in seeds:
        f, g, law, length = pair_and_law(seed)
        found = agreement(f, g, length, law=law)
        by_strings = exact_average_error(f, g, length, law=law).mean
        assert found.value == pytest.approx(by_strings, abs=1e-12 * max(1, by_strings)), seed
        assert float(found.low) - 1e-12 <= by_strings <= float(found.high) + 1e-12
        assert found.by_length[length].rounding < 1e-11 * max(1, by_strings)
        periods.add(PairInputs(f, g).period)
        localities.add(PairInputs(f, g).locality)
        laws.add(type(law))
    assert {1, 2, 3} <= periods
    assert {0, 1, 2} <= localities
    assert laws == {DirichletLaw, FixedLaw}


def test_averages_are_sums_over_all_strings():
    against_strings(range(20))


@pytest.mark.slow
def test_averages_of_more_pairs_are_sums_over_all_strings():
    against_strings(range(20, 70))


# ---------------------------------------------------------------- probabilities


def exact_probability(law, counts_by_column, atoms, suffix):
    """Return the probability of counts of atoms, given the suffix, from the definition."""
    tokens = law.vocabulary_size
    total = Fraction(0)
    columns = []
    for column, counts in zip(atoms, counts_by_column, strict=True):
        ways = []
        for split in itertools.product(
            *(
                [v for v in itertools.product(range(c + 1), repeat=len(atom)) if sum(v) == c]
                for atom, c in zip(column, counts, strict=True)
            )
        ):
            by_token = [0] * tokens
            for atom, own in zip(column, split, strict=True):
                for kind, c in zip(atom, own, strict=True):
                    by_token[kind % tokens] += c
            number = math.factorial(sum(by_token))
            for c in by_token:
                number //= math.factorial(c)
            ways.append((number, by_token))
        columns.append(ways)
    for chosen in itertools.product(*columns):
        tokens_seen = [sum(c) for c in zip(*(by_token for _, by_token in chosen), strict=True)]
        word = [*suffix, *(t for t, c in enumerate(tokens_seen) for _ in range(c))]
        total += math.prod(n for n, _ in chosen) * law.probability(word)
    return total / law.probability(suffix)


def probabilities(seeds, longest):
    several = split = 0
    for seed in seeds:
        f, g, law, _ = pair_and_law(seed)
        rng = np.random.default_rng(seed)
        inputs = PairInputs(f, g)
        for one_class in inputs.classes(int(rng.integers(2, longest))):
            if not law.probability(one_class.suffix):
                continue
            weighted = WeightedVectors(one_class, law)
            counts, weights = weighted.rows(0, weighted.vectors.number)
            assert math.fsum(weights) == pytest.approx(1, abs=weighted.error)
            known = {}
            for row, weight in zip(counts.astype(int).tolist(), weights.tolist(), strict=True):
                known[tuple(row)] = known.get(tuple(row), 0) + weight
            several += sum(len(column) > 1 for column in one_class.atoms) > 1
            split += len(known) < len(weights)
            for row, weight in itertools.islice(known.items(), 6):
                parts, left = [], 0
                for column in one_class.atoms:
                    parts.append(row[left : left + len(column)])
                    left += len(column)
                exact = exact_probability(law, parts, one_class.atoms, one_class.suffix)
                assert abs(Fraction(weight) - exact) <= Fraction(weighted.error) * exact
    assert several > 10
    return split


def test_probabilities_are_those_of_the_law():
    probabilities(range(25), 6)


@pytest.mark.slow
def test_probabilities_where_columns_have_different_atoms():
    assert probabilities(range(25, 110), 6) > 0


def test_every_entry_of_a_table_is_within_its_error():
    theta, largest = Fraction(7, 3), 1000
    made = {
        "powers": tables.powers(Fraction(2, 7), largest),
        "binomial": tables.binomial(theta, largest),
        "rising": tables.rising(theta, largest),
        "inverse": tables.inverse_factorials(largest),
    }
    exact = dict.fromkeys(made, Fraction(1))
    worst = 0.0
    for c in range(largest + 1):
        for name, table in made.items():
            power = Fraction(2) ** int(table.exponent[c])
            relative = abs(Fraction(table.mantissa[c]) * power / exact[name] - 1)
            assert relative <= Fraction(tables.ERROR)
            worst = max(worst, float(relative))
        exact["powers"] *= Fraction(2, 7) / (c + 1)
        exact["binomial"] *= (theta + c) / (c + 1)
        exact["rising"] *= theta + c
        exact["inverse"] /= c + 1
    assert worst > 4 * tables.UNIT  # there is rounding to be bounded


def test_long_inputs_are_exact_too():
    # E|t − 1/2| for t = C/n, C uniform on 0..n: (n + 2)/(4(n + 1)) for even n.
    f = of_share([-1, 2], [0, 0.5], 0.5)
    found = agreement(f, nothing(), [1000, 200_000], law=DirichletLaw([1, 1]))
    for n, entry in found.by_length.items():
        exact = Fraction(n + 2, 4 * (n + 1))
        assert entry.low <= exact <= entry.high
        assert entry.rounding < 1e-12


# ---------------------------------------------------------------- the call


def test_other_laws_are_refused_with_what_works():
    f = tasks.mod_p(2, 0).transformer
    markov = MarkovLaw([["1/2", "1/2"], ["1/2", "1/2"]], ["1/2", "1/2"])
    switched = SwitchedLaw(DirichletLaw([1, 1]), DirichletLaw([2, 1]), 5)
    for law in (markov, switched):
        with pytest.raises(InputError, match="average_error estimates") as caught:
            agreement(f, f, 5, law=law)
        assert caught.value.name == "law"
    with pytest.raises(InputError, match=r"\|Σ\| = 2"):
        agreement(f, f, 5, law=DirichletLaw([1, 1, 1]))
    with pytest.raises(InputError, match="2\\^-300"):
        agreement(f, f, 5, law=DirichletLaw([1, Fraction(1, 2**400)]))


def test_too_many_evaluations_are_refused():
    f = of_share([1], [0.25])
    with pytest.raises(InputError, match="within reach: lengths up to 20"):
        agreement(f, nothing(), [10, 20, 1000], law=DirichletLaw([1, 1]), limit=100)


def test_an_interruption_leaves_what_was_done():
    f, law = of_share([1], [0.25]), DirichletLaw([1, 1])

    def interrupt(done, total):
        if done > 25:
            raise KeyboardInterrupt

    found = agreement(f, nothing(), [10, 20, 30], law=law, progress=interrupt)
    assert not found.finished
    assert list(found.by_length) == [10]
    with pytest.raises(KeyboardInterrupt):
        agreement(f, nothing(), 30, law=law, progress=interrupt)


def test_the_result_says_what_it_is():
    f, law = of_share([1], [0.25]), FixedLaw(["1/3", "2/3"])
    found = agreement(f, nothing(), range(3, 6), law=law)
    assert isinstance(found, AverageAgreement)
    assert isinstance(agreement(f, nothing(), 3), Agreement)
    assert len(found.table().splitlines()) == 4
    assert "largest average |f − g| at length 3 … 5" in str(found)
    data = json.loads(json.dumps(found.to_dict()))
    assert Fraction(data["low"]) <= found.low <= found.high <= Fraction(data["high"])
    assert found.evaluations == sum(2 * n for n in (3, 4, 5)) == data["evaluations"]


def test_several_outputs_count_by_the_largest():
    rng = np.random.default_rng(3)
    f, g = random_pair(rng, vocabulary_size=2, period=1, locality=0)
    law = DirichletLaw([1, 2])
    assert f.output_dimension > 1
    assert agreement(f, g, 5, law=law).value == pytest.approx(
        exact_average_error(f, g, 5, law=law).mean
    )


def test_tokens_of_probability_zero_do_not_occur():
    f, g = of_share([1], [0.0]), nothing()
    assert agreement(f, g, 9, law=FixedLaw([1, 0])).value == 0
    assert agreement(f, g, 9, law=FixedLaw([0, 1])).value == pytest.approx(1)
