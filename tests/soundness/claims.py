"""What a user would be told about a pair: `measure` → `parameters` → `required_length`."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

import bounds
import verify
from bounds.parameters import BY_KEYWORD
from verify.average import DirichletLaw, FixedLaw, MarkovLaw, average_heads
from verify.average.laws import Law

from .case import Case
from .facts import laminar_classes

UNDECIDED = frozenset({"limit_regime"})
"""Hypotheses about what is asked, not about the weights: anyone may assume them."""


@dataclass(frozen=True)
class Question:
    """Keywords of `required_length` that are true of a pair, but for ε and target.

    Attributes:
        error: "linf" or "average".
        keywords: all others, without `assume`.
        assume: hypotheses that may be asserted, any subset of them; `always` must be.
        law: index of the law of the case; None for the error at every input.
    """

    error: str
    keywords: Mapping[str, Any]
    assume: frozenset[str]
    always: frozenset[str] = frozenset()
    law: int | None = None

    def subsets(self) -> Iterator[frozenset[str]]:
        """Yield every subset of what may be asserted, the largest first."""
        names = sorted(self.assume)
        for size in range(len(names), -1, -1):
            for chosen in itertools.combinations(names, size):
                yield frozenset(chosen) | self.always

    @property
    def hard_from(self) -> int:
        """A length from which attention is hardmax."""
        bits, margin = self.keywords["precision_bits"], self.keywords["margin"]
        exponent = Fraction(bits) / Fraction(margin)
        return int(2.0 ** float(exponent) * (1 + 1e-9)) + 2 if exponent < 1000 else 2**1000

    @property
    def horizon(self) -> int | None:
        """The longest length that the answer is about; None: every length."""
        horizon: int | None = self.keywords.get("horizon")
        return horizon


@lru_cache(maxsize=1)
def known_names() -> frozenset[str]:
    """Return all names that `assume=` takes."""
    return frozenset(h.name for t in bounds.theorems() for h in t.hypotheses if h.name)


@lru_cache(maxsize=1)
def derived_keywords() -> frozenset[str]:
    """Return the keywords that some sufficient length takes from the others if not given."""
    return frozenset(
        keyword
        for theorem in sufficient_theorems()
        for keyword, default in theorem.defaults.items()
        if callable(default)
    )


def sufficient_theorems() -> tuple[Any, ...]:
    """Return the theorems that are to be tested: sufficient, proved, about pairs of models."""
    return tuple(
        t
        for t in bounds.theorems()
        if str(t.direction) == "sufficient"
        and t.constants == "proved"
        and t.formula is not None
        and t.setting is not None
    )


def questions(case: Case) -> list[Question]:
    """Return everything that may be asked about a case."""
    found: list[Question] = []
    for keywords, allowed, averages in _variants(case):
        found.append(Question("linf", keywords, allowed))
        if not averages:
            continue
        for index, law in enumerate(case.laws):
            always = frozenset({"markov_inputs"} if isinstance(law, MarkovLaw) else ())
            for of_law in _law_keywords(case, law):
                given = {**keywords, **of_law}
                found.append(Question("average", given, allowed, always, index))
    return [_narrowed(question, dropped) for question in found for dropped in _droppable(question)]


def _narrowed(question: Question, dropped: tuple[str, ...]) -> Question:
    kept = {k: v for k, v in question.keywords.items() if k not in dropped}
    return replace(question, keywords=kept)


def _droppable(question: Question) -> Iterator[tuple[str, ...]]:
    """Yield every set of keywords that a user may leave to the theorem."""
    names = sorted(derived_keywords() & set(question.keywords) - _HORIZON)
    for size in range(len(names) + 1):
        yield from itertools.combinations(names, size)


_HORIZON = {"horizon", "tie_tolerance"}
"""Without them the answer is about another model, or about longer inputs."""


def _variants(case: Case) -> Iterator[tuple[dict[str, Any], frozenset[str], bool]]:
    """Yield keywords that describe f and g, in every form there is.

    With what may be asserted, and whether a theorem about averages may read more from this form
    than from those before.
    """
    if case.constants:
        yield _known_constants(case), case.facts & known_names(), True
        return
    facts = case.facts | UNDECIDED
    facts |= {"lipschitz_from_weights"}  # that is what `measure` gives
    if case.key == ("argmax", 1) and laminar_classes(case.f, case.g):
        facts |= {"laminar_classes"}
    for constants in _measured(case):
        names = (facts | _measured_names(constants)) & known_names()
        near = case.key == ("argmax", 1) and constants.tie_tolerance > 0
        for form in _forms(constants):
            yield form, names, not near
            if case.key == ("argmax", 1):  # no attended set left out as heavy
                groups = {"light_groups": constants.clustering.attended_groups}
                yield form | groups, (names - {"heavy"}) | {"all_light"}, False


def _measured(case: Case) -> Iterator[Any]:
    """Yield what `measure` says with exact ties, then with near ties up to a horizon, if any."""
    yield verify.measure(case.f, case.g)
    if case.key != ("argmax", 1):
        return
    for bits in range(LONGEST_HORIZON, 3, -1):
        constants = verify.measure(case.f, case.g, horizon=2**bits)
        if constants.tie_tolerance > 0:
            yield constants
            return


LONGEST_HORIZON = 20
"""Its binary logarithm."""


def _known_constants(case: Case) -> dict[str, Any]:
    """Return the constants that the family gave, as far as `bounds` knows their names."""
    setting = {k: v for k, v in case.constants.items() if k in ("attention", "layers")}
    known = {k: v for k, v in case.constants.items() if k in BY_KEYWORD}
    return setting | known


def _measured_names(constants: Any) -> frozenset[str]:
    """Return the named hypotheses that `measure` does not contradict."""
    return frozenset(constants.assume) & _DECIDED_BY_WEIGHTS


_DECIDED_BY_WEIGHTS = frozenset(
    h.name for t in bounds.theorems() for h in t.hypotheses if h.needs_assertion()
)


def _forms(constants: Any) -> list[dict[str, Any]]:
    """Return `constants.parameters()` in every form that it offers."""
    forms = [constants.parameters()]
    for option in inspect.signature(constants.parameters).parameters:
        try:
            form = constants.parameters(**{option: True})
        except verify.InputError:
            continue
        if form not in forms:
            forms.append(form)
    return forms


def _law_keywords(case: Case, law: Law) -> Iterator[dict[str, Any]]:
    """Yield the keywords that describe a law to the theorems of this cell."""
    one_layer_argmax = case.key == ("argmax", 1)
    if isinstance(law, MarkovLaw):
        yield {"spectral_gap": spectral_gap(law), "stationary_min": min(law.stationary)}
    elif isinstance(law, DirichletLaw):
        prior = {"alpha_min": min(law.alpha), "alpha_total": sum(law.alpha, Fraction(0))}
        yield prior
        if one_layer_argmax:
            yield {**prior, "alpha_class": _class_mass(case, law)}
    else:
        assert isinstance(law, FixedLaw)
        support = [p for p in law.probabilities if p > 0]
        if case.key == ("argmax", 2):
            locality = int(case.constants["locality"])
            yield {"gram_probability": min(support) ** (locality + 1)}
        elif one_layer_argmax:
            yield {"class_probability": min(support)}
            yield {"class_probability": min(_class_mass(case, law), Fraction(1))}
        else:
            yield {}


def _class_mass(case: Case, law: Law) -> Fraction:
    return min(h.class_mass for m in (case.f, case.g) for h in average_heads(m, law))


def spectral_gap(law: MarkovLaw) -> Fraction:
    """Return 1 − λ, rounded down; λ the norm of the kernel on mean-zero functions of L²(π)."""
    root = np.sqrt(np.array([float(p) for p in law.stationary]))
    kernel = np.array([[float(p) for p in row] for row in law.kernel])
    centred = root[:, None] * (kernel - root[None, :] ** 2) / root[None, :]
    gap = 1 - float(np.linalg.norm(centred, 2))
    return max(Fraction(int((gap - 1e-9) * 10**9), 10**9), Fraction(1, 10**9))
