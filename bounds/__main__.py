"""`python -m bounds`: a required length, an inversion or the catalogue, from the command line."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence

import bounds
from bounds.parameters import PARAMETERS

BAD_ARGUMENT, INTERNAL_ERROR, INTERRUPTED = 2, 3, 130
"""Exit codes that every command of this project shares; 0 and 1 are answers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where no number exists; 2 bad argument; 3 internal error; 130 interrupted."""
    return as_command("python -m bounds", lambda: _answer(arguments))


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


def _answer(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    given = {
        row.keyword: getattr(options, row.keyword)
        for row in PARAMETERS
        if getattr(options, row.keyword) is not None
    }
    setting = {
        "error": options.error,
        "attention": options.attention,
        "layers": options.layers,
        "theorem": options.theorem,
        "assume": options.assume or (),
    }
    if options.theorem is None:
        setting["error"] = setting["error"] or "linf"
        setting["attention"] = setting["attention"] or "argmax"
        setting["layers"] = setting["layers"] or 1
    try:
        if options.list:
            entries = bounds.theorems()
            show(json_text([t.key for t in entries]) if options.json else entries)
            return 0
        if options.solve is not None:
            if options.length is None:
                raise bounds.ParameterError([bounds.Problem("length", None, "an integer ≥ 1")])
            value = bounds.solve_for(options.solve, length=options.length, **setting, **given)
            given[options.solve] = value
            answer = bounds.required_length(**setting, **given)
            if options.json:
                shown = {options.solve: str(value), "at_that_value": answer.to_dict()}
                show(json_text(shown, indent=2))
            else:
                show(f"{options.solve} = {value}\n{answer}")
            return 0
        answer = bounds.required_length(**setting, **given)
    except bounds.ParameterError as problem:
        print(f"{problem}\nAll options: python -m bounds --help", file=sys.stderr)
        return BAD_ARGUMENT
    except bounds.BoundsError as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.json:
        show(json_text(answer.to_dict(), indent=2))
    else:
        show(answer.explain())
    return 1 if answer.length is None and answer.log2_length is None else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bounds",
        description="How long must training inputs be? Numbers may be 3, 0.1, 1e-3 or 1/10.",
        epilog="Exit code: 0 answered, 1 no number exists, 2 bad argument, 3 internal error, "
        "130 interrupted.",
    )
    parser.add_argument("--error", help="linf (default) or average")
    parser.add_argument("--attention", help="argmax (default) or softmax")
    parser.add_argument("--layers", type=int, help="1 (default) or 2")
    parser.add_argument("--theorem", metavar="KEY", help="use this theorem, e.g. izzo2025.4.1")
    parser.add_argument("--assume", action="append", metavar="NAME", help="assert a hypothesis")
    parser.add_argument("--solve", metavar="PARAMETER", help="solve for it, given --length")
    parser.add_argument("--length", type=int, help="the training length, with --solve")
    parser.add_argument("--list", action="store_true", help="list all theorems")
    parser.add_argument("--json", action="store_true", help="print JSON")
    for row in PARAMETERS:
        meaning = f"{row.meaning}: {row.domain}"
        parser.add_argument(f"--{row.keyword.replace('_', '-')}", metavar="X", help=meaning)
    return parser


if __name__ == "__main__":
    sys.exit(main())
