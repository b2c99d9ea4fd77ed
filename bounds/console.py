"""What the command lines share: exit codes, and output that any console can take."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections.abc import Callable

BAD_ARGUMENT, INTERNAL_ERROR, INTERRUPTED = 2, 3, 130
"""Exit codes that every command of this project shares; 0 and 1 are answers."""


def as_command(name: str, command: Callable[[], int]) -> int:
    """Run a command on any console; whatever goes wrong gets an exit code that is no answer.

    A console that cannot show a character shows a replacement. A reader that goes away, such as
    `head`, ends the output, not the command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = command()
        show("", end="")
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        print(
            f"{name}: internal error, not an answer ({type(error).__name__}: {error}); "
            "please report it with the lines above",
            file=sys.stderr,
        )
        return INTERNAL_ERROR
    return code


def show(text: object, end: str = "\n") -> None:
    """Print on standard output; once its reader is gone, into nothing."""
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def json_text(data: object, indent: int | None = None) -> str:
    """JSON for standard output: escapes where the console's encoding is not UTF-8."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    return json.dumps(data, ensure_ascii=encoding != "utf8", indent=indent)
