"""What a name that is not known may have meant: the paper's symbols, usual names, slips."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_MEANT: Mapping[str, str] = {
    "eps": "epsilon",
    "ε": "epsilon",
    "tol": "epsilon",
    "eta": "target",
    "η": "target",
    "l": "lipschitz",
    "lip": "lipschitz",
    "lambda": "lipschitz_euclidean",
    "λ": "lipschitz_euclidean",
    "sigma": "vocabulary_size",
    "σ": "vocabulary_size",
    "vocab": "vocabulary_size",
    "vocabsize": "vocabulary_size",
    "alphabet": "vocabulary_size",
    "alphabetsize": "vocabulary_size",
    "tokens": "vocabulary_size",
    "v": "vocabulary_size",
    "delta": "period",
    "δ": "period",
    "tau": "locality",
    "τ": "locality",
    "window": "locality",
    "h": "heads",
    "nheads": "heads",
    "numheads": "heads",
    "p": "precision_bits",
    "bits": "precision_bits",
    "precision": "precision_bits",
    "kappa": "tie_tolerance",
    "κ": "tie_tolerance",
    "tolerance": "tie_tolerance",
    "t": "horizon",
    "tstar": "horizon",
    "maxlength": "horizon",
    "r": "logit_range",
    "range": "logit_range",
    "alpha": "alpha_min",
    "α": "alpha_min",
    "alpha0": "alpha_min",
    "α0": "alpha_min",
    "α₀": "alpha_min",
    "a": "alpha_total",
    "nlayers": "layers",
    "numlayers": "layers",
    "layer": "layers",
    "depth": "layers",
    "norm": "error",
    "loss": "error",
    "attn": "attention",
    "key": "theorem",
    "assumption": "assume",
    "assumptions": "assume",
    "hypotheses": "assume",
}
_LENGTHS = ("n", "length", "traininglength", "nmin")
_SETTING = ("error", "attention", "layers", "theorem", "assume")

_CHOICES: Mapping[str, Mapping[str, str]] = {
    "error": {
        **dict.fromkeys(
            ("linf", "linfty", "linfinity", "l∞", "inf", "max", "sup", "worst", "worstcase"), "linf"
        ),
        **dict.fromkeys(("average", "avg", "mean", "expected", "expectation", "l1"), "average"),
    },
    "attention": {
        **dict.fromkeys(
            ("argmax", "hardmax", "hard", "max", "finite", "finiteprecision"), "argmax"
        ),
        **dict.fromkeys(("softmax", "soft", "infinite", "infiniteprecision"), "softmax"),
    },
}


def of_keyword(
    keyword: str, known: Collection[str], symbols: Mapping[str, str], attention: Any = None
) -> str:
    """What an unknown keyword may have meant.

    Args:
        keyword: what was given.
        known: the keywords that there are.
        symbols: name of a symbol → keyword.
        attention: "argmax" or "softmax", where the question says so: γ means different margins.
    """
    name = _plain(keyword)
    if name in _LENGTHS:
        return (
            "the length is the answer; to give it and ask for another quantity: "
            "bounds.solve_for(unknown, length=...)"
        )
    if name in ("gamma", "γ"):
        names = {"argmax": ["margin"], "softmax": ["positional_margin"]}
        meant = names.get(attention, ["margin", "positional_margin"])
        about = "" if attention in names else " (argmax; softmax)"
        return f"did you mean {' or '.join(map(repr, meant))}{about}?"
    if name in ("c", "cf"):
        return (
            "did you mean 'complexity', the paper's C(f) of two softmax layers, or 'constant', "
            "which the paper leaves implicit?"
        )
    if name in _MEANT:
        return f"did you mean {_MEANT[name]!r}?"
    if keyword in symbols:
        return f"did you mean {symbols[keyword]!r}?"
    close = _closest(keyword, (*known, *_SETTING))
    return f"did you mean {close!r}?" if close else "there are " + ", ".join(known)


_FEW = 15
"""So many names are listed beside the one that was meant."""


def of_one_of(
    keyword: Any, among: Collection[str], symbols: Mapping[str, str], attention: Any = None
) -> str:
    """What a name such as "eps" may have meant; all names, where they are few or none is near."""
    listed = "one of " + ", ".join(among)
    if not isinstance(keyword, str) or _plain(keyword) in _LENGTHS:
        return listed
    hint = of_keyword(keyword, among, symbols, attention)
    meant = hint.startswith("did you mean") and any(repr(name) in hint for name in among)
    if not meant:
        return listed
    return f"{listed}; {hint}" if len(among) <= _FEW else f"a known parameter name; {hint}"


def of_choice(name: str, value: Any) -> str:
    """What a value of `error` or `attention` may have meant, such as "hardmax"; "" if unclear."""
    if not isinstance(value, str) or name not in _CHOICES:
        return ""
    meant = _CHOICES[name].get(_plain(value))
    meant = meant or _closest(value, sorted(set(_CHOICES[name].values())))
    return f"; did you mean {meant!r}?" if meant else ""


def of_theorem(value: Any, keys: Collection[str]) -> str:
    """The key that a name such as "4.1" or "Theorem 4.1" may have meant; "" if unclear."""
    if not isinstance(value, str):
        return ""
    words = re.findall(r"[a-z0-9_.]+", value.lower())
    last = words[-1] if words else ""
    ends = [key for key in keys if last and key.lower().endswith(last)]
    by_end = {key.split(".", 1)[-1]: key for key in keys}
    near = _closest(value, keys, 0.75) or by_end.get(_closest(last, by_end, 0.75) or "")
    found = ends[0] if ends else near
    return f"; did you mean {found!r}?" if found else ""


def of_name(value: Any, names: Iterable[str]) -> str:
    """The name among these that `value` is closest to; "" if it is close to none."""
    close = _closest(str(value).strip().replace(" ", "_").replace("-", "_"), list(names))
    return f"; did you mean {close!r}?" if close else ""


def _closest(word: str, among: Collection[str], likeness: float = 0.6) -> str | None:
    lower = {name.lower(): name for name in among}
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=likeness)
    return lower[close[0]] if close else None


def _plain(text: str) -> str:
    """Without case, blanks, bars and the like."""
    return re.sub(r"[^\w∞₀]|_", "", text).lower()
