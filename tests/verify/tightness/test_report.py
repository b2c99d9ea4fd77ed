"""The benchmark of tightness: a part of it again, and the committed page and rows."""

from __future__ import annotations

import csv
import importlib.util
import math
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import verify

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location(
        "tightness_benchmark", ROOT / "benchmarks/tightness.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    with (ROOT / "docs/tightness.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_row_contradicts_what_is_proved(rows):
    assert sum(row["kind"] == "random" for row in rows) == 200
    assert sum(row["kind"] in ("simple", "mod_p") for row in rows) == 80
    compared = 0
    for row in rows:
        assert row["violations"] == ""
        found = math.log2(int(row["found"]))
        above = [float(row[side]) for side in ("class", "wide") if row[side]]
        if row["certified"]:
            certified = math.log2(int(row["certified"]))
            assert found <= certified
            above.append(certified)
            compared += 1
            if row["class"]:
                assert certified <= float(row["class"]) + 1e-5
        assert all(found <= length + 1e-5 for length in above)
        if row["necessary"]:
            assert float(row["necessary"]) <= float(row["wide"]) + 1e-5
    assert compared >= 280


def test_the_targets_are_met(rows):
    def ratios(chosen):
        return sorted(
            int(r["certified"]) / int(r["found"])
            for r in chosen
            if r["certified"] and r["status"] == "exact"
        )

    random = ratios(r for r in rows if r["kind"] == "random")
    assert random[len(random) // 2] <= 10
    fitted = [r for r in rows if r["kind"] == "mod_p" and int(r["name"].split("n = ")[1]) >= 32]
    assert len(fitted) == 24
    assert max(ratios(fitted)) <= 1.1


def test_the_page_is_up_to_date(benchmark, rows):
    with (ROOT / "docs/tightness_reasons.csv").open(encoding="utf-8", newline="") as file:
        slack = list(csv.DictReader(file))
    page = (ROOT / "docs/tightness.md").read_text(encoding="utf-8")
    assert page == benchmark.report(rows, slack)


@pytest.mark.slow
def test_a_few_rows_again(benchmark, rows):
    known = {(r["kind"], r["name"], r["epsilon"]): r for r in rows}
    pair = verify.tasks.trained_pair("mod_p", period=2, training_length=64)
    cases = [benchmark.random_pair(seed) for seed in (0, 57)]
    cases.append(benchmark.Case("mod_p", pair.name, pair.model, pair.target, Fraction(1, 10)))
    for case in cases:
        row = benchmark.run(case, 60_000)
        before = known[case.kind, case.name, str(case.epsilon)]
        for column in ("certified", "found", "class_theorem", "violations"):
            assert str(row[column]) == before[column], (case.name, column)


def test_linear_outputs_are_the_shares(benchmark):
    """The variants that tell where the slack comes from: L·share, and a second output."""
    pair = verify.tasks.trained_pair("simple", omega=4, training_length=64)
    f = benchmark.linear(pair.model)
    at = {x: float(f(list(map(int, x)))[0]) for x in ("0" * 8, "1" * 8)}
    constant = float(sum(h.least for h in benchmark.head_lipschitz(pair.model)))
    assert at["0" * 8] == 0.0
    assert at["1" * 8] == pytest.approx(constant)
    near = benchmark.near(pair.model, 0.5, 0.25)
    x = [0, 1, 1, 0, 1, 1, 1, 0, 0, 1]
    first, second = near(x)
    assert first == pytest.approx(float(pair.model(x)[0]), abs=1e-12)
    assert 0.25 / 0.5 * 0.4 < second < 0.25 / 0.5 * 0.8
