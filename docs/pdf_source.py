"""The pages of theory as one Markdown document: what pdf.py gives to pandoc.

GitHub's anchors, links between pages and math fences become what pandoc reads: identifiers in
braces, links inside the document, and formulas between dollars. Nothing here needs pandoc.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath

DOCS = Path(__file__).parent
START = "theory.md"
BESIDE = ("ratios.md", "related.md")

EXTENSIONS = "gfm-gfm_auto_identifiers-tex_math_gfm-autolink_bare_uris-emoji-footnotes" + (
    "+attributes+raw_attribute+tex_math_dollars"
)
"""The dialect of pandoc's Markdown in which the document is written."""

_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_LINK = re.compile(r"\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^()#\s]*)(?:#([^()\s]+))?\)")
_FENCE = re.compile(r"^```math\n(.*?)\n```$", re.MULTILINE | re.DOTALL)

_COMMANDS = (
    (re.compile(r"\\thinspace(?![a-zA-Z]) ?"), r"\\,"),
    (re.compile(r"\{\\rm\s+([^{}]*)\}"), r"{\\mathrm{\1}}"),
)
"""TeX that GitHub reads and pandoc does not."""


def order() -> list[str]:
    """The pages by their path from docs/: theory.md, those in its table of contents, the rest."""
    start = (DOCS / START).read_text(encoding="utf-8")
    contents = start.split('<a id="contents"></a>', 1)[1].split("<a id=", 1)[0]
    listed = list(dict.fromkeys(re.findall(r"\]\((theory/\w+\.md)#", contents)))
    return [START, *listed, *BESIDE]


def document() -> str:
    """All pages as one document of the dialect EXTENSIONS."""
    return "\n\n".join(_converted(page) for page in order()) + "\n"


def page_id(page: str) -> str:
    """The identifier of a page's first heading: its own anchor, if it has one."""
    own = _ANCHOR.match((DOCS / page).read_text(encoding="utf-8"))
    return own[1] if own else "page-" + page.removesuffix(".md")


def table_widths(text: str) -> list[list[float]]:
    """For each table of a document the shares of its columns; none if it fits as it is."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    return [_widths(table.strip().split("\n")) for table in found]


def _widths(lines: list[str]) -> list[float]:
    rows = [
        [_printed(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for i, line in enumerate(lines)
        if i != 1
    ]
    if max(sum(map(len, row)) for row in rows) < 110:
        return []
    return [_width(column) for column in zip(*rows, strict=True)]


def _width(column: tuple[str, ...]) -> float:
    """More for longer cells, but less than in proportion; no less than the longest word."""
    lengths = [len(cell) for cell in column]
    word = max((len(word) for cell in column for word in cell.split()), default=1)
    wanted = 0.4 * max(lengths) + 1.6 * sum(lengths) / len(lengths)
    return max(8.0, 1.8 * lengths[0], 1.7 * min(word, 24), wanted) ** 0.7


def _printed(cell: str) -> str:
    """A cell about as wide as it is in print."""
    plain = re.sub(r"\]\([^)]*\)", "", cell)
    plain = re.sub(r"\$[^$]*\$", lambda formula: "x" * (len(formula[0]) // 3), plain)
    return re.sub(r"[\\`*]", "", plain).strip()


def _converted(page: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    text = re.sub(r"^\[Contents of all pages\]\([^)]*\)\n+", "", text, flags=re.MULTILINE)
    text = _FENCE.sub(lambda fence: f"$$\n{fence[1].strip()}\n$$", text)
    for command, plain in _COMMANDS:
        text = command.sub(plain, text)
    text = _LINK.sub(lambda link: _link(page, link), text)
    own = "" if _ANCHOR.match(text) else f'<a id="{page_id(page)}"></a>\n'
    return _identified(own + text.strip())


def _link(page: str, link: re.Match[str]) -> str:
    """A link inside the document; the text alone where the file is not part of it."""
    text, path, anchor = link.groups()
    if re.match(r"[a-z]+:", path):
        return link[0]
    target = normpath(join(dirname(page), path)) if path else page
    if target not in order():
        return text
    return f"[{text}](#{anchor or page_id(target)})"


def _identified(text: str) -> str:
    """Anchors on lines of their own, given to the heading or paragraph that follows."""
    lines: list[str] = []
    waiting: list[str] = []
    for line in text.split("\n"):
        found = _ANCHOR.findall(line)
        rest = _ANCHOR.sub("", line)
        waiting += found
        if not waiting or not rest.strip():
            if not found:
                lines.append(line)
            continue
        heading = re.fullmatch(r"(#+) (.*)", rest)
        if heading:
            lines.append(f"{heading[1]} {heading[2]} {{#{waiting[0]}}}")
            lines += ["", _labels(waiting[1:])] if waiting[1:] else []
        else:
            lines.append(_labels(waiting) + rest)
        waiting = []
    return "\n".join(lines)


def _labels(names: list[str]) -> str:
    """Targets of links where there is nothing that could carry an identifier."""
    return "".join(f"`#metadata(none) <{name}>`{{=typst}}" for name in names)
