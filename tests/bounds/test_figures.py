"""Figures: the data are the lengths, the legend covers none of them, and files hold their fonts."""

import subprocess
import sys
import zlib

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import bounds
from bounds import figures

MODEL = {"lipschitz": 1, "vocabulary_size": 3, "locality": 1, "precision_bits": 8, "margin": 1}
EPSILON = ["1/2", "1/4", "1/8", "1/16", "1/32", "1/64", "1/128"]
KEYS = ["izzo2025.4.1", "derived.one_layer_linf", "derived.lower_presence"]
SETTING = {"error": "linf", "attention": "argmax", "layers": 1}


@pytest.fixture(scope="module")
def table():
    return bounds.sweep(theorem=KEYS, epsilon=EPSILON, period=[1, 2, 5], **MODEL)


def every_figure(table):
    huge = bounds.required_length(
        theorem=KEYS[1], epsilon="1/10", period=2, **MODEL | {"precision_bits": 10**6}
    )
    yield figures.terms(huge)
    bound = bounds.required_length(theorem=KEYS[1], epsilon="1/10", period=2, **MODEL)
    given = {k: v for k, v in MODEL.items() if k != "precision_bits"} | {"epsilon": "1/64"}
    bits = range(2, 25, 4)
    grid = bounds.sweep(
        theorem=KEYS[1], period=2, precision_bits=bits, **given | {"epsilon": EPSILON}
    )
    yield figures.length_curve(table, "epsilon", series="period")
    yield figures.length_curve(table.where(period=2), "epsilon")
    yield figures.bracket_curve("epsilon", EPSILON, **SETTING, period=2, **MODEL)
    yield figures.term_curves("precision_bits", bits, theorem=KEYS[1], period=2, **given)
    yield figures.length_map(grid, "epsilon", "precision_bits")
    yield figures.sensitivities(bound)
    yield figures.terms(bound)


def curves(ax):
    """The lines that carry data, by label; guides and legends' handles have none."""
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_the_goal_in_five_lines(tmp_path):
    table = bounds.sweep(theorem=KEYS, epsilon=EPSILON, period=[1, 2, 5], **MODEL)
    with figures.style():
        ax = figures.length_curve(table, "epsilon", series="period")
        figures.save(ax, tmp_path / "lengths")
    assert {p.name for p in tmp_path.iterdir()} == {"lengths.pdf", "lengths.svg"}
    assert len(curves(ax)) == 9


def test_curves_are_the_required_lengths(table):
    ax = figures.length_curve(table, "epsilon", series="period")
    kinds = dict(zip(KEYS, ("order of growth", "proved", "necessary"), strict=True))
    drawn = curves(ax)
    points = 0
    for key, kind in kinds.items():
        for period in (1, 2, 5):
            line = drawn[f"{period} ({kind})"]
            for epsilon, log2 in zip(*line.get_data(), strict=True):
                bound = bounds.required_length(theorem=key, epsilon=epsilon, period=period, **MODEL)
                assert bound.log2_length == log2
                points += 1
    assert points == sum(row["log2_length"] is not None for row in table)
    dashes = {kind: drawn[f"2 ({kind})"]._dash_pattern for kind in kinds.values()}
    assert dashes["proved"] == (0, None)
    assert len(set(map(str, dashes.values()))) == 3


def test_brackets_terms_and_maps_are_the_required_lengths():
    ax = figures.bracket_curve("epsilon", EPSILON, **SETTING, period=2, **MODEL)
    drawn = curves(ax)
    for epsilon, log2 in zip(*drawn["sufficient, proved"].get_data(), strict=True):
        found = bounds.required_length(**SETTING, epsilon=epsilon, period=2, **MODEL)
        assert found.log2_length == log2
    given = MODEL | {"epsilon": "1/64", "period": 2}
    del given["precision_bits"]
    ax = figures.term_curves("precision_bits", [4, 20], theorem=KEYS[1], **given)
    for bits, log2 in zip(*curves(ax)["hardmax threshold"].get_data(), strict=True):
        bound = bounds.required_length(theorem=KEYS[1], precision_bits=int(bits), **given)
        assert bound.terms["hardmax threshold"].log2_length == log2
    grid = given | {"precision_bits": [4, 12, 20], "epsilon": ["1/4", "1/64"]}
    table = bounds.sweep(theorem=KEYS[1], **grid)
    ax = figures.length_map(table, "epsilon", "precision_bits")
    cells = ax.collections[0].get_array()
    expected = [[row["log2_length"] for row in table.where(precision_bits=p)] for p in (4, 12, 20)]
    assert np.array_equal(cells, np.array(expected)[:, ::-1])
    borders = [line for line in ax.lines if line.get_gid() == "takes over"]
    assert len(borders) == 3  # 12 to 20 bits at 1/64, 4 to 12 at 1/4, and between the two at 12


