"""`recheck` of softmax certificates: honest ones pass, every kind of forgery is named."""

from __future__ import annotations

import copy
import dataclasses
import json
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from tests.helpers.softmax_models import random_model
from tests.helpers.table_models import table_head, table_model
from tests.verify.certificates.test_recheck import numbers_of
from verify import CertificateError, InputError, certify, recheck, tasks
from verify.certificates.recheck import CHECKERS, softmax
from verify.certificates.softmax import image, two_values
from verify.certificates.softmax.image import _Lengths

LESS, MORE = Fraction(999_999, 1_000_000), Fraction(1_000_001, 1_000_000)


def trained(omega):
    pair = tasks.trained_pair("simple_plain", omega=omega, training_length=8)
    return pair.model, pair.target


def mild():
    """Small lag biases, Δ = 2, two live heads and one that is not."""
    head = table_head([0.3, 0, 0.1], [0, 0.2], [0, 1, 2], [0, 0.5], bias=(0.2, -0.1))
    other = table_head([0.1, 0, 0.2], [0, 0.1], [1, 0, 1], [0, 0.2])
    still = table_head([1, 0, 0], [0, 2], [1, 1, 1])
    f = table_model([head, other], precision_bits=None)
    return f, table_model([head, still], precision_bits=None)


def position():
    """A lag that dominates, one that balances, one value too many for a line."""
    head = table_head([0.3, 0], [0], [0, 1], bias=(1.5, 0.4))
    even = table_head([0, 0.5], [0], [1, 0], bias=(0, 1.0))
    f = table_model([head, even], precision_bits=None)
    g = table_model([head], precision_bits=None)
    return f, g


def columns():
    """Δ = 3: columns of unequal length; a window of three lengths."""
    rng = np.random.default_rng(4)
    f, g = (
        random_model(rng, layers=1, regimes=["token"], size=2, locality=1, period=3, outputs=2)
        for _ in range(2)
    )
    return f, g


def kept():
    """Every lag kept: a lag bias of more than 1 at both."""
    head = table_head([0.3, 0], token_values=[0, 1], bias=(1.2, 1.1))
    f = table_model([head], precision_bits=None)
    return f, f


EXAMPLES = {
    "mild": (mild, "1/2", None),
    "position": (position, "1/4", 2**30),
    "columns": (columns, "1/5", None),
    "kept": (kept, "1/5", None),
    "horizon": (mild, "1/2", 300),
    "rare query": (lambda: trained(6), "1/10", None),
    "joint": (lambda: trained(8), "1/10", None),
}


@cache
def example(name):
    make, epsilon, horizon = EXAMPLES[name]
    f, g = make()
    return f, g, certify(f, g, epsilon=epsilon, horizon=horizon)


@pytest.mark.parametrize("name", EXAMPLES)
def test_honest_certificates_pass(name, tmp_path):
    f, g, honest = example(name)
    assert honest.length is not None
    found = recheck(honest, f, g)
    assert (found.length, found.horizon) == (honest.length, honest.horizon)
    assert (found.epsilon, found.target) == (honest.epsilon, honest.target)
    assert found.contexts == len(honest.data["contexts"])
    assert 0 < found.share <= 1
    path = tmp_path / "certificate.json"
    honest.save(path)
    assert recheck(path, f, g) == found


def test_the_examples_have_everything():
    rules, heads = set(), []
    for name in EXAMPLES:
        for context in example(name)[2].data["contexts"]:
            rules.add(context["rule"])
            heads += context["image"]["heads"] if context["image"] else []
    assert rules >= {"image", "joint", "rare query"}
    assert {head["constant_by"] for head in heads} == {"slope", "pairs", "one value"}
    live = [head for head in heads if head["constant_by"] != "one value"]
    assert any(head["mild"] != ["0", "0"] for head in live)
    assert any(Fraction(head["dominant"]) > 1 for head in live)
    assert any(Fraction(head["lags"][1]) > 0 for head in live)


# Forgeries. Each changes a certificate in place and returns the path that must be named,
# or returns None where the certificate has nothing of the kind.


def scaled(text, factor):
    return str(Fraction(text) * factor)


def top(field, change, named=None):
    def forge(data):
        data[field] = change(data[field])
        return named or field

    return forge


