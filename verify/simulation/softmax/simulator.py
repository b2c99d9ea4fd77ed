"""Softmax models at a wanted error: the proven N for ε, and the map x → z of that length."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

import bounds
from bounds.numbers import exact
from bounds.registry.sufficient.linf_softmax_deep import CHOICE
from bounds.registry.sufficient.schedules import LEVELS, REPEATS, THETA
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.measure import measure
from verify.model.transformer import LimitTransformer
from verify.simulation.result import Simulation
from verify.simulation.softmax import balanced, deep, one_layer
from verify.simulation.softmax.balanced import simulate_balanced
from verify.simulation.softmax.deep import DeepPair, covers_only_depth, simulate_deep
from verify.simulation.softmax.one_layer import simulate_softmax_one_layer
from verify.simulation.softmax.pair import SoftmaxPair
from verify.simulation.softmax.schedule import Schedule


class SoftmaxSimulator:
    """The map of Theorem B5 (one layer), B4⁺ (two) or D (any depth) for one pair f, g and one ε.

    Attributes:
        theorem: key of the theorem.
        epsilon: ε, the error allowed for each of f and g.
        constants: what `verify.measure` finds.
        bound: the proven length N, as `bounds.required_length` gives it.
    """

    @usual_float_errors
    def __init__(self, f: LimitTransformer, g: LimitTransformer | None, epsilon: Any) -> None:
        """Measure the pair once.

        Raises:
            InputError: ε is not a rational number > 0, or f and g do not match.
            WeightsError: no theorem covers f and g.
        """
        allowed = 'a rational number > 0: int, Fraction, float (its shortest decimal), or "1/10"'
        try:
            number = exact(epsilon)
        except ValueError:
            raise InputError("epsilon", epsilon, allowed) from None
        if not isinstance(number, Fraction) or number <= 0:
            raise InputError("epsilon", epsilon, allowed)
        self.epsilon = number
        if covers_only_depth(f, g):
            self.pair: SoftmaxPair = DeepPair.of(f, g)
        else:
            self.pair = SoftmaxPair(f, g, layers=min(len(f.layers), 2))
        self.theorem = self._theorem()
        self.constants = measure(f, g)
        self.bound = self._proven()

    def _proven(self) -> bounds.LengthBound:
        return bounds.required_length(
            theorem=self.theorem, epsilon=self.epsilon, **self.constants.parameters()
        )

    def _pieces(self) -> dict[str, int]:
        """θ, q and J of the proven length, where they were found by search."""
        choice = self.bound.choice
        if isinstance(choice[LEVELS], sympy.Symbol):
            return {}
        names = {"theta": THETA, "repeats": REPEATS, "levels": LEVELS}
        return {name: int(choice[symbol]) for name, symbol in names.items()}

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what was measured; the bound follows from it."""
        return {name: value for name, value in vars(self).items() if name != "bound"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was measured, and state the bound again."""
        vars(self).update(state)
        self.bound = self._proven()

    @usual_float_errors
    def __call__(self, x: Any) -> Simulation:
        """Shorten x, (T,) tokens, to at most N; inputs that are not longer stay as they are.

        Raises:
            InputError: x is no sequence of tokens.
        """
        pair, limit = self.pair, self.bound.length
        sequence = pair.sequence(x, 1)
        if limit is not None and pair.layers == 1 and pair.locality < limit < len(sequence):
            return simulate_softmax_one_layer(sequence, pair.f, pair.g, length=limit)
        tokens = pair.tokens(sequence, 1)
        if limit is None or len(tokens) <= limit:
            return pair.unchanged(tokens, limit=limit, theorem=self.theorem)
        if isinstance(pair, DeepPair):
            return simulate_deep(tokens, pair.f, pair.g, length=limit, **self._choice())
        if pair.layers == 2:
            return simulate_balanced(tokens, pair.f, pair.g, length=limit, **self._pieces())
        # One layer, and ε so large that any input with the same last token will do.
        return pair.measured(
            tokens,
            tokens[-1:].copy(),
            limit=limit,
            proven_error=float(self.epsilon),
            theorem=self.theorem,
        )

    def _choice(self) -> dict[str, Any]:
        """θ, q, J and log2 η of the proven length."""
        chosen = {name: int(self.bound.choice[symbol]) for name, symbol in CHOICE.items()}
        pieces = Schedule(chosen["theta"], chosen["repeats"], chosen["levels"])
        return {"schedule": pieces, "tolerance": chosen["tolerance"]}

    def _theorem(self) -> str:
        if isinstance(self.pair, DeepPair):
            return deep.THEOREM
        if self.pair.layers == 1:
            if self.pair.period > 1:
                allowed = "no positions: the length for one softmax layer is proved for Δ = 1"
                raise InputError("f.positions", f"period {self.pair.period}", allowed)
            return one_layer.THEOREM
        return balanced.THEOREM
