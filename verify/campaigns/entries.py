"""The pairs of a campaign: what users have at hand, read into one form.

A pair that cannot be read stays, with the reason: it becomes rows that say so.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from verify.campaigns.work import writable
from verify.certificates.digest import digest
from verify.errors import InputError, VerifyError
from verify.model.transformer import LimitTransformer

_ALLOWED = (
    "pairs: (f, g), each a LimitTransformer or the path of a file; what verify.tasks.trained_pair, "
    "verify.tasks.all_trained or verify.campaigns.pairs_of_files return; or a mapping from names "
    "to pairs"
)

UNREADABLE = "unreadable"
"""Stands for the digest of weights that could not be read."""

_MOST_STARS = 4


@dataclass(frozen=True)
class CampaignInput:
    """A pair with a name.

    Attributes:
        name: what rows call it.
        f, g: the models; None where they could not be read.
        problem: why they could not be read; "" if they could.
        weights: SHA-256 of f and of g.
    """

    name: str
    f: LimitTransformer | None
    g: LimitTransformer | None
    problem: str = ""
    weights: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Take the digests; they are what the pair is known by."""
        found = tuple(UNREADABLE if m is None else digest(m) for m in (self.f, self.g))
        object.__setattr__(self, "weights", found)


def pairs_of_files(
    f: str | os.PathLike[str],
    g: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] = ".",
) -> list[CampaignInput]:
    """Return pairs of files that `LimitTransformer.save` wrote, by patterns.

    Args:
        f: path of the file of f; each * stands for any text without a separator, as in a
            shell.
        g: the same for g: a file for all pairs, or a pattern with as many *, which stand for the
            same texts as in f, one after the other.
        folder: where relative paths start; names of pairs do not contain it.

    Raises:
        InputError: no file matches f, or g has another number of *.
    """
    for name, path in (("f", f), ("g", g), ("folder", folder)):
        if not _is_path(path):
            raise InputError(name, path, "the path of a file, or a pattern with *")
    pattern, other, start = (os.fspath(path) for path in (f, g, folder))
    pattern, other = pattern.replace(os.sep, "/"), other.replace(os.sep, "/")
    if "**" in pattern:
        raise InputError("f", pattern, "one * for each folder on the way, such as runs/*/*/f")
    stars = pattern.count("*")
    if stars > _MOST_STARS:
        raise InputError("f", pattern, f"a path with at most {_MOST_STARS} *")
    if other.count("*") not in (0, stars):
        allowed = f"a path with as many * as f has ({stars}), or with none"
        raise InputError("g", other, allowed)
    if stars == 0:
        return [_of_two(pattern, other, start)]
    literal = "*".join(glob.escape(part) for part in pattern.split("*"))
    texts = re.compile("([^/]*)".join(re.escape(part) for part in pattern.split("*")))
    pairs = []
    found = glob.glob(literal, root_dir=start)
    for path in sorted(name.replace(os.sep, "/") for name in found):
        match = texts.fullmatch(path)
        if match is not None:
            pairs.append(_of_two(path, _filled(other, match.groups()), start))
    if not pairs:
        raise InputError("f", pattern, f"a pattern of files in {os.path.abspath(start)}")
    return pairs


def read_inputs(inputs: Any) -> tuple[CampaignInput, ...]:
    """Return the pairs, each once.

    Raises:
        InputError: there are none, they are no pairs, or two different ones have one name.
    """
    if isinstance(inputs, Mapping):
        entries = [
            _renamed(_entry(pair, f"inputs[{name!r}]"), name) for name, pair in inputs.items()
        ]
    elif _is_pair(inputs) or _named_pair(inputs) is not None:
        entries = [_entry(inputs, "inputs")]
    elif isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes | os.PathLike):
        entries = [_entry(pair, f"inputs[{k}]") for k, pair in enumerate(inputs)]
    else:
        raise InputError("inputs", inputs, _ALLOWED)
    if not entries:
        raise InputError("inputs", inputs, "at least one pair")
    named: dict[str, CampaignInput] = {}
    for entry in entries:
        first = named.setdefault(entry.name, entry)
        if (first.weights, first.problem) != (entry.weights, entry.problem):
            allowed = "different names for different pairs; a mapping from names to pairs has them"
            raise InputError("inputs", entry.name, allowed)
    return tuple(named.values())


def _entry(given: Any, where: str) -> CampaignInput:
    if isinstance(given, CampaignInput):
        return given
    if _is_pair(given):
        return _of_two(given[0], given[1], "")
    named = _named_pair(given)
    if named is None:
        raise InputError(where, given, _ALLOWED)
    return named


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_pair(value: Any) -> bool:
    """Whether this is (f, g), each a model or a path."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(m, LimitTransformer) or _is_path(m) for m in value)
    )


def _named_pair(given: Any) -> CampaignInput | None:
    """Return what has a name and two models: a stored model and its target, a built-in pair."""
    name = getattr(given, "name", None)
    f = getattr(given, "model", getattr(given, "f", None))
    g = getattr(given, "target", getattr(given, "g", None))
    models = isinstance(f, LimitTransformer) and isinstance(g, LimitTransformer)
    return CampaignInput(name, f, g) if models and isinstance(name, str) else None


def _renamed(entry: CampaignInput, name: Any) -> CampaignInput:
    if not isinstance(name, str) or not name:
        raise InputError("inputs", name, "names that are text")
    return CampaignInput(writable(name), entry.f, entry.g, entry.problem)


def _of_two(f: Any, g: Any, folder: str) -> CampaignInput:
    """Return a pair of models or files; with the reason, if one cannot be read."""
    models: list[LimitTransformer] = []
    problem = ""
    for one in (f, g):
        try:
            given = isinstance(one, LimitTransformer)
            models.append(one if given else LimitTransformer.load(os.path.join(folder, one)))
        except VerifyError as error:
            problem = problem or writable(str(error))
    # A file is called by its path, other weights by their digest: not by their place in a list.
    named = [digest(m)[:8] if isinstance(m, LimitTransformer) else os.fspath(m) for m in (f, g)]
    name = writable(" and ".join(named))
    return (
        CampaignInput(name, None, None, problem)
        if problem
        else CampaignInput(name, models[0], models[1])
    )


def _filled(pattern: str, texts: Iterable[str]) -> str:
    """Return the pattern with its * replaced, one after the other."""
    rest = iter(texts)
    return re.sub(r"\*", lambda _: next(rest), pattern)
