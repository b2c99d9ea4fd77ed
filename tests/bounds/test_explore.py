"""`bounds.explore()` without a browser: the controls, and what they ask."""

import sys

import pytest

import bounds
from bounds import models
from bounds.explore import explore


def test_the_answer_is_that_of_bracket():
    shown = explore("MOD_P")
    assert shown.question == {
        "epsilon": "1/10",
        **{
            k: v if k in ("error", "attention", "layers", "assume") else str(v)
            for k, v in models.MOD_P.items()
        },
    }
    expected = bounds.bracket(epsilon="1/10", **models.MOD_P)
    assert shown.bracket.sufficient.length == expected.sufficient.length
    assert "derived.one_layer_linf_positional" in shown._answer.value
    assert shown._curve.value.startswith("<svg")


def test_a_field_changes_it_and_a_refusal_is_shown():
    shown = explore("MOD_P")
    shown._fields["period"].value = "7"
    expected = bounds.bracket(epsilon="1/10", **models.MOD_P.but(period=7))
    assert shown.bracket.sufficient.length == expected.sufficient.length
    shown._fields["period"].value = "seven"
    assert shown.bracket is None
    assert "an integer ≥ 1" in shown._answer.value
    shown._fields["period"].value = "3"
    assert shown.bracket.sufficient.length < expected.sufficient.length


def test_another_model_and_another_keyword():
    shown = explore("MOD_P", against="period")
    assert (shown._low.value, shown._high.value) == ("1", "30")
    shown._model.value = "SIMPLE_PLAIN_TRAINED"
    assert shown.question["attention"] == "softmax"
    assert shown.bracket.ratio == 1
    shown._more.value = "target"
    shown._fields["target"].value = "1/5"
    assert shown.bracket.sufficient.parameters["target"] * 5 == 1


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(bounds.ParameterError, match="one of SIMPLE, MOD_P"):
        explore("GPT5")
    with pytest.raises(bounds.ParameterError, match="against"):
        explore(against="eps")


def test_without_ipywidgets_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=r"lgbounds\[notebooks\]"):
        explore()
