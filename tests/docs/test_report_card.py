"""The report card is up to date, and nothing on it fails."""

import pytest

from tests import report_card


@pytest.fixture(scope="module")
def rows():
    return report_card.card()


def test_nothing_fails(rows):
    bad = {key: name for key, row in rows.items() for name, cell in row.items() if cell == "FAIL"}
    assert bad == {}


def test_the_page_is_what_the_registry_and_the_tests_show(rows):
    written = report_card.PAGE.read_text(encoding="utf-8")
    assert written == report_card.page(rows), "python -m tests.report_card"


def test_a_contradiction_that_is_accepted_would_show(monkeypatch):
    entry = report_card.all_theorems()["derived.average_softmax"]
    assert report_card.refuses(entry)
    monkeypatch.setattr("bounds.apply._assumptions", lambda *a: ((), []))
    assert not report_card.refuses(entry)


def test_a_length_that_falls_where_it_should_grow_would_show(monkeypatch):
    entry = report_card.all_theorems()["derived.one_layer_linf"]
    assert report_card.is_monotone(entry)
    true = report_card.ask

    def wrong(theorem, values, assume=None):
        return true(theorem, values | {"lipschitz": 100 / values["lipschitz"]}, assume)

    monkeypatch.setattr(report_card, "ask", wrong)
    assert not report_card.is_monotone(entry)
