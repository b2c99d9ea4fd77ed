"""The figure of compared lengths shows the numbers of the comparisons."""

from __future__ import annotations

import io

import pytest

import verify
from verify.figures import lengths_compared, lengths_compared_figure


@pytest.fixture(scope="module")
def comparisons():
    f, g = verify.tasks.mod_p(2, 0).transformer, verify.tasks.mod_p(2, 1).transformer
    return {
        float(e): verify.compare_lengths(f, g, epsilon=e, horizon=2**20, budget=400)
        for e in (0.2, 0.1)
    }


def test_every_series_is_drawn_at_its_values(comparisons):
    ax = lengths_compared(comparisons)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert len(drawn) == 6
    certified = [[v, pytest.approx(comparisons[v].certified)] for v in sorted(comparisons)]
    assert drawn["sufficient for this pair"] == certified
    assert "no guarantee" in str(comparisons[0.1])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.1", "0.2"]


def test_the_figure_has_column_width(comparisons):
    figure = lengths_compared_figure(comparisons)
    assert figure.get_size_inches()[0] == 3.25
    figure.savefig(io.BytesIO(), format="png")
    (legend,) = figure.legends
    assert "paper, order of growth (C = 1)" in [t.get_text() for t in legend.get_texts()]
