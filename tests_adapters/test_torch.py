"""LimitTransformer.from_torch agrees with PyTorch's own forward pass, and refuses the rest."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from verify import InputError, LimitTransformer, reference

TOKENS, D, HEADS, OUTPUTS, N_CTX = 3, 8, 2, 2, 12


def causal_mask(length, dtype):
    return nn.Transformer.generate_square_subsequent_mask(length, dtype=dtype)


class Packed(nn.Module):
    """nn.MultiheadAttention and a ReLU network per layer, no normalisation."""

    def __init__(self, layers, bias=True, causal=True):
        super().__init__()
        self.causal = causal
        self.embed = nn.Embedding(TOKENS, D)
        self.positions = nn.Embedding(N_CTX, D)
        self.attention = nn.ModuleList(
            nn.MultiheadAttention(D, HEADS, bias=bias, batch_first=True, dropout=0.1)
            for _ in range(layers)
        )
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(D, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, D))
            for _ in range(layers)
        )
        self.out = nn.Linear(D, OUTPUTS)

    def forward(self, x):
        y = self.embed(x) + self.positions(torch.arange(x.shape[1]))
        mask = causal_mask(x.shape[1], y.dtype) if self.causal else None
        for attention, mlp in zip(self.attention, self.mlp, strict=True):
            y = y + attention(y, y, y, attn_mask=mask, need_weights=False)[0]
            y = y + mlp(y)
        return self.out(y)


class Separate(nn.Module):
    """Four nn.Linear per layer, attention-only; logits times log T if asked for."""

    def __init__(self, layers, log=False):
        super().__init__()
        self.log = log
        self.embed = nn.Embedding(TOKENS, D)
        names = ("query", "key", "value", "output")
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(D, D) for name in names}) for _ in range(layers)
        )

    def forward(self, x):
        y = self.embed(x)
        batch, length, _ = y.shape
        for layer in self.layers:
            q, k, v = (
                layer[name](y).reshape(batch, length, HEADS, -1).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            logits = q @ k.transpose(2, 3) / (D // HEADS) ** 0.5
            logits = logits * (np.log(length) if self.log else 1)
            weights = torch.softmax(logits + causal_mask(length, y.dtype), dim=-1)
            y = y + layer["output"]((weights @ v).transpose(1, 2).reshape(batch, length, D))
        return y @ self.embed.weight.T


class Encoder(nn.Module):
    """nn.TransformerEncoder with nn.Identity as norms; no positions."""

    def __init__(self, layers, activation="relu"):
        super().__init__()
        self.embed = nn.Embedding(TOKENS, D)
        layer = nn.TransformerEncoderLayer(D, HEADS, 16, activation=activation)
        layer.norm1 = layer.norm2 = nn.Identity()
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(D, OUTPUTS, bias=False)

    def forward(self, x):
        y = self.embed(x).transpose(0, 1)
        y = self.encoder(y, mask=causal_mask(x.shape[1], y.dtype), is_causal=True)
        return self.out(y.transpose(0, 1))


def ready(model, seed=0):
    """All parameters random, biases too, in float64 and eval mode."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return model


def agrees(f, model, lengths=(1, 2, 5, N_CTX), tolerance=1e-6):
    """The largest difference over random inputs, and the forward pass is not constant."""
    rng = np.random.default_rng(0)
    outputs = []
    for length in lengths * 3:
        x = rng.integers(0, TOKENS, length)
        with torch.no_grad():
            expected = model(torch.from_numpy(x)[None])[0, -1].double().numpy()
        assert abs(f(x) - expected).max() <= tolerance * max(1, abs(expected).max())
        assert abs(reference(f, x) - expected).max() <= tolerance * max(1, abs(expected).max())
        outputs.append(expected)
    assert np.ptp(outputs, axis=0).min() > 0.1


def packed_parts(layers):
    return [
        {"attention": f"attention.{k}", "mlp_in": f"mlp.{k}.0", "mlp_out": f"mlp.{k}.3"}
        for k in range(layers)
    ]


PLAIN = {"embedding": "embed", "unembedding": "out", "logits": "plain", "causal": True}
TABLE = {"positions": "positions", "positions_start": 0, "period": N_CTX}


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_multihead_attention(layers, bias):
    model = ready(Packed(layers, bias))
    f = LimitTransformer.from_torch(model, layers=packed_parts(layers), **PLAIN, **TABLE)
    agrees(f, model)
    state = model.state_dict()
    kept = LimitTransformer.from_torch(
        state, layers=packed_parts(layers), heads=HEADS, **PLAIN, **TABLE
    )
    assert kept == f


def test_float32_up_to_its_own_rounding():
    model = ready(Packed(2)).float()
    f = LimitTransformer.from_torch(model, layers=packed_parts(2), **PLAIN, **TABLE)
    agrees(f, model, tolerance=1e-5)  # of the model's own forward pass
    agrees(f, model.double())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_files_of_every_type(tmp_path, dtype):
    model = ready(Packed(2)).to(dtype)
    path = tmp_path / "model.safetensors"
    save_file(model.state_dict(), path)
    f = LimitTransformer.from_torch(path, layers=packed_parts(2), heads=HEADS, **PLAIN, **TABLE)
    assert f == LimitTransformer.from_torch(model, layers=packed_parts(2), **PLAIN, **TABLE)
    agrees(f, model.double())