@pytest.mark.slow
def test_no_legend_covers_data_at_column_width(table, tmp_path):
    with figures.style():
        for number, ax in enumerate(every_figure(table)):
            figures.save(ax, tmp_path / f"{number}.png")
            canvas = FigureCanvasAgg(ax.figure)
            canvas.draw()
            renderer = canvas.get_renderer()
            whole = ax.figure.bbox
            legend = ax.get_legend()
            if legend is None:
                continue
            box = legend.get_window_extent(renderer)
            assert box.width > 0
            for line in ax.lines:
                at = (
                    ax.transData.transform(np.column_stack(line.get_data()))
                    if line.get_gid() is None
                    else []
                )
                assert not any(box.contains(*point) for point in at)
            assert not box.overlaps(ax.get_window_extent(renderer))
            assert not box.overlaps(ax.xaxis.label.get_window_extent(renderer))
            assert whole.x0 <= box.x0
            assert box.x1 <= whole.x1
            assert box.y0 >= whole.y0 - 1


def test_fonts_are_embedded_and_none_is_type_3(table, tmp_path):
    with figures.style():
        ax = figures.length_curve(table, "epsilon", series="period")
    (path,) = figures.save(ax, tmp_path / "a", formats=["pdf"])
    text = unpacked(path.read_bytes())
    assert b"/FontFile2" in text
    assert b"/Type3" not in text
    with matplotlib.rc_context({"pdf.fonttype": 3}):  # what the check would miss
        ax.figure.savefig(tmp_path / "b.pdf")
    assert b"/Type3" in unpacked((tmp_path / "b.pdf").read_bytes())


def unpacked(data):
    """A PDF with its compressed parts beside it."""
    parts = [data]
    for piece in data.split(b"stream\n")[1:]:
        try:
            parts.append(zlib.decompressobj().decompress(piece))
        except zlib.error:
            continue
    return b"".join(parts)


def test_pgf_without_tex_says_so(table, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ax = figures.length_curve(table.where(period=2), "epsilon")
    with pytest.raises(bounds.BoundsError, match="PGF needs a TeX system"):
        figures.save(ax, tmp_path / "a.pgf")
    assert not list(tmp_path.iterdir())
    with pytest.raises(bounds.ParameterError, match="formats: got 'gif'"):
        figures.save(ax, tmp_path / "a", formats=["gif"])
    with pytest.raises(bounds.ParameterError, match="width: got 'wide'"):
        figures.save(ax, tmp_path / "a", width="wide")


def test_what_differs_in_another_parameter_is_not_joined(table):
    with pytest.raises(bounds.ParameterError, match=r"one value of period per curve.*1, 2, 5"):
        figures.length_curve(table, "epsilon")
    with pytest.raises(bounds.ParameterError, match="one value of period"):
        figures.length_map(table, "epsilon", "lipschitz")
    with pytest.raises(bounds.ParameterError, match="x: got 'eps'"):
        figures.length_curve(table, "eps")


def test_styles_leave_nothing_behind():
    before = dict(matplotlib.rcParams)
    with figures.style(dark=True, width="text", font_family="serif"):
        assert matplotlib.rcParams["font.family"] == ["serif"]
        assert Figure().get_size_inches()[0] == 6.75
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(bounds.ParameterError, match="font_famly"), figures.style(font_famly=1):
        pass


def test_every_label_reads_as_mathtext(table):
    for ax in every_figure(table):
        texts = [t.get_text() for t in ax.figure.findobj(matplotlib.text.Text)]
        assert all(text.replace("\N{MINUS SIGN}", "-").isascii() for text in texts), texts


def test_importing_figures_draws_in_no_pyplot():
    code = "import sys, bounds.figures; assert 'matplotlib' not in sys.modules"
    code += "; assert 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_elasticities_are_the_powers_far_out():
    far = MODEL | {"period": 2, "precision_bits": 1, "lipschitz": 10**6}
    bound = bounds.required_length(theorem=KEYS[1], epsilon="1e-6", **far)
    found = bounds.elasticities(bound)
    assert found["epsilon"] == pytest.approx(-2, abs=1e-9)
    assert found["lipschitz"] == pytest.approx(2, abs=1e-9)
    assert found["precision_bits"] == 0
    huge = bounds.required_length(
        theorem=KEYS[1], epsilon="1/10", **far | {"precision_bits": 10**6}
    )
    found = bounds.elasticities(huge)
    assert found["precision_bits"] == pytest.approx(10**6 * np.log(2), rel=1e-9)
    assert found["margin"] == pytest.approx(-(10**6) * np.log(2), rel=1e-9)
