"""Files are written beside the old one, then renamed; and any length can be written and read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

import verify
from verify import InputError, LimitTransformer
from verify.checks.pairs import nested_pair
from verify.files import write_beside
from verify.lengths import Length, from_json, show_integer, to_json
from verify.tables import write_json

HUGE = 3**20_000  # 9543 digits


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_beside(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="disk full"):
                write_beside(path, b"new")
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
    write_beside(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_umask_decides_who_reads(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_json(tmp_path / "report.json", {})
        nested_pair().f.save(tmp_path / "f.safetensors")
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_links_and_long_names(tmp_path):
    (tmp_path / "folder").mkdir()
    link, target = tmp_path / "link", tmp_path / "folder" / ("n" * 250)
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_beside(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.slow
def test_a_model_survives_a_process_that_dies_while_saving(tmp_path):
    path = tmp_path / "f.safetensors"
    f = nested_pair().f
    f.save(path)
    code = f"""
import os, signal
from verify.checks.pairs import random_pair
os.fsync = lambda handle: os._exit(9)  # dies when all is written, and nothing renamed
random_pair(0, heads=2).f.save({str(path)!r})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert LimitTransformer.load(path) == f


def test_folders_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="path"):
        nested_pair().f.save(tmp_path / "absent" / "f.safetensors")


def test_integers_of_any_size_print():
    assert f"{Length(12345):,}" == "12,345"
    assert repr(Length(7)) == str(Length(7)) == "7"
    assert f"{Length(HUGE):,}" == repr(Length(HUGE)) == "≈ 10^9542.4"
    assert Length(HUGE) == HUGE
    assert show_integer(10**15) == "1.00e+15"
    assert show_integer(HUGE) == "≈ 10^9542.4"
    for value in (0, 17, HUGE):
        assert from_json(json.loads(json.dumps(to_json(value)))) == value


def _near_ties(gap, bits):
    """Logits 0, 1 and 1 + gap: hardmax from 2^(p/gap) on."""
    query_key = np.zeros((4, 4))
    query_key[:3, 3] = 0.0, 1.0, 1.0 + gap
    value = np.zeros((4, 4))
    value[0, 0] = 1.0
    embedding = np.hstack([np.eye(3), np.ones((3, 1))])
    layer = verify.Layer((verify.Head(query_key, value, [0.0]),))
    return LimitTransformer(embedding, np.zeros((1, 4)), (layer,), np.eye(1, 4), bits)


@pytest.mark.parametrize("power", [5, 11, 13])
def test_check_where_n_has_thousands_of_digits(power, tmp_path):
    f = _near_ties(2.0**-power, 8)
    report = verify.check(f, epsilon="1/10", length=1000)
    assert report.log2_limit >= 2 ** (power + 3)
    assert report.holds
    assert any(row.verdict == "holds" for row in report.rows)
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert from_json(saved["limit"]) == report.limit
    assert "proven N" in report.table()


@pytest.mark.parametrize("power", [11, 13])
def test_a_simulation_of_any_length_prints(power):
    f = _near_ties(2.0**-power, 8)
    run = verify.simulation.simulator(f, epsilon="1/10")
    x = verify.inputs.make("counts_heavy", 1, 5 * run.bound.length, vocabulary_size=3).build()
    s = verify.simulate(x, f, epsilon="1/10")
    assert s.length <= s.limit < s.input_length
    assert len(repr(s)) < 2000
    assert f"{s.limit:,}, {s.length:,}, {s.input_length}".count("≈ 10^") == 3


def test_counterexamples_of_any_length_are_saved_and_replayed(tmp_path):
    pair = nested_pair()
    x = verify.inputs.make("counts_even", 0, 10**5000, vocabulary_size=3)
    report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x], control="truncated")
    assert not report.holds
    report.save(tmp_path / "report.json")
    (again,) = verify.replay(tmp_path / "report.json")
    assert again.input_length == 10**5000
    assert list(again.violations) == report.counterexamples[0]["violations"]
