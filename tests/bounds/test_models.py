"""The gallery of named models: constants measured again, answers, changes of one number."""

import pickle
from fractions import Fraction

import pytest

import bounds
import verify
from bounds import models
from verify import tasks

_HORIZON = 2**20


def _explicit(task):
    return verify.measure(task.transformer)


def _finite_precision_pair(kind, **settings):
    pair = tasks.trained_pair(kind, training_length=32, **settings)
    return verify.measure(pair.model, pair.target, horizon=_HORIZON)


def _plain_pair():
    pair = tasks.trained_pair("simple_plain", omega=2, training_length=32)
    return verify.measure(pair.model, pair.target)


MEASURED = {
    "SIMPLE": lambda: _explicit(tasks.simple(2)),
    "MOD_P": lambda: _explicit(tasks.mod_p(3, 1)),
    "MOD_P_TRAINED": lambda: _finite_precision_pair("mod_p", period=2),
    "SIMPLE_TRAINED": lambda: _finite_precision_pair("simple", omega=2),
    "SIMPLE_PLAIN_TRAINED": _plain_pair,
    "K_GRAM": lambda: _explicit(tasks.in_context_k_gram(1, 3, sharpness=2)),
}
_LOWER = ("margin", "positional_margin")
_EXACT = ("error", "attention", "layers", "vocabulary_size", "period", "locality", "heads")


@pytest.mark.parametrize("name", MEASURED)
def test_constants_are_those_of_the_weights_on_the_safe_side(name):
    model, constants = models.ALL[name], MEASURED[name]()
    measured = {"error": "linf", **constants.parameters()}
    for keyword, value in model.items():
        if keyword == "assume":
            assert value <= constants.assume
        elif keyword in _EXACT or keyword in ("horizon", "block", "precision_bits"):
            assert value == measured[keyword]
        else:
            stated, true = Fraction(value), measured[keyword]
            assert stated <= true if keyword in _LOWER else stated >= true
            assert abs(stated - true) <= true / 500


def test_only_what_is_called_a_what_if_was_not_measured():
    assert set(models.ALL) - set(MEASURED) == {"GPT2_LAYER"}
    assert "what-ifs" in models.GPT2_LAYER.about


@pytest.mark.parametrize("model", models.ALL.values(), ids=models.ALL)
def test_every_model_has_a_length(model):
    bound = bounds.required_length(epsilon="1/10", **model)
    assert bound.status is bounds.Status.PROVED
    assert bound.length > 1


def test_one_number_changed():
    changed = models.MOD_P.but(period=7)
    assert (changed["period"], models.MOD_P["period"]) == (7, 3)
    assert changed.name == "MOD_P but period = 7"
    longer = bounds.required_length(epsilon="1/10", **changed)
    assert longer.length > bounds.required_length(epsilon="1/10", **models.MOD_P).length
    assert "horizon" not in models.MOD_P_TRAINED.but(horizon=None, tie_tolerance=None)


def test_a_misspelt_keyword_is_refused():
    with pytest.raises(bounds.ParameterError, match="perod") as refusal:
        models.MOD_P.but(perod=7)
    assert "did you mean 'period'?" in str(refusal.value)
    with pytest.raises(bounds.ParameterError, match="did you mean 'margin'"):
        models.MOD_P.but(gamma=3)


def test_models_do_not_change_and_travel():
    with pytest.raises(TypeError):
        models.MOD_P.keywords["period"] = 7
    assert pickle.loads(pickle.dumps(models.MOD_P)) == models.MOD_P


def test_the_table_has_a_row_for_each():
    assert models.table().column("name") == list(models.ALL)
