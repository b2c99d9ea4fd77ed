"""Sweeps: a row per combination, exact; bad grids are refused before any work."""

import csv

import pytest

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


def test_bad_grids_are_refused_before_any_row():
    with pytest.raises(bounds.ParameterError, match="epsilon: got -1"):
        bounds.sweep(**SETTING, **GIVEN | {"epsilon": ["1/10", -1]})
    with pytest.raises(bounds.ParameterError, match="period: got \\[\\]"):
        bounds.sweep(**SETTING, **GIVEN | {"period": []})
    with pytest.raises(bounds.ParameterError, match="did you mean 'period'"):
        bounds.sweep(**SETTING, **GIVEN | {"perod": [1, 2]})


def test_tables_print_and_are_written(tmp_path):
    table = bounds.sweep(**SETTING, **GIVEN | {"precision_bits": [4, 10**5 - 10]})
    assert "bits" in str(table)
    assert "<table>" in table._repr_html_()
    path = tmp_path / "sweep.csv"
    table.to_csv(path)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["length"], 0) for row in rows] == table.column("length")
    with pytest.raises(bounds.ParameterError, match="column: got 'N'"):
        table.column("N")


def test_a_row_that_no_theorem_covers_does_not_end_the_sweep():
    table = bounds.sweep(
        error="average",
        attention="softmax",
        layers=1,
        epsilon="1/10",
        lipschitz=1,
        vocabulary_size=2,
        period=[1, 2],
        locality=0,
    )
    assert len(table) == 2
    assert all(row["note"] for row in table if row["length"] is None)
