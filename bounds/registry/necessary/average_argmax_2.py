"""Necessary: average error, argmax attention, two layers; `verify.witnesses` builds the model."""

from __future__ import annotations

from sympy import Rational

from bounds.registry.necessary.average_softmax_2 import CIRCULATION, circulation
from bounds.registry.sources import derived
from bounds.scope import ANY, Scope, at_least, exactly
from bounds.theorem import Direction, Setting, Theorem

LOWER_AVERAGE_TWO_LAYER_ARGMAX = Theorem(
    key="derived.lower_average_two_layer_argmax",
    title="Necessary, average error, two argmax layers: the power 2 of 1/ε",
    source=derived("derived-lower_average_two_layer", "Proposition C4′"),
    setting=Setting("average", "argmax", 2),
    direction=Direction.NECESSARY,
    constants="proved",
    statement=(
        "As derived.lower_average_two_layer; with argmax attention the first layer shows the "
        "previous token exactly from length 2 on."
    ),
    conclusion="below this length agreement on average does not give an average error ≤ {target}",
    scope=Scope(
        vocabulary_size=exactly(3),
        period=ANY,
        locality=at_least(1),
        heads=ANY,
        lag_bias="any",
        logits="any",
        precision="any",
        ties="exact",
        inputs="Dirichlet",
    ),
    survives=("suffix_only_first_layer", "finite_state_first_layer"),
    parameters=("epsilon", "target", "lipschitz"),
    hypotheses=CIRCULATION,
    formula=lambda: circulation(Rational("4.7")),
    exponents={"epsilon": -2, "lipschitz": 2},
)

THEOREMS = (LOWER_AVERAGE_TWO_LAYER_ARGMAX,)
