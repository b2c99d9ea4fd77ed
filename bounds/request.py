"""A question as `required_length` and its kin take it: read, checked, in exact numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from bounds import hints
from bounds.errors import Missing, ParameterError, Problem, Stated
from bounds.numbers import Exact
from bounds.parameters import read_all
from bounds.registry import all_theorems
from bounds.scope import contradictions
from bounds.theorem import Setting, Theorem

CHOICES: Mapping[str, tuple[Any, ...]] = {
    "error": ("linf", "average"),
    "attention": ("argmax", "softmax"),
}
LAYERS = "an integer ≥ 1"
MOST_LAYERS = 10**9
"""What `layers` may be."""


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
    named = all_theorems().get(theorem) if isinstance(theorem, str) else None
    if attention is None and named is not None and named.setting is not None:
        values = read_all(parameters, named.setting.attention)
    else:
        values = read_all(parameters, attention)
    asserted = _read_assume(assume)
    refuse_contradictions(values, asserted)
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


def _setting_of(theorem: Theorem, layers: Any, values: Mapping[str, Any]) -> Setting | None:
    """The theorem's setting; of one for any depth, at the number of layers that is given."""
    if theorem.setting is None or not theorem.setting.or_more:
        return theorem.setting
    constants = values.get("depth_constants")
    if layers is None and constants is not None:
        layers = constants.layers
    return theorem.setting if layers is None else theorem.setting.with_layers(int(layers))


def covering_entries(setting: Setting) -> list[Theorem]:
    """The theorems about a setting, in the order of the registry."""
    return [t for t in all_theorems().values() if t.setting and t.setting.covers(setting)]


def refuse_contradictions(values: Mapping[str, Exact], asserted: frozenset[str]) -> None:
    """Raise if what is given cannot be true together."""
    impossible = contradictions(values, asserted)
    if impossible:
        raise ParameterError([Problem(*problem) for problem in impossible])


def find_theorem(key: str) -> Theorem:
    """The registry's entry of that key.

    Raises:
        ParameterError: there is none.
    """
    try:
        return all_theorems()[key]
    except (KeyError, TypeError):
        allowed = "a key that bounds.theorems() lists, such as 'derived.one_layer_linf'"
        allowed += hints.of_theorem(key, all_theorems())
        raise ParameterError([Problem("theorem", key, allowed)]) from None


def _read_assume(assume: Collection[str] | None) -> frozenset[str]:
    names = {h.name for t in all_theorems().values() for h in t.hypotheses if h.name}
    given = {assume} if isinstance(assume, str) else set(assume or ())
    unknown = sorted(map(str, given - names))
    if unknown:
        allowed = "names of hypotheses: " + (", ".join(sorted(names)) or "there are none")
        raise ParameterError(
            [Problem("assume", name, allowed + hints.of_name(name, names)) for name in unknown]
        )
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
    allowed = " or ".join(map(repr, CHOICES[name]))
    if value is None:
        problems.append(Missing(name, None, allowed))
    else:
        problems.append(Problem(name, value, allowed + hints.of_choice(name, value)))
    return None


def read_layers(value: Any, problems: list[Problem]) -> Any:
    """The number of layers as an int; otherwise None, and one more problem."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        if int(value) <= MOST_LAYERS:
            return int(value)
        problems.append(Problem("layers", value, f"{LAYERS}, at most {MOST_LAYERS}"))
        return None
    kind = Missing if value is None else Problem
    problems.append(kind("layers", value, LAYERS))
    return None
