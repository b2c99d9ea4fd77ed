"""The pages of theory: every theorem of the registry has its section, every link a target."""

import re
from collections import Counter
from posixpath import dirname, join, normpath

import pytest

import bounds
from tests.helpers.theory_pages import PAGES, page_with

ANCHORS = [
    (page, anchor)
    for page, text in PAGES.items()
    for anchor in re.findall(r'<a id="([^"]+)"', text)
]


def section(anchor):
    """The text from an anchor to the next heading but its own."""
    text = page_with(anchor).split(f'<a id="{anchor}"></a>', 1)[1].lstrip()
    own, rest = text.split("\n", 1)
    return own + "\n" + re.split(r"(?m)^#+ ", rest, maxsplit=1)[0]


@pytest.mark.parametrize("entry", bounds.theorems(), ids=lambda entry: entry.key)
def test_every_theorem_has_its_section(entry):
    assert page_with(entry.source.section) is not None
    text = section(entry.source.section)
    assert entry.key in text or entry.source.section != entry.key.replace(".", "-")
    if entry.constants == "proved":
        assert "*Proof" in text or "∎" in text


def test_anchors_are_unique_on_all_pages_together():
    assert [a for a, count in Counter(anchor for _, anchor in ANCHORS).items() if count > 1] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page):
    broken = []
    for path, anchor in re.findall(r"\]\(([\w./]*)#([^)]+)\)", PAGES[page]):
        target = normpath(join(dirname(page), path)) if path else page
        if (target, anchor) not in ANCHORS:
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_every_uncertain_point_is_marked():
    for entry in bounds.theorems(source="izzo2025"):
        assert "*Uncertain.*" in section(entry.source.section)


@pytest.mark.parametrize("page", PAGES)
def test_mathematics_is_closed(page):
    outside_blocks = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    for number, paragraph in enumerate(outside_blocks.split("\n\n")):
        assert paragraph.replace("$$", "").count("$") % 2 == 0, (number, paragraph[:80])
    assert PAGES[page].count("```") % 2 == 0
    assert outside_blocks.count("$$") % 2 == 0
