"""`depth_constants`, the parameter that is no single number: read, refused, shown, written."""

import json
import pickle
from fractions import Fraction as F

import pytest

import bounds
from bounds import DepthConstants, HeadConstants, LayerConstants
from bounds.__main__ import main

HEAD = HeadConstants("0.1", 1, 2, "1/2", 1, 1, "balanced")
CONSTANTS = DepthConstants(
    (LayerConstants("5/4", 1, (HEAD,)), LayerConstants(1, 2, (HEAD, HEAD)), LayerConstants(1, 0)),
    (LayerConstants(1, 3, (HEAD,)), LayerConstants(2, 0, (HEAD,))),
)
GIVEN = {
    "error": "linf",
    "attention": "softmax",
    "epsilon": "1/10",
    "vocabulary_size": 2,
    "period": 1,
    "positional_margin": 1,
}


def test_numbers_are_read_exactly():
    assert HEAD.logit_range == F(1, 10)
    assert HeadConstants(0.1, 0.5).value_diameter == F(1, 2)
    assert LayerConstants("3", 0).lipschitz == 3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: HeadConstants(-1, 1), "logit_range must be a rational number ≥ 0"),
        (lambda: HeadConstants(1, float("nan")), "value_diameter"),
        (lambda: HeadConstants(1, 1, value_rank=1.5), "value_rank must be an integer ≥ 0"),
        (lambda: HeadConstants(1, 1, lag_bias="some"), "lag_bias must be 'none' or"),
        (lambda: LayerConstants(1, -1), "locality must be an integer ≥ 0"),
        (lambda: LayerConstants(1, 10**30), "below 2\\^64"),
        (lambda: LayerConstants(1, 0, HEAD), "heads must be a tuple"),
        (lambda: DepthConstants((LayerConstants(1, 0),)), "at least two layers"),
        (lambda: DepthConstants.read("{"), "JSON text"),
        (lambda: DepthConstants.read({"f": []}), "at least two layers"),
        (lambda: DepthConstants.read({"h": []}), "DepthConstants has no h; it has f, g"),
        (lambda: DepthConstants.read({"f": [{"lipschitz": 1}] * 2}), "LayerConstants needs"),
        (lambda: DepthConstants.read(3), "a DepthConstants, or a mapping"),
    ],
)
def test_what_cannot_be_read_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_the_keyword_says_what_is_allowed():
    for bad in (3, "x", None, [], {"f": 1}, True, float("nan")):
        with pytest.raises(bounds.ParameterError) as caught:
            bounds.required_length(layers=2, depth_constants=bad, **GIVEN)
        assert str(caught.value).startswith("depth_constants: got ")
        assert "allowed: a bounds.DepthConstants, or its JSON" in str(caught.value)


def test_the_shorter_model_is_padded_with_layers_that_change_nothing():
    assert CONSTANTS.layers == 3
    assert [len(layer.heads) for layer in CONSTANTS.models[1]] == [1, 0, 1]
    assert CONSTANTS.g[1] == LayerConstants(1, 0)
    assert CONSTANTS.localities == (3, 2, 0)
    alone = DepthConstants(CONSTANTS.f)
    assert alone.models == (CONSTANTS.f, CONSTANTS.f)


def test_json_and_pickle_give_the_same_constants():
    for given in (CONSTANTS, DepthConstants(CONSTANTS.f)):
        text = json.dumps(given.data())
        assert DepthConstants.read(text) == given == pickle.loads(pickle.dumps(given))
        assert DepthConstants.read(json.loads(text)) == given
        assert hash(DepthConstants.read(text)) == hash(given)


def test_the_answer_shows_and_writes_them():
    answer = bounds.required_length(layers=3, depth_constants=CONSTANTS, **GIVEN)
    written = json.loads(json.dumps(answer.to_dict()))
    assert DepthConstants.read(written["parameters"]["depth_constants"]) == CONSTANTS
    assert written["setting"] == {"error": "linf", "attention": "softmax", "layers": 3}
    assert str(answer.setting) == "linf, softmax, 3 layers"
    assert CONSTANTS.brief() == "3 layers, heads 1+2+0 and 1+0+1, τ = 3, 2, 0, largest R = 0.1"
    again = bounds.required_length(layers=3, depth_constants=json.dumps(CONSTANTS.data()), **GIVEN)
    assert again.length == answer.length


def test_on_the_command_line_they_are_json(capsys):
    options = [f"--{k.replace('_', '-')}={v}" for k, v in GIVEN.items()]
    text = json.dumps(CONSTANTS.data())
    assert main([*options, "--layers=3", f"--depth-constants={text}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    answer = bounds.required_length(layers=3, depth_constants=CONSTANTS, **GIVEN)
    assert (found["theorem"], found["length"]) == ("derived.softmax_deep", answer.length)
    assert main([*options, "--layers=3", "--depth-constants=[1"]) == 2
    assert "--depth-constants" in capsys.readouterr().err


def test_a_sweep_takes_several():
    table = bounds.sweep(
        layers=3,
        depth_constants=[CONSTANTS, DepthConstants(CONSTANTS.f)],
        **GIVEN | {"epsilon": ["1/10", "1/5"]},
    )
    assert len(table) == 4
    assert all(row["theorem"] == "derived.softmax_deep" for row in table)
    assert "3 layers" in str(table)
    assert "3 layers" in table._repr_html_()
