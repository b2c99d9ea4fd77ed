"""Figures of simulations draw what was measured, and their legends cover none of it."""

import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import verify
from bounds import figures as paper
from verify.errors import InputError
from verify.figures import error_against_epsilon, short_against_long


@pytest.fixture(scope="module")
def simulations():
    f, g = (verify.tasks.mod_p(3, residue).transformer for residue in (0, 1))
    x = [0, 0, 0, 1, 0, 1, 1] * 3000
    return [verify.simulate(x, f, g, epsilon=e) for e in ("1/4", "1/8", "1/16")]


def lines(ax):
    return {line.get_label(): line.get_data() for line in ax.lines}


def test_errors_are_those_measured(simulations):
    drawn = lines(error_against_epsilon(simulations))
    for name, attribute in (("f", "error_f"), ("g", "error_g")):
        at, errors = drawn[f"measured, ${name}$"]
        assert list(at) == [float(s.epsilon) for s in simulations]
        for error, s in zip(errors, simulations, strict=True):
            measured = getattr(s, attribute)
            assert error == measured or (measured == 0 and 0 < error < 1 / 16)
    assert np.array_equal(*drawn["proven"])


def test_lengths_are_those_of_the_inputs(simulations):
    drawn = lines(short_against_long(simulations))
    long, short = drawn["short input $z$"]
    assert list(long) == [math.log2(s.input_length) for s in simulations]
    assert list(short) == [math.log2(s.length) for s in simulations]
    assert list(drawn["proven $N$"][1]) == [s.log2_limit for s in simulations]


@pytest.mark.parametrize("draw", [error_against_epsilon, short_against_long])
def test_legends_cover_no_data_and_nothing_is_refused_as_one_error(draw, simulations):
    with paper.style():
        ax = draw(simulations)
        canvas = FigureCanvasAgg(ax.figure)
        canvas.draw()
        box = ax.get_legend().get_window_extent(canvas.get_renderer())
        assert not box.overlaps(ax.get_window_extent(canvas.get_renderer()))
        assert not box.overlaps(ax.xaxis.label.get_window_extent(canvas.get_renderer()))
    with pytest.raises(InputError, match="at least one result"):
        draw([])
