"""docs/theory.md: every theorem of the registry has its section, every link a target."""

import re
from pathlib import Path

import pytest

import bounds

PAGE = (Path(__file__).parents[2] / "docs" / "theory.md").read_text(encoding="utf-8")
ANCHORS = re.findall(r'<a id="([^"]+)"></a>', PAGE)


def section(anchor):
    """The text from an anchor to the next heading but its own."""
    text = PAGE.split(f'<a id="{anchor}"></a>', 1)[1].lstrip()
    own, rest = text.split("\n", 1)
    return own + "\n" + re.split(r"(?m)^#+ ", rest, maxsplit=1)[0]


@pytest.mark.parametrize("entry", bounds.theorems(), ids=lambda entry: entry.key)
def test_every_theorem_has_its_section(entry):
    assert entry.source.section in ANCHORS
    text = section(entry.source.section)
    assert entry.key in text or entry.source.section != entry.key.replace(".", "-")
    if entry.constants == "proved":
        assert "*Proof" in text or "∎" in text


def test_anchors_are_unique_and_links_resolve():
    assert len(ANCHORS) == len(set(ANCHORS))
    links = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert links <= set(ANCHORS)


def test_every_uncertain_point_is_marked():
    for entry in bounds.theorems(source="izzo2025"):
        assert "*Uncertain.*" in section(entry.source.section)


def test_mathematics_is_closed():
    outside_blocks = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    for number, paragraph in enumerate(outside_blocks.split("\n\n")):
        assert paragraph.replace("$$", "").count("$") % 2 == 0, (number, paragraph[:80])
    assert PAGE.count("```") % 2 == 0
    assert outside_blocks.count("$$") % 2 == 0
