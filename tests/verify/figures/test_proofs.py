"""The figure of a proof shows what was looked at and what is proved."""

import dataclasses
from fractions import Fraction

import pytest
from matplotlib.figure import Figure

from verify import agreement, enclose, figures, tasks


@pytest.fixture(scope="module")
def pair():
    f = tasks.mod_p(2, 1).transformer
    return f, dataclasses.replace(f, unembedding=f.unembedding * 1.01)


def test_every_window_and_every_shorter_length_is_a_point(pair):
    ladder = enclose(*pair, length=20, horizon=300)
    shorter = agreement(*pair, range(1, 19))
    given = Figure().subplots()
    ax = figures.enclosure(ladder, shorter, Fraction(3, 10), given)
    assert ax is given
    assert ax.get_xscale() == ax.get_yscale() == "log"
    (points,) = [line for line in ax.lines if line.get_marker() == "o"]
    looked = {n: e.value for r in ladder.rungs for n, e in r.window.by_length.items()}
    looked |= {n: e.value for n, e in shorter.by_length.items()}
    assert points.get_xdata().tolist() == sorted(looked)
    assert points.get_ydata().tolist() == [looked[n] for n in sorted(looked)]
    tops = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 2][:-1]
    assert [top[0] for top in tops] == pytest.approx([float(r.high) for r in ladder.rungs])
    assert len(ax.collections) == len(ladder.rungs)
    bottom, top = ax.get_ylim()
    assert bottom < min(looked.values())
    assert top > 0.3
    assert ax.texts[0].get_text() == "target 3/10"


def test_equal_models_can_be_drawn(pair, tmp_path):
    f, _ = pair
    ladder = enclose(f, f, length=12, horizon=20)
    assert all(rung.window.value == 0 for rung in ladder.rungs)
    result = figures.enclosure_figure(ladder)
    assert result.get_size_inches().tolist() == [3.4, 2.4]
    result.savefig(tmp_path / "figure.png")
    labels = [text.get_text() for text in result.legends[0].get_texts()]
    assert labels == ["proved between windows", "all inputs looked at"]
