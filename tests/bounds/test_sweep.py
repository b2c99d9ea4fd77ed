"""Sweeps: a row per combination, exact; bad grids are refused before any work."""

import csv
import json
import sys
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpz

import bounds

SETTING = {"error": "linf", "attention": "argmax", "layers": 1}
GIVEN = {
    "epsilon": ["1/10", "1/20"],
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": (1, 2),
    "locality": 1,
    "precision_bits": 4,
    "margin": 1,
}


def test_each_row_is_the_single_answer():
    table = bounds.sweep(theorem="derived.one_layer_linf", **GIVEN)
    assert len(table) == 4
    assert [str(e) for e in table.column("epsilon")] == ["1/10", "1/10", "1/20", "1/20"]
    for row in table:
        single = GIVEN | {"epsilon": row["epsilon"], "period": row["period"]}
        bound = bounds.required_length(theorem="derived.one_layer_linf", **single)
        assert (row["length"], row["log2_length"]) == (bound.length, bound.log2_length)
        assert row["constants"] == "proved"
        assert row["status"] == "PROVED"


def test_exact_where_numpy_would_wrap_around():
    table = bounds.sweep(**SETTING, **GIVEN | {"precision_bits": [63, 64, 65, 10**6]})
    lengths = [row["length"] for row in table if row["period"] == 2][:4]
    assert lengths[:3] == [2**63 + 1, 2**64 + 1, 2**65 + 1]
    assert lengths[3] is None
    assert table[3]["log2_length"] == 10**6 or table[6]["log2_length"] == 10**6


def test_a_combination_without_a_number_keeps_the_rest():
    table = bounds.sweep(**SETTING, **GIVEN | {"target": ["1/20", "1/2"]})
    notes = [row["note"] for row in table]
    assert sum("target" in note for note in notes) == 4
    assert sum(row["length"] is not None for row in table) == 4


def test_what_stands_in_the_way_of_every_row_is_refused():
    with pytest.raises(bounds.ParameterError, match=r"epsilon: got -1.*\n.*epsilon: got -2"):
        bounds.sweep(**SETTING, **GIVEN | {"epsilon": [-1, -2]})
    with pytest.raises(bounds.ParameterError, match="period: got \\[\\]"):
        bounds.sweep(**SETTING, **GIVEN | {"period": []})
    with pytest.raises(bounds.ParameterError, match="did you mean 'period'"):
        bounds.sweep(**SETTING, **GIVEN | {"perod": [1, 2]})
    without = {k: v for k, v in GIVEN.items() if k != "lipschitz"}
    both = ["derived.one_layer_linf", "derived.lower_tent"]
    with pytest.raises(bounds.ParameterError, match="lipschitz: missing"):
        bounds.sweep(theorem=both, **without)
    with pytest.raises(bounds.ParameterError, match=r"theorem: got 'derived\.one_layer'"):
        bounds.sweep(theorem=[*both, "derived.one_layer"], **GIVEN)
    with pytest.raises(bounds.ParameterError, match=r"period: got None.*given once"):
        bounds.sweep(theorem=both, paired={"period": [1, 2]}, **GIVEN)
    with pytest.raises(bounds.ParameterError, match="equally many"):
        bounds.sweep(theorem=both, paired={"margin": [1, 2], "heads": [1, 2, 3]}, **OTHERS)


def test_a_bad_point_is_a_row_with_a_note():
    table = bounds.sweep(theorem="derived.one_layer_linf", **GIVEN | {"epsilon": ["1/10", -1]})
    assert [row["length"] for row in table] == [362, 963, None, None]
    assert table[2]["epsilon"] == -1
    assert "epsilon: got -1" in table[2]["note"]
    assert table[2]["theorem"] == "derived.one_layer_linf"


OTHERS = {k: v for k, v in GIVEN.items() if k != "margin"}


