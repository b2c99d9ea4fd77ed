"""The pages of theory: docs/theory.md, those beside it, and docs/theory/, by path from docs/."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        DOCS / "theory.md",
        DOCS / "related.md",
        DOCS / "ratios.md",
        *sorted((DOCS / "theory").glob("*.md")),
    )
    if path.exists()
}


def page_with(anchor: str) -> str | None:
    """The text of the page that has this anchor."""
    mark = f'<a id="{anchor}"></a>'
    return next((text for text in PAGES.values() if mark in text), None)
