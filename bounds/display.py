"""Answers as text, HTML, LaTeX and plain data."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import sympy

from bounds.answer import Answer, Status
from bounds.formula import as_code, in_signs
from bounds.numbers import brief, written
from bounds.obstacle import obstacle
from bounds.parameters import BY_KEYWORD
from bounds.signs import equation

_LONGEST_FORMULA = 800
"""Characters of a formula that a text shows."""

_DERIVED = ("simulation_error", "layers")
"""What hypotheses may read beside the parameters."""


def in_sentences(answer: Answer) -> str:
    """The answer in plain sentences."""
    theorem = answer.theorem
    lines = [answer.headline]
    if obstacle(answer):
        lines.append(obstacle(answer))
    lines += [f"Theorem: {theorem.title} {theorem.source}.", f"It says: {theorem.statement}"]
    formula = formula_text(answer)
    if formula:
        lines.append(f"Formula: {formula}.")
    if answer.given:
        given = ", ".join(f"{k}: {equation(k, v)}" for k, v in answer.given.items())
        lines.append(f"Values given: {given}.")
    if answer.taken_by_default:
        lines.append(f"Taken by default, as not given: {answer.taken_by_default}.")
    if "simulation_error" in answer.parameters:
        error = brief(answer.parameters["simulation_error"])
        lines.append(f"Where s stands, it is (target − ε)/2 = {error}.")
    if answer.length is not None or answer.log2_length is not None:
        lines.append(f"Conclusion: {answer.conclusion}.")
    if len(answer.terms) > 1:
        listing = "; ".join(f"{name}: {term}" for name, term in answer.terms.items())
        lines.append(
            f"Terms, each as a full length: {listing}. The largest is {answer.dominant!r}."
        )
    if answer.numbers_chosen:
        best = ", ".join(f"{name} = {text}" for name, text in answer.numbers_chosen.items())
        lines.append(f"The shortest length is at {best}.")
    lines.append("Hypotheses (assumed: about the models, no parameter shows it):")
    lines += [f"  [{a.status}] {a.text}" for a in answer.assumptions]
    lines += [f"Uncertain in the known sources: {point}" for point in theorem.uncertain]
    if answer.alternatives:
        others = "; ".join(f"{o.theorem.key}: {o.number}" for o in answer.alternatives)
        lines.append(f"Other theorems that apply: {others}.")
    lines += [f"Necessary all the same: {other}." for other in _beside(answer)]
    if answer.paper is not None and answer.paper.theorem is not theorem:
        lines.append(f"The paper: {answer.paper}.")
    for key, why in answer.not_applicable.items():
        lines.append(f"Not used: {key} ({why}).")
    if answer.unused and theorem.stated is not None:
        lines.append(f"Given, but without influence here: {', '.join(answer.unused)}.")
    lines.append(f"Status: {answer.status}")
    return "\n".join(lines)


def formula_text(answer: Answer) -> str:
    """The formula in plain signs, with its auxiliary symbols; "" where there is none."""
    stated = answer.theorem.stated
    if stated is None:
        return ""
    parts = [f"N {_relation(answer)} {in_signs(stated.length)}"]
    parts += [f"{name} = {in_signs(meaning)}" for name, meaning in stated.where.items()]
    text = ", where ".join([parts[0], ", ".join(parts[1:])]) if len(parts) > 1 else parts[0]
    if len(text) > _LONGEST_FORMULA:
        return "too long for a line of text; `.theorem.latex()` has it"
    return text


def in_latex(answer: Answer, printed: Any) -> str:
    """N ≥ formula = number, and its auxiliary symbols; `printed` prints a formula."""
    stated = answer.theorem.stated
    if stated is None:
        return rf"\text{{{answer.number}}}"
    short = answer.length is not None and answer.length < 10**12
    number = f"= {answer.length}" if short else rf"\approx 2^{{{answer.log2_length:.10g}}}"
    if answer.log2_length is None and answer.length is None:
        number = ""
    sign = {"≥": r"\ge", "<": "<"}[_relation(answer)]
    text = rf"N {sign} {printed(stated.length)} {number}"
    if answer.status is Status.ORDER_OF_GROWTH:
        rough = "order of growth, no guarantee"
        text = rf"{text}\quad(\text{{{rough}; }} C = {answer.constant})"
    where = [f"{printed(name)} = {printed(meaning)}" for name, meaning in stated.where.items()]
    return r",\quad ".join([text, *where])


def in_html(answer: Answer) -> str:
    """The answer as a table for a notebook, with its formula typeset by MathJax."""
    rows = [
        ("theorem", f"{answer.theorem.key}: {answer.theorem.title}"),
        ("source", str(answer.theorem.source)),
        ("direction", str(answer.direction or "none")),
        ("constants", answer.constants),
        ("conclusion", answer.conclusion),
        *((f"term: {name}", str(term)) for name, term in answer.terms.items()),
        *_if_any("out of reach", obstacle(answer)),
        *_if_any("given", ", ".join(f"{k}: {equation(k, v)}" for k, v in answer.given.items())),
        *_if_any("by default", answer.taken_by_default),
        *((a.status, a.text) for a in answer.assumptions),
        *(("alternative", str(other)) for other in answer.alternatives),
        *(("necessary", str(other)) for other in _beside(answer)),
        ("status", str(answer.status)),
    ]
    if answer.paper is not None and answer.paper.theorem is not answer.theorem:
        rows.insert(-1, ("paper", str(answer.paper)))
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(a)}</th>"
        f"<td style='text-align:left'>{html.escape(b)}</td></tr>"
        for a, b in rows
    )
    formula = "" if answer.theorem.stated is None else in_latex(answer, sympy.latex)
    shown = f"<p>$$\\displaystyle {html.escape(formula)}$$</p>" if formula else ""
    return f"<p><b>{html.escape(answer.headline)}</b></p>{shown}<table>{body}</table>"


def as_data(answer: Answer) -> dict[str, Any]:
    """Plain data for JSON; exact numbers as strings, very long integers in hexadecimal."""
    expression = answer.expression
    return {
        "theorem": answer.theorem.key,
        "setting": None if answer.setting is None else answer.setting.data(),
        "direction": answer.direction and str(answer.direction),
        "constants": answer.constants,
        "status": answer.status.name,
        "advice": str(answer.status),
        **_length(answer.length, answer.log2_length),
        "obstacle": obstacle(answer) or None,
        "expression": None if expression is None else str(expression),
        "latex": None if answer.theorem.stated is None else answer.theorem.latex(),
        "formula": None if expression is None else as_code(expression),
        "symbols": {
            k: {"latex": sympy.latex(BY_KEYWORD[k].symbol), "sympy": BY_KEYWORD[k].symbol.name}
            for k in answer.theorem.parameters
        },
        "terms": {n: _length(t.length, t.log2_length) for n, t in answer.terms.items()},
        "dominant": answer.dominant,
        "conclusion": answer.conclusion,
        "assumptions": [vars(a).copy() for a in answer.assumptions],
        "parameters": {k: written(v) for k, v in answer.parameters.items() if k not in _DERIVED},
        "defaults": list(answer.defaults),
        "choice": {
            str(name): written(value)
            for name, value in answer.choice.items()
            if name in answer.numbers_chosen
        },
        "alternatives": [_brief(other) for other in answer.alternatives],
        "not_applicable": dict(answer.not_applicable),
        "necessary": [_brief(other) for other in _beside(answer)],
        "paper": None if answer.paper is None else _brief(answer.paper),
        "unused": list(answer.unused),
        "source": str(answer.theorem.source),
        "bibtex": answer.theorem.source.bibtex,
    }


def _beside(answer: Answer) -> tuple[Answer, ...]:
    """The necessary lengths, but for the answer itself."""
    return tuple(other for other in answer.necessary if other.theorem is not answer.theorem)


def _relation(answer: Answer) -> str:
    return "<" if answer.direction == "failure" else "≥"


def _if_any(name: str, text: str) -> Iterable[tuple[str, str]]:
    return [(name, text)] if text else []


def _brief(answer: Answer) -> dict[str, Any]:
    return {"theorem": answer.theorem.key, **_length(answer.length, answer.log2_length)}


def _length(length: int | None, log2_length: float | None) -> dict[str, Any]:
    """int where JSON readers can take it (4000 digits), otherwise hexadecimal, or log2 only."""
    short_enough = length is not None and length.bit_length() < 13_000
    return {
        "length": length if short_enough else None,
        "length_hex": None if length is None or short_enough else hex(length),
        "log2_length": log2_length,
    }