def test_theorems_and_settings_are_lists_too():
    keys = ["izzo2025.4.1", "derived.one_layer_linf", "derived.lower_tent"]
    table = bounds.sweep(theorem=keys, **GIVEN)
    assert len(table) == 12
    assert table.column("theorem") == [key for key in keys for _ in range(4)]
    for row in table:
        point = GIVEN | {"epsilon": row["epsilon"], "period": row["period"]}
        assert row["length"] == bounds.required_length(theorem=row["theorem"], **point).length
    settings = {"error": "linf", "attention": ["argmax", "softmax"], "layers": [1, 2]}
    table = bounds.sweep(**settings, **GIVEN)
    assert table.columns[:2] == ("attention", "layers")
    assert [(row["attention"], row["layers"]) for row in table[::4]] == [
        ("argmax", 1),
        ("argmax", 2),
        ("softmax", 1),
        ("softmax", 2),
    ]


def test_paired_parameters_move_together():
    given = {k: v for k, v in GIVEN.items() if k not in ("period", "locality")}
    paired = {"period": [1, 2, 5], "locality": [0, 1, 4]}
    table = bounds.sweep(theorem="derived.one_layer_linf", paired=paired, **given)
    assert [(row["period"], row["locality"]) for row in table] == [(1, 0), (2, 1), (5, 4)] * 2
    one = bounds.required_length(
        theorem="derived.one_layer_linf", **given | {"epsilon": "1/10", "period": 5, "locality": 4}
    )
    assert table[2]["length"] == one.length


def test_tables_add_and_filter():
    upper = bounds.sweep(theorem="derived.one_layer_linf", **GIVEN)
    lower = bounds.sweep(theorem="derived.lower_tent", **GIVEN | {"heads": [1, 2]})
    both = upper + lower
    assert len(both) == len(upper) + len(lower)
    assert both.column("heads") == [None] * 4 + lower.column("heads")
    assert np.isnan(both.column("heads", float)[:4]).all()
    found = both.where(epsilon=0.1, period=[2], theorem="derived.one_layer_linf")
    assert found.column("length") == [963]
    assert len(both.where(lambda row: row["length"] < 400)) == sum(
        n < 400 for n in both.column("length")
    )
    assert both.where(period=2)[:2].column("period") == [2, 2]
    with pytest.raises(bounds.ParameterError, match="column: got 'perod'"):
        both.where(perod=2)


def test_tables_print_and_are_written(tmp_path):
    table = bounds.sweep(**SETTING, **GIVEN | {"precision_bits": [4, 60, 99_990]})
    assert "bits" in str(table)
    assert "<table>" in table._repr_html_()
    path = tmp_path / "sweep.csv"
    table.to_csv(path, exact=True)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(fmpz(row["length"])) for row in rows] == table.column("length")
    assert [Fraction(row["epsilon"]) for row in rows] == table.column("epsilon")
    with pytest.raises(bounds.ParameterError, match="column: got 'N'"):
        table.column("N")
    with pytest.raises(bounds.ParameterError, match="log2_length for longer"):
        table.column("length", float)


