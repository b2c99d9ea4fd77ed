"""The figure of all lengths shows what is attained and what is proved, up to infinity."""

import dataclasses
import math
from fractions import Fraction

import pytest
from matplotlib.figure import Figure

from verify import error_profile, figures, tasks


@pytest.fixture(scope="module")
def profile():
    f = tasks.mod_p(2, 1).transformer
    g = dataclasses.replace(f, unembedding=f.unembedding * 1.01)
    return error_profile(f, g, horizon=None, single=8, tolerance="1/1000")


def test_single_lengths_are_points_and_stretches_are_bars(profile):
    given = Figure().subplots()
    ax = figures.error_profile(profile, Fraction(3, 10), given)
    assert ax is given
    (points,) = [line for line in ax.lines if line.get_marker() == "o"]
    singles = [s for s in profile.stretches if s.last == s.first]
    assert points.get_xdata().tolist() == [math.log2(s.first) for s in singles]
    assert points.get_ydata().tolist() == [max(float(s.low), ax.get_ylim()[0]) for s in singles]
    bars = [s for s in profile.stretches if s.last is not None and s.last > s.first]
    assert len(ax.collections) == len(bars) > 5
    for stretch, bar in zip(bars, ax.collections, strict=True):
        (path,) = bar.get_paths()
        low, high = path.get_extents().ymin, path.get_extents().ymax
        assert low == pytest.approx(float(stretch.low))
        assert high == pytest.approx(float(stretch.high))


def test_infinity_is_marked_and_the_worst_input_named(profile):
    ax = figures.error_profile(profile, Fraction(3, 10))
    assert [tick.get_text() for tick in ax.get_xticklabels()][-1] == "∞"
    (diamond,) = [line for line in ax.lines if line.get_marker() == "D"]
    assert diamond.get_ydata()[0] == pytest.approx(float(profile.stretches[-1].low))
    texts = [text.get_text() for text in ax.texts]
    assert "target 3/10" in texts
    assert figures.proofs.described(profile.largest.worst) in texts


def test_equal_models_can_be_drawn(tmp_path):
    f = tasks.mod_p(2, 1).transformer
    profile = error_profile(f, f, horizon=20, single=4)
    assert all(float(stretch.high) < 1e-3 for stretch in profile.stretches)
    result = figures.error_profile_figure([("nothing", profile)])
    assert result.get_size_inches()[0] == 3.4
    result.savefig(tmp_path / "figure.png")
