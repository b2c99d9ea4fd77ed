"""No claimed length is refuted, each could have been, and a false constant is noticed.

LGBOUNDS_SOUNDNESS_CASES=2000 makes more cases; `python -m tests.soundness` prints the table.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import pytest

import bounds

from .claims import sufficient_theorems
from .report import table
from .runner import run

CASES = int(os.environ.get("LGBOUNDS_SOUNDNESS_CASES", "0"))
"""Of each cell; 0: the numbers that stand in CELLS."""

CELLS = {
    ("argmax", 1): (
        56,
        (
            "argmax, one layer",
            "share readers",
            "on a line",
            "known pairs",
            "known average pairs",
        ),
    ),
    ("softmax", 1): (
        40,
        ("softmax, one layer", "soft share readers", "soft, on a line", "known average pairs"),
    ),
    ("argmax", 2): (
        40,
        ("suffix-only first layer", "generic first layer", "counting first layer", "grams"),
    ),
    ("softmax", 2): (24, ("softmax, two layers", "softmax, late lag bias")),
}
"""Attention and layers → number of cases, families."""

BITTEN = {
    "derived.one_layer_linf",
    "derived.one_layer_linf_additive",
    "derived.one_layer_linf_chain",
    "derived.one_layer_linf_horizon",
    "derived.one_layer_linf_positional",
    "derived.one_layer_linf_heavy",
    "derived.one_layer_linf_light",
    "derived.two_layer_argmax",
    "derived.one_layer_softmax",
    "derived.one_layer_softmax_periodic",
    "derived.one_layer_softmax_columns",
    "derived.one_layer_softmax_no_bias",
    "derived.one_layer_softmax_no_bias_columns",
}
"""Theorems that these few cases test near their own lengths; the table names the others."""


@pytest.mark.covers(
    "soundness",
    "derived.one_layer_linf",
    "derived.one_layer_linf_additive",
    "derived.one_layer_linf_additive_weights",
    "derived.one_layer_linf_chain",
    "derived.one_layer_linf_steep",
    "derived.one_layer_linf_shared_logits",
    "derived.one_layer_linf_limit",
    "derived.one_layer_linf_horizon",
    "derived.one_layer_linf_positional",
    "derived.one_layer_linf_heavy",
    "derived.one_layer_linf_light",
    "derived.two_layer_argmax",
    "derived.two_layer_argmax_suffix_only",
    "derived.two_layer_argmax_generic",
    "derived.one_layer_softmax",
    "derived.one_layer_softmax_periodic",
    "derived.one_layer_softmax_columns",
    "derived.one_layer_softmax_no_bias",
    "derived.one_layer_softmax_no_bias_columns",
    "derived.two_layer_softmax",
    "derived.two_layer_softmax_periodic",
    "derived.one_layer_average",
    "derived.one_layer_average_fixed",
    "derived.one_layer_average_nested",
    "derived.one_layer_average_common_order",
    "derived.average_two_layer_argmax",
    "derived.average_two_layer_argmax_fixed",
    "derived.average_softmax",
    "derived.average_softmax_euclidean",
    "derived.average_softmax_dirichlet",
    "derived.average_softmax_two_layer",
    "derived.average_softmax_two_layer_markov",
    "derived.softmax_deep",
)
@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell[0]}-{cell[1]}")
def test_no_claimed_length_is_refuted(cell):
    number, families = CELLS[cell]
    result = run(CASES or number, 0, families=families, most_levels=2, most_subsets=2, budget=6000)
    assert not result.violations, f"{result.violations[0]}\n{table(result)}"
    for theorem in sufficient_theorems():
        if (theorem.setting.attention, theorem.setting.layers) == cell:
            tally = result.tallies[theorem.key]
            assert tally.refutable, f"{theorem.key}: nothing could have failed\n{table(result)}"
            if theorem.key in BITTEN:
                assert tally.biting, f"{theorem.key}: not tested to its end\n{table(result)}"


def quieter(constants):
    """The constants of models whose outputs are smaller by 2^12."""
    models = [
        tuple(replace(layer, lipschitz=layer.lipschitz / 2**12) for layer in model)
        for model in constants.models
    ]
    return bounds.DepthConstants(*models)


def _exact(value):
    return value if isinstance(value, bounds.DepthConstants) else Fraction(value)


SPOILT = {
    "period": (lambda v: Fraction(1), "softmax, one layer"),
    "precision_bits": (lambda v: Fraction(1), "share readers"),
    "margin": (lambda v: 64 * v, "share readers"),
    "lipschitz": (lambda v: v / 64, "known pairs"),
    "positional_margin": (lambda v: 16 * v, "soft, on a line"),
    "path_states": (lambda v: Fraction(2), "counting first layer"),
    "depth_constants": (lambda v: quieter(v), "softmax, late lag bias"),
}
"""Keyword → a false value, and a family in which that must be noticed."""


@pytest.mark.slow
@pytest.mark.parametrize("keyword", SPOILT)
def test_a_false_constant_is_noticed(keyword):
    change, family = SPOILT[keyword]

    def spoil(keywords):
        spoilt = {k: change(_exact(v)) if k == keyword else v for k, v in keywords.items()}
        if keyword == "path_states":  # no more states at once than on a run
            spoilt["states"] = 1
        return spoilt

    found = run(
        60,
        3,
        families=(family,),
        most_levels=2,
        most_subsets=1,
        budget=6000,
        spoil=spoil,
        stop_at_first=True,
    )
    assert found.violations, table(found)
