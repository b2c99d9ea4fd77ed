"""What one theorem says for exact parameter values, or why it refuses them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from functools import cache

from bounds.errors import ParameterError, Problem, Stated, Violation
from bounds.evaluate import compare
from bounds.numbers import Exact, brief
from bounds.parameters import BY_KEYWORD
from bounds.registry import all_theorems
from bounds.result import Assumption, LengthBound, Standing, Status, Term
from bounds.scope import EXACT_TIES, MARKOV_INPUTS, TRUE_LIPSCHITZ
from bounds.theorem import Direction, Theorem


def apply(
    theorem: Theorem, values: Mapping[str, Exact], asserted: Collection[str] = ()
) -> LengthBound:
    """What one theorem says for exact parameter values.

    Raises:
        ParameterError: parameters are missing or a hypothesis fails.
    """
    _refuse_other_models(theorem, values, asserted)
    complete, defaults = _complete(theorem, values)
    assumptions = _assumptions(theorem, {**values, **complete}, asserted)
    own = {hypothesis.name for hypothesis in theorem.hypotheses}
    own |= {name for names in theorem.switches.values() for name in names}
    unused = (
        *(k for k in values if k not in theorem.reads),
        *(f"assume {name!r}" for name in sorted(asserted) if name not in own),
    )
    if theorem.stated is None:
        status = _status_without_number(theorem)
        return LengthBound(theorem, status, complete, assumptions, defaults=defaults, unused=unused)
    evaluation = theorem.evaluate(complete, asserted)
    return LengthBound(
        theorem,
        _status(theorem, evaluation.length.integer is None),
        complete,
        assumptions,
        defaults=defaults,
        length=evaluation.length.integer,
        log2_length=evaluation.length.log2,
        choice=evaluation.choice,
        terms={name: Term(term.integer, term.log2) for name, term in evaluation.terms.items()},
        unused=unused,
    )


def _refuse_other_models(
    theorem: Theorem, values: Mapping[str, Exact], asserted: Collection[str]
) -> None:
    """Raise where inputs or models are described that the theorem is not about."""
    if theorem.scope is None:
        return
    problems: list[Problem] = []
    law = theorem.scope.refused_law(values, asserted)
    if law:
        problems.append(Violation(theorem.key, sorted(asserted) or sorted(values), law))
    if theorem.scope.precision == "infinite" and "precision_bits" in values:
        allowed = f"nothing: {theorem.key} is about infinite precision"
        problems.append(Problem("precision_bits", values["precision_bits"], allowed))
    if theorem.direction is Direction.NECESSARY:
        beyond = sorted(restrictions() & set(asserted) - set(theorem.survives))
        if theorem.scope.ties == "near" and EXACT_TIES in asserted:
            beyond.append(EXACT_TIES)
        problems += [
            Problem("assume", name, f"nothing that excludes the pair behind {theorem.key}")
            for name in beyond
        ]
        allowed = f"nothing: it leaves fewer models than the pair behind {theorem.key} needs"
        problems += [
            Problem(keyword, Stated(brief(values[keyword])), allowed)
            for keyword in (*SMALLER_CLASS, *theorem.silent_about)
            if keyword in values and keyword not in theorem.reads and _restricts(keyword, values)
        ]
    if problems:
        raise ParameterError(problems)


SMALLER_CLASS = (
    "horizon",
    "largest_gap",
    "light_groups",
    "lipschitz_other",
    "states",
    "path_states",
)
"""Keywords that leave fewer models or inputs: what is necessary for all of them need not be there.

