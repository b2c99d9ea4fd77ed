"""Certified lengths and verdicts of trained models: their rows, and what is counted from them."""

import json
import math

import pytest

from verify import prove
from verify.tasks.trained import trained
from verify.training.certified import EPSILONS, HORIZON, certified_rows
from verify.training.certified_summary import certified_lengths, certified_points, verdicts
from verify.training.constants import target_transformer
from verify.training.experiment import Run, Setting
from verify.training.figures_models import certified_against_empirical
from verify.training.presets import MOD_P, PRESETS


def test_rows_of_a_stored_model():
    run = Run(Setting(2, period=2), 32, 0)
    f = trained("mod_p", period=2, training_length=32)
    rows = list(certified_rows(MOD_P, run, f))
    assert [row["epsilon"] for row in rows] == [float(epsilon) for epsilon in EPSILONS]
    lengths = [row["certified_length"] for row in rows]
    assert 0 < lengths[0] < lengths[1] < HORIZON  # a smaller ε needs a longer window
    g = target_transformer(MOD_P, run)
    assert min(row["log2_exact_margin"] for row in rows) > 1000  # no tie is exact
    for row in rows:
        assert row["status"] == "PROVED"
        assert row["counterexample"] is None
        assert 0 < row["certified_cost"] <= row["target"] - row["epsilon"]
        assert 0 <= row["error_low"] <= row["error_high"] <= row["target"]
        x = [1, 0] * 40
        assert abs(f(x) - g(x)).max() <= row["error_high"]


def test_plain_softmax_is_decided_at_every_length():
    (experiment,) = [e for e in PRESETS["paper"] if e.name == "simple_plain"]
    run = Run(Setting(6), 32, 0)
    f = trained("simple_plain", omega=6, training_length=32)
    rows = list(certified_rows(experiment, run, f))
    assert [row["horizon"] for row in rows] == [None, None]
    assert [row["status"] for row in rows] == ["REFUTED", "REFUTED"]
    for row in rows:
        assert row["error_low"] > row["target"]
        assert row["certified_length"] < 2000
        g = target_transformer(experiment, run)
        inside = prove(f, g, target=3 * row["epsilon"], horizon=row["proved_horizon"])
        assert inside.status.name == "PROVED"


def test_a_model_without_a_certificate_has_empty_cells_and_is_refuted():
    run = Run(Setting(5, period=5), 8, 0)
    for row in certified_rows(MOD_P, run, trained("mod_p", period=5, training_length=8)):
        assert row["certified_length"] is row["certified_cost"] is None
        assert row["status"] == "REFUTED"
        assert row["error_high"] is None
        assert row["error_low"] > row["target"]
        length = json.loads(row["counterexample"])["length"]
        assert HORIZON / 2 <= length <= HORIZON  # it fails however late one starts


def table(certified, losses, statuses):
    """Two settings × two training lengths; `certified`, …: one entry for each model."""
    rows = []
    cells = [(d, n) for d in (2, 4) for n in (8, 16)]
    for (d, n), length, loss, status in zip(cells, certified, losses, statuses, strict=True):
        rows.append(
            {"experiment": "e", "sweep": "ω", "difficulty": d, "training_length": n, "seed": 0}
            | {"distribution": "dirichlet", "test_distribution": "dirichlet", "test_length": 512}
            | {"loss": loss, "max_error": 2 * math.sqrt(loss), "log2_exact_margin": 1000 * d + n}
            | {"epsilon": 0.1, "target": 0.3, "horizon": 2**20, "certified_length": length}
            | {"status": status, "error_low": 0.1, "from_length": 2, "cells": 500}
            | {"error_high": 0.25 if status == "PROVED" else None}
            | {"counterexample": '{"counts": [[9, 0], [0, 7]], "suffix": [1, 0], "length": 18}'}
            | {"certify_seconds": 0.5, "prove_seconds": 2.0}
        )
    return rows


def example():
    return table(
        certified=(None, 64, 100, 40),
        losses=(0.25**2, 0.05**2, 0.1**2, 0.01**2),
        statuses=("REFUTED", "PROVED", "OPEN", "PROVED"),
    )


def test_points_hold_every_row_with_the_empirical_length_of_its_setting_and_epsilon():
    rows = example()
    smaller = [row | {"epsilon": 0.03, "target": 0.09} for row in rows]
    points = certified_points(rows + smaller)
    assert [row["empirical"] for row in points] == [16, 16, 8, 8, None, None, 16, 16]
    assert [row["root_plateau"] for row in points] == pytest.approx([0.25, 0.05, 0.1, 0.01] * 2)


def test_a_missing_certificate_counts_as_longer_than_all():
    found = certified_lengths(certified_points(example()))
    everyone = found["all"]
    assert everyone["models"] == 4
    assert everyone["without a certificate"] == 1
    assert everyone["certified (least, median, largest)"] == [40, 82, "none"]
    assert everyone["certified / empirical (least, median, largest)"] == [4, 8.75, "none"]
    # Ranks of the empirical lengths 3.5, 3.5, 1.5, 1.5 and of the certified ones 4, 2, 3, 1.
    assert everyone["spearman certified, empirical"].startswith("+0.45")
    assert everyone["spearman exact margin, empirical"].startswith("-0.89")
    assert found["trained at the empirical length"]["models"] == 2
    assert found["trained long enough"]["models"] == 3
    assert found["models without an empirical length"] == 0


def test_settings_that_never_generalize_are_counted():
    points = certified_points(table((None, 9, 5, 5), (1.0, 1.0, 0.0, 0.0), ("OPEN",) * 4))
    assert [row["empirical"] for row in points] == [None, None, 8, 8]
    found = certified_lengths(points)
    assert found["models without an empirical length"] == 2
    assert found["all"]["models"] == 2


def test_verdicts_meet_tests_and_certificates():
    found = verdicts(certified_points(example()))
    assert found["n = 8"] == "PROVED 0, REFUTED 1, OPEN 1"
    assert found["n = 16"] == "PROVED 2, REFUTED 0, OPEN 0"
    assert found["all"] == "PROVED 2, REFUTED 1, OPEN 1"
    assert found["without a certificate"] == "PROVED 0, REFUTED 1, OPEN 0"
    assert found["root plateau above the target"] == "PROVED 0, REFUTED 0, OPEN 0"
    assert found["some tested input above the target"] == "PROVED 0, REFUTED 1, OPEN 0"
    assert found["trained long enough"] == "PROVED 2, REFUTED 0, OPEN 1"
    assert found["PROVED: width (least, median, largest)"] == [0.15] * 3
    name = "REFUTED: by an input with one token per residue, but for the last ones"
    assert found[name] == 1
    mixed = [row | {"counterexample": '{"counts": [[9, 1]]}'} for row in example()]
    assert verdicts(certified_points(mixed))[name] == 0
    assert found["REFUTED: root_plateau (least, median, largest)"] == [0.25] * 3


def test_the_figure_shows_every_model():
    points = certified_points(example())
    ax = certified_against_empirical(points)
    marks = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in marks) == len(points)
    heights = sorted(y for line in marks for y in line.get_ydata())
    assert heights[:3] == [40, 64, 100]
    assert heights[3] > 2**20  # the one without a certificate, above the horizon
