"""Softmax models of any depth: the balanced map x → z of Theorem D."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import Any

from flint import arb, ctx

from bounds.depth_constants import DepthConstants
from bounds.depth_error import Coefficients, balanced_dimension, coefficients
from bounds.precision import FLINT
from verify.errors import InputError, WeightsError
from verify.float_errors import usual_float_errors
from verify.measure.norms import float_up, interval, up
from verify.measure.softmax import needs_depth
from verify.measure.softmax_depth import depth_constants, padded, smallest_margin
from verify.model.transformer import LimitTransformer
from verify.model.validation import Problem
from verify.simulation.result import Simulation
from verify.simulation.softmax.blocks import BlockPlan, kept_tail, plan_schedule
from verify.simulation.softmax.deep_features import deep_features
from verify.simulation.softmax.pair import SoftmaxPair, Tokens
from verify.simulation.softmax.schedule import Schedule, longest_schedule
from verify.simulation.softmax.windows import BalancedInput, balance_windows

THEOREM = "derived.softmax_deep"

_BITS = 256
_EXPONENTS = (255, 252, 240, 224, 192, 160, 128, 64)
"""γ̄ is one of these over 256, or the margin where that is less."""
_TOLERANCES = (6, 3, 0, -2, -4, -7, -10)
"""log2 η, of which the one with the least proven error is taken."""
_MOST_DIMENSION = 300
"""Coordinates that are balanced at most: each piece is a linear program with as many rows."""
_LARGEST_FLOAT = Fraction(2) ** 1023


@dataclass(frozen=True, eq=False)
class DeepPair(SoftmaxPair):
    """One or two models in infinite precision of any depth, on one vocabulary.

    `layers` is the depth of the deeper one, at least 2; the other one is padded.
    """

    def __post_init__(self) -> None:
        """Refuse finite precision and vocabularies of different size.

        Raises:
            WeightsError: of these.
        """
        problems: list[Problem] = []
        given = (self.f,) if self.g is None else (self.f, self.g)
        for name, model in zip("fg", given, strict=False):
            if model.precision_bits is not None:
                allowed = "None: infinite precision, softmax attention"
                problems.append((f"{name}.precision_bits", model.precision_bits, allowed))
        if self.g is not None and self.g.vocabulary_size != self.f.vocabulary_size:
            allowed = f"|Σ| = {self.f.vocabulary_size}, as of f"
            problems.append(("g.vocabulary_size", self.g.vocabulary_size, allowed))
        if problems:
            raise WeightsError.of_all(problems)

    @classmethod
    def of(cls, f: LimitTransformer, g: LimitTransformer | None) -> DeepPair:
        """The pair at its depth."""
        depths = [len(model.layers) for model in (f, g) if model is not None]
        return cls(f, g, max(2, *depths))

    @cached_property
    def stacks(self) -> tuple[LimitTransformer, ...]:
        """The models with equally many layers."""
        return tuple(padded(model, self.layers) for model in self.models)

    @cached_property
    def constants(self) -> DepthConstants:
        """The constants of every layer."""
        return depth_constants(self.models)

    @cached_property
    def locality(self) -> int:
        """τ* = τ_1 + … + τ_P: how far back the last output sees single symbols."""
        return sum(self.constants.localities)

    @property
    def window(self) -> int:
        """τ_1 + … + τ_{P−1}: how far back a state of the last layer's keys sees them."""
        return sum(self.constants.localities[:-1])

    def bounds(self, tolerance: int) -> list[tuple[Any, tuple[Coefficients, ...]]]:
        """The bounds of f and g at this log2 η, for every γ̄ that is tried."""
        if tolerance not in self._bounds:
            found = []
            for exponent in self._exponents():
                gamma = interval(exponent)
                sizes = (self.vocabulary_size, self.period, gamma, tolerance)
                found.append((gamma, coefficients(self.constants, *sizes)))
            self._bounds[tolerance] = found
        return self._bounds[tolerance]

    @cached_property
    def _bounds(self) -> dict[int, list[tuple[Any, tuple[Coefficients, ...]]]]:
        return {}

    def _exponents(self) -> list[Fraction]:
        """The γ̄ that are tried, below 1 and at most the least margin."""
        if not self.constants.has_bias:
            return [Fraction(1, 2)]
        margin = min(smallest_margin(model) for model in self.models)
        grid = [Fraction(k, 256) for k in _EXPONENTS]
        return [g for g in grid if g <= margin] + ([margin] if margin < 1 else [])


