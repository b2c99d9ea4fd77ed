"""docs/ratios.md and the table of the eight cells are what the package says."""

import math
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def ratios():
    sys.path.insert(0, str(DOCS))
    try:
        import ratios
    finally:
        sys.path.remove(str(DOCS))
    return ratios


@pytest.fixture(scope="module")
def now(ratios):
    return ratios.both_sides()


def test_the_page_is_what_the_package_says(ratios, now):
    assert ratios.PAGE.read_text(encoding="utf-8") == ratios.page(now), "python docs/ratios.py"


def test_so_is_the_table_of_the_eight_cells(ratios, now):
    theory = ratios.THEORY.read_text(encoding="utf-8")
    assert theory == ratios.with_table(theory, ratios.eight_cells(now)), "python docs/ratios.py"


def test_no_necessary_length_is_above_a_sufficient_one(ratios, now):
    ratio = {key: ratios.log2_ratio(*sides) for key, sides in now.items()}
    both = {key: value for key, value in ratio.items() if value is not None}
    assert {key: value for key, value in both.items() if value < 0} == {}
    assert {cell for cell, _ in both} == {cell.name for cell in ratios.CELLS}


def test_where_a_side_is_missing_the_page_says_why(ratios, now):
    missing = [side for sides in now.values() for side in sides if side.log2 is None]
    assert missing
    assert [side for side in missing if not side.why] == []


def test_no_guarantee_is_longer_than_in_the_first_edition(ratios, now):
    _, before = ratios.recorded()
    worse = {
        key: (sides[0], before[key][0])
        for key, sides in now.items()
        if key in before
        and before[key][0].log2 is not None
        and (sides[0].log2 or math.inf) > before[key][0].log2
    }
    assert worse == {}
    new_keywords = {label for _, label in set(now) - set(before)}
    assert new_keywords == {"the constants of the pair of Theorem B10, rounded up"}
    assert set(before) <= set(now)
