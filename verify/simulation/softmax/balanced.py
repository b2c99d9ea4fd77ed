"""Two softmax layers: the balanced map x → z, with error O(n^(−1/2))."""

from __future__ import annotations

from typing import Any

from verify.float_errors import usual_float_errors
from verify.measure.dyadic import Dyadic
from verify.model.transformer import LimitTransformer
from verify.simulation.result import Simulation
from verify.simulation.softmax.attention_features import attention_features
from verify.simulation.softmax.best_schedule import best_schedule
from verify.simulation.softmax.blocks import BlockPlan, plan_blocks, plan_schedule
from verify.simulation.softmax.pair import SoftmaxPair, Tokens
from verify.simulation.softmax.proven_error import ingredients, two_layer_error
from verify.simulation.softmax.schedule import Schedule
from verify.simulation.softmax.windows import BalancedInput, balance_windows

THEOREM = "derived.two_layer_softmax_balanced"


@usual_float_errors
def simulate_balanced(
    x: Any,
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    length: int,
    theta: int | None = None,
    repeats: int | None = None,
    levels: int | None = None,
) -> Simulation:
    """A short z on which f and g nearly repeat their outputs on x, |z| ≤ length.

    z consists of contiguous pieces of x, q = `repeats` of each of the lengths Δθ, 2Δθ, …, JΔθ, and
    of its last tokens: |z| = Δθq J(J+1)/2 + a ([derived, Lemma B3⁺ and Theorem B4⁺]). x itself
    where it is short enough.

    Args:
        x: (T,) integers in 0..|Σ|−1.
        f: two layers in infinite precision, no lag bias in the second.
        g: another such model on the same vocabulary, or None.
        length: largest |z| allowed.
        theta, repeats, levels: θ, q and J. None (default): if none is given, those whose proven
            error is about the least; otherwise θ = 1, q = 1, and as many levels as fit.

    Raises:
        InputError: x is no sequence of tokens, θ, q or J below 1, or length too small for them.
        WeightsError: f or g is outside the theorem.
        CertificateError: a check of the construction failed.
    """
    pair = SoftmaxPair(f, g, layers=2)
    tokens = pair.tokens(x, length)
    if len(tokens) <= length:
        return pair.unchanged(tokens, limit=length, theorem=THEOREM)
    plan = balanced_plan(pair, len(tokens), length, (theta, repeats, levels))
    z = balanced_input(tokens, pair, plan)
    proven = [
        two_layer_error(model, plan, dimension=z.dimension, locality=pair.locality)
        for model in pair.models
    ]
    return pair.measured(
        tokens, z.short, limit=plan.length, proven_error=max(proven), theorem=THEOREM
    )


def balanced_plan(
    pair: SoftmaxPair,
    total: int,
    length: int,
    wanted: tuple[int | None, int | None, int | None] = (None, None, None),
) -> BlockPlan:
    """The pieces of z for |x| = `total`, |z| ≤ `length`; what is not wanted is chosen.

    Raises:
        InputError: θ, q or J below 1, or length too small for them.
    """
    sizes = {"locality": pair.locality, "period": pair.period}
    theta, repeats, levels = wanted
    grown = {"theta": 1 if theta is None else theta, "repeats": 1 if repeats is None else repeats}
    plan = plan_blocks(total, length, **sizes, **grown)
    if levels is not None:
        schedule = Schedule(**grown, levels=levels)
        return plan_schedule(total, schedule, **sizes, longest=length)
    if theta is None and repeats is None:
        schedule = best_schedule(
            [ingredients(model) for model in pair.models],
            (length - plan.tail) // pair.period,
            dimension=balanced_dimension(pair),
            **sizes,
        )
        return plan_schedule(total, schedule, **sizes, longest=length)
    return plan


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