@usual_float_errors
def simulate_deep(
    x: Any,
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    length: int,
    schedule: Schedule | None = None,
    tolerance: int | None = None,
) -> Simulation:
    """A short z on which f and g nearly repeat their outputs on x, |z| ≤ length.

    Pieces of x of lengths θ⌈k/q⌉ and its last τ* + 1 to τ* + Δ tokens ([derived, Theorem D]).

    Args:
        x: (T,) integers in 0..|Σ|−1, T at most 2^13 where it has to be shortened.
        f: a model in infinite precision, any depth, lag biases in any layer.
        g: another such model on the same vocabulary, or None; the shorter one is padded.
        length: largest |z| allowed.
        schedule: θ, q, J; None for the one with the least proven error.
        tolerance: log2 η of the polynomials of middle layers; None for the same.

    Raises:
        InputError: x is no sequence of tokens, or too long; or length too small for one piece.
        WeightsError: f or g is outside the theorem.
        CertificateError: a check of the construction failed.
    """
    pair = DeepPair.of(f, g)
    tokens = pair.tokens(x, length)
    if len(tokens) <= length:
        return pair.unchanged(tokens, limit=length, theorem=THEOREM)
    chosen, log2_eta = choice_within(pair, len(tokens), length, schedule, tolerance)
    plan = plan_schedule(
        len(tokens), chosen, locality=pair.locality, period=pair.period, longest=length
    )
    z = deep_input(tokens, pair, plan, log2_eta)
    return pair.measured(
        tokens,
        z.short,
        limit=plan.length,
        proven_error=proven_error(pair, chosen, log2_eta),
        theorem=THEOREM,
    )


def covers_only_depth(f: LimitTransformer, g: LimitTransformer | None) -> bool:
    """Whether f and g are softmax models that no theorem but that of any depth covers."""
    models = tuple(model for model in (f, g) if model is not None)
    return all(model.attention == "softmax" for model in models) and needs_depth(models)


def choice_within(
    pair: DeepPair,
    total: int,
    length: int,
    schedule: Schedule | None = None,
    tolerance: int | None = None,
) -> tuple[Schedule, int]:
    """The schedule for |z| ≤ length and log2 η with the least proven error, or those given.

    Raises:
        InputError: `length` is too small for one piece, or too many coordinates are to be
            balanced at every η.
    """
    tail = kept_tail(total, pair.locality, pair.period)
    room = (length - tail) // pair.period
    if room < 1:
        raise InputError("length", length, f"at least Δ + (kept tail) = {pair.period + tail}")
    schedules = [schedule] if schedule is not None else _schedules(room)
    tolerances = _TOLERANCES if tolerance is None else (tolerance,)
    sizes = {eta: dimension(pair, eta) for eta in tolerances}
    usable = [eta for eta, size in sizes.items() if size <= _MOST_DIMENSION]
    if not usable:
        allowed = (
            f"models with at most {_MOST_DIMENSION} coordinates to balance; these have "
            f"{min(sizes.values())} (polynomials of the logits of middle layers)"
        )
        raise InputError("f", pair.f, allowed)
    pairs = [(schedule, eta) for schedule in schedules for eta in usable]
    return min(pairs, key=lambda choice: (proven_error(pair, *choice), choice[0].total))


def _schedules(room: int) -> list[Schedule]:
    """Those with θ and q powers of 4, as long as the room allows."""
    bits = room.bit_length()
    return [
        longest_schedule(room, 2**i, 2**j) for i in range(0, bits, 2) for j in range(0, bits - i, 2)
    ]


def dimension(pair: DeepPair, tolerance: int) -> int:
    """d, the coordinates that are balanced for f and g; for f alone, those of f once."""
    constants = pair.constants
    if constants.g is None:  # f stands for both in the theorem, but is balanced once
        nothing = tuple(replace(layer, heads=()) for layer in constants.f)
        constants = DepthConstants(constants.f, nothing)
    with FLINT, ctx.workprec(_BITS):
        return balanced_dimension(constants, pair.vocabulary_size, pair.period, tolerance)


def proven_error(pair: DeepPair, schedule: Schedule, tolerance: int) -> float:
    """The bound of Theorem D for f and g, rounded up; inf beyond the range of float64."""
    end, least = pair.locality + pair.period, inf
    with FLINT, ctx.workprec(_BITS):
        theta, q, levels = arb(schedule.theta), arb(schedule.repeats), arb(schedule.levels)
        for gamma, bounds in pair.bounds(tolerance):
            errors = [up(b.at(theta, q, levels, pair.period, end, gamma)) for b in bounds]
            worst = max(errors)
            least = min(least, float_up(worst) if worst < _LARGEST_FLOAT else inf)
    return least


def deep_input(x: Tokens, pair: DeepPair, plan: BlockPlan, tolerance: int) -> BalancedInput:
    """z for the features of f and g, and how it was built."""
    models = zip(pair.stacks, pair.constants.models, strict=False)
    features = [deep_features(f, layers, x, plan, tolerance) for f, layers in models]
    return balance_windows(
        x,
        features,
        plan,
        vocabulary_size=pair.vocabulary_size,
        locality=pair.window,
    )
