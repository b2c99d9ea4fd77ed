"""Head.from_qkvo: one head from queries, keys, values and outputs."""

import numpy as np
import pytest

from verify import Head, InputError, WeightsError

D, D_HEAD, D_V = 4, 3, 2
rng = np.random.default_rng(0)
W = {
    "W_Q": rng.normal(size=(D, D_HEAD)),
    "W_K": rng.normal(size=(D, D_HEAD)),
    "W_V": rng.normal(size=(D, D_V)),
    "W_O": rng.normal(size=(D_V, D)),
}
B = {
    "b_Q": rng.normal(size=D_HEAD),
    "b_K": rng.normal(size=D_HEAD),
    "b_V": rng.normal(size=D_V),
    "b_O": rng.normal(size=D),
}


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def test_the_logit_and_the_value_are_the_products():
    y, z = rng.normal(size=(2, D))
    head = Head.from_qkvo(**W, vectors="row", scale=0.5)
    assert np.isclose(z @ head.query_key @ y, 0.5 * (y @ W["W_Q"]) @ (z @ W["W_K"]))
    np.testing.assert_allclose(head.value @ z, z @ W["W_V"] @ W["W_O"])
    assert head.lag_bias.tolist() == [0.0]


def test_columns_are_transposed_rows():
    turned = {name: matrix.T for name, matrix in W.items()}
    a, b = Head.from_qkvo(**W, vectors="row"), Head.from_qkvo(**turned, vectors="column")
    assert a == b
    assert np.isclose(
        a.query_key, Head.from_qkvo(**W, vectors="row", scale=3**-0.5).query_key
    ).all()


def test_biases_at_a_constant_coordinate():
    ys = rng.normal(size=(6, D))
    ys[:, 2] = 1.0
    wide = dict(W) | {"W_O": W["W_O"] * [1, 1, 0, 1], "b_O": B["b_O"] * [1, 1, 0, 1]}
    head = Head.from_qkvo(**B | wide, vectors="row", constant=2)
    q = ys[-1] @ W["W_Q"] + B["b_Q"]
    k = ys @ W["W_K"] + B["b_K"]
    attention = softmax(k @ q / np.sqrt(D_HEAD))
    expected = attention @ (ys @ W["W_V"] + B["b_V"]) @ wide["W_O"] + wide["b_O"]
    mine = softmax(ys @ head.query_key @ ys[-1])
    np.testing.assert_allclose(mine, attention)
    np.testing.assert_allclose(head.value @ (mine @ ys), expected)
    assert not head.value[2].any()  # the constant stays what it is


def test_key_biases_need_no_constant():
    plain = Head.from_qkvo(**W, vectors="row")
    assert Head.from_qkvo(**W, b_K=B["b_K"], vectors="row") == plain
    zeros = {name: np.zeros_like(bias) for name, bias in B.items()}
    assert Head.from_qkvo(**W, **zeros, vectors="row") == plain


@pytest.mark.parametrize("name", ["b_Q", "b_V", "b_O"])
def test_other_biases_do(name):
    with pytest.raises(InputError, match=r"^constant: got None .*verify\.adapters\.build appends"):
        Head.from_qkvo(**W, **{name: B[name]}, vectors="row")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vectors": None}, "vectors: got None"),
        ({"vectors": "column"}, "W_K: |W_O: |W_V: "),
        ({"W_K": W["W_K"].T}, r"^W_K: .*shape \(d, d_head\) = \(4, 3\) beside W_Q"),
        ({"W_O": np.zeros((3, 4))}, r"^W_O: .*= \(2, 4\)"),
        ({"W_V": [1, 2]}, r"^W_V: .*\(d, d_v\)"),
        ({"b_Q": np.zeros(4)}, r"^b_Q: .*\(3,\)"),
        ({"scale": True}, "^scale: got True"),
        ({"constant": 4}, r"^constant: got 4 .*a coordinate 0\.\.3"),
        ({"constant": -1}, "^constant: got -1"),
    ],
)
def test_refusals(change, words):
    with pytest.raises((InputError, WeightsError), match=words):
        Head.from_qkvo(**{**W, "vectors": "row"} | change)


def test_all_problems_come_at_once():
    with pytest.raises(WeightsError) as caught:
        Head.from_qkvo(**W | {"W_K": W["W_K"].T, "W_O": W["W_O"].T}, vectors="row")
    assert [name for name, *_ in caught.value.problems] == ["W_K", "W_O"]
