"""Inputs, checks and reports: reproducible, complete, and able to fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

import verify
from verify import InputError, Summary, inputs
from verify.checks.pairs import nested_pair, random_pair
from verify.checks.report import Report, summary_table
from verify.model.plain import model_data, model_from
from verify.model.summary import summarise
from verify.tables import write_json

PAIR = nested_pair()
SIZES = {"vocabulary_size": 4, "period": 3, "locality": 2}


@pytest.mark.parametrize("family", [*inputs.TOKEN_FAMILIES, *inputs.COUNT_FAMILIES])
def test_inputs_are_rebuilt_from_family_and_seed(family):
    for seed in (0, 1, 5):
        for length in (1, 2, 3, 4, 1000):
            entry = inputs.make(family, seed, length, **SIZES)
            first, second = entry.build(), entry.build()
            assert type(first) is type(second)
            if isinstance(first, Summary):
                assert first == second
                assert first.length == length
            else:
                assert np.array_equal(first, second)
                assert first.shape == (length,)
                summarise(first, 4, 3, 2)  # tokens in range
    assert inputs.make(family, 3, 1000, **SIZES).name == f"{family}[3], T = 1,000"


@pytest.mark.parametrize("family", inputs.COUNT_FAMILIES)
def test_huge_counts(family):
    for seed in range(20):
        x = inputs.make(family, seed, 10**15 + seed, **SIZES).build()
        assert x.length == 10**15 + seed  # the Summary checked the sums of its columns


def test_families_are_what_they_say():
    assert set(inputs.make("pure", 2, 50, **SIZES).build()) == {2}
    x = inputs.make("rare_once", 1, 500, **SIZES).build()
    assert (x == 1).sum() == 1 == x[0]
    x = inputs.make("only_last", 3, 500, **SIZES).build()
    assert (x == 3).sum() == 1
    assert x[-1] == 3
    counts = np.bincount(inputs.make("balanced", 0, 501, **SIZES).build(), minlength=4)
    assert counts.max() - counts.min() == 1
    shares = [
        np.sort(np.bincount(inputs.make("heavy_tailed", s, 10**5, **SIZES).build(), minlength=4))
        for s in range(10)
    ]
    assert sum(share[0] == 0 for share in shares) > 3
    assert inputs.make("rare_once", 0, 5, vocabulary_size=1).build().tolist() == [0] * 5


def test_standard_inputs_surround_the_marks():
    found = inputs.standard(**SIZES, marks=[64, 5000], length=2000)
    lengths = {entry.length for entry in found}
    assert {1, 2, 3, 4, 63, 64, 65, 68, 4999, 5000, 5001, 5004, 2000, 10**15 + 37} <= lengths
    assert {entry.family for entry in found} == {*inputs.TOKEN_FAMILIES, *inputs.COUNT_FAMILIES}


def test_characters_as_tokens(tmp_path):
    assert inputs.tokens_of("aabbbc", 3).tolist() == [1, 1, 0, 0, 0, 2]
    assert inputs.tokens_of("aabbbcd", 2).tolist() == [1, 1, 0, 0, 0, 1, 1]
    assert inputs.tokens_of("ba", 5).tolist() == [1, 0]  # ties by code point
    assert inputs.tokens_of("äö🙂", 1).tolist() == [0, 0, 0]
    path = tmp_path / "text.txt"
    path.write_text("abc\n" * 5, encoding="utf-8")
    assert inputs.from_text(path, 3).length == 20
    repeated = inputs.from_text(path, 3, 50).build()
    assert np.array_equal(repeated[:20], repeated[20:40])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xff"])
def test_unusable_text(tmp_path, content):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="text"):
        inputs.from_text(path, 3)
    with pytest.raises(InputError, match="text"):
        inputs.from_text(tmp_path / "absent.txt", 3)


def test_check_of_a_pair():
    seen = []
    report = verify.check(
        PAIR.f,
        PAIR.g,
        epsilon=PAIR.epsilon,
        length=20_000,
        name="nested",
        progress=lambda report, row, total: seen.append((row, total)),
    )
    assert report.holds
    assert report.finished
    assert [row for row, _ in seen] == report.rows
    assert {total for _, total in seen} == {len(report.rows)}
    assert all(row.holds and row.short_length <= report.limit for row in report.rows)
    assert report.worst.error == max(row.error for row in report.rows)
    assert 0 < report.worst.error <= PAIR.epsilon
    table = report.table()
    assert "proven N = 881" in table
    assert "FAILS" not in table
    assert len(report.table(each=True).splitlines()) > len(table.splitlines())
    assert "holds on" in summary_table([report])


def test_check_takes_arrays_summaries_and_named_inputs():
    x = np.arange(3000) % 3
    batch = [x, summarise(x, 3, 1, 0), inputs.make("uniform", 0, 100, vocabulary_size=3)]
    report = verify.check(PAIR.f, PAIR.g, epsilon=PAIR.epsilon, inputs=batch)
    assert [row.length for row in report.rows] == [3000, 3000, 100]
    assert report.rows[0].error == report.rows[1].error
    assert [row.family for row in report.rows] == ["given", "given", "uniform"]


@pytest.mark.parametrize("control", ["thinned", "truncated"])
def test_known_wrong_maps_are_found_out(control, tmp_path):
    """On the very inputs on which the theorem's map holds."""
    report = verify.check(PAIR.f, PAIR.g, epsilon=PAIR.epsilon, length=20_000, control=control)
    assert not report.holds
    assert report.worst.error > PAIR.epsilon
    assert len(report.counterexamples) == sum(not row.holds for row in report.rows)
    assert any("> ε" in text for found in report.counterexamples for text in found["violations"])
    assert "FAILS" in report.table()
    assert control in report.headline()

    with pytest.raises(verify.Counterexample, match="fails on") as caught:
        report.raise_for_counterexample()
    assert caught.value.data["models"]["f"] == model_data(PAIR.f)

    path = tmp_path / "report.json"
    report.save(path)
    again = verify.replay(path)
    assert [list(s.violations) for s in again] == [c["violations"] for c in report.counterexamples]
    assert not any(s.holds for s in again)