def test_files_hold_decimals_on_the_safe_side(tmp_path):
    given = GIVEN | {"epsilon": ["1/3", "1/10"], "precision_bits": [4, 60, 99_990]}
    keys = ["derived.one_layer_linf", "derived.lower_threshold"]
    table = bounds.sweep(theorem=keys, **given)
    table.to_csv(tmp_path / "sweep.csv")
    with open(tmp_path / "sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    long = 0
    for row, exact in zip(rows, table, strict=True):
        assert float(row["epsilon"]) == float(exact["epsilon"])
        if exact["length"] is None or exact["length"] >= 2**1024:
            assert row["length"] == ""
            continue
        written = Fraction(row["length"])
        assert abs(written / exact["length"] - 1) < 1e-15
        if exact["length"] > 2**53:
            long += 1
            up = exact["direction"] == "sufficient"
            assert written >= exact["length"] if up else written <= exact["length"]
    assert long >= 4
    loaded = json.loads(table.to_json(tmp_path / "sweep.json"))
    assert loaded == json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    for row, exact in zip(loaded, table, strict=True):
        assert Fraction(row["epsilon"]) == exact["epsilon"]
        length = row["length"]
        assert (int(fmpz(length)) if isinstance(length, str) else length) == exact["length"]


def test_pandas_reads_tables_and_their_files(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = bounds.sweep(**SETTING, **GIVEN | {"precision_bits": [4, 60, 70]})
    frame = table.to_pandas()
    assert list(frame["length"]) == table.column("length")
    assert frame["epsilon"].dtype == float
    assert frame["log2_length"].tolist() == table.column("log2_length")
    table.to_csv(tmp_path / "sweep.csv")
    read = pandas.read_csv(tmp_path / "sweep.csv")
    assert read["length"].tolist() == pytest.approx(
        [float(n) for n in table.column("length")], rel=1e-15
    )
    assert read["period"].tolist() == table.column("period")
    series = bounds.sweep(**SETTING, **GIVEN | {"precision_bits": frame["precision_bits"]})
    assert len(series) == 2 * len(frame) * 2


def test_without_pandas_the_reason_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(bounds.BoundsError, match="lgbounds\\[pandas\\]"):
        bounds.sweep(theorem="derived.one_layer_linf", **GIVEN).to_pandas()


def test_a_row_that_no_theorem_covers_does_not_end_the_sweep():
    table = bounds.sweep(
        theorem=["derived.one_layer_linf", "derived.lower_softmax_exact"],
        logit_range=1,
        **GIVEN,
    )
    assert sum(row["length"] is not None for row in table) == 4
    assert all(row["note"] for row in table if row["length"] is None)


@pytest.mark.slow
def test_long_tables_agree_with_single_answers_at_extremes():
    """5000 rows: 2^24000 and more, ε down to 10⁻²⁵⁰, targets a hair above ε."""
    rng = np.random.default_rng(0)
    n = 5_000
    epsilon = 10.0 ** rng.choice([-250.0, -30.0, -3.0, -1.0], n) * rng.uniform(1, 9, n)
    paired = {
        "epsilon": epsilon,
        "target": np.where(rng.random(n) < 0.3, epsilon * (1 + 2.0**-40), 2 * epsilon),
        "precision_bits": rng.choice([1, 8, 24, 2400, 10**6], n),
        "margin": rng.choice([0.1, 1 / 3, 0.5, 1.0, 2.0], n),
        "lipschitz": 10.0 ** rng.uniform(-3, 3, n),
    }
    shared = {"vocabulary_size": 3, "period": 2, "locality": 1}
    table = bounds.sweep(theorem="derived.one_layer_linf", paired=paired, **shared)
    log2 = table.column("log2_length", float)
    assert np.nanmax(log2) == pytest.approx(10**7, rel=1e-9)
    seen = set()
    for i in rng.integers(0, n, 100).tolist():
        point = {k: v[i] for k, v in paired.items()}
        bound = bounds.required_length(theorem="derived.one_layer_linf", **shared, **point)
        row = table[i]
        assert row["length"] == bound.length
        seen.add(row["status"])
        assert row["status"] == bound.status.name
        size = max(1, bound.log2_length)
        above = 1e-2 if "too large" in row["note"] else 1e-9
        assert -1e-9 * size <= log2[i] - bound.log2_length <= above * size
    assert seen == {"PROVED", "TOO_LARGE"}


def test_a_row_without_a_number_says_why_where_nothing_is_known_too():
    constants = GIVEN | {"epsilon": "1/10", "period": 2, "layers": [1, 2]}
    known, unknown = bounds.sweep(error="linf", attention="argmax", **constants)
    assert (known["status"], known["note"]) == ("PROVED", "")
    assert (unknown["status"], unknown["length"]) == ("UNKNOWN", None)
    assert unknown["note"].startswith("Not known: ")


def test_an_unknown_keyword_is_shown_as_it_was_given():
    with pytest.raises(bounds.ParameterError, match=r"eps: got \['1/10'\] \(list\)"):
        bounds.sweep(**SETTING, eps=["1/10"])
