"""from_tracr agrees with the compiled model's own forward pass, and beyond max_seq_len."""

import jax
import numpy as np
import pytest
from tracr.compiler import compiling, lib
from tracr.rasp import rasp

from verify import InputError
from verify.adapters import from_tracr

BOS = compiling.COMPILER_BOS


def compiled(program, length=6, causal=False):
    return compiling.compile_rasp_to_model(
        program, vocab={"a", "b", "c"}, max_seq_len=length, causal=causal
    )


def share(token):
    """The share of a token among all; reads no indices, two layers, the first without attention."""
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    indicator = rasp.numerical(rasp.Map(lambda t: 1 if t == token else 0, rasp.tokens))
    return rasp.numerical(rasp.Aggregate(everything, indicator, default=0))


def same_tokens():
    equal = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    return rasp.Aggregate(equal, rasp.tokens)


def outputs(model, f, text):
    """What f gives, and what the program's unembedding reads at the last position."""
    tokens = [BOS, *text]
    ids = [model.input_encoder.encoding_map[token] for token in tokens]
    out = model.apply(tokens)
    return f(ids), out.decoded[-1], out


@pytest.mark.parametrize("causal", [False, True])
def test_a_share_agrees_with_the_compiled_model(causal):
    model = compiled(share("a"), causal=causal)
    assert model.model_config.num_layers == 2
    f = from_tracr(model)
    assert (len(f.layers), f.period, f.precision_bits) == (1, 1, None)
    for text in ("a", "b", "ab", "abc", "aabca", "cccbaa"):
        got, decoded, _ = outputs(model, f, text)
        assert abs(got[0] - decoded) <= 1e-6
        assert abs(got[0] - text.count("a") / len(text)) <= 1e-6


def test_a_share_is_right_at_a_million_tokens():
    model = compiled(share("a"))
    f = from_tracr(model)
    ids = model.input_encoder.encoding_map
    rng = np.random.default_rng(0)
    for law in ([0.2, 0.3, 0.5], [0.001, 0.5, 0.499]):
        x = rng.choice([ids["a"], ids["b"], ids["c"]], size=10**6, p=law)
        exact = (x == ids["a"]).mean()
        assert abs(f(np.concatenate([[ids[BOS]], x]))[0] - exact) <= 1e-9


@pytest.fixture
def in_float64():
    """Tracr's numbers with 64 bits: steep ReLU networks magnify the rounding of float32."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("program", [same_tokens, lib.make_length, lib.make_hist])
def test_categorical_outputs(program, causal):
    model = compiled(program(), causal=causal)
    model.params = jax.tree.map(lambda array: array.astype("float64"), model.params)
    f = from_tracr(model)
    values = {place: value for value, place in model.output_encoder.encoding_map.items()}
    for text in ("a", "ab", "abcc", "cab", "bbabab"):
        got, decoded, out = outputs(model, f, text)
        assert values[int(np.argmax(got))] == decoded
        # Before the argmax, which the check above compares: the residual stream, read by U.
        residual = np.asarray(out.transformer_output[0, -1], dtype=float)
        expected = f.unembedding[:, : len(residual)] @ residual
        assert abs(got - expected).max() <= 1e-6


@pytest.mark.parametrize(
    "program",
    [
        lambda: lib.make_reverse(rasp.tokens),
        lambda: lib.make_frac_prevs(rasp.numerical(rasp.tokens == "a")),
        lambda: lib.make_sort_freq(6),
        lambda: rasp.SequenceMap(lambda i, token: (i % 2, token), rasp.indices, rasp.tokens),
    ],
    ids=["reverse", "frac_prevs", "sort_freq", "parity"],
)
def test_programs_that_read_indices_are_refused(program):
    with pytest.raises(InputError, match=r"^compiled: .*reads no indices.*max_seq_len = 6"):
        from_tracr(compiled(program()))


def test_attention_to_later_positions_is_refused():
    """Two layers that attend: only the causal model is one of ours."""
    twice = rasp.SelectorWidth(rasp.Select(lib.make_hist(), lib.make_hist(), rasp.Comparison.EQ))
    with pytest.raises(InputError, match=r"^causal: got False"):
        from_tracr(compiled(twice))
    model = compiled(twice, causal=True)
    f = from_tracr(model)
    assert len(f.layers) == 2
    for text in ("a", "abc", "aabbc"):
        got, decoded, _ = outputs(model, f, text)
        values = {place: value for value, place in model.output_encoder.encoding_map.items()}
        assert values[int(np.argmax(got))] == decoded
