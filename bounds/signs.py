"""How quantities are written in plain text: ε, |Σ|, Δ, ... for people, not for SymPy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from bounds.numbers import Exact, brief
from bounds.parameters import BY_KEYWORD

_GREEK = {
    "alpha": "α",
    "gamma": "γ",
    "delta": "δ",
    "varepsilon": "ε",
    "eta": "η",
    "theta": "θ",
    "vartheta": "ϑ",
    "kappa": "κ",
    "mu": "μ",
    "nu": "ν",
    "pi": "π",
    "varsigma": "ς",
    "tau": "τ",
    "Delta": "Δ",
    "Lambda": "Λ",
    "Sigma": "Σ",
}
_ACCENTED = {r"\mathcal{C}": "𝒞", r"\bar{W}": "W̄", r"\hat{g}": "ĝ", r"\mathbf{c}": "𝐜"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def sign(keyword: str) -> str:
    """The sign of a quantity, such as "ε" for "epsilon" and "|Σ|" for "vocabulary_size"."""
    name = BY_KEYWORD[keyword].symbol.name
    if name in _ACCENTED:
        return _ACCENTED[name]
    name = re.sub(r"[\\{}]|mathrm", "", name)
    name = re.sub(r"[A-Za-z]+", lambda word: _GREEK.get(word[0], word[0]), name)
    name = re.sub(r"_(\d)", lambda digit: digit[1].translate(_SUBSCRIPTS), name)
    return name.replace("_*", "*")


def listed(values: Mapping[str, Exact]) -> str:
    """Values beside their signs, such as "ε = 1/10, L ≈ 7.36756, |Σ| = 3"."""
    return ", ".join(equation(keyword, value) for keyword, value in values.items())


def equation(keyword: str, value: Exact) -> str:
    """One value beside its sign, rounded where its digits would be too many to read."""
    text = brief(value)
    if len(text) > _READABLE and isinstance(value, Fraction) and abs(value) < 10**300:
        text = f"≈ {float(value):.6g}"
    return f"{sign(keyword)} {text}" if text.startswith("≈") else f"{sign(keyword)} = {text}"


_READABLE = 20
"""Characters of a number."""