def context_change(change, named, when=lambda context: True):
    def forge(data):
        for c, context in enumerate(data["contexts"]):
            if when(context):
                change(context)
                return f"contexts[{c}].{named}" if named else f"contexts[{c}]"
        return None

    return forge


def part_change(part, change, named, when=lambda part: True):
    """Change the image, the rare or the joint part of the first context that has one."""
    return context_change(
        lambda context: change(context[part]),
        f"{part}.{named}" if named else part,
        lambda context: context[part] is not None and when(context[part]),
    )


def head_change(change, named, when=lambda head: True):
    """Change one live head of one image."""

    def forge(data):
        for c, context in enumerate(data["contexts"]):
            for h, head in enumerate(context["image"]["heads"] if context["image"] else []):
                if head["constant_by"] != "one value" and when(head):
                    change(head)
                    return f"contexts[{c}].image.heads[{h}].{named}"
        return None

    return forge


def put(field, value):
    def change(thing):
        thing[field] = value(thing) if callable(value) else value

    return change


def scale(field, factor, index=None):
    def change(thing):
        if index is None:
            thing[field] = scaled(thing[field], factor)
        else:
            thing[field][index] = scaled(thing[field][index], factor)

    return change


def positive(field, index):
    return lambda thing: Fraction(thing[field][index]) > 0


def lower_rounding(part):
    k = next(k for k, rho in enumerate(part["rounding"]) if rho != "0")
    part["rounding"][k] = scaled(part["rounding"][k], LESS)


def merge_atoms(part):
    atoms = next(atoms for atoms in part["atoms"] if len(atoms) > 1)
    atoms[:2] = [sorted(atoms[0] + atoms[1])]


def lose_an_atom(part):
    next(atoms for atoms in part["atoms"] if atoms).pop()


def rounds(part):
    return any(rho != "0" for rho in part["rounding"])


def several(part):
    return any(len(atoms) > 1 for atoms in part["atoms"])


def of_model(change, named):
    def forge(part):
        return change(next(model for model in part["models"] if model["head"] is not None))

    return part_change("rare", forge, f"models[0].{named}")


def liar(data):
    """A constant is lowered, and everything that rests on it too."""
    for c, context in enumerate(data["contexts"]):
        if context["image"] is None:
            continue
        for h, head in enumerate(context["image"]["heads"]):
            if head["constant"] != "0":
                head["constant"] = "0"
                return f"contexts[{c}].image.heads[{h}].constant"
    return None


def shorter(data):
    """The window moves down by one period, with everything that only counts."""
    data["length"] -= data["period"]
    for context in data["contexts"]:
        context["short"] -= data["period"]
        if context["image"] is not None:
            context["image"]["free"] = [n - 1 for n in context["image"]["free"]]
            if min(context["image"]["free"]) < 0:
                return None
    return "contexts["


def lowered_length(data):
    data["length"] -= 1
    return "contexts["


def generous(data):
    worst = data["contexts"][data["deciding_context"]]
    worst["cost"] = data["cost"] = scaled(data["budget"], 2)
    return "cost"


def no_more_input(context):
    context.update(rule="no longer input", cost="0", image=None, rare=None, joint=None)


def another_context(data):
    costs = [Fraction(context["cost"]) for context in data["contexts"]]
    other = next((k for k, cost in enumerate(costs) if cost < max(costs)), None)
    if other is None:
        return None
    data["deciding_context"] = other
    return "deciding_context"


def add_image(context):
    context["image"] = {}


def keep_less(part):
    part["kept"].pop()


