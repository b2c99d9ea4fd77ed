"""What one theorem says for exact parameter values, or why it refuses them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from functools import cache

from bounds.errors import Missing, ParameterError, Problem, Stated, Violation
from bounds.evaluate import compare
from bounds.numbers import Exact, brief
from bounds.parameters import BY_KEYWORD
from bounds.registry import all_theorems
from bounds.result import Assumption, LengthBound, Standing, Status, Term
from bounds.scope import EXACT_TIES, MARKOV_INPUTS, TRUE_LIPSCHITZ, Hypothesis
from bounds.theorem import Direction, Setting, Theorem


def apply(
    theorem: Theorem,
    values: Mapping[str, Exact],
    asserted: Collection[str] = (),
    setting: Setting | None = None,
) -> LengthBound:
    """What one theorem says for exact parameter values.

    `setting`: the one that is asked about, where the theorem covers several.

    Raises:
        ParameterError: parameters are missing or a hypothesis fails.
    """
    problems = _other_models(theorem, values, asserted)
    complete, defaults, missing = _complete(theorem, values)
    asked = setting or theorem.setting
    if theorem.setting is not None and theorem.setting.or_more:
        assert asked is not None
        if not asked.or_more:
            complete["layers"] = Fraction(asked.layers)
    assumptions, violated = _assumptions(theorem, {**values, **complete}, asserted)
    problems = [*violated, *problems, *missing]
    if problems:
        raise ParameterError(problems)
    own = {hypothesis.name for hypothesis in theorem.hypotheses}
    own |= {name for names in theorem.switches.values() for name in names}
    unused = (
        *(k for k in values if k not in theorem.reads),
        *(f"assume {name!r}" for name in sorted(asserted) if name not in own),
    )
    if theorem.stated is None:
        status = _status_without_number(theorem)
        return LengthBound(
            theorem,
            status,
            complete,
            assumptions,
            defaults=defaults,
            unused=unused,
            setting=asked,
        )
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
        setting=asked,
    )


def _other_models(
    theorem: Theorem, values: Mapping[str, Exact], asserted: Collection[str]
) -> list[Problem]:
    """What describes inputs or models that the theorem is not about."""
    if theorem.scope is None:
        return []
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
    return problems


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
) -> tuple[dict[str, Exact], tuple[str, ...], list[Problem]]:
    """What the theorem reads, with `simulation_error`; the keywords taken by default; problems."""
    complete = {k: values[k] for k in theorem.reads if k in values}
    problems: list[Problem] = []
    defaults = []
    if "target" in theorem.parameters and "target" not in complete and "epsilon" in complete:
        if compare(complete["epsilon"], Fraction(0)) == 0:
            problems.append(Missing("target", None, "a number > 0, since epsilon = 0"))
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
        row = BY_KEYWORD[keyword]
        if default is None:
            problems.append(Missing(keyword, None, row.wanted))
            continue
        try:
            value = default(complete) if callable(default) else default
        except KeyError:  # the default depends on a parameter that is missing, and reported
            continue
        if value is None:
            problems.append(Missing(keyword, None, row.wanted))
            continue
        complete[keyword] = Fraction(value) if isinstance(value, int) else value
        defaults.append(keyword)
    if "target" in complete and "epsilon" in complete and not problems:
        if compare(complete["target"], complete["epsilon"]) <= 0:
            allowed = f"a number greater than epsilon = {brief(complete['epsilon'])}"
            raise ParameterError([Problem("target", complete["target"], allowed)])
        complete["simulation_error"] = (complete["target"] - complete["epsilon"]) / 2
    return complete, tuple(defaults), problems


def _assumptions(
    theorem: Theorem, values: Mapping[str, Exact], asserted: Collection[str]
) -> tuple[tuple[Assumption, ...], list[Problem]]:
    """Each hypothesis with whether the parameters satisfy it, and those that they violate.

    A hypothesis about a parameter that is missing is none of either.
    """
    result = []
    violated: list[Problem] = []
    for hypothesis in theorem.hypotheses:
        status: Standing = "asserted" if hypothesis.name in asserted else "assumed"
        if hypothesis.check is not None:
            try:
                holds = hypothesis.check(values)
            except KeyError:
                continue
            if holds:
                status = "satisfied"
            elif status != "asserted":
                violated.append(_violation(theorem, hypothesis, values))
                continue
        result.append(Assumption(hypothesis.text, status))
    return tuple(result), violated


def _violation(theorem: Theorem, hypothesis: Hypothesis, values: Mapping[str, Exact]) -> Violation:
    needed = hypothesis.text
    if hypothesis.name is not None:
        needed += f"; or assume={{{hypothesis.name!r}}}"
    if hypothesis.keyword is not None:
        needed += f" ({theorem.key})"
        given = f"{hypothesis.keyword} is {brief(values[hypothesis.keyword])}"
        return Violation(hypothesis.keyword, Stated(given), needed)
    given = ", ".join(f"{k} = {brief(v)}" for k, v in values.items() if k in theorem.reads)
    return Violation(theorem.key, Stated(f"given {given}"), needed)


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
