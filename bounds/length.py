"""`required_length`: which theorem applies, and what it says for given parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from numbers import Integral
from typing import Any

from bounds.errors import (
    BoundsError,
    NotComputable,
    ParameterError,
    Problem,
    Stated,
    UnsupportedSetting,
    Violation,
)
from bounds.evaluate import compare, size
from bounds.numbers import Exact, brief
from bounds.parameters import BY_KEYWORD, read_all
from bounds.registry import all_theorems
from bounds.result import Assumption, LengthBound, Standing, Status, Term
from bounds.scope import EXACT_TIES, MARKOV_INPUTS, TRUE_LIPSCHITZ, contradictions
from bounds.theorem import Direction, Setting, Theorem

CHOICES: Mapping[str, tuple[Any, ...]] = {
    "error": ("linf", "average"),
    "attention": ("argmax", "softmax"),
}
LAYERS = "an integer ≥ 1"
"""What `layers` may be."""


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


@dataclass(frozen=True)
class Request:
    """A question, read and checked: a theorem or a setting, exact values, asserted hypotheses."""

    theorem: Theorem | None
    setting: Setting | None
    values: Mapping[str, Exact]
    asserted: frozenset[str]


def read_request(
    error: Any,
    attention: Any,
    layers: Any,
    theorem: str | None,
    assume: Collection[str],
    parameters: Mapping[str, Any],
) -> Request:
    """The arguments of `required_length`, checked.

    Raises:
        ParameterError: any of them is unusable.
    """
    values = read_all(parameters)
    asserted = _read_assume(assume)
    _refuse_contradictions(values, asserted)
    if theorem is None:
        setting = _read_setting(error, attention, layers)
        _refuse_other_depth(values, setting)
        return Request(None, setting, values, asserted)
    chosen = find_theorem(theorem)
    _check_setting(chosen, error, attention, layers)
    asked = _setting_of(chosen, layers, values)
    _refuse_other_depth(values, asked)
    return Request(chosen, asked, values, asserted)


def _refuse_other_depth(values: Mapping[str, Any], setting: Setting | None) -> None:
    """Raise where the constants are those of another number of layers."""
    constants = values.get("depth_constants")
    if constants is None or setting is None or setting.or_more:
        return
    if constants.layers != setting.layers:
        allowed = f"constants of as many layers as asked for, {setting.layers}"
        raise ParameterError([Problem("depth_constants", Stated(constants.brief()), allowed)])


def _setting_of(theorem: Theorem, layers: Any, parameters: Mapping[str, Any]) -> Setting | None:
    """The theorem's setting; of one for any depth, at the number of layers that is given."""
    if theorem.setting is None or not theorem.setting.or_more:
        return theorem.setting
    constants = parameters.get("depth_constants")
    if layers is None and constants is not None:
        layers = constants.layers
    return theorem.setting if layers is None else theorem.setting.with_layers(int(layers))


def _refuse_contradictions(values: Mapping[str, Exact], asserted: frozenset[str]) -> None:
    impossible = contradictions(values, asserted)
    if impossible:
        raise ParameterError([Problem(*problem) for problem in impossible])


def bound_for(request: Request, more: Mapping[str, Exact] | None = None) -> LengthBound:
    """The answer to a request, with further parameter values if given."""
    values = {**request.values, **(more or {})}
    _refuse_contradictions(values, request.asserted)
    if request.theorem is not None:
        return apply(request.theorem, values, request.asserted, request.setting)
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
        if not _is_guarantee(entry):
            continue
        unasserted = [
            str(h.name) for h in entry.hypotheses if h.needs_assertion() and h.name not in asserted
        ]
        if unasserted:
            needed = ", ".join(map(repr, unasserted))
            refused[entry.key] = UnsupportedSetting(f"only with assume={{{needed}}}")
            continue
        try:
            found.append(apply(entry, values, asserted, setting))
        except (ParameterError, NotComputable) as problem:
            refused[entry.key] = problem
    if found:
        found.sort(key=lambda bound: size(bound.length, bound.log2_length))
        return found[0].with_alternatives(tuple(found[1:]), _reasons(refused))
    return _without_guarantee(setting, covering, refused, values, asserted)


def _distance(error: ParameterError) -> tuple[int, int]:
    """How far a refusal is from an answer: a hypothesis that fails is farther than a parameter."""
    failing = sum(isinstance(problem, Violation) for problem in error.problems)
    return failing, len(error.problems)


