"""The theorem of an answer at other parameter values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from bounds.answer import Answer
from bounds.errors import BoundsError
from bounds.evaluate import Certified, compare
from bounds.numbers import Exact
from bounds.scope import Hypothesis, contradictions


def length_at(answer: Answer, change: Mapping[str, Exact]) -> Certified | None:
    """The length with other values; None where the theorem does not apply or gives no number."""
    theorem = answer.theorem
    values = values_at(answer, change)
    if values is None or not holds_at(answer, values, asked_again(answer, None)):
        return None
    on = {n for s, names in theorem.switches.items() if answer.choice.get(s) for n in names}
    try:
        return theorem.evaluate(values, on).length
    except BoundsError:
        return None


def values_at(answer: Answer, change: Mapping[str, Exact]) -> dict[str, Exact] | None:
    """All values with some changed; what was taken by default follows, as target = 3ε does.

    None where the target is not above ε.
    """
    values: dict[str, Exact] = dict(answer.parameters)
    values.update(change)
    for keyword in answer.defaults:
        default = _default(answer, keyword)
        if default is not None and keyword not in change:
            values[keyword] = default(values)
    if "simulation_error" in values:
        if compare(values["target"], values["epsilon"]) <= 0:
            return None
        values["simulation_error"] = (values["target"] - values["epsilon"]) / 2
    return values


def holds_at(
    answer: Answer, values: Mapping[str, Exact], hypotheses: Collection[Hypothesis]
) -> bool:
    """Whether the values can be true together and satisfy these hypotheses."""
    try:
        return not contradictions(values, ()) and all(
            h.check is None or h.check(values) for h in hypotheses
        )
    except BoundsError:
        return False


def asked_again(answer: Answer, free: Collection[str] | None) -> list[Hypothesis]:
    """The hypotheses that other values of these parameters may violate; None: of any."""
    found = []
    for hypothesis, standing in zip(answer.theorem.hypotheses, answer.assumptions, strict=True):
        if hypothesis.check is None or standing.status == "asserted":
            continue
        read = _Recorder(answer.parameters)
        hypothesis.check(read)
        if free is None or read.keywords & _moved(answer, free):
            found.append(hypothesis)
    return found


def bound_to_others(answer: Answer, free: Collection[str]) -> bool:
    """Whether one of these parameters is limited by another that the theorem reads."""
    read = set(answer.theorem.parameters)
    return any(
        not group.isdisjoint(free) and len(group & read) > 1
        for group in _TOGETHER
        if group.isdisjoint(set(answer.defaults) - set(free))
    )


_TOGETHER = (
    {"lipschitz", "lipschitz_other"},
    {"epsilon", "target"},
    {"alpha_min", "alpha_total", "alpha_class", "vocabulary_size"},
    {"stationary_min", "vocabulary_size"},
    {"largest_gap", "margin"},
    {"states", "path_states"},
)
"""Quantities that contradict each other at some values."""


def _moved(answer: Answer, free: Collection[str]) -> set[str]:
    """The quantities that move with these parameters."""
    follow = {k for k in answer.defaults if _default(answer, k) is not None}
    return {*free, *follow, "simulation_error"}


def _default(answer: Answer, keyword: str) -> Callable[[Mapping[str, Exact]], Any] | None:
    """How a default follows from other values; None where it is one value."""
    if keyword == "target":
        return lambda values: 3 * values["epsilon"]
    default = answer.theorem.defaults.get(keyword)
    if default is None and keyword in answer.theorem.rules:
        return answer.theorem.rules[keyword].default
    return default if callable(default) else None


class _Recorder(Mapping[str, Exact]):
    """Values that remember which of them were asked for."""

    def __init__(self, values: Mapping[str, Exact]) -> None:
        self.values_, self.keywords = values, set[str]()

    def __getitem__(self, keyword: str) -> Exact:
        self.keywords.add(keyword)
        return self.values_[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)
