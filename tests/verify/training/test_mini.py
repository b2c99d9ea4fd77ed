"""The mini preset from the command line: every step, and the sign of what it should show."""

import dataclasses
import json

import pytest


@pytest.mark.slow
def test_mini_preset_shows_the_plateaus(tmp_path, capsys, monkeypatch):
    pytest.importorskip("jax")
    from verify.training import __main__ as command

    # Measuring takes most of the time and is tested on fewer models, in test_pipeline. Nothing is
    # asked here of what is learned of k-grams: one of their sweeps, and few steps, show the way.
    monkeypatch.setattr(command, "measure_all", lambda *_, **__: None)
    simple, mod_p, k_gram, _ = command.PRESETS["mini"]
    short = (simple, mod_p, dataclasses.replace(k_gram, steps=60, seeds=(0,)))
    monkeypatch.setitem(command.PRESETS, "mini", short)

    assert command.main(["--preset", "mini", "--out", str(tmp_path), "--quiet"]) == 0
    written = capsys.readouterr().out.split()
    assert sum(path.endswith(".png") for path in written) >= 5
    statistics = json.loads((tmp_path / "statistics.json").read_text())
    for name in ("simple", "mod_p"):
        correlation = statistics[name]["spearman plateau, training length"]
        assert float(correlation.split()[0]) < 0, correlation
    assert float(statistics["simple"]["spearman plateau, difficulty"].split()[0]) > 0
