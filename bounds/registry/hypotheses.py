"""Hypotheses that several entries share and that no quantity of a `Scope` expresses."""

from __future__ import annotations

from bounds.scope import Hypothesis

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
