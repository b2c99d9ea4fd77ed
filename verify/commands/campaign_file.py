"""The TOML file of a campaign: claims and inputs, every key checked. docs/campaigns.md has it."""

from __future__ import annotations

import itertools
import math
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any

from bounds.hints import of_name
from verify import tasks
from verify.average.laws import DirichletLaw, FixedLaw
from verify.campaigns import CampaignInput, Certify, Check, Claim, Prove, pairs_of_files
from verify.campaigns.definition import MOST_CASES
from verify.campaigns.entries import read_inputs
from verify.checks.pairs import BUILT_IN
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN
from verify.errors import InputError
from verify.tasks.trained import DIFFICULTIES

MOST_BYTES = 2**20

_CLAIMS: dict[str, type[Prove] | type[Certify] | type[Check]] = {
    kind.NAME: kind for kind in (Prove, Certify, Check)
}
_LISTED = ("epsilon", "target", "horizon")
"""Keys that may be lists: a claim for each entry."""

_POWER = re.compile(r"\s*(\d{1,300})\s*(?:\*\*\s*(\d{1,3})\s*)?")


def read_campaign_file(path: Path) -> tuple[list[Claim], list[CampaignInput]]:
    """Return the claims and the pairs of a file; paths in it start at its folder.

    Raises:
        InputError: the file cannot be read; a key is not known, or its value is not usable.
    """
    data = _parsed(path)
    _known("", data, ("claims", "inputs"))
    claims: list[Claim] = []
    for where, table in _tables(data, "claims"):
        claims += _explained(where, partial(_claims, where, table))
    inputs: list[CampaignInput] = []
    for where, table in _tables(data, "inputs"):
        inputs += _explained(where, partial(_inputs, where, table, path))
    return claims, inputs


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe that nobody writes to would never end
            raise OSError("it is no regular file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError("--campaign", str(path), f"a file that can be read ({error})") from None
    if len(content) > MOST_BYTES:
        raise InputError("--campaign", str(path), f"a file of at most {MOST_BYTES:,} bytes")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError("--campaign", str(path), f"a TOML file ({error})") from None


def _known(where: str, table: Mapping[str, Any], allowed: Iterable[str]) -> None:
    names = list(allowed)
    for key in table:
        if key not in names:
            given = f"{where}.{key}" if where else key
            meant = of_name(key, names)
            raise InputError(given, table[key], f"no such key; there are {', '.join(names)}{meant}")


def _tables(data: Mapping[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return each [[claims]] or [[inputs]] with what errors call it; there is one at least."""
    found = data.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(t, dict) for t in found):
        raise InputError(name, found, f"at least one table [[{name}]]")
    return [(f"{name}[{k}]", table) for k, table in enumerate(found)]


def _explained(where: str, make: Callable[[], list[Any]]) -> list[Any]:
    """Return what is made; its errors say which table they are about."""
    try:
        return make()
    except InputError as error:
        name = error.name if error.name.startswith(where) else f"{where}.{error.name}"
        raise InputError(name, error.given, error.allowed) from None


def _claims(where: str, table: Mapping[str, Any]) -> list[Claim]:
    """Return the claims of one table: one for each choice from its lists."""
    kind = _CLAIMS.get(_text(where, table, "kind", ", ".join(_CLAIMS)))
    if kind is None:
        meant = of_name(table["kind"], _CLAIMS)
        raise InputError(f"{where}.kind", table["kind"], f"one of {', '.join(_CLAIMS)}{meant}")
    _known(where, table, ["kind", *(field.name for field in fields(kind))])
    for field in fields(kind):
        if field.default is MISSING and field.name not in table:
            raise InputError(f"{where}.{field.name}", None, "a value: it has no default")
    keys = [key for key in table if key != "kind"]
    lists = [_listed(table[key]) if key in _LISTED else [table[key]] for key in keys]
    number = math.prod(map(len, lists))
    if not 1 <= number <= MOST_CASES:
        raise InputError(where, number, f"lists that make 1 to {MOST_CASES:,} claims")
    read = [
        [(key, _value(key, value)) for value in values]
        for key, values in zip(keys, lists, strict=True)
    ]
    return [kind(**dict(choice)) for choice in itertools.product(*read)]


def _value(key: str, value: Any) -> Any:
    if key in ("horizon", "from_length"):
        return _length(key, value)
    if key == "law":
        return _law(value)
    if key == "families" and isinstance(value, list):
        return tuple(value)
    if isinstance(value, list | dict):
        raise InputError(key, value, "one value")
    return value


def _length(key: str, value: Any) -> int | None:
    """An integer, a power such as "2**20", or "none"."""
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]
    if value.strip().lower() == "none":
        return None
    match = _POWER.fullmatch(value)
    if match is None:
        raise InputError(key, value, 'an integer, text such as "2**20", or "none"')
    base, exponent = int(match[1]), int(match[2] or 1)
    if base.bit_length() * exponent > 1024:
        raise InputError(key, value, "at most 2**900")
    return int(base**exponent)


def _law(value: Any) -> DirichletLaw | FixedLaw:
    laws: dict[str, type[DirichletLaw] | type[FixedLaw]] = {
        "dirichlet": DirichletLaw,
        "fixed": FixedLaw,
    }
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= laws.keys():
        raise InputError("law", value, '{ dirichlet = [1, 1] } or { fixed = ["1/3", "2/3"] }')
    ((name, numbers),) = value.items()
    return laws[name](numbers)


def _inputs(where: str, table: Mapping[str, Any], path: Path) -> list[CampaignInput]:
    if "stored" in table:
        _known(where, table, ("stored", "omega", "period", "training_length"))
        return list(read_inputs(_stored(where, table)))
    if "built_in" in table:
        _known(where, table, ("built_in",))
        return list(read_inputs([_built_in(where, name) for name in _listed(table["built_in"])]))
    _known(where, table, ("f", "g", "name", "stored", "built_in"))
    f, g = (_text(where, table, key, "the path of a file, or a pattern with *") for key in "fg")
    pairs = pairs_of_files(f, g, folder=path.parent)
    if "name" in table:
        name = _text(where, table, "name", "text")
        if len(pairs) != 1:
            raise InputError(
                f"{where}.name", name, f"nothing beside a pattern of {len(pairs)} pairs"
            )
        return list(read_inputs({name: pairs[0]}))
    return pairs


def _stored(where: str, table: Mapping[str, Any]) -> list[tasks.TrainedPair]:
    name = _text(where, table, "stored", ", ".join(DIFFICULTIES))
    pairs = tasks.all_trained(name)
    difficulty, other = ("period", "omega") if name == "mod_p" else ("omega", "period")
    if other in table:
        allowed = f"nothing: the difficulty of {name!r} is {difficulty}"
        raise InputError(f"{where}.{other}", table[other], allowed)
    for key, attribute in ((difficulty, "difficulty"), ("training_length", "training_length")):
        if key not in table:
            continue
        there = sorted({getattr(pair, attribute) for pair in pairs})
        wanted = _listed(table[key])
        for value in wanted:
            if isinstance(value, bool) or value not in there:
                raise InputError(f"{where}.{key}", value, f"among {', '.join(map(str, there))}")
        pairs = [pair for pair in pairs if getattr(pair, attribute) in wanted]
    return pairs


def _built_in(where: str, name: Any) -> Any:
    built_in: dict[str, Callable[[], Any]] = {**BUILT_IN, **SOFTMAX_BUILT_IN}
    if not isinstance(name, str) or name not in built_in:
        allowed = f"among {', '.join(built_in)}{of_name(name, built_in)}"
        raise InputError(f"{where}.built_in", name, allowed)
    return built_in[name]()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(where: str, table: Mapping[str, Any], key: str, allowed: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}.{key}", value, f"text: {allowed}")
    return value
