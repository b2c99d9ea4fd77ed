"""docs/tightness_exact.md: its text is that of the template, its cheap rows are what comes out."""

import re
from pathlib import Path

import pytest

from tests.helpers.theory_pages import PAGES
from verify.tightness import NestedPatterns, average_length, average_worst, exact_length

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tightness_exact.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip(" *") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]


def test_the_text_is_the_template_with_its_places_filled():
    text = (DOCS / "tightness_exact_text.md").read_text(encoding="utf-8")
    pattern = ".+?".join(re.escape(part) for part in re.split(r"<<\w+>>", text))
    assert re.fullmatch(pattern, PAGE, flags=re.DOTALL), "python docs/tightness_exact.py"
    for picture in re.findall(r"\((\w+\.png)\)", PAGE):
        assert (DOCS / picture).exists()


def test_links_resolve():
    for page, anchor in re.findall(r"\]\(([\w./]+\.md)#([\w-]+)\)", PAGE):
        assert f'<a id="{anchor}"></a>' in PAGES[page]


@pytest.mark.parametrize(("tied", "slope", "target"), [(False, 6, 3), (True, 6, 3), (True, 8, 5)])
def test_lengths_of_every_input(tied, slope, target):
    (row,) = [r for r in ROWS if r[:3] == ["tied" if tied else "free", f"{target}ε", str(slope)]]
    found = exact_length(NestedPatterns(tied), lipschitz=slope, epsilon=1, target=target)
    assert row[3] == str(found.length)
    assert int(row[5]) <= found.length <= int(row[6])


def test_lengths_on_average():
    (row,) = [r for r in ROWS if r[0] == "20"]
    assert row[1] == str(average_length(slope=20, epsilon=1, target=3).length)


def test_worst_averages():
    (row,) = [r for r in ROWS if r[:2] == ["80", "7"]]
    with_query = average_worst(slope=80, epsilon=1, length=7, at=11, query=True)
    assert f"{float(with_query.low):.4f}" in PAGE
    assert row[4] == f"{float(average_worst(slope=80, epsilon=1, length=7, at=11).low):.4f}"
