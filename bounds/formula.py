"""The formula behind an answer: with values put in, as code, and as a function over arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import sympy

from bounds.algebra import put_in
from bounds.answer import Answer
from bounds.elsewhere import asked_again, bound_to_others, holds_at, length_at, values_at
from bounds.errors import NotComputable, ParameterError, Problem
from bounds.functions import WrittenOut
from bounds.numbers import Exact, to_sympy
from bounds.parameters import BY_KEYWORD, PARAMETERS, Parameter, one_of
from bounds.signs import sign

_LONG = 256
"""Bits up to which a number goes in as SymPy's own, and a power is worked out."""


def with_values(answer: Answer, free: Collection[str]) -> sympy.Expr:
    """The length as a SymPy expression in the free parameters, the rest put in.

    What was taken by default follows: target = 3ε stays so where ε is free.

    Raises:
        ParameterError: `free` names what the theorem does not depend on.
        NotComputable: there is no formula, or it holds at these parameters only.
    """
    theorem = answer.theorem
    names = [free] if isinstance(free, str) else list(free)
    for name in names:
        _row(answer, name)
    if theorem.stated is None:
        raise NotComputable(f"{theorem.key} has no formula: {answer.status}")
    if answer.searched:
        parts = ", ".join(f"{name} = {text}" for name, text in answer.numbers_chosen.items())
        raise NotComputable(
            f"{theorem.key}: {parts} was found by a search at these parameters, so that no formula "
            "holds at others; ask required_length at each"
        )
    chosen = {name: to_sympy(value) for name, value in answer.choice.items()}
    expression = theorem.in_parameters(theorem.stated.length, chosen)
    return _put(expression, _values(answer, names))


def _row(answer: Answer, name: str) -> Parameter:
    if name not in answer.theorem.parameters:
        setting = answer.setting
        attention = None if setting is None else setting.attention
        allowed = one_of(name, answer.theorem.parameters, attention)
        raise ParameterError([Problem("free", name, allowed)])
    return BY_KEYWORD[name]


def _values(answer: Answer, free: Collection[str]) -> dict[sympy.Symbol, sympy.Expr]:
    """What stands for each symbol: its value, itself where free, its default where taken."""
    theorem = answer.theorem
    known: dict[str, Any] = {
        k: BY_KEYWORD[k].symbol if k in free else to_sympy(v)
        for k, v in answer.parameters.items()
        if k in BY_KEYWORD and (k in free or k not in answer.defaults)
    }
    for keyword in answer.defaults:
        if keyword in free:
            continue
        default = theorem.defaults.get(keyword)
        if keyword == "target":
            known[keyword] = 3 * known["epsilon"]
        elif callable(default):
            known[keyword] = _followed(keyword, default, known, answer)
        else:
            known[keyword] = to_sympy(answer.parameters[keyword])
    return {BY_KEYWORD[k].symbol: v for k, v in known.items() if k not in free}


def _followed(
    keyword: str, default: Callable[[Any], Any], known: Mapping[str, Any], answer: Answer
) -> sympy.Expr:
    """A default that depends on other parameters, in terms of those that are free."""
    if not any(v.free_symbols for v in known.values()):
        return to_sympy(answer.parameters[keyword])
    try:
        return sympy.sympify(default(known))
    except (TypeError, AttributeError, KeyError):
        allowed = "a value: its default depends on what is free, and not by a formula"
        raise ParameterError([Problem(keyword, None, allowed)]) from None


