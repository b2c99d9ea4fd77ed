"""Files: written whole or not at all, and read within limits whatever they turn out to be.

Only plain files are read, which a directory, a pipe or a device is not, and none that is larger
than the limit of its kind. JSON is plain: nothing stands twice, and every number is one.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import stat
from pathlib import Path
from typing import Any

MOST_JSON = 2**28
"""Bytes of a JSON file, at most."""

MOST_ENTRIES = 3 * 10**7
"""Values and names in a JSON file, at most: about two gigabytes once they are read."""

MOST_WEIGHTS = 2**32
"""Bytes of a file of weights, at most."""

MOST_TEXT = 2**27
"""Bytes of a text, or of a table, at most."""


def write_beside(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file beside `path`, then rename it: a killed process leaves the old file whole.

    A new file gets the permissions that any new file gets (the umask decides); a link stays a
    link, and what it points to is replaced.

    Args:
        path: the file to write; its folder must exist.
        content: all of it.

    Raises:
        OSError: the file cannot be written; an old one is as it was.
    """
    target = Path(os.path.realpath(path))
    # Long names leave no room for more: the part file has a short one of its own.
    part = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_plain(path: str | os.PathLike[str], most: int) -> None:
    """Refuse what is no plain file, or is larger than `most` bytes, before any of it is read.

    Raises:
        OSError: it is not there, no plain file, too large, or `path` is none.
    """
    try:
        found = os.stat(path)
    except ValueError as error:  # a null character, or half of one
        raise OSError(f"no path: {error}") from None
    _plain_size(found, most)


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the content of a plain file of at most `most` bytes; never waits for a pipe.

    Raises:
        OSError: as `check_plain`.
    """
    check_plain(path, most)
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as stream:  # whatever stands there by now
        _plain_size(os.fstat(stream.fileno()), most)
        content = stream.read(most + 1)  # it may have grown, and some systems say 0
    if len(content) > most:
        raise OSError(f"more than {most:,} bytes; no more are read")
    return content


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the data of a JSON file.

    Raises:
        OSError: as `check_plain`, with MOST_JSON.
        ValueError: no UTF-8, no JSON, a name that stands twice in an object, a number that is
            none or beyond float64, digits beyond Python's limit, nested too deeply, or more than
            MOST_ENTRIES values.
    """
    content = read_bytes(path, MOST_JSON)
    entries = sum(map(content.count, (b"[", b"{", b",", b":")))
    if entries > MOST_ENTRIES:
        raise ValueError(f"more than {MOST_ENTRIES:,} values; no more are read")
    try:
        return json.loads(
            content.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _plain_size(found: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError("no plain file")
    if found.st_size > most:
        raise OSError(f"{found.st_size:,} bytes; at most {most:,} are read")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"{twice[:80]!r} stands twice in an object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is beyond float64")
    return number
