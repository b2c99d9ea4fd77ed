"""Sufficient: ℓ∞ error, softmax attention, any number of layers from two on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import sympy

from bounds.depth_search import shortest
from bounds.numbers import Exact, to_sympy
from bounds.parameters import symbols
from bounds.registry.hypotheses import SOFTMAX
from bounds.registry.sources import derived
from bounds.scope import ANY, Hypothesis, Scope, Values
from bounds.theorem import Direction, Formula, Setting, Theorem, auxiliary

_THETA, _Q, _J, _END = auxiliary("theta"), auxiliary("q"), auxiliary("J"), auxiliary("tau^*")
_GAMMA_BAR, _LOG_ETA = auxiliary(r"\bar\gamma"), auxiliary(r"\log_2\eta", real=True)

CHOICE = {"theta": _THETA, "repeats": _Q, "levels": _J, "tolerance": _LOG_ETA}
"""Where `LengthBound.choice` has θ, q, J and log2 η."""


def _length() -> Formula:
    return Formula(
        terms={
            "simulation": symbols.period * _THETA * _Q * _J * (_J + 1) / 2 + _END + symbols.period
        }
    )


def _searched(values: Values) -> Iterable[Mapping[sympy.Symbol, Exact]]:
    constants: Any = values["depth_constants"]
    vocabulary_size, period = (int(values[k]) for k in ("vocabulary_size", "period"))
    found = shortest(
        constants,
        vocabulary_size,
        period,
        values["positional_margin"],
        values["simulation_error"],
    )
    yield {
        _THETA: to_sympy(found.first),
        _Q: to_sympy(found.repeats),
        _J: to_sympy(found.lengths),
        _END: to_sympy(Fraction(found.end - period)),
        _GAMMA_BAR: found.exponent,
        _LOG_ETA: Fraction(found.tolerance),
    }


def _margin(values: Values) -> Exact | None:
    """1 where no head has a lag bias: nothing depends on it there."""
    constants: Any = values["depth_constants"]
    return None if constants.has_bias else Fraction(1)


def _as_deep(values: Values) -> bool:
    constants: Any = values.get("depth_constants")
    return constants is None or "layers" not in values or constants.layers == values["layers"]


DEEP_SOFTMAX = Theorem(
    key="derived.softmax_deep",
    title="Any number of layers, softmax, ℓ∞ error: balanced windows of frozen states",
    source=derived("derived-softmax_deep", "Theorem D"),
    setting=Setting("linf", "softmax", 2, or_more=True),
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Contiguous windows of x of lengths θ⌈k/q⌉, chosen by vector balancing of tokens, of the "
        "states of every middle layer with the measure frozen at the end of its block, and of the "
        "last layer's numerators, give one z of length Δθ·qJ(J+1)/2 + a that serves f and g. The "
        "error at θ, q, J is the last display of docs/theory/softmax_deep.md; θ, q, J, γ̄ and η "
        "were searched, and are certified."
    ),
    conclusion="|f − g| ≤ {target} at every length",
    scope=Scope(
        vocabulary_size=ANY,
        period=ANY,
        locality=ANY,
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="infinite",
        ties="no matter",
        inputs="every input",
    ),
    parameters=(
        "epsilon",
        "target",
        "depth_constants",
        "vocabulary_size",
        "period",
        "positional_margin",
    ),
    defaults={"positional_margin": _margin},
    hypotheses=(
        SOFTMAX,
        Hypothesis("depth_constants has as many layers as are asked for", _as_deep),
        Hypothesis(
            "depth_constants bounds, layer by layer, the constants of docs/theory.md"
            "#derived-softmax_deep; γ is the least positional margin of all heads with a lag bias"
        ),
    ),
    formula=_length,
    choices=_searched,
    searched=(_THETA, _Q, _J),
    compares_with="izzo2025.5.2",
)

THEOREMS = (DEEP_SOFTMAX,)