def _put(expression: sympy.Basic, values: Mapping[sympy.Symbol, sympy.Expr]) -> sympy.Basic:
    """`expression` with values for symbols; roundings and extremes stay as they are written.

    SymPy decides ⌈…⌉ of transcendental numbers in floats, and writes long powers out.
    """
    done: dict[sympy.Basic, sympy.Basic] = {}

    def walk(part: sympy.Basic) -> sympy.Basic:
        if part in values:
            return _number(values[part])
        if not part.args:
            return part
        if part not in done and isinstance(part, sympy.Piecewise):
            done[part] = sympy.Piecewise(*cases(part), evaluate=False)
        if part not in done:
            done[part] = _rebuilt(part, [walk(argument) for argument in part.args])
        return done[part]

    def cases(part: sympy.Piecewise) -> Iterator[tuple[sympy.Basic, sympy.Basic]]:
        """The cases that may hold; in the others there may be divisions by 0."""
        for value, condition in part.args:
            decided = walk(condition)
            if decided is not sympy.false:
                yield walk(value), decided
            if decided is sympy.true:
                return

    return walk(expression)


def _number(value: sympy.Expr) -> sympy.Expr:
    if isinstance(value, sympy.Rational) and max(abs(value.p), value.q).bit_length() > _LONG:
        return WrittenOut(value.p, value.q)
    return value


def _rebuilt(part: sympy.Basic, arguments: list[sympy.Basic]) -> sympy.Basic:
    if isinstance(part, (sympy.ceiling, sympy.floor)):
        return part.func(*arguments, evaluate=isinstance(arguments[0], sympy.Rational))
    if isinstance(part, (sympy.Max, sympy.Min)):
        return part.func(*arguments, evaluate=all(a.is_Rational for a in arguments))
    if isinstance(part, sympy.Pow) and all(a.is_Rational for a in arguments):
        base, exponent = arguments
        bits = max(abs(base.p), base.q).bit_length() * abs(exponent)
        if bits > _LONG or exponent.q > _LONG:
            return sympy.Pow(base, WrittenOut(exponent.p, exponent.q), evaluate=False)
    return part.func(*arguments)


def as_code(expression: sympy.Expr) -> str:
    """The expression in the keywords of `required_length`, as `sympy.sympify` reads it."""
    names = {row.symbol: sympy.Symbol(row.keyword) for row in PARAMETERS}
    return str(put_in(expression, names))


def in_signs(expression: sympy.Expr) -> str:
    """The expression in plain text with the signs of its quantities: Δ, |Σ|, τ, ..."""
    names = {row.symbol: sympy.Symbol(sign(row.keyword)) for row in PARAMETERS}
    return str(put_in(expression, names)).replace("**", "^")


def over_arrays(answer: Answer, free: tuple[str, ...]) -> Callable[..., Any]:
    """log2 of the length as a function of arrays, one for each free parameter.

    nan where the theorem does not apply. A theorem with a free integer, whose best value depends
    on the parameters, is asked point by point.

    Raises:
        ParameterError, NotComputable: as for `with_values`.
    """
    rows = [_row(answer, name) for name in free]
    expression = None if answer.theorem.choices is not None else with_values(answer, free)
    checks = asked_again(answer, free)

    def values(entries: tuple[Any, ...]) -> dict[str, Exact] | None:
        try:
            change = {row.keyword: row.read(v) for row, v in zip(rows, entries, strict=True)}
        except ParameterError:
            return None
        return values_at(answer, change)

    def applies(*entries: Any) -> float:
        found = values(entries)
        return 0.0 if found is not None and holds_at(answer, found, checks) else math.nan

    def certified(*entries: Any) -> float:
        found = values(entries)
        length = None if found is None else length_at(answer, found)
        if length is None:
            return math.nan
        return -math.inf if length.log2 is None else length.log2

    def log2_length(*arrays: Any) -> Any:
        from bounds.log_arrays import evaluate, point_by_point

        if len(arrays) != len(rows):
            raise TypeError(f"one array for each of {', '.join(free)}, not {len(arrays)}")
        if expression is None:
            return point_by_point(certified, arrays)
        logs = evaluate(expression, rows, arrays, answer.theorem.rounding == "up")
        limited = checks or bound_to_others(answer, free)
        return logs + point_by_point(applies, arrays) if limited else logs

    log2_length.__doc__ = f"log2 of the length of {answer.theorem.key} over {', '.join(free)}."
    return log2_length
