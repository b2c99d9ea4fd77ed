"""What stands beside an answer in its setting: the necessary lengths and the paper's order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from bounds.apply import apply
from bounds.errors import BoundsError, Missing, NotComputable, ParameterError, Violation
from bounds.evaluate import compare, size
from bounds.numbers import Exact
from bounds.registry import all_theorems
from bounds.result import LengthBound, OtherSide
from bounds.scope import TRUE_LIPSCHITZ
from bounds.signs import listed
from bounds.theorem import Direction, Setting, Theorem

PAPER = "izzo2025"
_CLASS = ("vocabulary_size", "period", "locality", "heads")
"""Quantities of the models that a theorem may take by default."""


def with_other_side(
    bound: LengthBound, values: Mapping[str, Exact], asserted: frozenset[str]
) -> LengthBound:
    """The same answer, which finds the other side of its setting once it is asked for.

    The other side is about the same class of models: what the theorem took by default, and the
    hypotheses that it assumed because it was asked for by its key, count as given.
    """
    setting = bound.setting
    if setting is None:
        return bound
    if bound.theorem.direction is Direction.SUFFICIENT:
        taken = {k: bound.parameters[k] for k in bound.defaults if k in _CLASS}
        values = {**values, **taken}
        asserted = asserted | unasserted(bound.theorem, asserted)
    return bound.with_other_side(partial(other_side, setting, dict(values), asserted))


def other_side(
    setting: Setting, values: Mapping[str, Exact], asserted: frozenset[str]
) -> OtherSide[LengthBound]:
    """The necessary lengths that apply, longest first; the paper's order of growth; refusals."""
    found: list[LengthBound] = []
    paper: LengthBound | None = None
    refused: dict[str, str] = {}
    for entry in all_theorems().values():
        of_paper = entry.source.bibkey == PAPER
        about = entry.setting is not None and entry.setting.covers(setting)
        if not about or not (of_paper or is_necessary(entry)):
            continue
        needed = unasserted(entry, asserted)
        if needed:
            refused[entry.key] = only_with(needed)
            continue
        beyond = "" if of_paper else not_of_the_pair(entry, setting, values, asserted)
        if beyond:
            refused[entry.key] = beyond
            continue
        try:
            answer = apply(entry, values, asserted, setting)
        except (ParameterError, NotComputable) as problem:
            refused[entry.key] = reason(entry.key, problem)
            continue
        if of_paper:
            paper = answer
        else:
            found.append(answer)
    found.sort(key=lambda b: size(b.length, b.log2_length), reverse=True)
    return OtherSide(tuple(found), paper, refused)


_CONSTANTS = (
    "complexity",
    "complexity_balanced",
    "complexity_periodic",
    "complexity_average",
    "lipschitz_query",
    "lipschitz_keys",
    "limit_query",
    "limit_keys",
    "influence_keys",
    "dimension",
    "depth_constants",
)
"""Quantities of the weights that a sufficient length of the same setting may read."""


@cache
def _read_by_sufficient(setting: Setting) -> frozenset[str]:
    """What the sufficient lengths, the paper's too, read in a setting."""
    return frozenset(
        keyword
        for entry in all_theorems().values()
        if entry.setting is not None and entry.setting.covers(setting)
        if entry.direction is Direction.SUFFICIENT
        for keyword in entry.reads
    )


def not_of_the_pair(
    entry: Theorem, setting: Setting, values: Mapping[str, Exact], asserted: frozenset[str]
) -> str:
    """A constant given of which it is not shown that the pair behind a necessary length has it.

    Alone such a length is true: of the models with the constants that it reads. Beside a
    sufficient length that reads others, it has to be about models with those, too. What no
    sufficient length of the same setting reads does not matter.
    """
    checked = {*entry.parameters, *(h.keyword for h in entry.hypotheses)}
    read = _read_by_sufficient(setting)
    unread = [k for k in _CONSTANTS if k in values and k in read and k not in checked]
    marginal, total = values.get("lipschitz_marginal"), values.get("lipschitz")
    if marginal is not None and "lipschitz_marginal" not in entry.parameters:
        # One residue: L' = L. Otherwise L' ≤ 2L, for constants from the weights.
        one_residue = values.get("period") == 1
        shown = one_residue or TRUE_LIPSCHITZ not in asserted
        factor = 1 if one_residue else 2
        if not shown or total is None or compare(marginal, factor * total) < 0:
            unread.append("lipschitz_marginal")
    return f"its pair is not shown to have {listed({k: values[k] for k in unread})}" * bool(unread)


def is_necessary(theorem: Theorem) -> bool:
    """Whether it states a length, with constants of ours, below which none is enough."""
    return (
        theorem.direction is Direction.NECESSARY
        and theorem.constants == "proved"
        and theorem.formula is not None
        and theorem.quantity == "length"
    )


def unasserted(theorem: Theorem, asserted: frozenset[str]) -> frozenset[str]:
    """The hypotheses that the theorem needs the user to assert, and that are not asserted."""
    named = {str(h.name) for h in theorem.hypotheses if h.needs_assertion()}
    return frozenset(named - asserted)


def only_with(names: frozenset[str]) -> str:
    """Why a theorem is not used that these names open."""
    return f"only with assume={{{', '.join(map(repr, sorted(names)))}}}"


def reason(key: str, error: BoundsError) -> str:
    """Why a theorem was not used, in a few words."""
    if not isinstance(error, ParameterError):
        return str(error)
    needed = [p.name for p in error.problems if isinstance(p, Missing)]
    needed += [p.needed for p in error.problems if isinstance(p, Violation)]
    rest = [p for p in error.problems if not isinstance(p, (Missing, Violation))]
    parts = ["needs " + ", ".join(needed)] if needed else []
    parts += [f"refuses {p.name}: {p.allowed.removeprefix('nothing: ')}" for p in rest]
    return "; ".join(parts)
