"""What a user would be told about a pair: `measure` → `parameters` → `required_length`."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

UNDECIDED = frozenset({"limit_regime"})
"""Hypotheses about what is asked, not about the weights: anyone may assume them."""


@dataclass(frozen=True)
class Question:
    """Keywords of `required_length` that are true of a pair, but for ε and target.

    Attributes:
        error: "linf" or "average".
        keywords: all others, without `assume`.
        assume: hypotheses that may be asserted, any subset of them; `always` must be.
    """

    error: str
    keywords: Mapping[str, Any]
    assume: frozenset[str]
    always: frozenset[str] = frozenset()

    def subsets(self) -> Iterator[frozenset[str]]:
        """Yield every subset of what may be asserted, the largest first."""
        names = sorted(self.assume)
        for size in range(len(names), -1, -1):
            for chosen in itertools.combinations(names, size):
                yield frozenset(chosen) | self.always


@lru_cache(maxsize=1)
def known_names() -> frozenset[str]:
    """Return all names that `assume=` takes."""
    return frozenset(h.name for t in bounds.theorems() for h in t.hypotheses if h.name)


@lru_cache(maxsize=1)
def derived_keywords() -> frozenset[str]:
    """Return the keywords that some theorem fills in from the others if they are not given."""
    return frozenset(
        keyword
        for theorem in bounds.theorems()
        for keyword, default in theorem.defaults.items()
        if callable(default)
    )


def sufficient_theorems() -> tuple[Any, ...]:
    """Return the theorems that are to be tested: sufficient, proved, about pairs of models."""
    return tuple(
        t
        for t in bounds.theorems()
        if str(t.direction) == "sufficient" and t.constants == "proved" and t.setting is not None
    )


def questions(case: Case) -> list[tuple[int | None, Question]]:
    """Return everything that may be asked about a case: (index of the law or None, question)."""
    allowed, variants = _measured(case)
    found: list[tuple[int | None, Question]] = []
    for keywords in variants:
        found.append((None, Question("linf", keywords, allowed)))
        for index, law in enumerate(case.laws):
            always = frozenset({"markov_inputs"} if isinstance(law, MarkovLaw) else ())
            for of_law in _law_keywords(case, law):
                given = {**keywords, **of_law}
                found.append((index, Question("average", given, allowed, always)))
    return [
        (index, _narrowed(question, dropped))
        for index, question in found
        for dropped in _droppable(question.keywords)
    ]


def _narrowed(question: Question, dropped: tuple[str, ...]) -> Question:
    kept = {k: v for k, v in question.keywords.items() if k not in dropped}
    return Question(question.error, kept, question.assume, question.always)


def _droppable(keywords: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield every set of keywords that a user may leave to the theorem."""
    names = sorted(derived_keywords() & set(keywords))
    for size in range(len(names) + 1):
        yield from itertools.combinations(names, size)


def _measured(case: Case) -> tuple[frozenset[str], list[dict[str, Any]]]:
    """Return what may be assumed, and the keywords in every form that `parameters` offers."""
    if case.constants:
        known = {k: v for k, v in case.constants.items() if k in ("attention", "layers")}
        known |= {k: v for k, v in case.constants.items() if k in BY_KEYWORD}
        if "lipschitz_euclidean" not in BY_KEYWORD:  # then one keyword stands for both
            known["lipschitz"] = max(case.constants[k] for k in _BOTH)
        return case.facts & known_names(), [known]
    constants = verify.measure(case.f, case.g)
    if hasattr(constants, "assume"):
        names = set(constants.assume)
    else:
        names = {"shared_logits"} if getattr(constants, "shared_logits", False) else set()
        heads = [h for m in (case.f, case.g) for layer in m.layers for h in layer.heads]
        names |= set() if any(h.lag_bias.any() for h in heads) else {"no_lag_bias"}
    allowed = (frozenset(names) | case.facts | UNDECIDED) & known_names()
    options = inspect.signature(constants.parameters).parameters
    variants = [constants.parameters()]
    for option in options:
        try:
            variant = constants.parameters(**{option: True})
        except verify.InputError:
            continue
        if variant not in variants:
            variants.append(variant)
    return allowed, variants


_BOTH = ("lipschitz", "lipschitz_euclidean")


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
            name = "gram_probability" if "gram_probability" in BY_KEYWORD else "class_probability"
            locality = int(case.constants["locality"])
            yield {name: min(support) ** (locality + 1)}
        elif one_layer_argmax:
            yield {"class_probability": min(support)}
            yield {"class_probability": _class_mass(case, law)}
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
