"""All theorems, one file per source; each entry states one theorem.

To add one: write it in the file of its source (how: `bounds.theorem`), add the
file to `FILES` of its folder if it is new, and prove it in docs/theory.md under the
anchor that its source names. A test fails where the section is missing.
"""

from __future__ import annotations

import copyreg
from functools import cache
from typing import Any

from bounds.theorem import Theorem


def _by_key(entries: list[Theorem]) -> dict[str, Theorem]:
    found: dict[str, Theorem] = {}
    for theorem in entries:
        if theorem.key in found:
            raise RuntimeError(f"two theorems with the key {theorem.key}")
        found[theorem.key] = theorem
    return found


@cache
def all_theorems() -> dict[str, Theorem]:
    """Every theorem by key, in the order of the files.

    The files are read when somebody asks for the first time: the first sum of symbols alone
    makes SymPy load its tensors, which would be a sixth of the time of `import bounds`.
    """
    from bounds.registry import literature, necessary, sufficient

    files = (*literature.FILES, *sufficient.FILES, *necessary.FILES)
    return _by_key([theorem for file in files for theorem in file.THEOREMS])


def _from_registry(key: str) -> Theorem:
    return all_theorems()[key]


def _reduce(theorem: Theorem) -> tuple[Any, ...]:
    """Entries are pickled by their key: formulas and checks are functions without a name."""
    if all_theorems().get(theorem.key) is theorem:
        return _from_registry, (theorem.key,)
    return copyreg.__newobj__, (Theorem,), vars(theorem)  # type: ignore[attr-defined]


copyreg.pickle(Theorem, _reduce)
