"""`python -m verify --campaign`: the file, every key checked, and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import verify
from verify import tasks
from verify.__main__ import main
from verify.campaigns import CampaignResult
from verify.commands import campaign_file
from verify.commands.campaign import exit_code
from verify.commands.campaign_file import read_campaign_file
from verify.errors import InputError

PROVE = '[[claims]]\nkind = "prove"\ntarget = "3/10"\nhorizon = "none"\n'
STORED = '[[inputs]]\nstored = "simple_plain"\nomega = 2\ntraining_length = 32\n'


def written(folder, text):
    path = folder / "c.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_says_what_calls_say(tmp_path):
    law = 'error = "average"\nlaw = { dirichlet = [1, "1/2"] }\n'
    claims, inputs = read_campaign_file(
        written(
            tmp_path,
            '[[claims]]\nkind = "prove"\ntarget = [0.1, "3/10"]\nhorizon = ["2**20", "none", 7]\n'
            f'[[claims]]\nkind = "prove"\ntarget = 1\nhorizon = 9\nlimit = 5\n{law}'
            '[[claims]]\nkind = "certify"\nepsilon = "1/10"\ncertificate = true\n'
            '[[claims]]\nkind = "check"\nepsilon = "1/10"\nrandom = 10\nfamilies = ["uniform"]\n'
            '[[inputs]]\nstored = "mod_p"\nperiod = [2, 3]\ntraining_length = 8\n'
            '[[inputs]]\nbuilt_in = ["nested", "softmax-1"]\n'
            '[[inputs]]\nf = "f"\ng = "g"\nname = "mine"\n',
        )
    )
    assert claims == [
        *(verify.Prove(target=e, horizon=t) for e in ("1/10", "3/10") for t in (2**20, None, 7)),
        verify.Prove(
            target=1, horizon=9, limit=5, error="average", law=verify.DirichletLaw([1, "1/2"])
        ),
        verify.Certify(epsilon="1/10", certificate=True),
        verify.Check(epsilon="1/10", random=10, families=("uniform",)),
    ]
    stored = [pair.name for pair in tasks.all_trained("mod_p") if pair.training_length == 8][:2]
    assert [entry.name for entry in inputs[:2]] == stored
    assert inputs[-1].name == "mine"
    assert str(tmp_path / "f") in inputs[-1].problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "claims"),
        ("claims = 3", "claims"),
        (PROVE, "inputs"),
        ("[[claim]]\n" + PROVE + STORED, "did you mean 'claims'?"),
        (PROVE.replace("target", "targt") + STORED, r"claims\[0\].targt: .* 'target'?"),
        (PROVE.replace('"prove"', '"proof"') + STORED, r"claims\[0\].kind: .* 'prove'?"),
        (PROVE.replace("kind", "knd") + STORED, "kind"),
        (PROVE.replace('"3/10"', '"x"') + STORED, r"claims\[0\].target"),
        (PROVE.replace('"3/10"', "nan") + STORED, r"claims\[0\].target"),
        (PROVE.replace('"3/10"', "true") + STORED, r"claims\[0\].target"),
        (PROVE.replace('"3/10"', "[]") + STORED, r"claims\[0\]"),
        (PROVE.replace('"3/10"', "{}") + STORED, r"claims\[0\].target: .* one value"),
        (PROVE.replace('"none"', '"2**99999"') + STORED, r"claims\[0\].horizon"),
        (PROVE.replace('"none"', '"2^20"') + STORED, r"claims\[0\].horizon"),
        (PROVE.replace('"none"', "0") + STORED, r"claims\[0\].horizon"),
        (PROVE.replace('horizon = "none"', "") + STORED, r"claims\[0\].horizon: .* no default"),
        (PROVE.replace('"3/10"', f"[{'1,' * 2000}]").replace('"none"', f"[{'1,' * 2000}]") + STORED, "1,000,000"),
        (PROVE + "law = { dirichlet = [1], fixed = [1] }\n" + STORED, r"claims\[0\].law"),
        (PROVE + STORED.replace("omega", "omga"), r"inputs\[0\].omga: .* 'omega'?"),
        (PROVE + STORED.replace("omega", "period"), r"inputs\[0\].period"),
        (PROVE + STORED.replace("= 2", "= 3"), r"inputs\[0\].omega"),
        (PROVE + STORED.replace("simple_plain", "simple_plane"), "simple_plain"),
        (PROVE + '[[inputs]]\nbuilt_in = "nestd"\n', "did you mean 'nested'?"),
        (PROVE + '[[inputs]]\nf = "f"\n', r"inputs\[0\].g"),
        (PROVE + '[[inputs]]\nf = "*.f"\ng = "g"\n', r"inputs\[0\].f: .* pattern"),
        (PROVE + '[[inputs]]\nf = "f\\u0000"\ng = "g"\nname = 3\n', r"inputs\[0\].name"),
        ("[[claims]\n", "TOML"),
        ("a = " + "[" * 5000, "TOML"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(tmp_path, capsys, text, words):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=words):
        read_campaign_file(path)
    with pytest.raises(SystemExit, match="2"):
        main(["--campaign", str(path), "--out", str(tmp_path / "out")])
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out" / "campaign.sqlite").exists()


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b", Path(os.devnull)):
        with pytest.raises(InputError, match="--campaign"):
            read_campaign_file(path)
    path = written(tmp_path, PROVE + STORED)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="TOML"):
        read_campaign_file(path)
    monkeypatch.setattr(campaign_file, "MOST_BYTES", 50)
    with pytest.raises(InputError, match="at most 50 bytes"):
        read_campaign_file(written(tmp_path, PROVE + STORED))


def test_options(tmp_path, capsys):
    for arguments, words in (
        (["--campaign", "c.toml", "--jobs", "0"], "--jobs"),
        (["--campaign", "c.toml", "--jobs", "x"], "--jobs"),
        (["--jobs", "2"], "nothing without --campaign"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main([*arguments, "--out", str(tmp_path)])
        assert words in capsys.readouterr().err
    path = written(tmp_path, PROVE + STORED)
    arguments = ["--campaign", str(path), "--out", str(tmp_path / "out"), "--jobs", "1", "--json"]
    for _ in range(2):  # the second time there is nothing left to do
        assert main(arguments) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["status"] == "PROVED"


def test_exit_codes_are_the_gravest():
    class Rows(CampaignResult):
        def __init__(self, *statuses, finished=True):
            self.given, self.done = dict.fromkeys(statuses, 1), finished

        counts = property(lambda self: self.given)
        finished = property(lambda self: self.done)

    assert exit_code(Rows("PROVED", "CERTIFIED", "holds", "vacuous")) == 0
    assert exit_code(Rows("PROVED", "OPEN")) == 4
    assert exit_code(Rows("REFUSED", "OPEN")) == 2
    assert exit_code(Rows("REFUSED", "CRASHED", "OPEN")) == 3
    assert exit_code(Rows("CRASHED", "PROVED", finished=False)) == 130
    for gravest in ("REFUTED", "FAILS", "NO LENGTH"):
        assert exit_code(Rows("CRASHED", gravest, "OPEN", finished=False)) == 1
