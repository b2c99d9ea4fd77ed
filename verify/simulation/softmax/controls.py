"""A map x → z for softmax models that is known to be wrong, to see a check fail."""

from __future__ import annotations

from typing import Any

from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.model.transformer import LimitTransformer
from verify.simulation.result import Simulation
from verify.simulation.softmax import balanced, deep, one_layer
from verify.simulation.softmax.blocks import plan_schedule
from verify.simulation.softmax.deep import DeepPair, covers_only_depth
from verify.simulation.softmax.pair import SoftmaxPair
from verify.simulation.softmax.proven_error import one_layer_error, two_layer_error

CONTROLS = ("truncated",)
"""Names of the known-wrong maps for softmax models."""

_GROWING = (1, None, None)
"""θ = q = 1: the pieces of the map that checks run by default on two layers."""


@usual_float_errors
def simulate_truncated(
    x: Any, f: LimitTransformer, g: LimitTransformer | None = None, *, length: int
) -> Simulation:
    """The end of x, held against the error that is proven for the theorem's z of the same length.

    z has the last tokens and the residue of x, and the length that the theorem's map gives it, so
    that only the choice of the other tokens differs. What happened long ago is lost.

    Args:
        x: (T,) integers in 0..|Σ|−1.
        f: a model in infinite precision.
        g: another such model on the same vocabulary, or None.
        length: largest |z| allowed.

    Raises:
        InputError: x is no sequence of tokens, or length is too small for the theorem's map.
        WeightsError: f or g is outside the theorem.
    """
    if covers_only_depth(f, g):
        return _truncated_deep(x, DeepPair.of(f, g), length)
    pair = SoftmaxPair(f, g, layers=len(f.layers))
    tokens = pair.tokens(x, length)
    theorem = one_layer.THEOREM if pair.layers == 1 else balanced.THEOREM
    if len(tokens) <= length:
        return pair.unchanged(tokens, limit=length, theorem=theorem)
    tail = pair.tail(len(tokens))
    if length < tail:
        raise InputError("length", length, f"at least the kept tail, {tail}")
    locality = pair.locality
    if pair.layers == 1:
        size = tail + (length - tail) // pair.period * pair.period
        proven = [
            one_layer_error(model, size, tail=tail, period=pair.period, locality=locality)
            for model in pair.models
        ]
    else:
        plan = balanced.balanced_plan(pair, len(tokens), length, _GROWING)
        size, dimension = plan.length, balanced.balanced_dimension(pair)
        proven = [
            two_layer_error(model, plan, dimension=dimension, locality=locality)
            for model in pair.models
        ]
    return pair.measured(
        tokens, tokens[-size:], limit=size, proven_error=max(proven), theorem=theorem
    )


def _truncated_deep(x: Any, pair: DeepPair, length: int) -> Simulation:
    """The same for models of any depth."""
    tokens = pair.tokens(x, length)
    if len(tokens) <= length:
        return pair.unchanged(tokens, limit=length, theorem=deep.THEOREM)
    schedule, log2_eta = deep.choice_within(pair, len(tokens), length)
    plan = plan_schedule(len(tokens), schedule, locality=pair.locality, period=pair.period)
    return pair.measured(
        tokens,
        tokens[-plan.length :],
        limit=plan.length,
        proven_error=deep.proven_error(pair, schedule, log2_eta),
        theorem=deep.THEOREM,
    )
