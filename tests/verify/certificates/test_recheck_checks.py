"""One check of a checker at a time: what it guards is forged where no later check would see it."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest

from tests.helpers.softmax_models import random_model as random_softmax
from tests.helpers.table_models import table_head, table_model
from tests.verify.certificates import test_recheck as hard
from tests.verify.certificates import test_softmax_recheck as soft
from verify import Certificate, CertificateError, certify, recheck
from verify.certificates.recheck import enclosure, instance, softmax
from verify.certificates.recheck.arithmetic import ONE, ZERO
from verify.certificates.recheck.models import ExactPair
from verify.certificates.recheck.reading import Line


def refused(f, g, data, place, words, check=recheck):
    with pytest.raises(CertificateError) as caught:
        check(Certificate(data), f, g)
    assert str(caught.value).startswith(f"{place}: got ")
    assert words in str(caught.value).split("right: ")[1]


# Instance certificates.


@cache
def light():
    return (*hard.light(), certify(*hard.light(), epsilon="1/10", horizon=2**20))


def test_the_top_of_an_instance_certificate():
    f, g, honest = light()
    found = recheck(honest, f, g)
    assert (found.epsilon, found.target) == (honest.epsilon, honest.target)
    assert (found.horizon, found.contexts) == (2**20, len(honest.data["contexts"]))
    other = honest.to_dict() | {"format": "another"}
    refused(f, g, other, "format", "lgbounds", instance.recheck_instance)
    data = honest.to_dict()
    data["deciding_context"] = len(data["contexts"])
    refused(f, g, data, "deciding_context", "where the cost is largest")
    data = honest.to_dict()
    data["cost"] = hard.scaled(data["budget"], 2)
    refused(f, g, data, "cost", f"at most the budget {data['budget']}")
    data = honest.to_dict()
    costs = [Fraction(c["cost"]) for c in data["contexts"]]
    others = [k for k, cost in enumerate(costs) if cost < max(costs)]
    if others:
        data["deciding_context"] = others[0]
        refused(f, g, data, "deciding_context", "where the cost is largest")


def first_choice(data):
    return next(iter(hard.choices_of(data)))


def test_choices_and_heads_of_an_instance_certificate():
    f, g, honest = light()
    data = honest.to_dict()
    place, choice, _, _ = first_choice(data)
    choice["more"] = 1
    refused(f, g, data, place, "an object with the fields")
    seen = set()
    for k, (place, head, _, _) in enumerate(hard.heads_of(honest.data)):
        data = honest.to_dict()
        head = hard.heads_of(data)[k][1]
        seen.add(head["gap"] is None)
        if head["gap"] is None:
            head["gap"] = "1"
            refused(f, g, data, f"{place}.gap", "null")
        else:
            gap = head["gap"]
            head["gap"] = hard.scaled(gap, 2)
            refused(f, g, data, f"{place}.gap", "positive, at most 8")
            head.update(gap=gap, threshold=head["threshold"] - 1)
            refused(f, g, data, f"{place}.threshold", "at least 2^(8/gap)")
        if len(head["prefix"]) > 1 and head["kind"] != "inert":
            data = honest.to_dict()
            hard.heads_of(data)[k][1]["prefix"].pop()
            seen.add("cut")
            refused(f, g, data, f"{place}.prefix", "above a cut that no mild bias crosses")
    assert seen >= {True, False, "cut"}


def plain(length, horizon, **changes):
    """A context of one head with the logits 0 and 8, one lag, token 0 last."""
    return Line({"residue": 0, "tokens": [0], "short": length, **changes}, "c")


def test_contexts_without_longer_inputs_and_without_free_positions():
    f = table_model([table_head([0, 8], token_values=[0, 1])], precision_bits=8)
    pair = ExactPair(f, f)
    trivial = str(pair.trivial(0))
    nothing = {"trivial": trivial, "kept": None, "free": [], "cases": []}
    line = plain(9, 9, cost="0", **nothing)
    assert instance._check_context(line, pair, 9, 9) == 0
    with pytest.raises(CertificateError, match=r"c\.cost"):
        instance._check_context(line, pair, 9, 10)
    cases = [{"allowed": u, "cost": trivial, "choice": None} for u in ([0], [0, 1])]
    line = plain(1, 9, cost=trivial, trivial=trivial, kept=[0], free=[0], cases=cases)
    with pytest.raises(CertificateError, match=r"c\.free.*at least 1 everywhere"):
        instance._check_context(line, pair, 1, 9)


def test_moves_need_one_position_more():
    """At fewer free positions than moves and one, the moves are named, not something later."""
    tried = 0
    for name in ("suffix and pairs", "two light groups", "drift", "suffix alone"):
        f, g, honest = hard.example(name)
        for place, choice, _, context in hard.choices_of(honest.data):
            if not choice["moves"] or choice["light"]:
                continue
            number = int(place.split("[")[1].split("]")[0])
            k = int(place.split("[")[2].split("]")[0])
            pair = ExactPair(f, g)
            for spare, refusal in ((0, True), (1, False)):
                steps = min(context["free"]) - choice["moves"] - spare
                data = honest.to_dict()
                line = data["contexts"][number]
                line["short"] -= steps * pair.period
                line["free"] = [n - steps for n in line["free"]]
                line["cases"] = [line["cases"][k]]
                length = data["length"] - steps * pair.period
                if steps < 0 or line["short"] < pair.lags:
                    continue
                with pytest.raises(CertificateError) as caught:
                    instance._check_context(Line(line, "c"), pair, length, honest.horizon)
                named = str(caught.value).startswith("c.cases[0].choice.moves: ")
                assert named == refusal, str(caught.value)[:200]
                tried += 1
            break
    assert tried >= 2


@cache
def light_and_uneven():
    """A light head where n_r is not the same in all columns."""
    f, g = hard.drawn(108)
    return f, g, certify(f, g, epsilon=2, horizon=2**14)


def case_example(name):
    return light_and_uneven() if name == "light and uneven" else hard.example(name)


def one_case(name, place, steps=0):
    """Return a copy of the context of a case, with that case alone, so many periods shorter."""
    f, g, honest = case_example(name)
    number, k = (int(place.split("[")[i].split("]")[0]) for i in (1, 2))
    data, pair = honest.to_dict(), ExactPair(f, g)
    line = data["contexts"][number]
    line["short"] -= steps * pair.period
    line["free"] = [n - steps for n in line["free"]]
    line["cases"] = [line["cases"][k]]

    def words():
        length = data["length"] - steps * pair.period
        try:
            instance._check_context(Line(line, "c"), pair, length, honest.horizon)
        except CertificateError as error:
            return str(error)
        return ""

    return line["cases"][0]["choice"], words


UNEVEN = ("near ties", "suffix and pairs", "two light groups", "drift", "suffix alone")


def test_accuracies_where_columns_are_of_unequal_size():
    """Each number that a head or a choice rests on, in contexts with different n_r."""
    tried, seen = Counter(), Counter()
    for name in UNEVEN:
        data = hard.example(name)[2].data
        for place, head, _, context in hard.heads_of(data):
            number = int(place.split("heads[")[1][:-1])
            kind = name, head["kind"], head["full"] == head["columns"]
            if len(set(context["free"])) == 1 or head["delta"] == "0" or seen[kind] > 2:
                continue
            seen[kind] += 1
            choice, words = one_case(name, place)
            choice["heads"][number]["delta"] = hard.scaled(head["delta"], hard.LESS)
            assert words().startswith(f"c.cases[0].choice.heads[{number}].delta: ")
            tried[head["kind"]] += 1
        for place, honest, _, _ in hard.choices_of(data):
            for field in ("error", "kept_sum"):
                if honest[field] != "0" and seen[name, field] < 6:
                    seen[name, field] += 1
                    choice, words = one_case(name, place)
                    choice[field] = hard.scaled(honest[field], hard.LESS)
                    assert words().startswith(f"c.cases[0].choice.{field}: ")
                    tried[field] += 1
    assert min(tried[key] for key in ("heavy", "error", "kept_sum")) > 0


def test_light_heads_need_their_free_positions_in_every_column():
    tried, uneven = 0, False
    for name in ("light and uneven", "two light groups"):
        for place, choice, _, context in hard.choices_of(case_example(name)[2].data):
            if not choice["light"] or tried > 12:
                continue
            uneven |= len(set(context["free"])) > 1
            needed = Fraction(choice["kept_sum"])
            if choice["moves"]:
                needed += choice["moves"] + 1 + max(map(Fraction, choice["rounding"]))
            steps = min(context["free"]) - math.ceil(needed)
            for spare, refusal in ((0, False), (1, True)):
                if steps + spare >= 0:
                    words = one_case(name, place, steps + spare)[1]()
                    assert words.startswith("c.cases[0].choice.kept_sum: ") == refusal
                    tried += 1
            if len(choice["light"]) > 1:
                forged, words = one_case(name, place)
                first, second = (group["heads"] for group in forged["light"][:2])
                second[:] = sorted({*first, *second})
                assert "heads that are in no other group" in words()
    assert tried > 2
    assert uneven


def test_atoms_of_the_query_are_rounded_with_it():
    """Lag 0 is not counted, the last token is not token 0: a²/4 over a − 1, not a/4."""
    f, g, honest = hard.example("near ties")
    tried = 0
    for k, (place, choice, _, context) in enumerate(hard.choices_of(honest.data)):
        residue, token = context["residue"], context["tokens"][0]
        a = len(choice["atoms"][residue])
        if tried or token == 0 or 0 in context["kept"] or a < 2:
            continue
        data = honest.to_dict()
        hard.choices_of(data)[k][1]["rounding"][residue] = str(Fraction(a, 4))
        refused(f, g, data, f"{place}.rounding[{residue}]", "at least")
        tried += 1
    assert tried


def test_mild_lags_of_an_instance_by_hand():
    """The least of tanh and sums over free positions, at Z and later, by more digits."""
    ends = {"full": 50, "short": 100, "long": 10**6}
    cases = [
        (["1/10", "-1/5"], "1/10", "1"),
        (["-1/5"], "1/10", "1"),
        (["1/10", "-1/5", "-3/10"], "1/10", "1/10"),
        (["1/10"], "1/10", "1/20"),
        (["4/5"], "1/10", "1"),
    ]
    with mpmath.workdps(60):
        for texts, spread, slowest in cases:
            biases, spread, slowest = [*map(Fraction, texts)], Fraction(spread), Fraction(slowest)

            def second(t, biases=biases, spread=spread):
                powers = [mpmath.mpf(t) ** mp(b) - 1 for b in biases]
                ups, downs = (sum(max(s * x, 0) for x in powers) for s in (1, -1))
                return max(ups, downs) * mpmath.mpf(100) ** mp(spread) / 50

            tilt = mp(max(*biases, ZERO) - min(*biases, ZERO))
            first, later = (mpmath.tanh(tilt * mpmath.log(t) / 4) for t in (100, 10**6))
            first = min(first, second(100))
            if mp(spread + max(map(abs, biases))) + 1 / mpmath.log(100) <= mp(slowest):
                later = min(later, second(100))
            if spread <= slowest:
                later = min(later, second(10**6))
            found = instance._mild(biases, spread, *ends.values(), slowest)
            assert mpmath.almosteq(mp(found), first + later, 1e-50)
    assert instance._mild([ZERO], ZERO, *ends.values(), ONE) == 0


# Softmax certificates.


def forged(name, change, place, words=""):
    f, g, honest = soft.example(name)
    data = honest.to_dict()
    change(data)
    refused(f, g, data, place, words)


def with_rule(name, rule):
    contexts = soft.example(name)[2].data["contexts"]
    return next(k for k, context in enumerate(contexts) if context["rule"] == rule)


def test_every_line_of_a_softmax_certificate_has_its_fields():
    for value in (0, 1, None, "false"):
        forged("mild", lambda d, v=value: d.update(every_length=v), "every_length", "true or false")
    forged("kept", lambda d: d["contexts"][0].update(more=1), "contexts[0]", "an object with")
    forged("kept", lambda d: d["contexts"].pop(), "contexts", "all contexts; missing [(0, ")
    forged(
        "kept", lambda d: d["contexts"][0]["image"].update(more=1), "contexts[0].image", "an object"
    )
    f, g, honest = soft.example("kept")
    data = honest.to_dict() | {"format": "another"}
    refused(f, g, data, "format", "lgbounds", softmax.recheck_softmax)
    data = honest.to_dict()
    data["deciding_context"] = len(data["contexts"])
    refused(f, g, data, "deciding_context", "where the cost is largest")


def test_a_cost_of_exactly_the_budget_is_enough():
    f, g, honest = soft.example("kept")
    data = honest.to_dict()
    data["contexts"][data["deciding_context"]]["cost"] = data["cost"] = data["budget"]
    assert recheck(Certificate(data), f, g).share == 1


def test_lists_of_an_image_have_their_lengths():
    place = "contexts[0].image"
    for field in ("atoms", "rounding"):
        forged(
            "mild",
            lambda d, field=field: d["contexts"][0]["image"][field].append(
                [] if field == "atoms" else "0"
            ),
            f"{place}.{field}",
            "a list of 2",
        )
    for field in ("largest", "smallest"):
        forged(
            "mild",
            lambda d, field=field: d["contexts"][0]["image"]["heads"][0][field].append("0"),
            f"{place}.heads[0].{field}",
            "a list of 2",
        )


def test_a_bias_of_exactly_1_is_kept():
    """`position` has 1.5 at lag 0 and exactly 1 at lag 1."""
    k = with_rule("position", "image")
    forged(
        "position",
        lambda d: d["contexts"][k]["image"].update(kept=[0]),
        f"contexts[{k}].image.kept",
        "with the lags [0, 1], where a bias is 1 or more",
    )


def context(f, g, *, short=9, residue=0, horizon=None):
    pair = ExactPair(f, g, finite=False)
    live = [head for head in pair.heads if len(set(head.values)) > 1]
    at_lag = [(residue - k) % pair.period * pair.vocabulary for k in range(pair.lags)]
    return softmax._Context(pair, horizon, residue, short, at_lag, live)


def infinite(*heads):
    return table_model(list(heads), precision_bits=None)


STILL = infinite(table_head([0, 0, 0]))


def test_no_longer_input_where_there_is_none():
    f = infinite(table_head([0, 1, 2], token_values=[0, 1, 2]))
    pair = ExactPair(f, STILL, finite=False)
    data = {"residue": 0, "tokens": [0], "short": 9, "trivial": str(pair.trivial(0))}
    data |= {"rule": "no longer input", "image": None, "rare": None, "joint": None}
    assert softmax._check_context(Line(data | {"cost": "0"}, "c"), pair, 9, 9) == 0
    for cost, horizon, place in (("0", 10, "rule"), ("0", None, "rule"), ("-1", 9, "cost")):
        with pytest.raises(CertificateError, match=rf"c\.{place}: "):
            softmax._check_context(Line(data | {"cost": cost}, "c"), pair, 9, horizon)


def test_a_bias_of_one_head_is_a_bias():
    biased = infinite(table_head([0, 1, 2], bias=(0, 0.5)), table_head([0, 1, 2]))
    assert not softmax._no_bias(ExactPair(biased, STILL, finite=False))
    assert softmax._no_bias(ExactPair(STILL, STILL, finite=False))


def test_two_groups_are_groups():
    values = (0, 1, 1)
    one = table_head([0, 1, 1], token_values=values)
    groups = Line({"own": [0], "other": [1, 2]}, "c")
    found = softmax._groups(groups, context(infinite(one), STILL))
    assert [head is None for head, _ in found] == [False, True]
    assert found[1][1] == softmax._Curve(ZERO, [], [[ZERO]])
    assert found[0][1].slopes == [[-1]]
    for f, words in (
        (infinite(table_head([0, 1, 2], token_values=values)), "types of equal (value, logit)"),
        (infinite(one, one), "f has more than one live head"),
        (infinite(table_head([0, 41, 41], token_values=values)), "logits differ by more than 40"),
    ):
        with pytest.raises(CertificateError) as caught:
            softmax._groups(groups, context(f, STILL))
        assert words in str(caught.value)


def test_the_finest_grid_is_allowed(monkeypatch):
    at = context(infinite(table_head([0, 1, 1], token_values=[0, 1, 1])), STILL)
    data = {"own": [0], "other": [1, 2], "grid": 4, "slope": "9", "rare": "5"}
    monkeypatch.setattr(softmax, "_MOST_GRID", 4)
    assert softmax._check_joint(Line(data, "c"), at) == 5
    monkeypatch.setattr(softmax, "_MOST_GRID", 3)
    with pytest.raises(CertificateError, match=r"c\.grid: got 4; right: at most 3"):
        softmax._check_joint(Line(data, "c"), at)
    for more in ({"more": 1}, {}):
        part = {"own": [0], "other": [1, 2], "models": []}
        if not more:
            names = "head constant constant_by ratio variation share oscillation more"
            part["models"] = [dict.fromkeys(names.split(), "0")] * 2
        with pytest.raises(CertificateError, match="an object with the fields"):
            softmax._check_rare(Line(part | more, "c"), at)
    with pytest.raises(CertificateError, match="an object with the fields"):
        softmax._check_joint(Line(data | {"more": 1}, "c"), at)


def test_a_lone_query_costs_both_oscillations():
    """Nothing is claimed of other inputs (constants at most): what is lone adds up."""
    f = infinite(table_head([0, 1, 1], token_values=[0, 1, 1]))
    at = context(f, f)
    big = {"constant": "2", "constant_by": "pairs", "ratio": "3", "variation": "1", "share": "1"}
    models = [big | {"head": 0, "oscillation": x} for x in ("7", "5")]
    data = {"own": [0], "other": [1, 2], "models": models}
    assert softmax._check_rare(Line(data, "c"), at) == 12


def mp(x):
    return mpmath.mpf(x.numerator) / x.denominator


def shared(f, kept, free, *, short=9, horizon=None, residue=0):
    at = context(f, f, short=short, horizon=horizon, residue=residue)
    return softmax._Free(at, kept, free, [ZERO for _ in free])


def test_sums_of_powers_from_the_safe_side():
    """At Z from above and at T* from below: by more digits than the enclosures have."""
    f = infinite(table_head([0, 1, 2]))
    terms = [(Fraction(-1, 3), Fraction(-1, 2)), (Fraction(-2), Fraction(1, 7))]
    with mpmath.workdps(250):
        for divided in (0, 1):
            above, below = softmax._powers(shared(f, [0, 1], [7], horizon=50), terms, divided)
            right = [
                mpmath.fsum(mpmath.exp(mp(a)) * mpmath.mpf(t) ** mp(s) for a, s in terms)
                / (t - 2 if divided else 1)
                for t in (9, 50)
            ]
            assert right[0] < mp(above) < right[0] * (1 + mpmath.mpf(2) ** -240)
            assert right[1] * (1 - mpmath.mpf(2) ** -240) < mp(below) < right[1]
        at_limit = [(Fraction(-1, 3), ZERO), (Fraction(-2), ONE)]
        for divided, a in ((0, Fraction(-1, 3)), (1, Fraction(-2))):
            below = softmax._powers(shared(f, [0, 1], [7]), at_limit, divided)[1]
            right = mpmath.exp(mp(a))
            assert right * (1 - mpmath.mpf(2) ** -240) < mp(below) < right


def test_the_variation_by_hand():
    """Free positions 2 and 4 (mean 3), α = (1, 1/2), β = (1/4, 1/8), ρ = (1/2, 1)."""
    part = shared(infinite(table_head([0, 1, 2])), [], [2, 4])
    part = softmax._Free(part.context, [], [2, 4], [Fraction(1, 2), Fraction(1)])
    alpha, beta = [ONE, Fraction(1, 2)], [Fraction(1, 4), Fraction(1, 8)]
    more = (Fraction(1, 2) + Fraction(1, 2) * (1 + 1)) / 6
    less = ((Fraction(1, 2) + 1) + Fraction(1, 2)) / 6
    low = (Fraction(1, 4) * Fraction(3, 2) + Fraction(1, 8) * 2) / 6
    high = (2 + 2) / Fraction(6)
    for step, lags in (((ONE, ONE), (ZERO, ZERO)), ((ONE, ZERO), (ONE, Fraction(1, 3)))):
        found = []
        for w in (low, high):
            e = step[0] * (more + w) - w * step[1] + lags[0] - lags[1]
            found.append(e / (e + w * step[1] + lags[1]))
        e = step[0] * less
        found.append(e / (e + low * step[1] + lags[1]))
        assert softmax._variation(part, alpha, beta, step, lags) == max(found)
    assert softmax._variation(part, alpha, beta, (ZERO, ZERO), (ZERO, ZERO)) == 0


def test_the_distance_and_its_supremum():
    assert softmax._distance((Fraction(1, 2), Fraction(3, 4))) == Fraction(1, 2)
    assert softmax._distance((Fraction(5, 4), Fraction(3, 2))) == Fraction(1, 2)
    with mpmath.workdps(250):
        for phi in map(Fraction, ("1/2", "9/10", "1/100", "-1/3", "-3")):
            for short in (2, 5, 1000):
                peak = max(mpmath.mpf(short), (1 - mp(phi)) ** (-1 / mp(phi)))
                right = abs(peak ** mp(phi) - 1) / peak
                found = mp(softmax._supremum(phi, short))
                assert right < found < right * (1 + mpmath.mpf(2) ** -200)
    # Beyond e^−2000 an exponential is bounded by it.
    assert softmax._supremum(1 - Fraction(1, 2**3000), 5) > Fraction(99, 100)


def test_mild_lags_by_hand():
    """Two residues with 2 and 6 of 9 positions; lag 1 with φ = 1/2 balances nothing."""
    head = table_head([0, 0, 0], [0, 0], [0, 1, 2], [0, 0], bias=(0, 0.5))
    at = shared(infinite(head), [], [2, 6], short=9, horizon=10**9)
    alpha, beta = [ONE, Fraction(1, 2)], [Fraction(1, 4), Fraction(1, 8)]
    short, later = softmax._mild(at.context.pair.heads[0], at, alpha, beta)
    with mpmath.workdps(60):
        mass = mpmath.mpf(2) / 4 + mpmath.mpf(6) / 8
        assert mpmath.almosteq(mp(short), min(mpmath.tanh(mpmath.log(9) / 8), 1 / mass))
        fewest = mpmath.mpf(2) / 9 / 4 + mpmath.mpf(1) / 2 / 8
        supremum = (mpmath.sqrt(9) - 1) / 9
        right = min(mpmath.tanh(9 * mpmath.log(10) / 8), supremum / 2 / fewest)
        assert mpmath.almosteq(mp(later), right)


def test_a_slope_needs_a_line():
    rng = np.random.default_rng(0)
    sizes = {"layers": 1, "regimes": ["token"], "size": 3, "locality": 0, "period": 1}
    f = random_softmax(rng, outputs=2, **sizes)
    at = context(f, f)
    (head, *_) = at.live
    assert head.slope(range(3), 0, []) is None
    with pytest.raises(CertificateError, match="the values are on no line"):
        softmax._check_constant(Line({"constant_by": "slope", "constant": "9"}, "c"), head, at)


def test_an_image_of_one_atom_and_of_the_shortest_input():
    at = context(STILL, STILL)
    names = "largest smallest step lags mild"
    head = {name: [] for name in names.split()} | {"constant": "0", "constant_by": "one value"}
    head |= {"dominant": None, "variation": "0"}
    data = {"kept": [], "free": [9], "atoms": [[[0, 1, 2]]], "rounding": ["0"], "heads": [head] * 2}
    assert softmax._check_image(Line(data, "c"), at) == 0
    assert (
        softmax._check_image(Line(data | {"free": [1]}, "c"), context(STILL, STILL, short=1)) == 0
    )
    with pytest.raises(CertificateError, match=r"c: got .*short is less than 1"):
        softmax._check_image(Line(data | {"free": [0]}, "c"), context(STILL, STILL, short=0))


def test_a_unit_that_starts_at_its_kink():
    f = table_model(
        [table_head([0, 1, 1], token_values=[0.5, 0, 0])], precision_bits=None, mlp=([1], [0.0])
    )
    groups = Line({"own": [0], "other": [1, 2]}, "c")
    curve = softmax._groups(groups, context(f, STILL))[0][1]
    assert (curve.kinks, curve.slopes) == ([], [[1]])


def test_no_length_is_no_claim():
    f = infinite(table_head([0, 1], token_values=[0, 1]))
    honest = certify(f, infinite(table_head([0, 0])), epsilon="1/1000000", horizon=1000)
    assert honest.length is None
    found = recheck(honest, f, infinite(table_head([0, 0])))
    assert (found.length, found.horizon, found.contexts) == (None, 1000, 0)


# Enclosure certificates.


def test_an_input_of_an_enclosure_certificate_is_read_from_its_end():
    f = infinite(table_head([0, 1], bias=(0, 0.5)))
    checker = object.__new__(enclosure._Checker)
    checker._pair, checker._first, checker._horizon = ExactPair(f, f, finite=False), 2, 9
    x = checker._input(Line({"length": 5, "suffix": [0, 1], "counts": [[1, 2]]}, "worst"))
    assert (x.length, x.counts, x.at_lag, x.query) == (5, {0: 1, 1: 2}, {0: 1, 1: 0}, 1)
    assert enclosure._length(Line("0x10", "first"), 1) == 16
    assert enclosure._about(Fraction(1, 2)) == "here it is at most 0.5"
