"""All theorems, one file per source; each entry states one theorem.

To add one: write it in the file of its source (how: `bounds.theorem`), add the
file to `_FILES` if it is new, and prove it in docs/theory.md under the anchor
that its source names. A test fails where the section is missing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from bounds.theorem import Theorem

_FILES = (
    "izzo2025",
    "derived_linf",
    "necessary_linf",
    "derived_average",
    "derived_average_softmax",
    "necessary_average",
    "derived_two_layer",
    "necessary_two_layer",
    "neighbours",
)


@cache
def all_theorems() -> dict[str, Theorem]:
    """Every theorem by key, in the order of the files."""
    found: dict[str, Theorem] = {}
    for name in _FILES:
        for theorem in import_module(f"bounds.registry.{name}").THEOREMS:
            if theorem.key in found:
                raise RuntimeError(f"two theorems with the key {theorem.key}")
            found[theorem.key] = theorem
    return found
