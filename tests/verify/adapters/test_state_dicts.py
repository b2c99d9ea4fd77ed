"""LimitTransformer.from_torch on state dicts and files: PyTorch's layout, no PyTorch needed."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.helpers.foreign_forward import forward, random_block
from verify import InputError, LimitTransformer, WeightsError

TOKENS, D, HEADS, OUTPUTS = 3, 6, 2, 2
HOW = {"embedding": "embed", "unembedding": "out", "logits": "plain", "causal": True, "heads": 2}
PACKED = [
    {"attention": f"attn.{k}", "mlp_in": f"mlp.{k}.0", "mlp_out": f"mlp.{k}.2"} for k in (0, 1)
]
SEPARATE = [
    {"query": f"q.{k}", "key": f"k.{k}", "value": f"v.{k}", "output": f"o.{k}"}
    | {"mlp_in": f"mlp.{k}.0", "mlp_out": f"mlp.{k}.2"}
    for k in (0, 1)
]


def model(seed=0):
    """Weights in the row convention, and the same as PyTorch names and lays them out."""
    rng = np.random.default_rng(seed)
    blocks = [random_block(rng, D, heads=HEADS, d_head=3, d_v=3) for _ in range(2)]
    w = {
        "embedding": rng.normal(size=(TOKENS, D)),
        "unembedding": rng.normal(size=(D, OUTPUTS)),
        "blocks": blocks,
        "bias": rng.normal(size=OUTPUTS),
    }
    state = {
        "embed.weight": w["embedding"],
        "out.weight": w["unembedding"].T,
        "out.bias": w["bias"],
    }
    for k, b in enumerate(blocks):
        # nn.Linear keeps (out, in); heads lie one behind the other.
        q, key, v = (np.concatenate([m.T for m in b[name]]) for name in ("W_Q", "W_K", "W_V"))
        biases = [b[name].ravel() for name in ("b_Q", "b_K", "b_V")]
        output = np.concatenate(list(b["W_O"])).T
        state |= {
            f"attn.{k}.in_proj_weight": np.concatenate([q, key, v]),
            f"attn.{k}.in_proj_bias": np.concatenate(biases),
            f"attn.{k}.out_proj.weight": output,
            f"attn.{k}.out_proj.bias": b["b_O"],
            f"mlp.{k}.0.weight": b["W_in"].T,
            f"mlp.{k}.0.bias": b["b_in"],
            f"mlp.{k}.2.weight": b["W_out"].T,
            f"mlp.{k}.2.bias": b["b_out"],
        }
    return w, state


def separate(state):
    """The same state with four nn.Linear per attention."""
    result = {name: array for name, array in state.items() if not name.startswith("attn.")}
    for k in (0, 1):
        w = np.split(state[f"attn.{k}.in_proj_weight"], 3)
        b = np.split(state[f"attn.{k}.in_proj_bias"], 3)
        for letter, weight, bias in zip("qkv", w, b, strict=True):
            result |= {f"{letter}.{k}.weight": weight, f"{letter}.{k}.bias": bias}
        result[f"o.{k}.weight"] = state[f"attn.{k}.out_proj.weight"]
        result[f"o.{k}.bias"] = state[f"attn.{k}.out_proj.bias"]
    return result


def agrees(f, w, **how):
    rng = np.random.default_rng(1)
    for length in (1, 2, 5, 11):
        x = rng.integers(0, TOKENS, length)
        expected = forward(x, **w, **how)
        np.testing.assert_allclose(f(x), expected, rtol=1e-9, atol=1e-9)


def test_packed_projections():
    w, state = model()
    agrees(LimitTransformer.from_torch(state, layers=PACKED, **HOW), w)


def test_separate_projections_are_the_same_model():
    w, state = model()
    packed = LimitTransformer.from_torch(state, layers=PACKED, **HOW)
    assert LimitTransformer.from_torch(separate(state), layers=SEPARATE, **HOW) == packed
    agrees(
        LimitTransformer.from_torch(separate(state), layers=SEPARATE, scale=2, **HOW), w, scale=2
    )


def test_encoder_layers_by_name():
    w, state = model()
    renamed = {}
    for name, array in state.items():
        for k in (0, 1):
            name = name.replace(f"attn.{k}.", f"layers.{k}.self_attn.")
            name = name.replace(f"mlp.{k}.0.", f"layers.{k}.linear1.")
            name = name.replace(f"mlp.{k}.2.", f"layers.{k}.linear2.")
        renamed[name] = array
    f = LimitTransformer.from_torch(renamed, layers=["layers.0", "layers.1"], **HOW)
    agrees(f, w)
    norm = {"layers.0.norm1.weight": np.ones(D)}
    with pytest.raises(
        InputError, match=r"^layers\[0\]: got 'layers.0' .*nn.Identity\(\) as norm1"
    ):
        LimitTransformer.from_torch(renamed | norm, layers=["layers.0", "layers.1"], **HOW)


def test_no_biases_and_tied_embeddings():
    w, state = model()
    state = {name: array for name, array in state.items() if not name.endswith("bias")}
    del state["out.weight"]
    tied = HOW | {"unembedding": "embed"}
    f = LimitTransformer.from_torch(state, layers=PACKED, **tied)
    assert f.dimension == D  # no constant coordinate
    blocks = [{k: v for k, v in b.items() if k.startswith("W")} for b in w["blocks"]]
    agrees(f, {"embedding": w["embedding"], "unembedding": w["embedding"].T, "blocks": blocks})


def test_positions():
    w, state = model()
    table = np.random.default_rng(2).normal(size=(11, D))
    given = {"positions": "pos", "period": 11, "positions_start": 0}
    f = LimitTransformer.from_torch(state | {"pos.weight": table}, layers=PACKED, **HOW, **given)
    agrees(f, w, positions=table)


def test_logarithmic_logits():
    w, state = model()
    log = HOW | {"logits": "log", "precision_bits": 60}
    agrees(LimitTransformer.from_torch(state, layers=PACKED, **log), w, log=True)


def test_a_file_is_the_same_as_its_state_dict(tmp_path):
    _, state = model()
    f = LimitTransformer.from_torch(state, layers=PACKED, **HOW)
    path = tmp_path / "model.safetensors"
    save_file({name: np.ascontiguousarray(array) for name, array in state.items()}, path)
    for source in (path, str(path)):
        assert LimitTransformer.from_torch(source, layers=PACKED, **HOW) == f


def test_pickles_are_not_read(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(InputError, match=r"^source: .*pickles \(\.pt, \.pth, \.bin\) can run code"):
        LimitTransformer.from_torch(path, layers=PACKED, **HOW)
    assert not (tmp_path / "ran").exists()


def test_arrays_without_a_role_are_refused_unless_ignored():
    _, state = model()
    f = LimitTransformer.from_torch(state, layers=PACKED, **HOW)
    more = state | {"attn.0.mask": np.tri(4, dtype=bool)}
    with pytest.raises(InputError, match=r"^state: got 'attn\.0\.mask' .*ignore="):
        LimitTransformer.from_torch(more, layers=PACKED, **HOW)
    assert LimitTransformer.from_torch(more, layers=PACKED, **HOW, ignore=("attn.0.mask",)) == f
    with pytest.raises(InputError, match=r"^state: got 'attn\.1\.in_proj_weight, "):
        LimitTransformer.from_torch(state, layers=PACKED[:1], **HOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embedding": "emb"}, r"^embedding: got 'emb' .*known: embed\.weight, out\.weight"),
        ({"unembedding": "head"}, "^unembedding: got 'head'"),
        ({"positions": "pos", "period": 1}, "^positions: got 'pos'"),
        ({"heads": None}, "^heads: got None .*arrays do not tell it"),
        ({"heads": 0}, "^heads: got 0"),
        ({"heads": 4}, "^heads: got 4 .*a divisor of 6"),
        ({"scale": 0.5}, "^scale: got 0.5 .*nn.MultiheadAttention, which scales"),
        ({"layers": []}, "^layers: "),
        ({"layers": "attn.0"}, "^layers: "),
        (
            {"layers": [{"attention": "attn.0", "mlp_in": "mlp.0.0"}]},
            r"^layers\[0\]: got .*mlp_out",
        ),
        ({"layers": [{"query": "q", "key": "k", "value": "v"}]}, r"^layers\[0\]: got .*output"),
        ({"layers": [{"attention": "x"}]}, r"^layers\[0\].attention: got 'x.in_proj_weight'"),
        ({"layers": [3]}, r"^layers\[0\]: got 3"),
        ({"ignore": "mask"}, "^ignore: got 'mask'"),
        ({"logits": "log"}, "^precision_bits: got None"),
        ({"causal": False}, "^causal: got False"),
        ({"source": 3}, "^source: got 3 .*a mapping from names to arrays"),
        ({"source": {1: 2}}, "^source: got "),
        ({"source": "missing.safetensors"}, "^source: got 'missing.safetensors'"),
    ],
)
def test_refusals(change, words):
    arguments = {"source": model()[1], "layers": PACKED, **HOW} | change
    source = arguments.pop("source")
    with pytest.raises((InputError, WeightsError), match=words):
        LimitTransformer.from_torch(source, **arguments)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("attn.0.in_proj_weight", np.zeros((12, 6)), r"attn.0.in_proj_weight: .*shape \(3d, d\)"),
        ("attn.0.in_proj_bias", np.zeros(17), r"attn.0.in_proj_bias: .*\(18,\)"),
        ("attn.0.out_proj.weight", np.zeros((6, 4)), r"blocks\[0\].W_O: "),
        ("attn.0.out_proj.bias", np.zeros(5), r"blocks\[0\].b_O: "),
        ("mlp.1.0.weight", np.zeros((5, 5)), r"blocks\[1\].W_in: .*\(5, 6\)"),
        ("mlp.1.2.bias", np.zeros(5), r"blocks\[1\].b_out: "),
        ("out.weight", np.zeros((2, 5)), r"unembedding: .*shape \(o, d\)"),
        ("embed.weight", np.full((3, 6), np.inf), "embedding: got inf"),
    ],
)
def test_arrays_of_wrong_shapes_are_refused(name, array, words):
    state = model()[1] | {name: array}
    with pytest.raises((InputError, WeightsError), match=f"^{words}"):
        LimitTransformer.from_torch(state, layers=PACKED, **HOW)
