"""The package as a whole: what importing it loads, its command line, its figures."""

import json
import subprocess
import sys
import time

import matplotlib
import pytest

import bounds
from bounds.__main__ import main

matplotlib.use("Agg")

WORDS = [
    "--epsilon",
    "1/10",
    "--lipschitz",
    "1",
    "--vocabulary-size",
    "3",
    "--period",
    "2",
    "--locality",
    "1",
    "--precision-bits",
    "4",
    "--margin",
    "1",
]


@pytest.mark.slow
def test_importing_bounds_loads_neither_matplotlib_nor_scipy_nor_numpy_and_sums_no_symbols():
    code = (
        "import sys, bounds; early = 'sympy.tensor.tensor' in sys.modules; bounds.theorems(); "
        "print([m for m in ('matplotlib', 'scipy', 'numpy', 'verify') if m in sys.modules], early)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[] False"


def test_command_line(capsys):
    assert main(["--theorem", "derived.one_layer_linf", *WORDS]) == 0
    assert "Sufficient training length: 963." in capsys.readouterr().out
    assert main(["--json", "--theorem", "derived.one_layer_linf", *WORDS]) == 0
    assert json.loads(capsys.readouterr().out)["length"] == 963
    assert main(["--list"]) == 0
    assert "izzo2025.4.1" in capsys.readouterr().out
    assert main(["--list", "--json"]) == 0
    assert "izzo2025.4.1" in json.loads(capsys.readouterr().out)
    solve = ["--solve", "period", "--length", "963", "--theorem", "derived.one_layer_linf"]
    rest = [w for w in WORDS if w not in ("--period", "2")]
    assert main([*solve, *rest]) == 0
    assert capsys.readouterr().out.startswith("period = 2\nSufficient training length: 963 (")
    rough = ["--solve", "period", "--length", "9331200", "--theorem", "izzo2025.4.1"]
    assert main([*rough, *rest]) == 0
    assert "Order of growth, no guarantee" in capsys.readouterr().out


def test_command_line_errors(capsys):
    assert main(["--epsilon", "x"]) == 2
    assert "--epsilon: got 'x'" in capsys.readouterr().err
    assert main(["--solve", "period", *WORDS]) == 2
    assert "--length: missing" in capsys.readouterr().err
    rest = [w for w in WORDS if w not in ("--period", "2")]
    assert main(["--solve", "period", "--length", "1", *rest]) == 1
    assert "no value of period works" in capsys.readouterr().err


def test_figures_take_and_return_axes():
    import matplotlib.pyplot as plt

    from bounds import figures

    given = {"lipschitz": 1, "vocabulary_size": 3, "locality": 1, "margin": 1, "precision_bits": 8}
    table = bounds.sweep(
        error="linf",
        attention="argmax",
        layers=1,
        epsilon=[1, "1/10", "1/100"],
        period=[1, 2],
        **given,
    )
    _, ax = plt.subplots()
    assert figures.length_curve(table, "epsilon", series="period", slopes=False, ax=ax) is ax
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [r"$\Delta$ = 1", r"$\Delta$ = 2", "proved"]
    assert ax.get_xlabel() == r"epsilon $\varepsilon$"
    assert ax.get_xscale() == "log"
    assert len(ax.lines) == 2
    bound = bounds.required_length(theorem="izzo2025.4.1", epsilon="1/10", period=2, **given)
    other = figures.terms(bound)
    assert "order of growth" in other.get_title()
    rough = bounds.sweep(theorem="izzo2025.4.1", epsilon=["1/10", "1/100"], period=1, **given)
    _, ax = plt.subplots()
    figures.length_curve(rough, "epsilon", ax=ax)
    assert "order of growth" in ax.get_legend().get_texts()[0].get_text()
    with pytest.raises(bounds.ParameterError, match="x: got 'tau'"):
        figures.length_curve(table, "tau", ax=ax)
    plt.close("all")


@pytest.mark.slow
def test_every_expression_is_there_at_once_and_in_the_public_symbols():
    start = time.perf_counter()
    for entry in bounds.theorems():
        if entry.expression is not None:
            known = {bounds.symbols[keyword] for keyword in entry.parameters} | {*entry.switches}
            free = entry.expression.free_symbols
            assert entry.choices or free <= known, entry.key  # choices have symbols of their own
        assert entry.latex()
        assert entry.key in entry._repr_html_()
    assert time.perf_counter() - start < 20  # it was two minutes, for want of unevaluated Max
