"""Hypotheses that several entries share and that no quantity of a `Scope` expresses."""

from __future__ import annotations

from bounds.evaluate import compare
from bounds.scope import Hypothesis, Values


def _columns_have_the_range(values: Values) -> bool:
    columns = values.get("logit_range_columns")
    return columns is None or compare(columns, values["logit_range"]) >= 0


ROUNDING = Hypothesis(
    "(A1) attention weights ≤ 2^−p relative to the largest are dropped; nothing else is rounded"
)
MODEL = Hypothesis(
    "(A2) lag biases vanish beyond τ, positions are Δ-periodic, φ depends on the lag"
)
SHARED = Hypothesis(
    "(A3) f and g have the same Σ, Δ and τ (otherwise take the lcm and the maximum)"
)
SOFTMAX = Hypothesis("softmax attention; lag biases φ(0..τ) times log i, content logits unscaled")
EUCLIDEAN = Hypothesis(
    "Λ is a Lipschitz constant, in the Euclidean norm, of what follows the attention, times the "
    "Euclidean diameter of a head's values, summed over heads, max over f and g"
)


def _euclidean_is_no_smaller(values: Values) -> bool:
    euclidean = values.get("lipschitz_euclidean")
    return euclidean is None or compare(euclidean, values["lipschitz"]) >= 0


SAME_CONSTANTS = Hypothesis(
    "Λ may be as large as L, as it is for the pair: Λ ≥ L", _euclidean_is_no_smaller
)
WHOLE_RANGE = Hypothesis(
    "the keys of one residue may have the whole logit range, as those of the pair do: R_c ≥ R",
    _columns_have_the_range,
)
