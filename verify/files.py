"""Writing files so that whoever reads them sees the old content or the new one, never half."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


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