FORGERIES = {
    # the top
    "format": top("format", lambda _: "another format"),
    "version raised": top("version", lambda v: v + 1),
    "version true": top("version", lambda _: True),
    "digest of f": top("weights", lambda w: {**w, "f": "0" * 64}),
    "digests exchanged": top("weights", lambda w: {"f": w["g"], "g": w["f"]}),
    "epsilon raised": top("epsilon", lambda x: scaled(x, MORE), "budget"),
    "epsilon negative": top("epsilon", lambda x: scaled(x, -1)),
    "epsilon a float": top("epsilon", lambda x: float(Fraction(x))),
    "target lowered": top("target", lambda x: scaled(x, LESS), "budget"),
    "target below epsilon": top("target", lambda _: "0"),
    "budget raised": top("budget", lambda x: scaled(x, MORE)),
    "vocabulary": top("vocabulary_size", lambda n: n + 1),
    "period": top("period", lambda n: n + 1),
    "locality": top("locality", lambda n: n + 1),
    "a head lost": top("heads", lambda heads: heads[1:]),
    "a context lost": top("contexts", lambda contexts: contexts[1:]),
    "a context twice": top("contexts", lambda c: [*c[:-1], copy.deepcopy(c[0])], "contexts["),
    "another context decides": another_context,
    "deciding context beyond": top("deciding_context", lambda _: 10**6),
    "another rule decides": top("rule", lambda _: "trivial"),
    "cost lowered": top("cost", lambda x: scaled(x, LESS)),
    "cost above the budget": generous,
    "cost null": top("cost", lambda _: None),
    "length lowered": lowered_length,
    "window moved down": shorter,
    "length zero": top("length", lambda _: 0),
    "horizon zero": top("horizon", lambda _: 0),
    "horizon text": top("horizon", lambda _: "1000"),
    "an obstacle beside a length": top("obstacle", lambda _: "none"),
    "a field too many": lambda data: data.update(more=1) or "certificate",
    "a field too few": lambda data: f"certificate{data.pop('locality') * 0 or ''}",
    # contexts
    "short": context_change(put("short", lambda c: c["short"] + 1), "short"),
    "trivial lowered": context_change(scale("trivial", LESS), "trivial"),
    "cost of a context": context_change(scale("cost", LESS), "cost", lambda c: c["cost"] != "0"),
    "trivial for nothing": context_change(
        lambda c: c.update(rule="trivial", image=None, rare=None, joint=None), "cost"
    ),
    "no longer input": context_change(no_more_input, "rule"),
    "a rule that is none": context_change(put("rule", "luck"), "rule"),
    "another rule": context_change(put("rule", "joint"), "", lambda c: c["joint"] is None),
    "two parts": context_change(add_image, "image", lambda c: c["image"] is None),
    "tokens": context_change(lambda c: c["tokens"].append(0), ""),
    "residue": context_change(put("residue", lambda c: c["residue"] + 7), ""),
    # images
    "a lag not kept": part_change("image", keep_less, "", lambda i: i["kept"]),
    "free raised": part_change(
        "image", put("free", lambda i: [i["free"][0] + 1, *i["free"][1:]]), "free"
    ),
    "atoms merged": part_change("image", merge_atoms, "atoms[", several),
    "an atom lost": part_change("image", lose_an_atom, "atoms["),
    "rounding lowered": part_change("image", lower_rounding, "rounding[", rounds),
    "heads exchanged": part_change("image", lambda i: i["heads"].reverse(), "heads["),
    "constant lowered": head_change(scale("constant", LESS), "constant"),
    "constant zero": liar,
    "constant by one value": head_change(put("constant_by", "one value"), "constant_by"),
    "constant by slope": head_change(
        put("constant_by", "slope"), "constant_by", lambda h: h["constant_by"] == "pairs"
    ),
    "largest lowered": head_change(scale("largest", LESS, 0), "largest[0]"),
    "smallest raised": head_change(scale("smallest", MORE, 0), "smallest[0]"),
    "smallest negative": head_change(scale("smallest", -1, 0), "smallest[0]"),
    "dominant lowered": head_change(
        put("dominant", "1"), "dominant", lambda h: Fraction(h["dominant"]) > 1
    ),
    "step at Z lowered": head_change(scale("step", LESS, 0), "step[0]"),
    "step at T* raised": head_change(scale("step", MORE, 1), "step[1]", positive("step", 1)),
    "step at T* not zero": head_change(
        put("step", lambda h: [h["step"][0], "1/1000"]),
        "step[1]",
        lambda h: h["step"][1] == "0",
    ),
    "lags at Z lowered": head_change(scale("lags", LESS, 0), "lags[0]", positive("lags", 0)),
    "lags at T* raised": head_change(scale("lags", MORE, 1), "lags[1]", positive("lags", 1)),
    "lags at T* negative": head_change(scale("lags", -1, 1), "lags[1]", positive("lags", 1)),
    "mild lags at Z": head_change(scale("mild", LESS, 0), "mild[0]", positive("mild", 0)),
    "mild lags beyond": head_change(scale("mild", LESS, 1), "mild[1]", positive("mild", 1)),
    "mild lags for nothing": head_change(put("mild", ["0", "0"]), "mild[0]", positive("mild", 0)),
    "variation lowered": head_change(
        scale("variation", LESS), "variation", lambda h: Fraction(h["variation"]) > 0
    ),
    "variation zero": head_change(
        put("variation", "0"), "variation", lambda h: Fraction(h["variation"]) > 0
    ),
    # the rules of two groups
    "slope lowered": part_change("joint", scale("slope", LESS), "slope"),
    "integral lowered": part_change("joint", scale("rare", LESS), "rare"),
    "grid zero": part_change("joint", put("grid", 0), "grid"),
    "grid beyond": part_change("joint", put("grid", 10**9), "grid"),
    "coarser grid": part_change("joint", put("grid", 1), ""),
    "groups exchanged": part_change(
        "joint", lambda j: j.update(own=j["other"], other=j["own"]), "own"
    ),
    "one group": part_change("joint", lambda j: j.update(own=[0, 1], other=[]), "other"),
    "ratio lowered": of_model(scale("ratio", LESS), "ratio"),
    "variation of a rare query": of_model(scale("variation", LESS), "variation"),
    "share lowered": of_model(scale("share", LESS), "share"),
    "share above 1": of_model(put("share", "2"), "share"),
    "oscillation lowered": of_model(scale("oscillation", LESS), "oscillation"),
    "constant of a rare query": of_model(scale("constant", LESS), "constant"),
    "another head": of_model(put("head", 1), "head"),
    "a model too few": part_change("rare", lambda r: r["models"].pop(), "models"),
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_forgeries_are_named(kind):
    tried = 0
    for name in EXAMPLES:
        f, g, honest = example(name)
        data = honest.to_dict()
        path = FORGERIES[kind](data)
        if path is None or json.dumps(data) == json.dumps(honest.data):
            continue
        tried += 1
        with pytest.raises(CertificateError) as caught:
            recheck(dataclasses.replace(honest, data=data), f, g)
        assert str(caught.value).startswith(path), (name, str(caught.value)[:200])
        if tried == 2:
            break
    assert tried > 0


def test_there_are_enough_kinds():
    assert len(FORGERIES) >= 60
    assert set(CHECKERS) >= {"lgbounds softmax certificate", "lgbounds instance certificate"}


def test_every_length_is_not_said_of_others():
    """Lag biases, columns or a horizon: then shorter inputs are not spoken of."""
    for name in ("mild", "position", "columns", "horizon"):
        f, g, honest = example(name)
        data = honest.to_dict()
        data["every_length"] = True
        with pytest.raises(CertificateError, match="every_length"):
            recheck(dataclasses.replace(honest, data=data), f, g)


def test_a_raised_horizon_is_refused_where_it_matters():
    f, g, honest = example("position")
    for horizon in (honest.horizon**4, None):
        data = honest.to_dict()
        data["horizon"] = horizon
        with pytest.raises(CertificateError, match=r"contexts\["):
            recheck(dataclasses.replace(honest, data=data), f, g)


def test_a_certificate_of_other_weights_is_refused():
    f, g, honest = example("joint")
    layer = dataclasses.replace(f.layers[0], mlp_bias=np.nextafter(f.layers[0].mlp_bias, np.inf))
    other = dataclasses.replace(f, layers=(layer,))
    with pytest.raises(CertificateError, match="weights"):
        recheck(honest, other, g)
    data = honest.to_dict() | {"format": "lgbounds instance certificate"}
    with pytest.raises(InputError):
        recheck(dataclasses.replace(honest, data=data), f, g)
    hard = [dataclasses.replace(m, precision_bits=8) for m in (f, g)]
    with pytest.raises(InputError):
        recheck(honest, *hard)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"format": 1}', "{", '{"format": "a", "format": "a"}', "null"]
)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    f, g, _ = example("kept")
    with pytest.raises(CertificateError):
        recheck(path, f, g)


