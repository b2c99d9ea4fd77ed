"""`recheck`: honest certificates pass, every kind of forgery is named, the enclosures are true."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest

import verify
from tests.helpers.certificate_cases import random_pair
from tests.helpers.random_models import random_model
from tests.helpers.table_models import table_head, table_model
from verify import Certificate, CertificateError, InputError, certify, recheck, tasks
from verify.certificates import choices, contexts, instance
from verify.certificates.choices import _Reader as Reader
from verify.certificates.recheck.arithmetic import (
    down,
    exp,
    log,
    log2,
    power,
    reweighted,
    theta,
    up,
    width,
)
from verify.certificates.values import Constant, Values
from verify.certificates.variation import Variation


def near_ties():
    """Near ties, a gap, lag biases: what training makes of ModPTask with Δ = 3."""
    head = table_head([0, 3e-4], [2.9, 0.1, 0], [0.01, 1.02], [0, 0.3, -0.2], bias=(2e-3, -1e-3))
    return table_model([head], precision_bits=8), tasks.mod_p(3, 0).transformer


def light():
    """f attends to two of three tokens, g to everything."""
    f = table_model([table_head([8, 8, 0], token_values=[0, 1, 0])], precision_bits=8)
    g = table_model([table_head([0, 0, 0], token_values=[1, 1, 0])], precision_bits=8)
    return f, g


def small_gap():
    """2^(p/γ) is 102: nothing else is asked of the length."""
    f = table_model([table_head([0, -1.2], token_values=[0, 1])], precision_bits=8)
    return f, f


def hopeless():
    f = table_model([table_head([0, 0.3, 0.6], token_values=[0, 1, 2])], precision_bits=8)
    return f, f


def drawn(seed):
    return random_pair(np.random.default_rng(seed))


# Together they have every kind of head, constant and bound (`test_the_examples_have_everything`).
EXAMPLES = {
    "near ties": (near_ties, "1/10", 2**20),
    "light": (light, "1/10", 2**20),
    "suffix and pairs": (lambda: drawn(130), 2, 2**14),
    "two light groups": (lambda: drawn(215), 2, 2**14),
    "drift": (lambda: drawn(121), 2, 2**14),
    "suffix alone": (lambda: drawn(133), 2, 2**14),
    "trivial": (lambda: drawn(168), 2, 2**14),
}


@cache
def example(name):
    make, epsilon, horizon = EXAMPLES[name]
    f, g = make()
    return f, g, certify(f, g, epsilon=epsilon, horizon=horizon)


def heads_of(data):
    """Return (path, head, case, context) of every head of every case."""
    return [
        (f"contexts[{c}].cases[{k}].choice.heads[{h}]", head, case, context)
        for c, context in enumerate(data["contexts"])
        for k, case in enumerate(context["cases"])
        if case["choice"] is not None
        for h, head in enumerate(case["choice"]["heads"])
    ]


def choices_of(data):
    """Return (path, choice, case, context) of every case that has a choice."""
    return [
        (f"contexts[{c}].cases[{k}].choice", case["choice"], case, context)
        for c, context in enumerate(data["contexts"])
        for k, case in enumerate(context["cases"])
        if case["choice"] is not None
    ]


# Forgeries. Each changes a certificate in place and returns the path that must be named,
# or returns None where the certificate has nothing of the kind.

LESS, MORE = Fraction(999_999, 1_000_000), Fraction(1_000_001, 1_000_000)


def scaled(text, factor):
    return str(Fraction(text) * factor)


def head_number(field, factor=LESS, when=lambda head: True):
    """Shift one number of one head, in the direction that would claim too much."""

    def forge(data):
        for path, head, _, _ in heads_of(data):
            if head[field] not in (None, "0") and when(head):
                head[field] = scaled(head[field], factor)
                return f"{path}.{field}"
        return None

    return forge


def head_value(field, change, when=lambda head: True, named=None):
    """Put `change(head)` in the place of one value of one head."""

    def forge(data):
        for path, head, _, _ in heads_of(data):
            if when(head):
                head[field] = change(head)
                return f"{path}.{field if named is None else named}"
        return None

    return forge


def choice_change(change, named, when=lambda choice: True):
    """Change one choice in place."""

    def forge(data):
        for path, choice, _, _ in choices_of(data):
            if when(choice):
                change(choice)
                return f"{path}.{named}"
        return None

    return forge


def context_change(change, named, when=lambda context: True):
    """Change one context in place."""

    def forge(data):
        for c, context in enumerate(data["contexts"]):
            if when(context):
                change(context)
                return f"contexts[{c}].{named}" if named else f"contexts[{c}]"
        return None

    return forge


def case_change(change, named, when=lambda case: True):
    """Change one case in place."""

    def forge(data):
        for c, context in enumerate(data["contexts"]):
            for k, case in enumerate(context["cases"]):
                if when(case):
                    change(case)
                    return f"contexts[{c}].cases[{k}].{named}"
        return None

    return forge


def top(field, change, named=None):
    """Change one field at the top; `change` maps the old value to the new one."""

    def forge(data):
        if data["length"] is None:
            return None
        data[field] = change(data[field])
        return named or field

    return forge


def put(field, value):
    def change(thing):
        thing[field] = value(thing) if callable(value) else value

    return change


def scale(field, factor):
    return put(field, lambda thing: scaled(thing[field], factor))


def lower_entry(field):
    """Lower the first positive entry of a list of numbers."""

    def change(thing):
        k = next(k for k, x in enumerate(thing[field]) if x != "0")
        thing[field][k] = scaled(thing[field][k], LESS)

    return change


def has(field):
    return lambda thing: thing[field] not in ([], None, "0")


def has_number(field):
    return lambda thing: any(x != "0" for x in thing[field])


def active(kind):
    return lambda head: head["kind"] == kind


def two_atoms(choice):
    return any(len(atoms) > 1 for atoms in choice["atoms"])


def merge_atoms(choice):
    atoms = next(atoms for atoms in choice["atoms"] if len(atoms) > 1)
    atoms[:2] = [sorted(atoms[0] + atoms[1])]


def lose_an_atom(choice):
    next(atoms for atoms in choice["atoms"] if atoms).pop()


def repeat_an_atom(choice):
    atoms = next(atoms for atoms in choice["atoms"] if atoms)
    atoms.append(atoms[0])


def liar(data):
    """A constant is lowered, and everything that rests on it too."""
    for path, head, case, context in heads_of(data):
        if head["kind"] == "heavy" and Fraction(head["constant"]) > 0 and case["cost"] != "0":
            head["constant"] = "0"
            case["cost"] = str(
                sum(
                    Fraction(h["constant"]) * Fraction(h["variation"])
                    for h in case["choice"]["heads"]
                )
            )
            context["cost"] = str(max(Fraction(k["cost"]) for k in context["cases"]))
            costs = [Fraction(c["cost"]) for c in data["contexts"]]
            data["cost"], data["deciding_context"] = str(max(costs)), costs.index(max(costs))
            return f"{path}.constant"
    return None


def raised_horizon(data):
    """Near ties carry to the horizon and no further (exact ties carry to every length)."""
    broken = any(h["spread"] != "0" and h["constant"] != "0" for _, h, _, _ in heads_of(data))
    data["horizon"] **= 4
    return "contexts[" if broken else None


def lowered_length(data):
    if data["length"] is None or data["length"] == data["period"]:
        return None
    data["length"] -= 1
    return "contexts["


def shorter(data):
    """The window moves down by one period, with `short` and `free` in every context."""
    if data["length"] is None or data["length"] < 2 * data["period"]:
        return None
    data["length"] -= data["period"]
    for context in data["contexts"]:
        context["short"] -= data["period"]
        context["free"] = [n - 1 for n in context["free"]]
    return "contexts[" if all(min(c["free"], default=0) >= 1 for c in data["contexts"]) else None


def generous(data):
    """A cost above the budget, stated openly."""
    if not data["contexts"]:
        return None
    worst = data["contexts"][data["deciding_context"]]
    worst["cost"] = data["cost"] = scaled(data["budget"], 2)
    return "cost"


def two_contexts_swapped(data):
    """Two contexts exchange their tokens and residues, but not what they say."""
    if len(data["contexts"]) < 2 or data["contexts"][0]["kept"] is None:
        return None
    first, last = data["contexts"][0], data["contexts"][-1]
    for name in ("residue", "tokens"):
        first[name], last[name] = last[name], first[name]
    return "contexts[" if first["short"] != last["short"] else None


def one_light_delta(data):
    for path, choice, _, _ in choices_of(data):
        if choice["light"]:
            choice["light"][0]["delta"] = scaled(choice["light"][0]["delta"], Fraction(1, 2))
            return f"{path}.kept_sum"
    return None


def joined_groups(data):
    for path, choice, _, _ in choices_of(data):
        if len(choice["light"]) > 1:
            first, second, *_ = choice["light"]
            choice["light"] = [{**first, "heads": sorted(first["heads"] + second["heads"])}]
            return f"{path}.light[0].heads"
    return None


def dropped_light(choice):
    choice["light"].pop()


def swap_heads(choice):
    choice["heads"].reverse()


FORGERIES = {
    # the top
    "format": top("format", lambda _: "another format"),
    "version raised": top("version", lambda v: v + 1),
    "version true": top("version", lambda _: True),
    "digest of f": top("weights", lambda w: {**w, "f": "0" * 64}),
    "digests exchanged": top("weights", lambda w: {"f": w["g"], "g": w["f"]}),
    "epsilon raised": top("epsilon", lambda x: scaled(x, MORE), "budget"),
    "epsilon negative": top("epsilon", lambda x: scaled(x, -1)),
    "target lowered": top("target", lambda x: scaled(x, LESS), "budget"),
    "target below epsilon": top("target", lambda _: "0"),
    "budget raised": top("budget", lambda x: scaled(x, MORE)),
    "horizon raised": raised_horizon,
    "horizon zero": top("horizon", lambda _: 0),
    "length lowered": lowered_length,
    "length below a period": top("length", lambda _: 0),
    "length null": top("length", lambda _: None, "contexts"),
    "length a float": top("length", float),
    "length lowered everywhere": shorter,
    "cost lowered": top("cost", lambda x: scaled(x, LESS)),
    "cost above the budget": generous,
    "vocabulary": top("vocabulary_size", lambda n: n + 1),
    "period": top("period", lambda n: n + 1),
    "locality": top("locality", lambda n: n + 1),
    "precision of a head": top("heads", lambda hs: [{**hs[0], "precision_bits": 9}, *hs[1:]]),
    "a head left out": top("heads", lambda hs: hs[1:]),
    "contexts none": top("contexts", lambda _: []),
    "a context left out": top("contexts", lambda cs: cs[:-1]),
    "a context twice": top("contexts", lambda cs: [*cs, cs[0]], "contexts["),
    "another deciding context": top("deciding_context", lambda n: n + 10**6),
    "an obstacle": top("obstacle", lambda _: {}),
    # contexts
    "residue": context_change(put("residue", 99), ""),
    "tokens": context_change(put("tokens", [99]), ""),
    "tokens missing": context_change(put("tokens", []), ""),
    "contexts exchanged": two_contexts_swapped,
    "short raised": context_change(
        lambda c: c.update(short=c["short"] + 1), "short", lambda c: c["kept"] is not None
    ),
    "trivial lowered": context_change(scale("trivial", LESS), "trivial", has("trivial")),
    "trivial cost lowered": context_change(
        scale("cost", LESS), "cost", lambda c: c["kept"] is None and c["cost"] != "0"
    ),
    "cost of a context lowered": context_change(
        scale("cost", LESS), "cost", lambda c: c["kept"] is not None and c["cost"] != "0"
    ),
    "kept null": context_change(put("kept", None), "free", lambda c: c["cases"] != []),
    "kept null, cases gone": context_change(
        lambda c: c.update(kept=None, free=[], cases=[]),
        "cost",
        lambda c: c["cases"] != [] and Fraction(c["cost"]) < Fraction(c["trivial"]),
    ),
    "a kept lag more": context_change(
        put("kept", lambda c: [*c["kept"], 7]), "kept", lambda c: c["kept"] is not None
    ),
    "a kept lag less": context_change(put("kept", lambda c: c["kept"][1:]), "free", has("kept")),
    "free raised": context_change(
        put("free", lambda c: [n + 1 for n in c["free"]]), "free", has("free")
    ),
    "a case left out": context_change(
        put("cases", lambda c: c["cases"][1:]), "cases", has("cases")
    ),
    "all cases left out": context_change(put("cases", []), "cases", has("cases")),
    "a case twice": context_change(
        put("cases", lambda c: [*c["cases"], c["cases"][0]]), "cases[", has("cases")
    ),
    # cases
    "allowed smaller": case_change(put("allowed", lambda k: k["allowed"][1:]), "allowed"),
    "allowed not ascending": case_change(
        put("allowed", lambda k: k["allowed"][::-1]), "allowed", lambda k: len(k["allowed"]) > 1
    ),
    "cost of a case lowered": case_change(scale("cost", LESS), "cost", lambda k: k["cost"] != "0"),
    "cost of a case negative": case_change(put("cost", "-1"), "cost"),
    "choice dropped": case_change(put("choice", None), "cost", has("choice")),
    # choices
    "moves less": choice_change(put("moves", 0), "moves", lambda c: c["moves"] > 0),
    "moves true": choice_change(put("moves", True), "moves", lambda c: c["moves"] == 1),
    "atoms merged": choice_change(merge_atoms, "atoms[", two_atoms),
    "an atom lost": choice_change(lose_an_atom, "atoms["),
    "an atom twice": choice_change(repeat_an_atom, "atoms["),
    "rounding lowered": choice_change(lower_entry("rounding"), "rounding[", has_number("rounding")),
    "drift lowered": choice_change(scale("drift", LESS), "drift", has("drift")),
    "light group dropped": choice_change(dropped_light, "light", has("light")),
    "light groups joined": joined_groups,
    "light delta lowered": one_light_delta,
    "light delta one": choice_change(
        lambda c: c["light"][0].update(delta="1"), "light[0].delta", has("light")
    ),
    "light delta zero": choice_change(
        lambda c: c["light"][0].update(delta="0"), "light[0].delta", has("light")
    ),
    "a head in two groups": choice_change(
        lambda c: c["light"].append(c["light"][0]), "light[", has("light")
    ),
    "error lowered": choice_change(scale("error", LESS), "error", has("error")),
    "kept sum lowered": choice_change(scale("kept_sum", LESS), "kept_sum", has("kept_sum")),
    "kept sum beyond the counts": choice_change(
        put("kept_sum", str(10**9)), "kept_sum", has("light")
    ),
    "heads exchanged": choice_change(
        swap_heads, "heads[", lambda c: c["heads"][0]["prefix"] != c["heads"][1]["prefix"]
    ),
    "a head of a case left out": choice_change(lambda c: c["heads"].pop(), "heads"),
    # heads
    "prefix of another cut": head_value(
        "prefix", lambda h: h["prefix"][1:], lambda h: len(h["prefix"]) > 1, named=""
    ),
    "prefix not in allowed": head_value("prefix", lambda h: [*h["prefix"], 999]),
    "nothing attended": head_value("prefix", lambda h: [], lambda h: h["suffix"] == []),
    "suffix left out": head_value("suffix", lambda h: [], has("suffix"), named=""),
    "suffix not kept": head_value("suffix", lambda h: [*h["suffix"], 9]),
    "heavy called inert": head_value("kind", lambda h: "inert", active("heavy")),
    "light called heavy": head_value("kind", lambda h: "heavy", active("light")),
    "heavy called light": head_value("kind", lambda h: "light", active("heavy")),
    "inert called heavy": head_value("kind", lambda h: "heavy", active("inert")),
    "gap raised": head_number("gap", MORE),
    "gap null": head_value("gap", lambda h: None, has("gap")),
    "gap zero": head_value("gap", lambda h: "0", has("gap")),
    "threshold lowered": head_value(
        "threshold", lambda h: h["threshold"] - 1, lambda h: h["threshold"] > 1
    ),
    "threshold zero": head_value("threshold", lambda h: 0, lambda h: h["threshold"] == 1),
    "threshold beyond the window": head_value("threshold", lambda h: 10**9),
    "spread lowered": head_number("spread"),
    "prefix spread lowered": head_number("prefix_spread"),
    "full spread lowered": head_number("full_spread"),
    "full spread beyond the horizon": head_value(
        "full_spread", lambda h: "10", lambda h: h["kind"] != "inert"
    ),
    "excess lowered": head_number("excess"),
    "slope lowered": head_number("constant", when=lambda h: h["constant_by"] == "slope"),
    "pairs lowered": head_number("constant", when=lambda h: h["constant_by"] == "pairs"),
    "constant by one value": head_value(
        "constant_by", lambda h: "one value", lambda h: h["kind"] != "inert"
    ),
    "constant by a slope that is none": head_value(
        "constant_by", lambda h: "slope", lambda h: h["constant_by"] == "pairs"
    ),
    "constant by hearsay": head_value("constant_by", lambda h: "hearsay"),
    "columns": head_value("columns", lambda h: h["columns"][1:], has("columns")),
    "full": head_value("full", lambda h: [*h["full"], 99]),
    "rounding of a head lowered": head_number("rounding"),
    "drift of a head lowered": head_number("drift"),
    "a mild bias changed": head_value(
        "mild", lambda h: ["0" for _ in h["mild"]], lambda h: any(x != "0" for x in h["mild"])
    ),
    "a mild bias left out": head_value("mild", lambda h: h["mild"][1:], has("mild")),
    "heavy delta lowered": head_number("delta", when=active("heavy")),
    "light delta of a head lowered": head_number("delta", when=active("light")),
    "variation of a heavy head lowered": head_number("variation", when=active("heavy")),
    "variation of a light head lowered": head_number("variation", when=active("light")),
    "variation of a suffix lowered": head_number("variation", when=active("suffix")),
    "variation negative": head_value("variation", lambda h: "-1"),
    "everything that rests on a constant": liar,
    # not in the format
    "a field more": top("cost", lambda x: {"value": x}),
    "a field of a head more": head_value("checked", lambda h: True, named=""),
    "a number as a float": head_value("variation", lambda h: 0.5),
    "a decimal number": head_value("variation", lambda h: "0.5"),
    "an exponent": head_value("variation", lambda h: "1e3"),
    "a zero denominator": head_value("variation", lambda h: "1/0"),
    "a list as text": context_change(put("cases", "none"), "cases", has("cases")),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORGERIES)
def test_each_kind_of_forgery_is_named(kind):
    tried = 0
    for name in EXAMPLES:
        f, g, honest = example(name)
        data = honest.to_dict()
        place = FORGERIES[kind](data)
        if place is None:
            continue
        tried += 1
        with pytest.raises(CertificateError) as caught:
            recheck(Certificate(data), f, g)
        path = str(caught.value).split(": ")[0]
        assert path.startswith(place.rstrip("."))
        assert "got " in str(caught.value)
        assert "right: " in str(caught.value)
    assert tried > 0


# Generators that are wrong: their certificates are consistent in themselves.

# Pairs whose lengths rest on every part of the bound.
SENSITIVE = [
    (near_ties, "1/50", 2**20),
    (lambda: drawn(130), "1/4", 2**14),
    (lambda: drawn(121), "1/4", 2**14),
    (lambda: drawn(160), "1/4", 2**14),
    (lambda: drawn(120), 1, 2**14),
    (small_gap, "1/10", 2**14),
]

true_least_length = choices.least_length

WRONG_GENERATORS = {
    "near ties for nothing": (Variation, "_counts", lambda self, spread, delta: min(delta, 1)),
    "mild lags for nothing": (Variation, "_mild", lambda self, head: Fraction(0)),
    "rounding for nothing": (Reader, "_rounding", lambda self, residue, atoms: Fraction(0)),
    "query rounded as the others": (
        Reader,
        "_rounding",
        lambda self, residue, atoms: Fraction(atoms, 4) if atoms > 1 else Fraction(0),
    ),
    "drift for nothing": (Reader, "_drift", lambda self, columns: Fraction(0)),
    "all types of a column alike": (
        Reader,
        "_atoms",
        lambda self, residue, allowed, cuts: (
            tuple(sorted(allowed.intersection(self.pair.column(residue)))),
        ),
    ),
    "gaps for nothing": (choices, "least_length", lambda gap, precision_bits, horizon: 1),
    "half the constants": (
        Values,
        "constant",
        lambda self, *arguments, true=Values.constant: Constant(
            true(self, *arguments).value / 2, true(self, *arguments).on_line
        ),
    ),
    "only the largest set of types": (
        Reader,
        "_allowed",
        lambda self, true=Reader._allowed: sorted(true(self), key=len)[-1:],
    ),
}


@pytest.mark.parametrize("kind", WRONG_GENERATORS)
def test_certificates_of_wrong_generators_are_refused(kind, monkeypatch):
    refused = 0
    for make, epsilon, horizon in SENSITIVE:
        f, g = make()
        clear_caches()
        honest = certify(f, g, epsilon=epsilon, horizon=horizon)
        monkeypatch.setattr(*WRONG_GENERATORS[kind])
        clear_caches()
        forged = certify(f, g, epsilon=epsilon, horizon=horizon)
        monkeypatch.undo()
        clear_caches()
        if forged.length is not None and forged.length < honest.length:
            refused += 1
            with pytest.raises(CertificateError):
                recheck(forged, f, g)
    assert refused > 0


def clear_caches():
    for cached in (instance.instance_of, instance._values_of, contexts._pair_of):
        cached.cache_clear()
    true_least_length.cache_clear()


def test_there_are_enough_kinds():
    assert len(FORGERIES) >= 100


def test_the_examples_have_everything():
    seen = set()
    for name in EXAMPLES:
        f, g, honest = example(name)
        found = recheck(honest, f, g)
        assert found.length == honest.length
        assert found.contexts == len(honest.data["contexts"])
        assert found.cases == sum(len(c["cases"]) for c in honest.data["contexts"])
        assert found.share == honest.cost / (honest.target - honest.epsilon) <= 1
        for _, head, _, _ in heads_of(honest.data):
            seen |= {head["kind"], head["constant_by"]}
            seen |= {"heavy with suffix"} if head["kind"] == "heavy" and head["suffix"] else set()
            seen |= (
                {"mild"} if head["kind"] != "inert" and any(map(Fraction, head["mild"])) else set()
            )
    assert seen >= {"inert", "heavy", "light", "suffix", "one value", "slope", "pairs", "mild"}
    assert "heavy with suffix" in seen


@pytest.mark.parametrize("field", ["claim", "contexts", "weights", "deciding_context"])
def test_a_missing_field_is_named(field):
    f, g, honest = example("light")
    data = honest.to_dict()
    del data[field]
    with pytest.raises(CertificateError, match="an object with the fields format"):
        recheck(Certificate(data), f, g)


def test_other_weights_are_refused():
    f, g, honest = example("near ties")
    others = [(g, f), (f, f), (g, g), (drawn(1)[0], g)]
    values = [np.array(a) for a in (f.embedding, f.positions, f.unembedding)]
    values[0][0, 0] += 2**-40
    others.append((type(f)(values[0], values[1], f.layers, values[2], f.precision_bits), g))
    others.append((f, type(g)(g.embedding, g.positions, g.layers, g.unembedding, 9)))
    for other in others:
        with pytest.raises((CertificateError, InputError)):
            recheck(honest, *other)


def test_a_certificate_with_the_digests_of_other_weights_is_refused():
    """Even with the right digests, lines that are true of one model only are found."""
    _, g, honest = example("near ties")
    steep = table_model(
        [table_head([0, 3e-4], [2.9, 0.1, 0], [0.01, 1.2], [0, 0.3, -0.2], bias=(2e-3, -1e-3))],
        precision_bits=8,
    )
    data = honest.to_dict()
    data["weights"] = certify(steep, g, epsilon="1/10", horizon=2**20).data["weights"]
    with pytest.raises(CertificateError, match=r"contexts\[0\]\.trivial"):
        recheck(Certificate(data), steep, g)


def test_a_certificate_without_length_claims_nothing():
    f, g = hopeless()
    found = recheck(certify(f, g, epsilon="1/10", horizon=2**20), f, g)
    assert (found.length, found.contexts, found.cases, found.share) == (None, 0, 0, None)
    data = certify(f, g, epsilon="1/10", horizon=2**20).to_dict()
    for field, value in (("cost", "0"), ("contexts", [{}]), ("deciding_context", 0)):
        with pytest.raises(CertificateError, match=f"^{field}"):
            recheck(Certificate({**data, field: value}), f, g)


def test_safer_numbers_are_accepted():
    """Bounds may lie further on the safe side than needed."""
    f, g, honest = example("near ties")
    data = honest.to_dict()
    data["contexts"][0]["trivial"] = scaled(data["contexts"][0]["trivial"], MORE)
    for _, head, _, _ in heads_of(data):
        for field in ("spread", "prefix_spread", "full_spread"):
            head[field] = scaled(head[field], MORE)
    assert recheck(Certificate(data), f, g).length == honest.length


def test_from_a_file(tmp_path):
    f, g, honest = example("light")
    honest.save(tmp_path / "certificate.json")
    assert recheck(tmp_path / "certificate.json", f, g) == recheck(honest, f, g)
    assert recheck(str(tmp_path / "certificate.json"), f, g).length == honest.length
    with pytest.raises(InputError, match="can be read"):
        recheck(tmp_path / "none.json", f, g)
    with pytest.raises(InputError, match="the path of a JSON file"):
        recheck(3, f, g)
    text = json.dumps(honest.data)
    for wrong in ("no JSON", text[:-1], text[:-1] + ', "version": 1}', "[]", "null"):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(CertificateError):
            recheck(tmp_path / "wrong.json", f, g)


def test_models_that_no_certificate_speaks_of():
    f, _, honest = example("light")
    rng = np.random.default_rng(0)
    two = random_model(
        rng, vocabulary_size=3, period=1, locality=0, heads=1, layers=2, precision_bits=8
    )
    for wrong in (two, None, tasks.simple(3).transformer):
        with pytest.raises(InputError):
            recheck(honest, f, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_honest_certificates_of_random_pairs(seed):
    rng = np.random.default_rng([7, seed])
    f, g = random_pair(rng)
    while f.period * g.period * f.vocabulary_size > 8 or f.locality + g.locality > 2:
        f, g = random_pair(rng)
    for epsilon in ("3/10", 3):
        honest = certify(f, g, epsilon=epsilon, horizon=2 ** int(rng.integers(4, 30)))
        before = copy.deepcopy(honest.data)
        assert recheck(honest, f, g).length == honest.length
        assert honest.data == before


@pytest.mark.parametrize("seed", range(6))
def test_honest_certificates_of_pairs_like_trained_ones(seed):
    rng = np.random.default_rng([8, seed])
    period = int(rng.integers(2, 5))

    def trained():
        residues = [4.0, *(rng.normal(size=period - 1) * 0.1)]
        values = rng.normal(size=2) * 0.01 + [0, 1]
        head = table_head(
            rng.normal(size=2) * 1e-3,
            residues,
            values,
            rng.normal(size=period),
            rng.normal(size=2) * 0.01,
        )
        mlp = (rng.normal(size=8) * 0.3, rng.normal(size=8))
        return table_model([head], precision_bits=8, mlp=mlp)

    f, g = trained(), trained()
    honest = certify(f, g, epsilon="1/4", horizon=2**20)
    assert honest.length is not None
    assert recheck(honest, f, g).cases > 0


def test_the_checker_is_on_the_face():
    assert verify.recheck is recheck
    assert verify.Rechecked is type(recheck(example("light")[2], *example("light")[:2]))


# The enclosures.


def mp(x):
    return mpmath.mpf(x.numerator) / x.denominator


def rationals(rng, number):
    """Yield positive rationals: simple, near 1, tiny, large, and doubles."""
    yield from (
        Fraction(1),
        Fraction(2),
        Fraction(1, 2),
        Fraction(3, 2),
        Fraction(4, 3),
        Fraction(2**60),
    )
    for _ in range(number):
        a, b = (int(rng.integers(1, 2 ** int(rng.integers(2, 62)))) for _ in range(2))
        yield Fraction(a, b)
        yield 1 + Fraction(1, b)
        yield Fraction(float(rng.exponential()) or 1.0)


@pytest.mark.slow
def test_logarithms_are_enclosed():
    with mpmath.workdps(120):
        for x in rationals(np.random.default_rng(1), 100):
            low, high = log(x)
            assert mp(low) <= mpmath.log(mp(x)) <= mp(high)
            assert high - low < Fraction(1, 2**235)
    assert log(Fraction(1))[0] <= 0 <= log(Fraction(1))[1]


def test_exponentials_are_enclosed():
    with mpmath.workdps(200):
        for x in rationals(np.random.default_rng(2), 100):
            for y in (min(x, 300 + 1 / x), -min(x, 300 + 1 / x)):
                low, high = exp(y)
                assert 0 < mp(low) <= mpmath.exp(mp(y)) <= mp(high)
                assert high - low <= high * Fraction(1, 2**225)
    assert exp(Fraction(0)) == (1, 1)


def test_binary_logarithms_are_enclosed_and_exact_for_powers_of_two():
    with mpmath.workdps(120):
        for n in [3, 5, 6, 7, 1000, 2**20 - 1, 2**20 + 1, 3**40]:
            low, high = log2(n)
            assert mp(low) < mpmath.log(n, 2) < mp(high)
            assert high - low < Fraction(1, 2**225)
    assert [log2(2**k) for k in range(50)] == [(k, k) for k in range(50)]


def just_above(found, right, slack=1e-60):
    """Whether a number is at least the true one, and hardly more."""
    return right <= mp(found) <= right * (1 + mpmath.mpf(slack))


def test_powers_and_reweighted_masses_are_rounded_up():
    with mpmath.workdps(120):
        for base in (1, 2, 3, 1000, 2**70 + 1):
            for exponent in (Fraction(0), Fraction(1, 3), Fraction(2), Fraction(7, 2)):
                right = mpmath.mpf(base) ** mp(exponent)
                assert just_above(power(base, exponent), right)
        for kappa in (Fraction(1, 1000), Fraction(1, 2), Fraction(3)):
            for growth in (Fraction(1), Fraction(3, 2), Fraction(2**20)):
                right = mpmath.tanh(mp(kappa) * mpmath.log(mp(growth)) / 4)
                found = theta(kappa, growth)
                assert just_above(found, right) or (growth == 1 and 0 <= found < 10**-60)
            for length, delta in (
                (1, Fraction(1, 7)),
                (5, Fraction(1, 7)),
                (10**9, Fraction(2, 3)),
            ):
                k = mpmath.mpf(length) ** mp(kappa)
                right = k * mp(delta) / (1 + (k - 1) * mp(delta))
                assert just_above(reweighted(length, kappa, delta), right)
            assert reweighted(10**9, kappa, Fraction(0)) == 0
            assert reweighted(10**9, kappa, Fraction(1)) == 1
            assert reweighted(10**9, kappa, Fraction(3, 2)) == 1
    assert theta(Fraction(10**6), Fraction(2)) == 1


def test_rational_numbers_are_rounded_to_both_sides():
    unit = Fraction(1, 2**256)
    for x in (Fraction(1, 3), Fraction(-1, 3), Fraction(22, 7), Fraction(-22, 7)):
        assert 0 < x - down(x) < unit
        assert 0 < up(x) - x < unit
        assert (down(x) / unit).denominator == (up(x) / unit).denominator == 1
    assert down(Fraction(3, 4)) == up(Fraction(3, 4)) == Fraction(3, 4)
    assert width([Fraction(2), Fraction(-1), Fraction(1)]) == 3
    assert width([]) == 0


def numbers_of(data, path=()):
    """Yield the path of every positive number of the contexts."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from numbers_of(value, (*path, key))
    elif isinstance(data, list):
        for k, value in enumerate(data):
            yield from numbers_of(value, (*path, k))
    elif isinstance(data, str) and data[0].isdigit() and data != "0":
        yield path


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_number_is_larger_than_it_has_to_be(name):
    """Moved by a millionth each is refused: what the checker asks for is what is there."""
    f, g, honest = example(name)
    data = honest.to_dict()
    paths = list(numbers_of(data["contexts"]))
    step = max(1, len(paths) // 12)
    accepted = set()
    for path in paths[::step]:
        forged = honest.to_dict()
        thing = forged["contexts"]
        for key in path[:-1]:
            thing = thing[key]
        # A gap is claimed from below, all else from above.
        thing[path[-1]] = scaled(thing[path[-1]], MORE if path[-1] == "gap" else LESS)
        try:
            recheck(Certificate(forged), f, g)
        except CertificateError:
            continue
        accepted.add(path)
    assert accepted == set()
