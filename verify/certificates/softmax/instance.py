"""The cost c(N → T*) for softmax pairs, and the least N whose cost is within a budget.

Where f and g differ by at most a on all inputs of the Δ lengths N−Δ+1, …, N, they differ by at
most a + c(N → T*) on all inputs of the lengths N−Δ+1, …, T*, T* = ∞ included.
[docs/theory/certificates.md, Softmax certificates]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from verify.certificates.contexts import Context, pair_of
from verify.certificates.softmax.image import ContextImages, Horizon, Image
from verify.certificates.softmax.rounding import rounded_up
from verify.certificates.softmax.two_values import Joint, Rare, TwoValues, two_values
from verify.certificates.values import Constant, PairValues
from verify.errors import InputError
from verify.model.transformer import LimitTransformer

LONGEST = 2**900
"""Longest window that is looked for."""

_PRECISION = 40
"""Digits to which the least length is found."""


@dataclass(frozen=True)
class ContextCost:
    """The cost of one context.

    Attributes:
        context: which.
        short: Z, the length of z.
        value: the cost: the least of the rules.
        trivial: Σ of the constants over all types at this query.
        rule: the rule that gives it: "no longer input", "trivial", "image", "rare query", "joint".
        image, rare, joint: what the rule rests on, the others None.
    """

    context: Context
    short: int
    value: Fraction
    trivial: Fraction
    rule: str
    image: Image | None = None
    rare: Rare | None = None
    joint: Joint | None = None


class _Query:
    """What the contexts with one query share."""

    def __init__(self, constants: list[Constant]) -> None:
        self.constants = constants
        self.trivial = sum((constant.value for constant in constants), start=Fraction(0))


class SoftmaxInstance:
    """A pair of softmax models up to a horizon, with everything that does not depend on N.

    Attributes:
        pair: the models.
        horizon: T*; None: every length.
    """

    def __init__(self, f: LimitTransformer, g: LimitTransformer, horizon: Horizon = None) -> None:
        """Take the models and the horizon.

        Raises:
            InputError: the models are no such pair (all problems at once), or the horizon is
                less than 2Δ.
        """
        self.pair = pair_of(f, g, finite=False)
        self.horizon = horizon
        if horizon is not None and horizon < 2 * self.pair.period:
            allowed = f"an integer ≥ 2Δ = {2 * self.pair.period}, or None: every length"
            raise InputError("horizon", horizon, allowed)
        self._values = PairValues(self.pair)
        self._queries: dict[int, _Query] = {}
        self._images: dict[Context, ContextImages] = {}
        self._two_values: dict[int, TwoValues | None] = {}

    @property
    def every_length(self) -> bool:
        """Whether the claim holds for shorter inputs too: Δ = 1, no bias, no horizon."""
        plain = not any(any(head.bias) for head in self.pair.heads)
        return self.pair.period == 1 and plain and self.horizon is None

    def contexts(self) -> Iterator[Context]:
        """All contexts."""
        for residue in range(self.pair.period):
            yield from self.pair.contexts(residue)

    def short_length(self, residue: int, length: int) -> int:
        """Return Z, the largest length ≤ N that is ≡ residue (mod Δ)."""
        return length - (length - residue) % self.pair.period

    def images(self, context: Context) -> ContextImages:
        """Return the images of one context."""
        if context not in self._images:
            constants = self._query(context).constants
            self._images[context] = ContextImages(self.pair, context, constants)
        return self._images[context]

    def two_values(self, context: Context) -> TwoValues | None:
        """Return f − g as a function of one share, where it is one."""
        query = self.pair.lag_types(context)[0]
        if query not in self._two_values:
            constants = self._query(context).constants
            atoms = self.images(context).atoms[0]
            self._two_values[query] = two_values(self.pair, self._values, query, atoms, constants)
        return self._two_values[query]

    def context_cost(self, context: Context, length: int) -> ContextCost:
        """Return the cost of one context for N = length ≥ Δ."""
        short, trivial = self.short_length(context.residue, length), self._query(context).trivial
        if self.horizon is not None and short + self.pair.period > self.horizon:
            return ContextCost(context, short, Fraction(0), trivial, "no longer input")
        best = ContextCost(context, short, trivial, trivial, "trivial")
        for image in self.images(context).images(short, self.horizon):
            cost = rounded_up(image.cost)
            if cost < best.value:
                best = ContextCost(context, short, cost, trivial, "image", image=image)
        line = self.two_values(context) if best.value else None
        if line is not None:
            rare, joint = line.rare(short), line.joint(short)
            if rare.cost < best.value:
                best = ContextCost(context, short, rare.cost, trivial, "rare query", rare=rare)
            if joint.cost < best.value:
                cost = rounded_up(joint.cost)
                best = ContextCost(context, short, cost, trivial, "joint", joint=joint)
        return best

    def cost(self, length: int) -> ContextCost:
        """Return the cost of the context that decides, for N = length ≥ Δ: c(N → T*)."""
        return max((self.context_cost(c, length) for c in self.contexts()), key=lambda c: c.value)

    def least_length(self, budget: Fraction) -> int | None:
        """Return an N whose cost is within the budget, about the least one; None: none was found.

        The search is by bisection for each context, as if costs fell with N; what is returned has
        been checked.
        """
        period = self.pair.period
        longest = LONGEST if self.horizon is None else self.horizon - period
        length, before = period, 0
        while length <= longest and before < length:
            before = length
            for context in self.contexts():
                length = self._least_of_context(context, budget, length, longest)
        return length if length <= longest else None

    def _least_of_context(
        self, context: Context, budget: Fraction, known: int, longest: int
    ) -> int:
        """Return about the least N ≥ known with costs within the budget; beyond `longest`: none."""

        def holds(length: int) -> bool:
            return self.context_cost(context, length).value <= budget

        if known > longest or holds(known):
            return known
        if not holds(longest):
            return longest + 1
        period = self.pair.period
        low = self.short_length(context.residue, known)  # fails
        step = period
        while low + step < longest and not holds(low + step):
            low, step = low + step, 2 * step
        high = min(low + step, longest)
        while high - low > max(period, high >> _PRECISION):
            middle = low + (high - low) // (2 * period) * period
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    def _query(self, context: Context) -> _Query:
        query = self.pair.lag_types(context)[0]
        if query not in self._queries:
            self._queries[query] = _Query(list(self._constants(query)))
        return self._queries[query]

    def _constants(self, query: int) -> Iterator[Constant]:
        """Yield L over all types, of every head."""
        pair = self.pair
        single = [0 if len(set(head.values)) == 1 else None for head in pair.heads]
        for head in pair.heads:
            others = tuple(
                kind for kind, h in zip(single, pair.heads, strict=True) if h.model == head.model
            )
            yield self._values.constant(head.model, head.number, query, pair.types, others)
