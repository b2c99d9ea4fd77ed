"""One layer, finite precision: the map x → z of Theorem 1 on real weights, and what it costs.

Nothing that the theorem concludes is taken for granted: hardmax is decided at both lengths by the
exact rule of finite precision, the argmax sets of z are computed anew, and the errors of f and g
are measured on the models themselves.

Source: [derived, Theorem 1], docs/theory.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

import bounds
from bounds.numbers import exact
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.lengths import Length
from verify.measure import ArgmaxConstants, measure
from verify.measure.value_types import minimal_locality, minimal_period
from verify.model.precision import is_dropped
from verify.model.summary import Summary, summarise
from verify.model.transformer import LimitTransformer
from verify.simulation.argmax.attention import Attention, ExactLogits
from verify.simulation.argmax.controls import CONTROLS
from verify.simulation.argmax.counts import ArgmaxSet, Counts, shorten, slack, total_variation
from verify.simulation.argmax.rounding import rounding_allowance
from verify.simulation.argmax.summaries import coarsened, expanded
from verify.simulation.argmax.threshold import hardmax_threshold

THEOREM = "derived.one_layer_linf"


@dataclass(frozen=True, eq=False)
class OneLayerSimulation:
    """A short input z that stands in for a long input x, for f and g at once.

    Attributes:
        summary: counts and suffix of x; Δ and τ are the lcm and the maximum over f and g.
        short_summary: the same of z.
        limit: N, the proven length: |z| ≤ N for every x; None if N has more than 100,000 bits.
        log2_limit: log2 N.
        error_f: |f(x) − f(z)|, the largest over the outputs, measured in float64.
        error_g: |g(x) − g(z)|.
        rounding_allowance: how far either error can be from the exact one, by rounding alone;
            see `verify.simulation.argmax.rounding`.
        epsilon: what the theorem allows each error to be.
        theorem: key of the theorem, as `bounds.theorem` takes it.
        hardmax: whether every head of f and g really is hardmax at |x| and at |z|: finite
            precision drops every term below the maximum. Below length 2^(p/γ) it need not be;
            then z = x.
        violations: conclusions of the theorem that fail, in words; empty if all hold.
    """

    summary: Summary
    short_summary: Summary
    limit: Length | None
    log2_limit: float | None
    error_f: float
    error_g: float
    rounding_allowance: float
    epsilon: Fraction
    theorem: str
    hardmax: bool
    violations: tuple[str, ...]
    _tokens: npt.NDArray[Any] | None = field(default=None, repr=False)

    @property
    def length(self) -> Length:
        """|z|."""
        return Length(self.short_summary.length)

    @property
    def input_length(self) -> Length:
        """T = |x|."""
        return Length(self.summary.length)

    @property
    def proven_error(self) -> float:
        """What the theorem allows each error to be: ε."""
        return float(self.epsilon)

    @property
    def error(self) -> float:
        """The larger of the two errors."""
        return max(self.error_f, self.error_g)

    @property
    def holds(self) -> bool:
        """Whether every conclusion of the theorem holds here."""
        return not self.violations

    @cached_property
    def short(self) -> npt.NDArray[np.int64]:
        """z, shape (length,); x itself where nothing had to be shortened.

        Raises:
            InputError: z is too long to be written out.
        """
        if self._tokens is not None and self.length == self._tokens.size:
            return self._tokens.astype(np.int64)
        return expanded(self.short_summary)


class OneLayerSimulator:
    """Theorem 1's map for one pair f, g and one ε; call it with an input.

    Attributes:
        period: Δ, the lcm of the least periods of f and g.
        locality: τ, the larger of the two.
        constants: what `verify.measure` finds.
        bound: the proven length, as `bounds.required_length` gives it.
    """

    @usual_float_errors
    def __init__(
        self,
        f: LimitTransformer,
        g: LimitTransformer,
        epsilon: Any,
        control: str | None = None,
    ) -> None:
        """Measure the pair once; `control` names a wrong map of the module `controls`."""
        _check_pair(f, g)
        if control is not None and control not in CONTROLS:
            raise InputError("control", control, f"one of {', '.join(CONTROLS)}, or None")
        self.f, self.g, self.control = _reduced(f), _reduced(g), control
        self.epsilon = _positive_rational(epsilon)
        self.period = math.lcm(self.f.period, self.g.period)
        self.locality = max(self.f.locality, self.g.locality)
        constants = measure(f, g)
        assert isinstance(constants, ArgmaxConstants)  # _check_pair refuses softmax models
        self.constants = constants
        self.bound = self._proven()
        # For ε ≥ L any z with the last token and the residue of x will do, and N = Δ.
        lipschitz = Fraction(self.constants.lipschitz)
        self._trivial = self.epsilon >= lipschitz
        self._deltas = self._accuracies()
        self._logits = (ExactLogits(f), ExactLogits(g))
        self._threshold = self._hardmax_threshold()

    def _accuracies(self) -> list[Fraction]:
        """ε/L for each head of f, then of g, with the L of its model; 1 where that is more."""
        found = []
        for model in (*self.constants.models, self.constants.models[-1])[:2]:
            total = sum((head.least for head in model.lipschitz), Fraction(0))
            delta = Fraction(1) if total <= self.epsilon else self.epsilon / total
            found += [delta] * len(model.lipschitz)
        return found

    def _proven(self) -> bounds.LengthBound:
        return bounds.required_length(
            theorem=THEOREM, epsilon=self.epsilon, **self.constants.parameters()
        )

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what was measured; the bound follows from it."""
        return {name: value for name, value in vars(self).items() if name != "bound"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was measured, and state the bound again."""
        vars(self).update(state)
        self.bound = self._proven()

    @usual_float_errors
    def __call__(self, x: Any) -> OneLayerSimulation:
        """Shorten x, (T,) tokens or a Summary with this pair's Δ and τ, and measure.

        Raises:
            InputError: x is no such input.
        """
        summary = self._summary(x)
        attention = self._attention(summary)
        short = self._short(summary, [head.as_set() for head in attention])
        short_attention = attention if short is summary else self._attention(short)
        allowance = 2 * max(rounding_allowance(m, summary.length) for m in (self.f, self.g))
        errors = [0.0, 0.0]
        violations = []
        if short is not summary:
            errors = [_distance(model, summary, short) for model in (self.f, self.g)]
            violations = [
                *self._violations_of_length(summary, short),
                *(
                    f"{name}: error {error:.6g} > ε = {float(self.epsilon):.6g}"
                    for name, error in zip("fg", errors, strict=True)
                    if error - allowance > self.epsilon
                ),
            ]
            if not self._trivial:
                violations += self._violations_of_attention(
                    summary, short, attention, short_attention
                )
        for name, at, heads in (("x", summary, attention), ("z", short, short_attention)):
            if self._past_threshold(at.length) and not all(head.hardmax for head in heads):
                length = Length(at.length)
                violations.append(f"a head is not hardmax at |{name}| = {length} ≥ 2^(p/γ)")
        return OneLayerSimulation(
            summary=summary,
            short_summary=short,
            limit=None if self.bound.length is None else Length(self.bound.length),
            log2_limit=self.bound.log2_length,
            error_f=errors[0],
            error_g=errors[1],
            rounding_allowance=allowance,
            epsilon=self.epsilon,
            theorem=THEOREM,
            hardmax=all(head.hardmax for head in attention + short_attention),
            violations=tuple(violations),
            _tokens=None if isinstance(x, Summary) else np.asarray(x),
        )

    @property
    def theorem(self) -> str:
        """Key of the theorem."""
        return THEOREM

    def marks(self) -> list[int]:
        """Return the lengths at which the claim changes: N, and the threshold 2^(p/γ)."""
        return [length for length in (self.bound.length, self._threshold) if length is not None]

    def _summary(self, x: Any) -> Summary:
        if not isinstance(x, Summary):
            return summarise(x, self.f.vocabulary_size, self.period, self.locality)
        shape = (self.period, self.f.vocabulary_size)
        suffix = min(x.length, self.locality + 1)
        if x.counts.shape != shape or x.suffix.size != suffix:
            raise InputError("x", x, f"counts of shape (Δ, |Σ|) = {shape}, a suffix of {suffix}")
        return x

    def _attention(self, summary: Summary) -> list[Attention]:
        return [head for logits in self._logits for head in logits.attention(summary)]

    def _short(self, summary: Summary, sets: list[ArgmaxSet]) -> Summary:
        """z; `summary` itself where |x| ≤ N."""
        limit = self.bound.length
        if limit is None or summary.length <= limit:
            return summary
        if self._trivial:
            length = (summary.length - 1) % self.period + 1
            last = np.full(length, summary.suffix[-1])
            return summarise(last, self.f.vocabulary_size, self.period, self.locality)
        # |z| is the one of N − Δ + 1, …, N that is |x| mod Δ; n is its least column.
        goal = limit - (limit - summary.length) % self.period
        block = (goal - summary.suffix.size) // self.period
        counts: Counts = summary.counts.tolist()
        if self.control is None:
            e = slack(self.period, self.f.vocabulary_size, self.locality)
            kept = [i for i, delta in enumerate(self._deltas) if delta < 1]
            deltas = [self._deltas[i] for i in kept]
            short = shorten(counts, [sets[i] for i in kept], delta=deltas, e=e, block=block)
        else:
            least = min(map(sum, counts))
            goals = [block + sum(column) - least for column in counts]
            short = CONTROLS[self.control](counts, goals)
        length = sum(map(sum, short)) + summary.suffix.size
        return Summary(np.array(short, dtype=object), summary.suffix, length)

    def _hardmax_threshold(self) -> int | None:
        """⌈2^(p/γ)⌉; None where there is no such length, or where N has too many bits."""
        margin, bits = self.constants.margin, self.f.precision_bits
        assert bits is not None
        if self._trivial or self.bound.length is None or margin is None:
            return None
        return hardmax_threshold(bits, Fraction(margin))

    def _past_threshold(self, length: int) -> bool:
        """Whether length ≥ 2^(p/γ)."""
        if self._threshold is not None:
            return length >= self._threshold
        margin, bits = self.constants.margin, self.f.precision_bits
        assert bits is not None
        return margin is None or is_dropped(length, Fraction(margin), bits)

    def _violations_of_length(self, summary: Summary, short: Summary) -> list[str]:
        found = []
        long, length, limit = Length(summary.length), Length(short.length), self.bound.length
        if limit is None or length > limit:
            found.append(f"|z| = {length} > N = {limit if limit is None else Length(limit)}")
        if (length - long) % self.period:
            found.append(f"|z| = {length} is not |x| = {long} mod {self.period}")
        if self._past_threshold(summary.length) and not (
            self._trivial or self._past_threshold(short.length)
        ):
            found.append(f"|x| ≥ 2^(p/γ), but |z| = {length} is not")
        return found

    def _violations_of_attention(
        self, x: Summary, z: Summary, long: list[Attention], short: list[Attention]
    ) -> list[str]:
        present = {(int(r), int(s)) for r, s in np.argwhere(z.counts > 0)}
        found = []
        if not np.array_equal(x.suffix, z.suffix):
            found.append("the last τ + 1 tokens of z are not those of x")
        if np.any((x.counts == 0) & (z.counts > 0)):
            found.append("the prefix of z has a type that x has not")
        before_counts, after_counts = x.counts.tolist(), z.counts.tolist()
        for number, (before, after) in enumerate(zip(long, short, strict=True)):
            delta = self._deltas[number]
            if delta >= 1:
                continue  # any attention will do
            if after.types != before.types & present or after.suffix != before.suffix:
                found.append(f"head {number}: the argmax set of z is not that of x restricted to z")
            else:
                moved = total_variation(before_counts, after_counts, before.as_set())
                if moved > delta:
                    found.append(f"head {number}: TV {float(moved):.6g} > δ = {delta}")
        return found


def _distance(model: LimitTransformer, summary: Summary, short: Summary) -> float:
    """max over outputs of |f(x) − f(z)|."""
    x, z = (model.of_summary(coarsened(s, model.period, model.locality)) for s in (summary, short))
    return float(np.abs(x - z).max())


def _reduced(model: LimitTransformer) -> LimitTransformer:
    """The same function with the least Δ and τ, which are those that `measure` reports."""
    period, locality = minimal_period(model), minimal_locality(model)
    layer = model.layers[0]
    heads = tuple(replace(head, lag_bias=head.lag_bias[: locality + 1]) for head in layer.heads)
    return replace(model, positions=model.positions[:period], layers=(replace(layer, heads=heads),))


def _check_pair(f: LimitTransformer, g: LimitTransformer) -> None:
    for name, model in (("f", f), ("g", g)):
        if not isinstance(model, LimitTransformer):
            raise InputError(name, model, "a LimitTransformer")
        if len(model.layers) != 1 or model.precision_bits is None:
            raise InputError(name, model, "one layer and finite precision for this theorem")
    for quantity in ("vocabulary_size", "output_dimension", "precision_bits"):
        if getattr(f, quantity) != getattr(g, quantity):
            allowed = f"the {quantity} of f, {getattr(f, quantity)}"
            raise InputError(f"g.{quantity}", getattr(g, quantity), allowed)


def _positive_rational(epsilon: Any) -> Fraction:
    allowed = 'a rational number > 0: int, Fraction, float (its shortest decimal), or "1/10"'
    try:
        value = exact(epsilon)
    except ValueError:
        raise InputError("epsilon", epsilon, allowed) from None
    if not isinstance(value, Fraction) or value <= 0:
        raise InputError("epsilon", epsilon, allowed)
    return value
