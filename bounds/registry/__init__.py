"""All theorems, one file per source; each entry states one theorem.

To add one: write it in the file of its source (how: `bounds.theorem`), add the
file to `_FILES` if it is new, and prove it in docs/theory.md under the anchor
that its source names. A test fails where the section is missing.
"""

from __future__ import annotations

import copyreg
from typing import Any

from bounds.registry import literature, necessary, sufficient
from bounds.theorem import Theorem

_FILES = (*literature.FILES, *sufficient.FILES, *necessary.FILES)


def _by_key(entries: list[Theorem]) -> dict[str, Theorem]:
    found: dict[str, Theorem] = {}
    for theorem in entries:
        if theorem.key in found:
            raise RuntimeError(f"two theorems with the key {theorem.key}")
        found[theorem.key] = theorem
    return found


_THEOREMS = _by_key([theorem for file in _FILES for theorem in file.THEOREMS])


def all_theorems() -> dict[str, Theorem]:
    """Every theorem by key, in the order of the files."""
    return _THEOREMS


def _from_registry(key: str) -> Theorem:
    return _THEOREMS[key]


def _reduce(theorem: Theorem) -> tuple[Any, ...]:
    """Entries are pickled by their key: formulas and checks are functions without a name."""
    if _THEOREMS.get(theorem.key) is theorem:
        return _from_registry, (theorem.key,)
    return copyreg.__newobj__, (Theorem,), vars(theorem)  # type: ignore[attr-defined]


copyreg.pickle(Theorem, _reduce)
