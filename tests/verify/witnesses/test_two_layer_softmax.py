"""The pairs behind two necessary lengths of two softmax layers: 0 on short inputs, then more."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import bounds
import verify
from verify import InputError
from verify.witnesses import changes, windows
from verify.witnesses.two_layer_softmax import below, distance_and_changes, distance_and_windows

pytestmark = pytest.mark.covers(
    "tightness", "derived.lower_softmax_locality", "derived.lower_softmax_range"
)

PAIRS = [
    (windows, (6,)),
    (windows, (6, 2, 3, "5/2")),
    (windows, (5, 3, 2, 1, 2)),
    (changes, (7,)),
    (changes, (7, 2)),
    (changes, (7, 1, "1/2", 3)),
]
IDS = [f"{build.__name__}-{given}" for build, given in PAIRS]


def strings(letters, longest):
    for n in range(1, longest + 1):
        yield from map(np.array, itertools.product(range(letters), repeat=n))


@pytest.mark.parametrize(("build", "given"), PAIRS, ids=IDS)
def test_the_pair_is_zero_on_every_short_input(build, given):
    pair = build(*given)
    assert pair.agree_up_to >= given[0]
    for x in strings(pair.f.vocabulary_size, 6 if pair.f.vocabulary_size == 2 else 4):
        assert pair.f(x)[0] == 0 == pair.g(x)[0]


@pytest.mark.parametrize(("build", "given"), PAIRS, ids=IDS)
def test_the_pair_proves_the_entry_at_its_target(build, given):
    pair = build(*given)
    needed = bounds.required_length(theorem=pair.key, **pair.parameters)
    assert pair.parameters["target"] / 2 < pair.gap
    assert 0.9 * pair.agree_up_to <= needed.length <= pair.agree_up_to + 1


AVERAGES = [
    (distance_and_windows(2, 1), 2, 9),
    (distance_and_windows(2, 2, 2), 2, 9),
    (distance_and_windows(3, 1), 3, 6),
    (distance_and_changes(0), 2, 9),
    (distance_and_changes(2, 3), 2, 9),
]


@pytest.mark.slow
@pytest.mark.parametrize(("average", "letters", "longest"), AVERAGES)
def test_a_higher_threshold_is_found_by_trying_all_inputs(average, letters, longest):
    """The least average of all inputs up to N as the height: 0 up to N, nearly all of it later."""
    height = min(average(x)[0] for x in strings(letters, longest))
    pair = below(average, height)
    for x in strings(letters, longest - 2):
        assert pair(x)[0] <= 1e-15
    values = []
    for length in (2000, 20_000):
        run = int(math.sqrt(2 * length))
        values.append(pair(np.arange(length) // run % letters)[0])
    assert 0.6 * height < values[0] < values[1] <= height


def test_long_inputs_show_half_of_the_gap():
    """(L/2)·height for a low height takes 10⁸ tokens; here the bound of A is compared with A."""
    for pair in (changes(7, 1, 1, 3), changes(7)):
        assert pair.f(pair.long_input(pair.first_long))[0] >= pair.gap
        assert pair.g(pair.long_input(pair.first_long))[0] == 0


@pytest.mark.parametrize("given", [(10, 2, 1), (10, 3, 2, 3), (10, 3, 2, 3, 2)], ids=str)
def test_lipschitz_constant_margin_and_norms_do_not_depend_on_n(given):
    measured = [verify.measure(windows(n, *given[1:]).f) for n in (10, 10**4, 10**6)]
    assert len({c.complexity_balanced for c in measured}) == 1
    assert {c.positional_margin for c in measured} == {max(1, (*given, 1, 1)[4])}
    assert {c.locality for c in measured} == {given[2]}
    # Λ₂ counts the path past the last MLP, which nothing is read from: twice the true L at most.
    slope = Fraction((*given, 1)[3])
    assert measured[0].lipschitz <= 2 * slope


def test_constants_of_the_pairs_are_those_of_the_page():
    """`measure` bounds them from above; what the entries ask for is no more."""
    cases = [
        (windows(9, 3, 2), {"vocabulary_size": 3, "locality": 2, "target": "1/2000"}),
        (windows(9, 2, 1, 4, 2), {"vocabulary_size": 2, "locality": 1, "target": "1/2000"}),
        (changes(9, 1), {"logit_range_last": 1, "target": "1/100"}),
        (changes(9, 0, 3), {"logit_range_last": 0, "target": "1/100"}),
    ]
    for pair, given in cases:
        for block in (1, 3):
            measured = verify.measure(pair.f, block=block)
            found = bounds.required_length(
                theorem=pair.key,
                epsilon=0,
                lipschitz=pair.parameters["lipschitz"],
                complexity_balanced=measured.complexity_balanced,
                block=block,
                **given,
            )
            assert found.status.name == "PROVED"


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: windows(0), "agreement_length"),
        (lambda: windows(1, 1), "vocabulary_size"),
        (lambda: windows(1, 2, 0), "locality"),
        (lambda: windows(1, 2, 1, 0), "lipschitz"),
        (lambda: changes(1, -1), "logit_range"),
        (lambda: changes(1, 1, 1, 0), "margin"),
        (lambda: changes(0), "agreement_length"),
    ],
)
def test_what_is_out_of_range_is_refused(build, name):
    with pytest.raises(InputError, match=name):
        build()