# ---------------------------------------------------------------- generators that are wrong


WRONG = {
    "rounding for less": lambda m: m.setattr(
        image, "rounding_error", lambda a, forced: Fraction(a * a // 4, a) * Fraction(1, 2)
    ),
    "mild lags for nothing": lambda m: m.setattr(
        _Lengths, "_mild", lambda self, head: (Fraction(0), Fraction(0))
    ),
    "no length step": lambda m: m.setattr(
        _Lengths,
        "_at_horizon",
        lambda self, exponent, divided: (
            self._power(self.short, exponent).low / (sum(self.free) if divided else 1)
        ),
    ),
    "half the variation": lambda m: m.setattr(
        _Lengths, "_variation", lambda self, head, step, lags: Fraction(1, 100)
    ),
    "slopes without kinks": lambda m: m.setattr(
        two_values,
        "_pieces",
        lambda line: ((), tuple((slope,) for slope in line.direct)),
    ),
    "shares cut in half": lambda m: m.setattr(
        two_values.TwoValues,
        "_integral",
        lambda self, share: Fraction(0),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRONG)
def test_certificates_of_wrong_generators_are_refused(kind, monkeypatch):
    refused = 0
    for name in EXAMPLES:
        f, g, honest = example(name)
        _, epsilon, horizon = EXAMPLES[name]
        with monkeypatch.context() as patch:
            WRONG[kind](patch)
            forged = certify(f, g, epsilon=epsilon, horizon=horizon)
        if forged.length is not None and forged.length < honest.length:
            refused += 1
            with pytest.raises(CertificateError):
                recheck(forged, f, g)
        if refused:
            break
    assert refused > 0


# ---------------------------------------------------------------- arithmetic


def test_suprema_are_those_of_the_function():
    """sup over T ≥ Z of |T^φ − 1|/T, against a fine grid."""
    for phi in (0.9, 0.5, 0.01, -0.01, -0.7, -3.0):
        for short in (1, 2, 3, 10, 200):
            bound = softmax._supremum(Fraction(phi), short)
            lengths = short * 1.001 ** np.arange(40_000)
            truth = (np.abs(np.expm1(phi * np.log(lengths))) / lengths).max()
            assert 0.999 < float(truth) / float(bound) <= 1 + 1e-12, (phi, short)


def test_honest_random_pairs_pass():
    rng = np.random.default_rng(6)
    passed = 0
    for _ in range(12):
        f = random_model(
            rng,
            layers=1,
            regimes=[str(rng.choice(["token", "balanced", "position", "negative"]))],
            size=2,
            locality=int(rng.integers(0, 2)),
            period=int(rng.integers(1, 3)),
        )
        found = certify(f, f, epsilon=2, horizon=[None, 2**60][int(rng.integers(2))])
        passed += recheck(found, f, f).length is not None
        json.dumps(found.to_dict())
    assert passed > 6


@pytest.mark.parametrize("gap", [0.0, 800.0, 1e5, 1e300])
@pytest.mark.parametrize("bias", [(0.0, 0.0), (-1e5, 0.2), (1e3, 0.0), (1e-17, -1e300), (0.5, 1.0)])
def test_weights_of_any_size_are_certified_and_checked(gap, bias):
    """Logits and lag biases beyond all exponents: the trivial cost at worst, and no overflow."""
    head = table_head([0, gap], [0, 0.5], [0, 1], bias=bias)
    f = table_model([head], precision_bits=None)
    for horizon in (None, 2**40):
        found = certify(f, f, epsilon=0, target="5/2", horizon=horizon)
        assert recheck(found, f, f).length == found.length


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_number_is_larger_than_it_has_to_be(name):
    """Moved by a millionth each is refused: what the checker asks for is what is there."""
    f, g, honest = example(name)
    paths = list(numbers_of(honest.to_dict()["contexts"]))
    accepted = set()
    for path in paths[:: max(1, len(paths) // 12)]:
        forged = honest.to_dict()
        thing = forged["contexts"]
        for key in path[:-1]:
            thing = thing[key]
        # The smallest weight is claimed from below, all else from above.
        factor = MORE if "smallest" in path else LESS
        thing[path[-1]] = str(Fraction(thing[path[-1]]) * factor)
        try:
            recheck(dataclasses.replace(honest, data=forged), f, g)
        except CertificateError:
            continue
        accepted.add(next(key for key in reversed(path) if isinstance(key, str)))
    assert accepted == set()
