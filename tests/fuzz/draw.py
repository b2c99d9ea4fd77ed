"""Bytes read as decisions, so that one target serves hypothesis and atheris."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Draw:
    """Decisions made by bytes, first to last; by zeros once they have run out."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, below: int) -> int:
        """An integer 0..below − 1."""
        size = max(1, (below.bit_length() + 7) // 8)
        found = int.from_bytes(self._data[self._at : self._at + size], "little")
        self._at += size
        return found % below

    def one_of(self, things: Sequence[T]) -> T:
        return things[self.number(len(things))]

    def rest(self) -> bytes:
        found, self._at = self._data[self._at :], len(self._data)
        return found

    @property
    def empty(self) -> bool:
        return self._at >= len(self._data)


NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 7, 20, 64, 1000, 2**20, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**15),
    *(10**18, 10**30, 10**400, -(10**400), 10**4000, 0.0, -0.0, 0.5, 1.5, 5e-324, 1e308, -1e-300),
)
TEXTS: tuple[str, ...] = (
    *("", "0", "-1", "1/2", "1/3", "1/0", "1e999999999", "1e-999999999", "0x0", "0x" + "f" * 9000),
    *("9" * 4400, "1/" + "9" * 5000, "nan", "inf", "-Infinity", "1_000", "١", "½", "²", "１２"),
    *("../../etc/passwd", "\0", "\ud800", "true", "None", "none", "f", "T", "\u202e1", "é" * 300),
    *("truncated", "rounding", "derived.one_layer_linf", "lgbounds softmax certificate"),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [[[]]], [None], [0] * 300, {"": 0}, {"T": 1}, ["T", 2]),
    *([["T", 1.5]], [0, 0.5], {"counts": [[1]], "suffix": [0], "length": 2}, [[1, 2], [3]]),
)
HOSTILE = (*NUMBERS, *TEXTS, *OTHERS)


def mutated(data: Any, draw: Draw, most: int = 3) -> Any:
    """A copy of plain data in which some values are hostile, missing, doubled or elsewhere."""
    changed = copy.deepcopy(data)
    for _ in range(1 + draw.number(most)):
        place, parent, key = changed, None, None
        while isinstance(place, (dict, list)) and place and (parent is None or draw.number(5)):
            parent, key = (
                place,
                draw.one_of(sorted(place) if isinstance(place, dict) else range(len(place))),
            )
            place = place[key]
        if parent is None:
            return draw.one_of(HOSTILE)
        kind = draw.number(8)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(place))
        elif kind == 2 and type(place) in (int, float):
            parent[key] = place + draw.one_of((-1, 1, 2, -place, place, 1 << 40))
        elif kind == 3 and isinstance(parent, dict):
            parent[draw.one_of((*TEXTS, *parent))] = parent.pop(key)
        elif kind == 4 and isinstance(place, list):
            place.reverse()
        elif kind == 5:
            parent[key] = draw.one_of(NUMBERS)
        else:
            parent[key] = copy.deepcopy(draw.one_of(HOSTILE))
    return changed


def damaged(text: bytes, draw: Draw) -> bytes:
    """Bytes in which some are flipped, cut out, doubled or replaced."""
    changed = bytearray(text)
    for _ in range(1 + draw.number(4)):
        at = draw.number(len(changed) + 1)
        kind = draw.number(5)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            del changed[at : at + 1 + draw.number(64)]
        elif kind == 2 and at < len(changed):
            changed[at] ^= 1 << draw.number(8)
        elif kind == 3:
            changed[at:at] = changed[max(0, at - draw.number(64)) : at]
        else:
            changed[at : at + draw.number(9)] = draw.one_of(
                (
                    b"\xff" * 8,
                    b"\0" * 8,
                    b"NaN",
                    b"1e999",
                    b"[" * 5000,
                    b"9" * 5000,
                    b'"a":1,"a":2,',
                )
            )
    return bytes(changed)


def as_bytes(data: Any) -> bytes:
    """JSON, also of what is none."""
    return json.dumps(data).encode("utf-8", "surrogatepass")
