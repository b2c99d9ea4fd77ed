"""The maps x → z: a short input on which f and g nearly repeat their outputs on a long one.

One simulator per theorem: made from a pair f, g and ε, called with inputs.
"""

from __future__ import annotations

from typing import Any

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.simulation.argmax.one_layer import THEOREM, OneLayerSimulation, OneLayerSimulator
from verify.simulation.result import Simulation
from verify.simulation.softmax.simulator import SoftmaxSimulator

__all__ = [
    "OneLayerSimulation",
    "OneLayerSimulator",
    "Simulation",
    "SoftmaxSimulator",
    "simulate",
    "simulator",
]

SIMULATORS = {THEOREM: OneLayerSimulator}
"""Theorem key → its simulator."""

_DEFAULT = {("argmax", 1): THEOREM}


def simulator(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    theorem: str | None = None,
    control: str | None = None,
) -> OneLayerSimulator:
    """Return the map x → z for a pair of models: measure once, then shorten many inputs.

    Arguments and errors as in `simulate`; `control` replaces the theorem's map by one that is
    known to be wrong ("thinned" or "truncated").
    """
    g = f if g is None else g
    _check_models(f, g)
    if theorem is None:
        setting = (f.attention, len(f.layers))
        if setting not in _DEFAULT:
            covered = "; ".join(f"{attention}, {n} layer" for attention, n in _DEFAULT)
            raise InputError("f", f, f"a model that a simulation covers ({covered})")
        theorem = _DEFAULT[setting]
    if theorem not in SIMULATORS:
        raise InputError("theorem", theorem, f"one of {', '.join(SIMULATORS)}")
    return SIMULATORS[theorem](f, g, epsilon, control)


def simulate(
    x: Any,
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    theorem: str | None = None,
) -> OneLayerSimulation | Simulation:
    """Return a short input z with |f(x) − f(z)| ≤ ε and |g(x) − g(z)| ≤ ε, and what was measured.

    Inputs that are not longer than the theorem's N stay as they are.

    Args:
        x: (T,) tokens, or for one layer in finite precision a Summary with Δ = the lcm of the
            models' least periods and τ = the larger locality.
        f: a model.
        g: the other model of the pair; without it, f stands for both.
        epsilon: ε > 0, the error allowed for each of f and g, in ℓ∞ over the outputs; int,
            Fraction, string such as "1/10", or float (its shortest decimal).
        theorem: key of the theorem; by default the one for the models' precision and layers.

    Raises:
        InputError: an argument is not usable, the models do not match in |Σ|, outputs or bits
            of precision, or no theorem with a map covers them.
        WeightsError: softmax models that no theorem covers.
    """
    _check_models(f, f if g is None else g)
    if f.attention == "softmax":
        if g is not None and g.attention != "softmax":
            raise InputError("g.precision_bits", g.precision_bits, "None, as of f")
        run = SoftmaxSimulator(f, g, epsilon)
        if theorem not in (None, run.theorem):
            raise InputError("theorem", theorem, f"{run.theorem}, or None")
        return run(x)
    return simulator(f, g, epsilon=epsilon, theorem=theorem)(x)


def _check_models(f: object, g: object) -> None:
    for name, model in (("f", f), ("g", g)):
        if not isinstance(model, LimitTransformer):
            raise InputError(name, model, "a LimitTransformer")
