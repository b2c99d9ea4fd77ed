"""Writes the pages of theory as one PDF.

    python docs/pdf.py [--out theory.pdf]

Needs the extra `pdf`: pip install 'lgbounds[pdf]' (pandoc and typst as wheels, nothing else).
"""

from __future__ import annotations

import argparse
import datetime
import re
from configparser import ConfigParser
from pathlib import Path

import pypandoc
import typst
from pdf_source import DOCS, EXTENSIONS, document, table_widths

STYLE = DOCS / "pdf_style.typ"

_FORMULA = re.compile(r"(?<!\\)\$(?:[^$\\]|\\.)*\$", re.DOTALL)
_SIZED = re.compile(r"#scale\(x: (\d+)%, y: \1%\)\[((?:\\.|[^\]\\])+)\]")
_COLUMNS = re.compile(r"(#table\(\n\s*)columns: \d+,")


def mended(body: str) -> str:
    """What pandoc writes, where Typst would set it badly.

    Sized delimiters (Bigl and so on) are delimiters, not boxes; bars have no spaces inside.
    """
    body = _SIZED.sub(lambda d: f"lr({_escaped(d[2])}, size: #{int(d[1]) / 100}em)", body)

    def closed(formula: re.Match[str]) -> str:
        text = formula[0].replace("bar.v.double", "‖").replace("parallel", "‖")
        return re.sub(r" *(\\\||‖) *", r"\1", text)

    return _FORMULA.sub(closed, body)


def _escaped(delimiter: str) -> str:
    return f"\\{delimiter}" if delimiter in "{}" else delimiter


def with_columns(body: str, widths: list[list[float]]) -> str:
    """Tables with the given shares of the line, one list each; an empty one leaves them be."""
    shares = iter(widths)

    def columns(table: re.Match[str]) -> str:
        share = next(shares)
        if not share:
            return table[0]
        return f"{table[1]}columns: ({', '.join(f'{w:.2f}fr' for w in share)}),"

    body, count = _COLUMNS.subn(columns, body)
    if count != len(widths):
        raise ValueError(f"{len(widths)} tables went in, {count} came out")
    return body


def source(date: str) -> str:
    """The document in Typst."""
    pages = document()
    body = pypandoc.convert_text(
        pages, to="typst", format=EXTENSIONS, extra_args=["--wrap=none", "--fail-if-warnings"]
    )
    body = with_columns(mended(body), table_widths(pages))
    settings = ConfigParser()
    settings.read(DOCS.parent / "setup.cfg", encoding="utf-8")
    version = settings["metadata"]["version"]
    head = STYLE.read_text(encoding="utf-8")
    return f'{head}\n#show: book.with(version: "{version}", date: "{date}")\n\n{body}'


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("theory.pdf"), help="where it goes")
    arguments = parser.parse_args()
    text = source(datetime.date.today().isoformat())
    typst.compile(text.encode(), output=str(arguments.out))
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
