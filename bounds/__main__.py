"""`python -m bounds`: a required length, an inversion, a sweep or the catalogue, from the shell."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace

import bounds
from bounds import hints
from bounds.console import BAD_ARGUMENT, as_command, json_text, show
from bounds.errors import Missing
from bounds.parameters import BY_KEYWORD, PARAMETERS


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where no number exists; 2 bad argument; 3 internal error; 130 interrupted."""
    return as_command("python -m bounds", lambda: _answer(arguments))


def _answer(arguments: Sequence[str] | None) -> int:
    options, rest = _parser().parse_known_args(arguments)
    if rest:
        more = "All options: python -m bounds --help"
        print("\n".join([*_not_options(rest, options.attention), more]), file=sys.stderr)
        return BAD_ARGUMENT
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
        if options.sweep:
            table = bounds.sweep(**{**setting, **given, **_lists(options.sweep)})
            show(table.to_json() if options.json else table)
            return 0 if any(row["log2_length"] is not None for row in table) else 1
        if options.solve is not None:
            if options.length is None:
                raise bounds.ParameterError([Missing("length", None, "an integer ≥ 1")])
            unknown = options.solve.removeprefix("--").replace("-", "_")
            found = bounds.solve_for(unknown, length=options.length, **setting, **given)
            if options.json:
                shown = {unknown: str(found), "at_that_value": found.bound.to_dict()}
                show(json_text(shown, indent=2))
            else:
                about = "" if str(found).isdecimal() else f" ≈ {float(found):.6g}"
                show(f"{unknown} = {found}{about}\n{found.bound}")
            return 0
        if options.bracket:
            both = bounds.bracket(**setting, **given)
            show(json_text(both.to_dict(), indent=2) if options.json else both)
            return 0 if both.sufficient is not None or both.necessary is not None else 1
        answer = bounds.required_length(**setting, **given)
    except bounds.ParameterError as problem:
        print(f"{_in_options(problem)}\nAll options: python -m bounds --help", file=sys.stderr)
        return BAD_ARGUMENT
    except bounds.BoundsError as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.json:
        show(json_text(answer.to_dict(), indent=2))
    else:
        show(answer.explain())
    return 1 if answer.length is None and answer.log2_length is None else 0


def _not_options(rest: Sequence[str], attention: str | None) -> list[str]:
    """What to write in the place of arguments that are no options."""
    symbols = {row.symbol.name: row.keyword for row in PARAMETERS}
    lines = []
    for text in rest:
        name, sign, value = text.lstrip("-").partition("=")
        keyword = name.replace("-", "_")
        if keyword in BY_KEYWORD or keyword in (*SETTING, "solve", "length"):
            said = f"write {_option(keyword)} {value or 'VALUE'}"
        elif sign or text.startswith("--"):
            hint = hints.of_keyword(keyword, BY_KEYWORD, symbols, attention)
            said = "no such option"
            if hint.startswith("did you mean"):
                said += "; " + re.sub(r"'(\w+)'", lambda found: _option(found[1]), hint)
        else:
            said = "no option"
        lines.append(f"{text}: {said}")
    return lines


def _option(keyword: str) -> str:
    return f"--{keyword.replace('_', '-')}"


def _lists(options: Sequence[str]) -> dict[str, list[str | int]]:
    """`NAME=V1,V2,...` as a list of values per name; layers are integers."""
    found: dict[str, list[str | int]] = {}
    for option in options:
        name, sign, values = option.partition("=")
        keyword = name.strip().replace("-", "_")
        if not sign or not values or keyword in found:
            allowed = "NAME=V1,V2,... with each name once, e.g. epsilon=1/10,1/20"
            raise bounds.ParameterError([bounds.Problem("--sweep", option, allowed)])
        texts = [text.strip() for text in values.split(",")]
        whole = keyword == "layers"
        found[keyword] = [int(t) if whole and t.isdecimal() else t for t in texts]
    return found


def _in_options(error: bounds.ParameterError) -> str:
    """The refusal with options of the command line in the place of Python's keywords."""
    options = [row.keyword for row in PARAMETERS]
    lines = []
    for problem in error.problems:
        name = problem.name
        if name in (*options, *SETTING, "length"):
            named = replace(problem, name=_option(name))
        else:
            named = problem
        text = re.sub(r"assume=\{'(\w+)'\}", r"--assume \1", str(named))
        for keyword in options:
            if "_" in keyword:
                text = re.sub(rf"(?<![\w.-]){keyword}(?![\w-])", _option(keyword), text)
        lines.append(text)
    return "\n".join(lines)


SETTING = ("error", "attention", "layers", "theorem", "assume")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bounds",
        usage="python -m bounds [--bracket] --epsilon 1/10 --lipschitz 1 --vocabulary-size 3 ...",
        description="How long must training inputs be? Numbers may be 3, 0.1, 1e-3 or 1/10.",
        epilog="Exit code: 0 answered, 1 no number exists, 2 bad argument, 3 internal error, "
        "130 interrupted.",
    )
    parser.add_argument("--error", help="linf (default) or average")
    parser.add_argument("--attention", help="argmax (default) or softmax")
    parser.add_argument("--layers", type=int, help="number of layers (default 1)")
    parser.add_argument("--theorem", metavar="KEY", help="use this theorem, e.g. izzo2025.4.1")
    parser.add_argument("--assume", action="append", metavar="NAME", help="assert a hypothesis")
    parser.add_argument("--solve", metavar="PARAMETER", help="solve for it, given --length")
    parser.add_argument("--length", type=int, help="the training length, with --solve")
    parser.add_argument(
        "--sweep",
        action="append",
        metavar="NAME=V1,V2",
        help="a row per value, e.g. epsilon=1/10,1/20; repeated: all combinations",
    )
    parser.add_argument("--version", action="version", version=f"lgbounds {bounds.__version__}")
    parser.add_argument("--bracket", action="store_true", help="both sides: necessary, sufficient")
    parser.add_argument("--list", action="store_true", help="list all theorems")
    parser.add_argument("--json", action="store_true", help="print JSON")
    for row in PARAMETERS:
        meaning = f"{row.meaning}: {row.domain}"
        parser.add_argument(_option(row.keyword), metavar="X", help=meaning)
    return parser


if __name__ == "__main__":
    sys.exit(main())
