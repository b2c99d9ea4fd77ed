"""Why a length is astronomic, and what would make it shorter."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from bounds.answer import Answer, show_length
from bounds.elsewhere import length_at
from bounds.parameters import BY_KEYWORD
from bounds.signs import equation, sign

ASTRONOMIC = 40
"""log2 of a length that no training reaches: 10^12 tokens."""

_NAMED = 2
_THRESHOLD = ("precision_bits", "margin")


def obstacle(answer: Answer) -> str:
    """One line on a length above 2^40: the term, what it comes from, what would help; else ""."""
    if answer.log2_length is None or answer.log2_length <= ASTRONOMIC:
        return ""
    where = f"the term {answer.dominant!r} decides" if len(answer.terms) > 1 else "one term"
    threshold = answer.dominant == "hardmax threshold" and set(_THRESHOLD) <= set(answer.parameters)
    if threshold:
        values = ", ".join(equation(k, answer.parameters[k]) for k in _THRESHOLD)
        where += (
            f": about 2^(p/γ), {values}, where γ is the least difference of two logits of one "
            "query that do not count as tied"
        )
    helps = [f"{how} ({number})" for _, how, number in sorted(_easier(answer))[:_NAMED]]
    setting = answer.setting
    near = setting is not None and (setting.attention, setting.layers) == ("argmax", 1)
    if threshold and near and "horizon" not in answer.given:
        helps.append("near ties counted as ties up to a horizon (tie_tolerance=, horizon=)")
    helps.append("for given weights, a certificate or proof up to a horizon instead of a length")
    return f"Out of reach of training: {where}. What would help: {'; '.join(helps)}."


def _easier(answer: Answer) -> Iterator[tuple[float, str, str]]:
    """Each parameter, half or twice as large, with the length there; the least length first."""
    assert answer.log2_length is not None
    for keyword in answer.given:
        row = BY_KEYWORD[keyword]
        value = answer.parameters[keyword]
        if row.effect == 0 or keyword == "constant" or not isinstance(value, Fraction):
            continue
        better = value / 2 if row.effect > 0 else 2 * value
        if row.kind == "integer":
            better = Fraction(int(better))
        if better == value or not row.lower <= better or not _allowed(row.upper, better):
            continue
        found = length_at(answer, {keyword: better})
        if found is not None and found.log2 is not None and found.log2 < answer.log2_length - 1:
            amount = "half" if better < value else "twice"
            number = show_length(found.integer, found.log2)
            yield found.log2, f"{amount} {keyword}, {sign(keyword)}", number


def _allowed(upper: Fraction | None, value: Fraction) -> bool:
    return upper is None or value <= upper