def test_one_layer_that_sees_all():
    model = ready(Packed(1, causal=False))
    how = PLAIN | TABLE | {"causal": False}
    agrees(LimitTransformer.from_torch(model, layers=packed_parts(1), **how), model)
    with pytest.raises(InputError, match=r"^causal"):
        LimitTransformer.from_torch(ready(Packed(2, causal=False)), layers=packed_parts(2), **how)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("log", [False, True])
def test_separate_projections(layers, log):
    model = ready(Separate(layers, log))
    names = ("query", "key", "value", "output")
    f = LimitTransformer.from_torch(
        model,
        embedding="embed",
        unembedding="embed",
        layers=[{name: f"layers.{k}.{name}" for name in names} for k in range(layers)],
        heads=HEADS,
        logits="log" if log else "plain",
        precision_bits=60 if log else None,
        causal=True,
    )
    agrees(f, model)


@pytest.mark.parametrize("layers", [1, 2])
def test_encoder_layers(layers):
    model = ready(Encoder(layers))
    names = [f"encoder.layers.{k}" for k in range(layers)]
    agrees(LimitTransformer.from_torch(model, layers=names, **PLAIN), model)


def test_positions_that_repeat():
    model = ready(Packed(2))
    with torch.no_grad():
        model.positions.weight.copy_(model.positions.weight[:3].repeat(N_CTX // 3, 1))
    f = LimitTransformer.from_torch(model, layers=packed_parts(2), **PLAIN | TABLE | {"period": 3})
    assert f.period == 3
    agrees(f, model)


def changed(change):
    model = ready(Packed(2))
    return change(model) or model


def set_part(name, part):
    def change(model):
        setattr(model, name, part)

    return change


class RMSNorm(nn.Module):
    """A norm of one's own, without parameters."""

    def forward(self, y):
        return y / y.norm()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.train(), "attention.0: .*no dropout: model.eval"),
        (set_part("norm", nn.LayerNorm(D, elementwise_affine=False)), "norm: .*no normalisation"),
        (set_part("norm", nn.RMSNorm(D)), "norm: .*no normalisation"),
        (set_part("norm", RMSNorm()), "norm: .*nn.Identity"),
        (set_part("act", nn.GELU()), r"act: .*nn.ReLU\(\)"),
        (set_part("act", nn.Softplus()), r"act: .*nn.ReLU\(\)"),
        (set_part("conv", nn.Conv1d(1, 1, 1)), "conv: .*parts of these kinds"),
        (set_part("more", nn.Linear(D, D)), "state: got 'more.weight, more.bias'"),
        (
            lambda m: nn.Sequential(nn.MultiheadAttention(D, HEADS, add_zero_attn=True)).eval(),
            "0: .*a BOS token takes",
        ),
        (
            lambda m: nn.Sequential(nn.MultiheadAttention(D, HEADS, add_bias_kv=True)).eval(),
            "0: .*a BOS token takes",
        ),
        (set_part("embed", nn.Embedding(TOKENS, D, max_norm=1.0)), "embed: .*max_norm=None"),
        (lambda m: m.out.register_forward_hook(print) and None, "out: .*without forward hooks"),
    ],
)
def test_refused_parts(change, words):
    with pytest.raises(InputError, match=f"^{words}"):
        LimitTransformer.from_torch(changed(change), layers=packed_parts(2), **PLAIN, **TABLE)


def test_refused_encoder_layers():
    model = ready(Encoder(1, activation="gelu"))
    with pytest.raises(InputError, match="activation: got 'gelu'"):
        LimitTransformer.from_torch(model, layers=["encoder.layers.0"], **PLAIN)
    model = ready(Encoder(1))
    model.encoder.layers[0].norm1 = nn.LayerNorm(D)
    with pytest.raises(InputError, match=r"norm1: .*no normalisation"):
        LimitTransformer.from_torch(model, layers=["encoder.layers.0"], **PLAIN)


def test_parts_that_play_no_role_are_ignored_by_name():
    model = ready(Packed(2))
    f = LimitTransformer.from_torch(model, layers=packed_parts(2), **PLAIN, **TABLE)
    model.norm = nn.LayerNorm(D)
    model.register_buffer("mask", torch.ones(4, 4))
    how = PLAIN | TABLE | {"ignore": ("norm", "mask")}
    assert LimitTransformer.from_torch(model, layers=packed_parts(2), **how) == f


def test_buffers_that_are_not_saved_count():
    model = ready(Packed(2))
    model.register_buffer("table", torch.ones(N_CTX, D), persistent=False)
    with pytest.raises(InputError, match=r"^state: got 'table'"):
        LimitTransformer.from_torch(model, layers=packed_parts(2), **PLAIN, **TABLE)


def test_a_model_may_have_any_name():
    class WithoutNorm(Packed):
        pass

    model = ready(WithoutNorm(1))
    f = LimitTransformer.from_torch(model, layers=packed_parts(1), **PLAIN, **TABLE)
    agrees(f, model)


def test_learned_positions_need_a_word():
    with pytest.raises(InputError, match=r"^period: got None .*no longer input exists"):
        LimitTransformer.from_torch(
            ready(Packed(1)), layers=packed_parts(1), **PLAIN, positions="positions"
        )
    with pytest.raises(InputError, match=r"^heads: got 4 .*None, or 2"):
        LimitTransformer.from_torch(
            ready(Packed(1)), layers=packed_parts(1), **PLAIN, **TABLE, heads=4
        )
