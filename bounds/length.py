"""`required_length`: which theorem applies, and what it says for given parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bounds.apply import apply
from bounds.errors import (
    BoundsError,
    Missing,
    NotComputable,
    ParameterError,
    UnsupportedSetting,
    Violation,
)
from bounds.evaluate import size
from bounds.numbers import Exact
from bounds.other_side import only_with, reason, unasserted, with_other_side
from bounds.registry import all_theorems
from bounds.request import Request, covering_entries, read_request, refuse_contradictions
from bounds.result import LengthBound
from bounds.scope import given_laws
from bounds.theorem import Direction, Setting, Theorem

__all__ = ["Request", "apply", "bound_for", "is_guarantee", "read_request", "required_length"]


def required_length(
    *,
    error: str | None = None,
    attention: str | None = None,
    layers: int | None = None,
    theorem: str | None = None,
    assume: Collection[str] = (),
    **parameters: Any,
) -> LengthBound:
    """How long training inputs must be, so that agreement on them carries to every length.

    Args:
        error: "linf" (worst input) or "average" (over an input distribution).
        attention: "argmax" (finite precision) or "softmax" (infinite precision).
        layers: number of layers, ≥ 1; `bounds.cube()` shows what is covered beyond two.
        theorem: key of the theorem to use, e.g. "izzo2025.4.1"; the setting may then
            be left out. Without it the shortest length among the theorems with proved
            constants that cover the setting is taken; the rest are in `.alternatives`.
        assume: names of hypotheses that you assert about your models and that no
            parameter shows, e.g. {"no_lag_bias"}; they open sharper theorems.
        **parameters: `epsilon`, `target` (default 3·epsilon), `lipschitz`, ...: see
            `bounds.parameters.PARAMETERS`. int, Fraction, SymPy numbers and strings
            such as "1/10" are exact; a float means its shortest decimal.

    Raises:
        ParameterError: a parameter is unknown, missing or outside its domain, or a
            hypothesis of the theorem asked for fails; all problems at once.
        UnsupportedSetting: no theorem covers the setting.
        NotComputable: the value is beyond certified arithmetic (log2 above 1e308).
    """
    return bound_for(read_request(error, attention, layers, theorem, assume, parameters))


def bound_for(request: Request, more: Mapping[str, Exact] | None = None) -> LengthBound:
    """The answer to a request, with further parameter values if given."""
    values = {**request.values, **(more or {})}
    refuse_contradictions(values, request.asserted)
    if request.theorem is not None:
        answer = apply(request.theorem, values, request.asserted, request.setting)
        return with_other_side(answer, values, request.asserted)
    assert request.setting is not None
    return _shortest(request.setting, values, request.asserted)


def _shortest(
    setting: Setting, values: Mapping[str, Exact], asserted: frozenset[str]
) -> LengthBound:
    """The shortest guarantee in a setting, with what else applies."""
    covering = covering_entries(setting)
    found: list[LengthBound] = []
    refused: dict[str, BoundsError] = {}
    for entry in covering:
        if not is_guarantee(entry):
            continue
        needed = unasserted(entry, asserted)
        if needed:
            refused[entry.key] = UnsupportedSetting(only_with(needed))
            continue
        try:
            found.append(apply(entry, values, asserted, setting))
        except (ParameterError, NotComputable) as problem:
            refused[entry.key] = problem
    if found:
        found.sort(key=lambda bound: size(bound.length, bound.log2_length))
        found = [with_other_side(bound, values, asserted) for bound in found]
        return found[0].with_alternatives(tuple(found[1:]), _reasons(refused))
    return _without_guarantee(setting, covering, refused, values, asserted)


def _distance(error: ParameterError) -> tuple[int, int]:
    """How far a refusal is from an answer: a hypothesis that fails is farther than a parameter."""
    failing = sum(isinstance(problem, Violation) for problem in error.problems)
    return failing, len(error.problems)


def _asked_for(
    refused: Mapping[str, BoundsError], asserted: frozenset[str]
) -> list[ParameterError]:
    """The refusals of theorems that an assertion opens and that only lack parameters."""
    found = []
    for key, problem in refused.items():
        opened = {h.name for h in all_theorems()[key].hypotheses if h.needs_assertion()}
        if not isinstance(problem, ParameterError) or not opened & set(asserted):
            continue
        if all(p.given is None for p in problem.problems):
            found.append(problem)
    return found


def _offering_laws(
    nearest: ParameterError,
    unusable: Mapping[str, ParameterError],
    values: Mapping[str, Exact],
    asserted: frozenset[str],
) -> ParameterError:
    """The same refusal; where it lacks the law of the inputs, with every law that would do."""
    if given_laws(values, asserted):
        return nearest
    laws: dict[str, set[str]] = {}
    for error in unusable.values():
        missing = {p.name for p in error.problems if isinstance(p, Missing)}
        for law, keywords in given_laws(missing, ()).items():
            laws.setdefault(law, set()).update(keywords)
    lacking = {k for keywords in laws.values() for k in keywords}
    if len(laws) < 2 or not lacking & {p.name for p in nearest.problems}:
        return nearest
    offers = [f"{' and '.join(sorted(keywords))} ({law} law)" for law, keywords in laws.items()]
    rest = [p for p in nearest.problems if p.name not in lacking]
    return ParameterError([*rest, Missing("law of the inputs", None, ", or ".join(offers))])


def _reasons(refused: Mapping[str, BoundsError]) -> dict[str, str]:
    """Why each theorem was not used, in a few words."""
    return {key: reason(key, problem) for key, problem in refused.items()}


def is_guarantee(theorem: Theorem) -> bool:
    """Whether it states a length, with constants of ours, that suffices."""
    return (
        theorem.direction is Direction.SUFFICIENT
        and theorem.constants == "proved"
        and theorem.formula is not None
        and theorem.quantity == "length"
    )


def _without_guarantee(
    setting: Setting,
    covering: list[Theorem],
    refused: Mapping[str, BoundsError],
    values: Mapping[str, Exact],
    asserted: frozenset[str],
) -> LengthBound:
    """No proved theorem applies as given: say no bound exists, or what is missing."""
    reasons = _reasons(refused)
    asked_for = _asked_for(refused, asserted)
    if asked_for:
        raise min(asked_for, key=_distance)
    for entry in covering:
        if entry.no_bound or entry.unknown:
            try:
                answer = apply(entry, values, asserted, setting)
            except ParameterError:  # the question is about a smaller class
                continue
            answer = answer.with_alternatives((), reasons)
            return with_other_side(answer, values, asserted)
    unusable = {k: e for k, e in refused.items() if isinstance(e, ParameterError)}
    beyond = [problem for problem in refused.values() if isinstance(problem, NotComputable)]
    if beyond:
        raise beyond[0]
    if unusable:
        # Of two that are as near, the one that reads more of what was given.
        nearest = min(
            unusable,
            key=lambda k: (
                *_distance(unusable[k]),
                -len(set(values) & set(all_theorems()[k].reads)),
            ),
        )
        raise _offering_laws(unusable[nearest], unusable, values, asserted)
    orders = [
        entry
        for entry in covering
        if entry.direction is Direction.SUFFICIENT and entry.constants == "implicit"
    ]
    if orders:
        answer = apply(orders[0], values, asserted, setting).with_alternatives((), reasons)
        return with_other_side(answer, values, asserted)
    if reasons:
        applicable = [f"{key}: {reason}" for key, reason in reasons.items()]
        raise UnsupportedSetting(f"{setting}: no theorem applies to what is given", applicable)
    settings = sorted({str(t.setting) for t in all_theorems().values() if t.setting is not None})
    raise UnsupportedSetting(f"no theorem covers {setting}", settings)
