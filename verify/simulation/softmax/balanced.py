"""Two softmax layers: the balanced map x → z, with error O(n^(−1/2))."""

from __future__ import annotations

from typing import Any

from verify.float_errors import usual_float_errors
from verify.measure.dyadic import Dyadic
from verify.model.transformer import LimitTransformer
from verify.simulation.result import Simulation
from verify.simulation.softmax.attention_features import attention_features
from verify.simulation.softmax.blocks import BlockPlan, plan_blocks
from verify.simulation.softmax.pair import SoftmaxPair, Tokens
from verify.simulation.softmax.proven_error import two_layer_error
from verify.simulation.softmax.windows import BalancedInput, balance_windows

THEOREM = "derived.two_layer_softmax"
THEOREM_PERIODIC = "derived.two_layer_softmax_periodic"


@usual_float_errors
def simulate_balanced(
    x: Any, f: LimitTransformer, g: LimitTransformer | None = None, *, length: int, theta: int = 1
) -> Simulation:
    """A short z on which f and g nearly repeat their outputs on x, |z| ≤ length.

    z consists of about √(2·length/θ) contiguous pieces of x and its last tokens
    ([derived, Lemma B3 and Theorem B4]). |z| is the largest ΔθK(K+1)/2 + a, K an integer, that
    does not exceed `length`; x itself where it is short enough.

    Args:
        x: (T,) integers in 0..|Σ|−1.
        f: two layers in infinite precision, no lag bias in the second.
        g: another such model on the same vocabulary, or None.
        length: largest |z| allowed.
        theta: θ ≥ 1, growth of the pieces; larger values suit long suffixes.

    Raises:
        InputError: x is no sequence of tokens, or length too small for one piece.
        WeightsError: f or g is outside the theorem.
        CertificateError: a check of the construction failed.
    """
    pair = SoftmaxPair(f, g, layers=2)
    tokens = pair.tokens(x, length)
    theorem = THEOREM if pair.period == 1 else THEOREM_PERIODIC
    if len(tokens) <= length:
        return pair.unchanged(tokens, limit=length, theorem=theorem)
    plan = plan_blocks(len(tokens), length, locality=pair.locality, period=pair.period, theta=theta)
    z = balanced_input(tokens, pair, plan)
    proven = [
        two_layer_error(model, plan, dimension=z.dimension, locality=pair.locality)
        for model in pair.models
    ]
    return pair.measured(
        tokens, z.short, limit=plan.length, proven_error=max(proven), theorem=theorem
    )


def balanced_dimension(pair: SoftmaxPair) -> int:
    """d = Δ(|Σ| − 1) + Σ rank V₂ over the models: the coordinates that the map balances."""
    ranks = sum(Dyadic.of(h.value).rank() for model in pair.models for h in model.layers[1].heads)
    return pair.period * (pair.vocabulary_size - 1) + ranks


def balanced_input(x: Tokens, pair: SoftmaxPair, plan: BlockPlan) -> BalancedInput:
    """z for the features Ψ of all second-layer heads of the pair, and how it was built."""
    return balance_windows(
        x,
        [attention_features(model, x)[0] for model in pair.models],
        plan,
        vocabulary_size=pair.vocabulary_size,
        locality=pair.locality,
    )
