"""The pages as one document: every link has its target, and nothing is left that GitHub only reads."""

import re
import sys
from pathlib import Path

import pytest

from tests.helpers.theory_pages import PAGES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def pdf_source():
    sys.path.insert(0, str(DOCS))
    try:
        import pdf_source
    finally:
        sys.path.remove(str(DOCS))
    return pdf_source


@pytest.fixture(scope="module")
def document(pdf_source):
    return pdf_source.document()


def targets(document):
    headings = re.findall(r"^#+ .* \{#([^}]+)\}$", document, flags=re.MULTILINE)
    return headings + re.findall(r"`#metadata\(none\) <([^>]+)>`\{=typst\}", document)


def test_every_page_is_in_it(pdf_source):
    assert sorted(pdf_source.order()) == sorted(PAGES)


def test_every_anchor_is_a_target_once(document):
    names = [name for text in PAGES.values() for name in re.findall(r'<a id="([^"]+)"', text)]
    assert len(names) > 100
    found = targets(document)
    assert sorted(found) == sorted(set(found))
    assert set(names) <= set(found)


def test_every_link_has_its_target(document):
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"\$[^$]*\$", "", document))
    inside = [link[1:] for link in links if link.startswith("#")]
    assert len(inside) > 100
    assert set(inside) <= set(targets(document))
    assert [link for link in links if not re.match(r"#|https?:", link)] == []


@pytest.mark.parametrize("syntax", ["<a ", "<!--", "```math", "$`", "\\thinspace", "{\\rm"])
def test_nothing_is_left_that_only_github_reads(document, syntax):
    assert syntax not in document


def test_mathematics_is_closed(document):
    for paragraph in document.split("\n\n"):
        assert paragraph.count("$") % 2 == 0, paragraph[:80]


def test_links_and_fences_are_converted(pdf_source, monkeypatch, tmp_path):
    (tmp_path / "theory").mkdir()
    (tmp_path / "theory.md").write_text(
        '# T\n\n<a id="contents"></a>\n## Contents\n\n| [p](theory/p.md#a) |\n\n<a id="z"></a>\nEnd.'
    )
    (tmp_path / "theory" / "p.md").write_text(
        '<a id="a"></a>\n<a id="b"></a>\n# P\n\n[up](../theory.md#z), [code](../x.py), '
        "[page](../theory.md)\n\n```math\nx\\thinspace y\n```\n"
    )
    monkeypatch.setattr(pdf_source, "DOCS", tmp_path)
    monkeypatch.setattr(pdf_source, "BESIDE", ())
    assert pdf_source.document() == (
        "# T {#page-theory}\n\n## Contents {#contents}\n\n| [p](#a) |\n\n"
        "`#metadata(none) <z>`{=typst}End.\n\n# P {#a}\n\n`#metadata(none) <b>`{=typst}\n\n"
        "[up](#z), code, [page](#page-theory)\n\n$$\nx\\,y\n$$\n"
    )


def test_wide_tables_get_widths(pdf_source):
    narrow = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    wide = f"| a | b |\n|---|---|\n| 1 | {'word ' * 40} |\n"
    first, second = pdf_source.table_widths(f"{narrow}\n{wide}")
    assert first == []
    assert second[0] < second[1]
