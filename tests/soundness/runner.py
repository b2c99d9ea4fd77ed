"""Ask about each case and compare with the truth; count what could have failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

import bounds
from verify.average import MarkovLaw

from . import one_layer, two_layers, wide
from .case import Case, Truth
from .claims import Question, questions, sufficient_theorems
from .counts import CountTruth
from .profile import Level, Profile
from .strings import StringTruth

Family = Callable[[np.random.Generator], Case]
Spoil = Callable[[Mapping[str, Any]], dict[str, Any]]

FAMILIES: dict[str, tuple[Family, int]] = {
    "argmax, one layer": (lambda rng: one_layer.random_pair(rng, "argmax"), 5),
    "share readers": (lambda rng: one_layer.share_readers(rng, "argmax"), 4),
    "softmax, one layer": (lambda rng: one_layer.random_pair(rng, "softmax"), 4),
    "soft share readers": (lambda rng: one_layer.share_readers(rng, "softmax"), 2),
    "on a line": (lambda rng: one_layer.on_a_line(rng, "argmax"), 3),
    "soft, on a line": (lambda rng: one_layer.on_a_line(rng, "softmax"), 3),
    "soft, by residue": (one_layer.by_residue, 2),
    "known pairs": (one_layer.known_pairs, 3),
    "known average pairs": (one_layer.known_average_pairs, 2),
    "suffix-only first layer": (two_layers.suffix_only, 4),
    "generic first layer": (two_layers.generic, 2),
    "counting first layer": (two_layers.counters, 3),
    "grams": (two_layers.grams, 1),
    "softmax, two layers": (two_layers.softmax_pair, 3),
    "softmax, late lag bias": (two_layers.softmax_late_bias, 1),
}
"""Name → generator and its weight: out of every sum of weights, so many cases."""

ON_DEMAND: dict[str, Family] = {"many tokens": wide.many_tokens}
"""Families that take minutes a case: only if asked for by name."""


@dataclass(frozen=True)
class Violation:
    """A length that was claimed, and the lengths that refute it."""

    number: int
    family: str
    theorem: str
    claimed: int
    level: Level
    question: Question
    assume: frozenset[str]
    case: Case

    def __str__(self) -> str:
        given = ", ".join(f"{k}={v}" for k, v in self.question.keywords.items())
        return (
            f"case {self.number} ({self.family}): {self.theorem} claims N = {self.claimed} for "
            f"{self.question.error} error with assume={sorted(self.assume)}, "
            f"ε = {float(self.level.epsilon):.6g}, target = {float(self.level.target):.6g}; but "
            f"f and g agree within ε up to length {self.level.length} and are further than the "
            f"target apart at length {self.level.witness}. Given: {given}"
        )


@dataclass
class Tally:
    """What happened to one theorem.

    Attributes:
        cases: pairs of its cell (for average errors: pairs with a law).
        applicable: those for which it claimed a length.
        refutable: those of them where some shorter length is proved not to suffice.
        biting: those of them where the claimed length lies within the lengths looked at, and ε is
            at most half of the largest error: a sharper number would have been tested to the end.
        tightest: the least claimed length over the least length that is not refuted.
        first: number of the first case that refuted it, counted among all and in its cell.
    """

    cases: int = 0
    applicable: int = 0
    refutable: int = 0
    biting: int = 0
    tightest: float = float("inf")
    violations: int = 0
    first: tuple[int, int] | None = None
    seconds: float = 0.0


@dataclass
class Result:
    """Tallies by theorem, and all violations."""

    tallies: dict[str, Tally]
    violations: list[Violation] = field(default_factory=list)
    cases: int = 0
    seconds: float = 0.0


def make_cases(number: int, seed: int, families: tuple[str, ...] = ()) -> Iterator[Case]:
    """Yield cases, the families in turn; each depends on the seed and its number only."""
    known = FAMILIES | {name: (make, 1) for name, make in ON_DEMAND.items()}
    order = [name for name in families or FAMILIES for _ in range(known[name][1])]
    np.random.default_rng(0).shuffle(order)
    for index in range(number):
        make, _ = known[order[index % len(order)]]
        yield make(np.random.default_rng([seed, index]))


def run(
    number: int,
    seed: int,
    *,
    families: tuple[str, ...] = (),
    most_levels: int = 3,
    most_subsets: int = 3,
    budget: int = 20_000,
    spoil: Spoil | None = None,
    stop_at_first: bool = False,
    seconds: float = float("inf"),
    progress: Callable[[Result], None] | None = None,
) -> Result:
    """Make cases and try to refute every length that is claimed about them.

    Args:
        number: of cases.
        seed: of the random numbers; the same seed gives the same cases and questions.
        families: names in FAMILIES; all if empty.
        most_levels, most_subsets: how many pairs (ε, target) and how many ways to assert
            hypotheses are asked for, per question; chosen at random if there are more.
        budget: inputs (summaries) to go through per case.
        spoil: changes the keywords that describe a pair, to see whether that is noticed.
        stop_at_first: stop after the first case with a violation.
        seconds: start no case later than this.
        progress: called after each case.
    """
    result = Result({t.key: Tally() for t in sufficient_theorems()})
    start = time.perf_counter()
    for index, case in enumerate(make_cases(number, seed, families)):
        rng = np.random.default_rng([seed, index, 1])
        check(case, result, rng, most_levels, most_subsets, budget, spoil)
        result.seconds = time.perf_counter() - start
        if progress is not None:
            progress(result)
        if (stop_at_first and result.violations) or result.seconds > seconds:
            break
    return result


def truth_of(case: Case, budget: int) -> Truth:
    """Go through the inputs of a case."""
    if case.truth is not None:
        return case.truth
    chains = tuple(law for law in case.laws if isinstance(law, MarkovLaw))
    others = tuple(law for law in case.laws if law not in chains)
    strings = min(budget // 4, 10_000)
    if len(case.f.layers) == 2:
        found = StringTruth(
            case.f, case.g, laws=case.laws, budget=strings, long_lengths=case.watched
        )
        return Truth(found.linf, found.averages)
    counted = CountTruth(case.f, case.g, laws=others, budget=budget, long_lengths=case.watched)
    by_law = dict(zip(map(id, others), counted.averages, strict=True))
    if chains:
        by_strings = StringTruth(case.f, case.g, laws=chains, budget=min(strings, 2000))
        by_law |= dict(zip(map(id, chains), by_strings.averages, strict=True))
    return Truth(counted.linf, tuple(by_law[id(law)] for law in case.laws))


def check(
    case: Case,
    result: Result,
    rng: np.random.Generator,
    most_levels: int,
    most_subsets: int,
    budget: int,
    spoil: Spoil | None = None,
) -> None:
    """Ask everything about one case and enter the answers into the result."""
    result.cases += 1
    truth = truth_of(case, budget)
    profiles: dict[int | None, Profile] = {None: truth.linf}
    profiles |= dict(enumerate(truth.averages))
    seen: dict[tuple[str, int | None], set[str]] = {}
    for theorem in sufficient_theorems():
        if (theorem.setting.attention, theorem.setting.layers) == case.key:
            for index in profiles:
                if (theorem.setting.error == "linf") == (index is None):
                    result.tallies[theorem.key].cases += 1
    for honest in questions(case):
        question = honest if spoil is None else replace(honest, keywords=spoil(honest.keywords))
        profile = profiles[question.law]
        levels = [
            (level, False)
            for level in _some(rng, list(profile.levels(0, question.horizon)), most_levels)
        ]
        if question.law is None and case.key == ("argmax", 1):
            late = list(profile.levels(question.hard_from, question.horizon))
            levels += [(level, True) for level in _some(rng, late, 1)]
        if not levels:  # f and g are nowhere further apart than at the start: nothing to refute
            error = Fraction(max(profile.exact[0], 1e-6))
            levels = [(Level(0, error, 3 * error, 0), False)]
        for level, limit_only in levels:
            for assume in _some(rng, list(question.subsets()), most_subsets):
                _ask(case, result, question, assume, level, limit_only, profile, seen)
    for marks in seen.values():
        for mark in marks:
            kind, key = mark.split(":")
            tally = result.tallies[key]
            setattr(tally, kind, getattr(tally, kind) + 1)


def _ask(
    case: Case,
    result: Result,
    question: Question,
    assume: frozenset[str],
    level: Level,
    limit_only: bool,
    profile: Profile,
    seen: dict[tuple[str, int | None], set[str]],
) -> None:
    """Ask once, without naming a theorem, then for each theorem that was not in the answer."""
    asked = {
        **question.keywords,
        "error": question.error,
        "epsilon": level.epsilon,
        "target": level.target,
        "assume": assume,
    }
    start = time.perf_counter()
    answers = _answers(asked, case.key)
    spent = (time.perf_counter() - start) / max(len(answers), 1)
    for bound in answers:
        key = bound.theorem.key
        if key not in result.tallies or bound.status.name not in ("PROVED", "TOO_LARGE"):
            continue
        tally = result.tallies[key]
        tally.seconds += spent
        marks = seen.setdefault((key, question.law), set())
        marks.add(f"applicable:{key}")
        in_the_limit = any(h.name == "limit_regime" for h in bound.theorem.hypotheses)
        if level.length == 0 or in_the_limit != limit_only:
            continue
        marks.add(f"refutable:{key}")
        if bound.length is None or bound.length > 10**300:
            continue
        tally.tightest = min(tally.tightest, bound.length / (level.length + 1))
        reached = bound.length < min(profile.longest, question.horizon or profile.longest)
        if reached and 2 * level.epsilon <= level.target:
            marks.add(f"biting:{key}")
        if bound.length <= level.length:
            tally.violations += 1
            tally.first = tally.first or (result.cases, tally.cases)
            result.violations.append(
                Violation(
                    result.cases, case.family, key, bound.length, level, question, assume, case
                )
            )


def _answers(asked: dict[str, Any], cell: tuple[str, int]) -> list[Any]:
    """Return the bounds given for a question; refusals give none."""
    found = []
    try:
        best = bounds.required_length(**asked)
        found = [best, *best.alternatives]
    except bounds.BoundsError:
        pass
    keys = {bound.theorem.key for bound in found}
    for theorem in sufficient_theorems():
        setting = theorem.setting
        if theorem.key in keys or (setting.attention, setting.layers) != cell:
            continue
        if setting.error != asked["error"]:
            continue
        if any(h.needs_assertion() and h.name not in asked["assume"] for h in theorem.hypotheses):
            continue  # whether a named hypothesis holds is the user's to say
        try:
            found.append(bounds.required_length(theorem=theorem.key, **asked))
        except bounds.BoundsError:
            continue
    return found


def _some(rng: np.random.Generator, items: list[Any], most: int) -> list[Any]:
    """Return at most so many of the items: the first, the last, and others at random."""
    if len(items) <= most:
        return items
    if most == 1:
        return [items[int(rng.integers(len(items)))]]
    between = rng.choice(np.arange(1, len(items) - 1), size=most - 2, replace=False)
    return [items[0], *(items[int(k)] for k in sorted(between)), items[-1]]