A necessary length that depends on one reads it; to the others no pair is shown to belong.
"""


def _restricts(keyword: str, values: Mapping[str, Exact]) -> bool:
    """Whether the value leaves fewer models: L_o = L does not."""
    if keyword != "lipschitz_other" or "lipschitz" not in values:
        return True
    return compare(values["lipschitz_other"], values["lipschitz"]) < 0


@cache
def restrictions() -> frozenset[str]:
    """Names of hypotheses that restrict the models (not inputs, nor what ties and L mean)."""
    names = {h.name for t in all_theorems().values() for h in t.hypotheses if h.name}
    return frozenset(names) - {EXACT_TIES, MARKOV_INPUTS, TRUE_LIPSCHITZ}


def _complete(
    theorem: Theorem, values: Mapping[str, Exact]
) -> tuple[dict[str, Exact], tuple[str, ...]]:
    """What the theorem reads, with `simulation_error`; and the keywords taken by default."""
    complete = {k: values[k] for k in theorem.reads if k in values}
    problems = []
    defaults = []
    if "target" in theorem.parameters and "target" not in complete and "epsilon" in complete:
        if compare(complete["epsilon"], Fraction(0)) == 0:
            problems.append(Problem("target", None, "a number > 0, since epsilon = 0"))
        complete["target"] = 3 * complete["epsilon"]
        defaults.append("target")
    for keyword in theorem.reads:
        if keyword in complete or keyword not in (*theorem.parameters, *theorem.rules):
            continue
        if keyword == "target":
            continue
        default = theorem.defaults.get(keyword)
        if default is None and keyword not in theorem.parameters:
            default = theorem.rules[keyword].default
        if default is None:
            row = BY_KEYWORD[keyword]
            problems.append(Problem(keyword, None, f"{row.domain} ({row.meaning})"))
            continue
        try:
            value = default(complete) if callable(default) else default
        except KeyError:  # the default depends on a parameter that is missing, and reported
            continue
        if value is None:
            row = BY_KEYWORD[keyword]
            problems.append(Problem(keyword, None, f"{row.domain} ({row.meaning})"))
            continue
        complete[keyword] = Fraction(value) if isinstance(value, int) else value
        defaults.append(keyword)
    if problems:
        raise ParameterError(problems)
    if "target" in complete and "epsilon" in complete:
        if compare(complete["target"], complete["epsilon"]) <= 0:
            allowed = f"a number greater than epsilon = {brief(complete['epsilon'])}"
            raise ParameterError([Problem("target", complete["target"], allowed)])
        complete["simulation_error"] = (complete["target"] - complete["epsilon"]) / 2
    return complete, tuple(defaults)


def _assumptions(
    theorem: Theorem, values: Mapping[str, Exact], asserted: Collection[str]
) -> tuple[Assumption, ...]:
    """Each hypothesis with whether the parameters satisfy it.

    Raises:
        ParameterError: some fail.
    """
    result = []
    violated = []
    for hypothesis in theorem.hypotheses:
        status: Standing
        if hypothesis.check is None:
            status = "asserted" if hypothesis.name in asserted else "assumed"
        elif hypothesis.check(values):
            status = "satisfied"
        else:
            status = "asserted" if hypothesis.name in asserted else "violated"
        if status == "violated":
            allowed = hypothesis.text
            if hypothesis.name is not None:
                allowed += f"; or assume={{{hypothesis.name!r}}}"
            if hypothesis.keyword is not None:
                about, given = hypothesis.keyword, brief(values[hypothesis.keyword])
                allowed += f" ({theorem.key})"
            else:
                about = theorem.key
                given = ", ".join(
                    f"{k} = {brief(v)}" for k, v in values.items() if k in theorem.reads
                )
            violated.append(Violation(about, Stated(given), allowed))
        result.append(Assumption(hypothesis.text, status))
    if violated:
        raise ParameterError(violated)
    return tuple(result)


def _status_without_number(theorem: Theorem) -> Status:
    if theorem.no_bound:
        return Status.NOT_COMPUTABLE
    return Status.UNKNOWN if theorem.unknown else Status.NO_NUMBER


def _status(theorem: Theorem, too_large: bool) -> Status:
    if theorem.constants == "implicit":
        return Status.ORDER_OF_GROWTH
    if theorem.constants == "stated" and theorem.source.second_hand:
        return Status.SECOND_HAND
    return Status.TOO_LARGE if too_large else Status.PROVED
