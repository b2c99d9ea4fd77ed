"""The cost c(N → T*) of the window theorem, and the least N whose cost is within a budget.

Where f and g differ by at most a on all inputs of the Δ lengths N−Δ+1, …, N, they differ by at
most a + c(N → T*) on all inputs of the lengths N−Δ+1, …, T*.
[docs/theory/certificates.md, Instance certificates]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verify.certificates.choices import Case, Choice, KeptLags, kept_lags
from verify.certificates.contexts import Context, Pair, pair_of
from verify.certificates.light import best_accuracies
from verify.certificates.values import PairValues
from verify.certificates.variation import Accuracies, Lengths, Variation
from verify.errors import InputError
from verify.model.transformer import LimitTransformer


@dataclass(frozen=True)
class CaseCost:
    """The cost of one case.

    Attributes:
        value: Σ L_i TV_i, at most the trivial cost.
        choice: the choice taken; None: the trivial cost.
        accuracies: of that choice.
        variation: TV_i of its heads.
    """

    case: Case
    value: Fraction
    choice: Choice | None
    accuracies: Accuracies | None
    variation: tuple[Fraction, ...]


@dataclass(frozen=True)
class ContextCost:
    """The cost of one context.

    Attributes:
        context: which.
        short: Z, the length of z.
        value: the cost.
        trivial: Σ of the constants over all types at this query.
        kept: the set of kept lags taken; None: the trivial cost.
        free: n_r(Z) of each residue, for that set.
        cases: cost of each case.
    """

    context: Context
    short: int
    value: Fraction
    trivial: Fraction
    kept: KeptLags | None
    free: tuple[int, ...]
    cases: tuple[CaseCost, ...]


@dataclass(frozen=True)
class Cost:
    """A certified upper bound of c(N → T*).

    Attributes:
        value: the largest of `by_residue`.
        by_residue: for each length mod Δ, the largest cost of its contexts.
        context: the context that decides.
    """

    value: Fraction
    by_residue: dict[int, Fraction]
    context: Context


class Instance:
    """A pair of models up to a horizon, with everything that does not depend on N."""

    def __init__(self, f: LimitTransformer, g: LimitTransformer, horizon: int) -> None:
        """Take the models and the horizon, a checked integer ≥ 1."""
        self.pair = pair_of(f, g)
        self.horizon = horizon
        self._values = _values_of(self.pair)
        self._analysed: dict[Context, tuple[KeptLags, ...]] = {}
        self._trivial: dict[int, Fraction] = {}

    def short_length(self, residue: int, length: int) -> int:
        """Return Z, the largest length ≤ N that is ≡ residue (mod Δ)."""
        return length - (length - residue) % self.pair.period

    def cost(self, length: int) -> Cost:
        """Return c(N → T*) for N = length ≥ Δ."""
        found = [self.context_cost(c, length) for c in self.contexts()]
        by_residue = {
            r: max(cost.value for cost in found if cost.context.residue == r)
            for r in range(self.pair.period)
        }
        worst = max(found, key=lambda cost: cost.value)
        return Cost(worst.value, by_residue, worst.context)

    def contexts(self) -> Iterator[Context]:
        """All contexts."""
        for residue in range(self.pair.period):
            yield from self.pair.contexts(residue)

    def context_cost(self, context: Context, length: int) -> ContextCost:
        """Return the cost of one context for N = length ≥ Δ."""
        short = self.short_length(context.residue, length)
        if short + self.pair.period > self.horizon:  # there is no longer x
            return ContextCost(context, short, Fraction(0), Fraction(0), None, (), ())
        trivial = self.trivial(context)
        best = ContextCost(context, short, trivial, trivial, None, (), ())
        for kept in self.analysed(context) if short > self.pair.locality else ():
            free = self._free(kept, short)
            if min(free) >= 1:
                lengths = Lengths(short, self.horizon, self.pair.period, free)
                cases = self._cases(kept, lengths, best)
                if cases is not None:
                    value = max(case.value for case in cases)
                    best = ContextCost(context, short, value, trivial, kept, free, cases)
        return best

    def analysed(self, context: Context) -> tuple[KeptLags, ...]:
        """Return the sets of kept lags of a context with their cases."""
        if context not in self._analysed:
            found = kept_lags(self.pair, self._values, context, self.horizon)
            self._analysed[context] = tuple(found)
        return self._analysed[context]

    def trivial(self, context: Context) -> Fraction:
        """Return the sum of the constants over all types at the query of a context."""
        query = self.pair.lag_types(context)[0]
        if query not in self._trivial:
            single = {
                (head.model, head.number): 0 if len(set(head.values)) == 1 else None
                for head in self.pair.heads
            }
            total = Fraction(0)
            for head in self.pair.heads:
                others = tuple(kind for (model, _), kind in single.items() if model == head.model)
                total += self._values.constant(
                    head.model, head.number, query, self.pair.types, others
                ).value
            self._trivial[query] = total
        return self._trivial[query]

    def _free(self, kept: KeptLags, short: int) -> tuple[int, ...]:
        """Return n_r(Z) of each residue."""
        return tuple(self.pair.positions(short, r) - taken for r, taken in enumerate(kept.taken))

    def _cases(
        self, kept: KeptLags, lengths: Lengths, best: ContextCost
    ) -> tuple[CaseCost, ...] | None:
        """Return the costs of all cases, or None once one of them is no less than the best."""
        variation = Variation(lengths)
        found = []
        for case in kept.cases:
            cost = _case_cost(case, lengths, variation, best.trivial)
            if cost.value >= best.value:
                return None
            found.append(cost)
        return tuple(found)


def _case_cost(case: Case, lengths: Lengths, variation: Variation, trivial: Fraction) -> CaseCost:
    """Return the least cost of a case over its choices."""
    best = CaseCost(case, trivial, None, None, ())
    for choice in case.choices:
        if choice.threshold > lengths.short:
            continue
        found = best_accuracies(choice, lengths.free, lengths.short)
        if found is None:
            continue
        bounds = variation.of_heads(choice, found)
        value = sum(
            (head.constant * tv for head, tv in zip(choice.heads, bounds, strict=True)),
            Fraction(0),
        )
        if value < best.value:
            best = CaseCost(case, value, choice, found, bounds)
    return best


@lru_cache(maxsize=4)
def _values_of(pair: Pair) -> PairValues:
    return PairValues(pair)


@lru_cache(maxsize=4)
def instance_of(f: LimitTransformer, g: LimitTransformer, horizon: int) -> Instance:
    """Return the instance; the last ones are kept, since a search asks for many lengths.

    Raises:
        InputError: the pair cannot be used (all problems at once), or the horizon.
    """
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise InputError("horizon", horizon, "an integer ≥ 1: the longest length of interest")
    return Instance(f, g, horizon)


def cost(f: LimitTransformer, g: LimitTransformer, length: int, horizon: int) -> Cost:
    """Return a certified upper bound of c(N → T*).

    Args:
        f, g: one-layer models in finite precision.
        length: N ≥ Δ, the longest length of the window.
        horizon: T*, the longest length of interest.

    Raises:
        InputError: an argument cannot be used.
    """
    instance = instance_of(f, g, horizon)
    period = instance.pair.period
    if isinstance(length, bool) or not isinstance(length, int) or length < period:
        allowed = f"an integer ≥ Δ = {period}: the window holds one length of every residue"
        raise InputError("length", length, allowed)
    return instance.cost(length)


def least_length(
    f: LimitTransformer, g: LimitTransformer, budget: Fraction, horizon: int
) -> tuple[int | None, Cost]:
    """Return an N ≤ T* − Δ whose cost is within the budget, about the least one, and its cost.

    The search is by bisection for each context, as if costs fell with N; what is returned has
    been checked. Without such an N: None and the cost of the longest window, N = T* − Δ.

    Args:
        f, g: one-layer models in finite precision.
        budget: target − ε ≥ 0.
        horizon: T* ≥ 2Δ.

    Raises:
        InputError: an argument cannot be used.
    """
    instance = instance_of(f, g, horizon)
    period = instance.pair.period
    if horizon < 2 * period:
        raise InputError("horizon", horizon, f"an integer ≥ 2Δ = {2 * period}")
    length = period
    for context in instance.contexts():
        length = _least_of_context(instance, context, budget, length)
    while length <= horizon - period:
        found = instance.cost(length)
        if found.value <= budget:
            return length, found
        length += 1
    return None, instance.cost(horizon - period)


def _least_of_context(instance: Instance, context: Context, budget: Fraction, known: int) -> int:
    """Return about the least N ≥ known at which one context costs no more than the budget."""

    def holds(length: int) -> bool:
        return instance.context_cost(context, length).value <= budget

    if holds(known):
        return known
    period = instance.pair.period
    low = instance.short_length(context.residue, known)  # fails
    step = period
    while not holds(low + step):
        low, step = low + step, 2 * step
    high = low + step
    while high - low > period:
        middle = low + (high - low) // (2 * period) * period
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
