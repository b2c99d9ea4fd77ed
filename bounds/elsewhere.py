"""The theorem of an answer at other parameter values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from bounds.answer import Answer
from bounds.errors import BoundsError
from bounds.evaluate import Certified, compare
from bounds.numbers import Exact
from bounds.scope import Hypothesis


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
        default = answer.theorem.defaults.get(keyword)
        if keyword in change:
            continue
        if keyword == "target":
            values[keyword] = 3 * values["epsilon"]
        elif callable(default):
            values[keyword] = default(values)
    if "simulation_error" in values:
        if compare(values["target"], values["epsilon"]) <= 0:
            return None
        values["simulation_error"] = (values["target"] - values["epsilon"]) / 2
    return values


def holds_at(
    answer: Answer, values: Mapping[str, Exact], hypotheses: Collection[Hypothesis]
) -> bool:
    """Whether the values satisfy these hypotheses."""
    try:
        return all(h.check is None or h.check(values) for h in hypotheses)
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


def _moved(answer: Answer, free: Collection[str]) -> set[str]:
    """The quantities that move with these parameters."""
    follow = {
        k for k in answer.defaults if k == "target" or callable(answer.theorem.defaults.get(k))
    }
    return {*free, *follow, "simulation_error"}


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
