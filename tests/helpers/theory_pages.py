"""The pages of theory: docs/theory.md and those in docs/theory/, by their path from docs/."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in (DOCS / "theory.md", *sorted((DOCS / "theory").glob("*.md")))
}


def page_with(anchor: str) -> str | None:
    """The text of the page that has this anchor."""
    mark = f'<a id="{anchor}"></a>'
    return next((text for text in PAGES.values() if mark in text), None)