def _asked_for(
    refused: Mapping[str, BoundsError], asserted: Collection[str]
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


def _reasons(refused: Mapping[str, BoundsError]) -> dict[str, str]:
    """Why each theorem was not used, in a few words."""
    return {key: _reason(key, problem) for key, problem in refused.items()}


def _reason(key: str, error: BoundsError) -> str:
    if not isinstance(error, ParameterError):
        return str(error)
    needed = [
        p.name if p.given is None else p.allowed if p.name == key else f"{p.name}: {p.allowed}"
        for p in error.problems
    ]
    return "needs " + ", ".join(needed)


def covering_entries(setting: Setting) -> list[Theorem]:
    """The theorems about a setting, in the order of the registry."""
    return [t for t in all_theorems().values() if t.setting and t.setting.covers(setting)]


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
    _refuse_other_models(theorem, values, asserted)
    complete, defaults = _complete(theorem, values)
    asked = setting or theorem.setting
    if theorem.setting is not None and theorem.setting.or_more:
        assert asked is not None
        if not asked.or_more:
            complete["layers"] = Fraction(asked.layers)
    assumptions = _assumptions(theorem, {**values, **complete}, asserted)
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


def find_theorem(key: str) -> Theorem:
    """The registry's entry of that key.

    Raises:
        ParameterError: there is none.
    """
    try:
        return all_theorems()[key]
    except (KeyError, TypeError):
        allowed = "one of " + ", ".join(all_theorems())
        raise ParameterError([Problem("theorem", key, allowed)]) from None


def _is_guarantee(theorem: Theorem) -> bool:
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
    asserted: Collection[str],
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
            return answer.with_necessary(_necessary(covering, values, asserted, setting))
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
        raise unusable[nearest]
    orders = [
        entry
        for entry in covering
        if entry.direction is Direction.SUFFICIENT and entry.constants == "implicit"
    ]
    if orders:
        return apply(orders[0], values, asserted, setting).with_alternatives((), reasons)
    if reasons:
        applicable = [f"{key}: {reason}" for key, reason in reasons.items()]
        raise UnsupportedSetting(f"{setting}: no theorem applies to what is given", applicable)
    settings = sorted({str(t.setting) for t in all_theorems().values() if t.setting is not None})
    raise UnsupportedSetting(f"no theorem covers {setting}", settings)


def _necessary(
    covering: list[Theorem],
    values: Mapping[str, Exact],
    asserted: Collection[str],
    setting: Setting,
) -> tuple[LengthBound, ...]:
    """The necessary lengths that apply to what is given, longest first."""
    found = []
    for entry in covering:
        if entry.direction is Direction.NECESSARY and entry.formula is not None:
            try:
                found.append(apply(entry, values, asserted, setting))
            except (ParameterError, NotComputable):
                continue
    return tuple(sorted(found, key=lambda b: size(b.length, b.log2_length), reverse=True))


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


def _read_assume(assume: Collection[str] | None) -> frozenset[str]:
    names = {h.name for t in all_theorems().values() for h in t.hypotheses if h.name}
    given = {assume} if isinstance(assume, str) else set(assume or ())
    unknown = sorted(map(str, given - names))
    if unknown:
        allowed = "names of hypotheses: " + (", ".join(sorted(names)) or "there are none")
        raise ParameterError([Problem("assume", name, allowed) for name in unknown])
    return frozenset(given)


def _read_setting(error: Any, attention: Any, layers: Any) -> Setting:
    given = {"error": error, "attention": attention}
    problems: list[Problem] = []
    chosen = {name: _choice(name, value, problems) for name, value in given.items()}
    number = read_layers(layers, problems)
    if problems:
        raise ParameterError(problems)
    return Setting(**chosen, layers=number)


def _check_setting(theorem: Theorem, error: Any, attention: Any, layers: Any) -> None:
    """The setting may be left out with `theorem=`, but must not contradict it."""
    given = {"error": error, "attention": attention, "layers": layers}
    problems: list[Problem] = []
    for name, value in given.items():
        if value is None:
            continue
        read = read_layers(value, problems) if name == "layers" else _choice(name, value, problems)
        if read is None or theorem.setting is None:
            continue
        meant = getattr(theorem.setting, name)
        if name == "layers" and theorem.setting.or_more:
            if read < meant:
                allowed = f"{meant} or more, the setting of {theorem.key}"
                problems.append(Problem(name, value, allowed))
        elif read != meant:
            problems.append(Problem(name, value, f"{meant!r}, the setting of {theorem.key}"))
    if problems:
        raise ParameterError(problems)


def _choice(name: str, value: Any, problems: list[Problem]) -> Any:
    """The one of the `CHOICES` that `value` is; otherwise None, and one more problem."""
    if isinstance(value, str):
        for choice in CHOICES[name]:
            if value == choice:
                return choice
    problems.append(Problem(name, value, " or ".join(map(repr, CHOICES[name]))))
    return None


def read_layers(value: Any, problems: list[Problem]) -> Any:
    """The number of layers as an int; otherwise None, and one more problem."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    problems.append(Problem("layers", value, LAYERS))
    return None
