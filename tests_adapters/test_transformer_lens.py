"""from_transformer_lens agrees with HookedTransformer's own forward pass, and refuses the rest."""

import numpy as np
import pytest
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

from verify import InputError
from verify.adapters import from_transformer_lens

TOKENS, N_CTX = 5, 12
BASE = {
    "d_model": 8,
    "d_head": 4,
    "n_heads": 2,
    "n_layers": 2,
    "n_ctx": N_CTX,
    "d_vocab": TOKENS,
    "attn_only": True,
    "normalization_type": None,
    "dtype": torch.float64,
    "device": "cpu",
}


def model(**options):
    result = HookedTransformer(HookedTransformerConfig(**BASE | options)).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in result.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return result


def agrees(f, m, tolerance=1e-6):
    rng = np.random.default_rng(0)
    outputs = []
    for length in (1, 2, 5, N_CTX) * 3:
        x = rng.integers(0, TOKENS, length)
        with torch.no_grad():
            expected = m(torch.from_numpy(x)[None])[0, -1].double().numpy()
        assert abs(f(x) - expected).max() <= tolerance
        outputs.append(expected)
    assert np.ptp(outputs, axis=0).min() > 0.1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_layers": 1},
        {"n_layers": 3},
        {"positional_embedding_type": "shortformer"},
        {"attn_only": False, "act_fn": "relu", "d_mlp": 16},
        {"n_key_value_heads": 1},
        {"use_attn_scale": False},
        {"attn_scale": 3.0},
        {"use_attn_result": True},
        {"d_vocab_out": 2},
        {"n_layers": 1, "attention_dir": "bidirectional"},
    ],
    ids=str,
)
def test_forward_passes_agree(options):
    m = model(**options)
    agrees(from_transformer_lens(m, period=N_CTX), m)


def test_positions_that_repeat_and_none():
    m = model()
    with torch.no_grad():
        m.pos_embed.W_pos.copy_(m.pos_embed.W_pos[:3].repeat(4, 1))
    f = from_transformer_lens(m, period=3)
    assert f.period == 3
    agrees(f, m)
    with torch.no_grad():
        m.pos_embed.W_pos.zero_()
    agrees(from_transformer_lens(m, period=1), m)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"normalization_type": "LN"}, "cfg.normalization_type: got 'LN' .*LNPre"),
        ({"normalization_type": "LNPre"}, "cfg.normalization_type: got 'LNPre'"),
        ({"positional_embedding_type": "rotary", "rotary_dim": 4}, ".*got 'rotary' .*an angle"),
        ({"positional_embedding_type": "alibi"}, ".*got 'alibi' .*lag_bias of finitely many"),
        ({"attn_only": False, "act_fn": "gelu", "d_mlp": 16}, "cfg.act_fn: got 'gelu'"),
        (
            {"attn_only": False, "act_fn": "relu", "d_mlp": 16, "parallel_attn_mlp": True},
            "cfg.parallel_attn_mlp",
        ),
        (
            {"use_local_attn": True, "window_size": 3, "attn_types": ["local"] * 2},
            "cfg.use_local_attn",
        ),
        ({"attn_scores_soft_cap": 5.0}, "cfg.attn_scores_soft_cap: got 5.0"),
        ({"scale_attn_by_inverse_layer_idx": True}, "cfg.scale_attn_by_inverse_layer_idx"),
        ({"attention_dir": "bidirectional"}, "causal: got False"),
    ],
    ids=str,
)
def test_refusals(options, words):
    with pytest.raises(InputError, match=f"^{words}"):
        from_transformer_lens(model(**options), period=N_CTX)


def test_learned_positions_need_a_word():
    with pytest.raises(InputError, match=r"^period: got None .*no longer input exists"):
        from_transformer_lens(model())


def test_hooks_are_refused():
    m = model()
    m.add_hook("blocks.0.attn.hook_pattern", lambda value, hook: value * 0)
    with pytest.raises(InputError, match=r"^model: .*hook_pattern.*reset_hooks"):
        from_transformer_lens(m, period=N_CTX)
    m.reset_hooks()
    agrees(from_transformer_lens(m, period=N_CTX), m)