@pytest.mark.slow
def test_random_pairs_hold_where_wrong_maps_fail():
    failures = {"thinned": 0, "truncated": 0}
    for seed in range(4):
        pair = random_pair(seed, heads=1 + seed % 2, steps=6)
        batch = [
            inputs.make(family, number, 10**12, vocabulary_size=4, period=2, locality=1)
            for family in inputs.COUNT_FAMILIES
            for number in range(8)
        ]
        right = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=batch)
        assert right.holds
        for control in failures:
            wrong = verify.check(
                pair.f, pair.g, epsilon=pair.epsilon, inputs=batch, control=control
            )
            failures[control] += any(row.error > pair.epsilon for row in wrong.rows)
    assert all(failures.values()), failures


def test_report_is_strict_json(tmp_path):
    report = verify.check(PAIR.f, epsilon="1/10", inputs=[[0, 1, 2]], name="f alone")
    path = tmp_path / "report.json"
    report.save(path)
    data = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert data["holds"] is True
    assert data["epsilon"] == "1/10"
    assert data["limit"] == report.limit
    assert data["rows"][0]["length"] == 3
    assert data["models"] == {}
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"new": float("nan")})
    assert json.loads(path.read_text()) == {"old": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_empty_report():
    report = verify.check(PAIR.f, epsilon="1/10", inputs=[])
    assert report.worst is None
    report.raise_for_counterexample()
    assert report.holds
    assert isinstance(report, Report)
    assert "pair" in summary_table([report])


def test_models_survive_json():
    for pair in (PAIR, random_pair(0, heads=2)):
        for model in (pair.f, pair.g):
            assert model_from(json.loads(json.dumps(model_data(model)))) == model


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"reports": []}', '{"reports": [{"counterexamples": [1]}]}']
)
def test_replay_of_something_else(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(InputError, match="replay"):
        verify.replay(path)
    with pytest.raises(InputError, match="replay"):
        verify.replay(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"epsilon": -1}, "epsilon"),
        ({"length": 0}, "length"),
        ({"length": 1.5}, "length"),
        ({"seed": -1}, "seed"),
        ({"theorem": "unknown"}, "theorem"),
        ({"control": "unknown"}, "control"),
        ({"length": 10**9}, "length"),
        ({"inputs": [[0, 5]]}, "x[1]"),
        ({"inputs": [0, 1, 2]}, "inputs[0]"),
        ({"inputs": [[0], []]}, "inputs[1]"),
    ],
)
def test_bad_arguments(arguments, name):
    with pytest.raises(InputError) as caught:
        verify.check(PAIR.f, **{"epsilon": "1/10", **arguments})
    assert caught.value.name == name


def test_bad_family():
    with pytest.raises(InputError, match="family"):
        inputs.make("fractal", 0, 10, vocabulary_size=2)
    with pytest.raises(InputError, match="length"):
        inputs.make("uniform", 0, 0, vocabulary_size=2)
