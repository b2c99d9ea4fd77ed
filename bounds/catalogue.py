"""Looking theorems up: `theorem`, `theorems`, and the cube of settings."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable
from typing import Any

from bounds.errors import ParameterError, Problem
from bounds.registry import all_theorems
from bounds.request import CHOICES, covering_entries, find_theorem, read_layers
from bounds.table import Table
from bounds.theorem import Direction, Setting, Theorem


class TheoremList(tuple[Theorem, ...]):
    """Theorems, shown as a table in a notebook and line by line as text."""

    def __str__(self) -> str:
        width = max((len(entry.key) for entry in self), default=0)
        return "\n".join(f"{entry.key.ljust(width)}  {entry.title}" for entry in self)

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{html.escape(str(cell))}</td>"
                for cell in (t.key, t.title, t.setting or "", t.direction, t.constants, t.source)
            )
            + "</tr>"
            for t in self
        )
        head = "".join(
            f"<th>{name}</th>"
            for name in ("key", "title", "setting", "direction", "constants", "source")
        )
        return f"<table><tr>{head}</tr>{rows}</table>"


def theorem(key: str) -> Theorem:
    """The theorem of that key, e.g. "izzo2025.4.1" or "derived.one_layer_linf".

    Raises:
        ParameterError: there is none; the message lists all keys.
    """
    return find_theorem(key)


def theorems(
    *,
    error: str | None = None,
    attention: str | None = None,
    layers: int | None = None,
    direction: str | None = None,
    source: str | None = None,
    constants: str | None = None,
) -> TheoremList:
    """All theorems, or those of a setting, direction, source ("izzo2025", ...) or constants.

    Raises:
        ParameterError: a filter that no theorem could pass.
    """
    entries: Iterable[Theorem] = all_theorems().values()
    allowed: dict[str, tuple[Any, ...]] = {
        **CHOICES,
        "direction": tuple(map(str, Direction)),
        "source": tuple(dict.fromkeys(t.source.bibkey for t in all_theorems().values())),
        "constants": ("proved", "stated", "implicit"),
    }
    given = {
        "error": error,
        "attention": attention,
        "direction": direction,
        "source": source,
        "constants": constants,
    }
    problems = [
        Problem(name, value, " or ".join(map(repr, allowed[name])))
        for name, value in given.items()
        if value is not None and value not in allowed[name]
    ]
    number = None if layers is None else read_layers(layers, problems)
    if problems:
        raise ParameterError(problems)
    for name in ("error", "attention"):
        if given[name] is not None:
            entries = [t for t in entries if t.setting and getattr(t.setting, name) == given[name]]
    if number is not None:
        entries = [t for t in entries if t.setting and _has_layers(t.setting, number)]
    if direction is not None:
        entries = [t for t in entries if t.direction == direction]
    if source is not None:
        entries = [t for t in entries if t.source.bibkey == source]
    if constants is not None:
        entries = [t for t in entries if t.constants == constants]
    return TheoremList(entries)


def _has_layers(setting: Setting, number: int) -> bool:
    return setting.covers(setting.with_layers(number))


DEEPER = "≥ 3"
"""How `cube` writes any number of layers above two."""


def cube() -> Table:
    """The eight cells error × attention × layers: what is proved in each, and by whom.

    Then one row, with layers "≥ 3", for each error and attention of which something is proved
    for every larger number of layers.

    Columns: error, attention, layers; then keys of theorems as tuples: paper, sufficient
    (ours), necessary, no_bound (that none is computable); and power, that of ε in the first
    sufficient one.
    """
    rows = []
    pairs = list(itertools.product(*CHOICES.values()))
    cells = [(*pair, layers) for pair in pairs for layers in (1, 2)]
    cells += [(*pair, 3) for pair in pairs]
    for error, attention, layers in cells:
        cell = covering_entries(Setting(error, attention, layers))
        if layers > 2 and not cell:
            continue
        ours = [t for t in cell if t.constants == "proved"]
        sufficient = [t for t in ours if t.direction is Direction.SUFFICIENT and t.formula]
        necessary = [t for t in ours if t.direction is Direction.NECESSARY]
        rows.append(
            {
                "error": error,
                "attention": attention,
                "layers": DEEPER if layers > 2 else layers,
                "paper": _keys(t for t in cell if t.source.bibkey == "izzo2025"),
                "sufficient": _keys(sufficient),
                "power": _power_of_epsilon(sufficient[0]) if sufficient else "",
                "necessary": _keys(t for t in necessary if not t.no_bound),
                "no_bound": _keys(t for t in necessary if t.no_bound),
            }
        )
    return Table(list(rows[0]), rows)


def _keys(entries: Iterable[Theorem]) -> tuple[str, ...]:
    return tuple(entry.key for entry in entries)


def _power_of_epsilon(entry: Theorem) -> str:
    try:
        return str(entry.exponent("epsilon"))
    except KeyError:
        return ""
