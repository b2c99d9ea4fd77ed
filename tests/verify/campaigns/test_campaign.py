"""`verify.campaign`: rows, resuming, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import threading
import time
import warnings
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import joblib
import numpy as np
import pytest

import verify
from tests.helpers.campaign_kills import OneInput, pairs, rows
from verify import tasks
from verify.campaigns import Answer, Claim, pairs_of_files, running, store
from verify.campaigns.definition import Definition
from verify.campaigns.work import Case, without_answer
from verify.errors import InputError

PLAIN = tasks.trained_pair("simple_plain", omega=2, training_length=32)
FINITE = tasks.trained_pair("mod_p", period=2, training_length=32)
SMALL = OneInput(5)


BAD_ANSWERS = {
    "no answer": "FINE",
    "no status": Answer(None),
    "fraction": Answer("FINE", low=Fraction(1, 3)),
    "NumPy": Answer("FINE", length=np.int64(3)),
}


class Silent(Exception):
    def __str__(self):
        raise RuntimeError


@dataclass(frozen=True)
class Hostile(Claim):
    """One of five parts does what its name says."""

    what: str

    @property
    def parts(self):
        return 5

    def run(self, f, g, part, seed):
        if part == 2:
            if self.what == "raise":
                raise ZeroDivisionError("by zero")
            if self.what == "refuse":
                raise InputError("f", 1, "2")
            if self.what == "leave":
                raise SystemExit("bye")
            if self.what == "not JSON":
                return Answer("FINE", detail={"error": float("nan")})
            if self.what == "no UTF-8":
                raise ValueError("\udc80")
            if self.what == "no message":
                raise Silent
            if self.what == "interrupt":
                raise KeyboardInterrupt
            if self.what == "stopped":  # as `prove` tells of a Ctrl-C
                return None
            return BAD_ANSWERS[self.what]
        return Answer("FINE", low=seed / 2**48)


def test_rows_say_what_the_calls_say(tmp_path):
    claims = [
        verify.Prove(target=0.3, horizon=None, certificate=True),
        verify.Certify(epsilon="1/10", horizon=2**20, certificate=True),
        verify.Check(epsilon="1/10", random=3, parts=2, length=300),
    ]
    result = verify.campaign(claims, PLAIN, out=tmp_path)
    assert result.finished
    assert result.counts == {"CERTIFIED": 1, "PROVED": 1, "holds": 2}
    proved, certified, first, second = result
    pair = PLAIN.model, PLAIN.target
    verdict = verify.prove(*pair, target="3/10", horizon=None)
    assert proved["target"] == Fraction(3, 10)
    assert proved["horizon"] is None
    assert proved["from_length"] == verdict.from_length
    assert (proved["low"], proved["high"]) == tuple(verdict.to_dict()["enclosure"])
    assert result.detail(0) == json.loads(json.dumps(verdict.to_dict()))
    assert verify.recheck(result.certificate(0), *pair).high == Fraction(3, 10)
    certificate = verify.certify(*pair, epsilon="1/10", horizon=2**20)
    assert certified["length"] == certificate.length
    assert result.certificate(1) == certificate
    assert verify.recheck(result.certificate(1), *pair)
    families = [row["family"] for part in (2, 3) for row in result.detail(part)["rows"]]
    assert {name.split("[")[0] for name in families} == {"uniform", "heavy_tailed", "periodic"}
    assert (first["part"], second["part"]) == (0, 1)
    with pytest.raises(InputError, match="certificate=True"):
        result.certificate(2)
    with pytest.raises(InputError, match="number"):
        result.detail(4)
    with pytest.raises(InputError, match="number"):
        result.detail("0")


def test_random_inputs_take_families_in_turn_across_parts(tmp_path):
    claim = verify.Check(epsilon="1/10", random=6, parts=4, families=["halves", "uniform"])
    pair = PLAIN.model, PLAIN.target
    used = [one.family for part in range(4) for one in claim._inputs(*pair, part, seed=0)]
    assert [name.split("[")[0] for name in used] == ["halves", "uniform"] * 3


def test_what_fails_is_a_row_and_the_others_are_there(tmp_path):
    for what, status, error in (
        ("raise", "CRASHED", "ZeroDivisionError: by zero"),
        ("refuse", "REFUSED", "f: got 1 (int); allowed: 2"),
        ("leave", "CRASHED", "SystemExit: bye"),
        ("not JSON", "CRASHED", "ValueError"),
        ("no UTF-8", "CRASHED", r"ValueError: \udc80"),
        ("no message", "CRASHED", "Silent: "),
        ("no answer", "CRASHED", "TypeError: run() returned a str"),
        ("no status", "CRASHED", "TypeError: status is None"),
        ("fraction", "CRASHED", "TypeError: low is Fraction(1, 3), of type Fraction"),
        ("NumPy", "CRASHED", "TypeError: length is "),
    ):
        result = verify.campaign(Hostile(what), FINITE, out=tmp_path / what)
        assert result.counts == {"FINE": 4, status: 1}
        assert result.table()[2]["error"].startswith(error)
    assert "by zero" in verify.CampaignResult.load(tmp_path / "raise").detail(2)["traceback"]
    again = verify.campaign(Hostile("raise"), FINITE, out=tmp_path / "raise", retry=True)
    assert again.counts == {"FINE": 4, "CRASHED": 1}


@pytest.mark.parametrize("what", ["interrupt", "stopped"])
def test_an_interruption_keeps_what_is_done(tmp_path, what):
    result = verify.campaign(Hostile(what), FINITE, out=tmp_path)
    assert not result.finished
    assert [row["part"] for row in result] == [0, 1]
    assert [case["part"] for case in result.missing] == [2, 3, 4]
    assert str(result) == "2 of 5 cases: FINE 2"


@dataclass(frozen=True)
class Deadly(Claim):
    """Ends the process that it is in."""

    def run(self, f, g, part, seed):
        os._exit(3)


@pytest.mark.slow
def test_a_worker_that_dies_is_a_row(tmp_path):
    (row,) = verify.campaign(Deadly(), FINITE, out=tmp_path, n_jobs=2)
    assert row["status"] == "CRASHED"
    assert "its worker did not survive it" in row["error"]


class FakeWorkers:
    """Stands for joblib: a call that meets a deadly case raises, and loses what is under way."""

    def __init__(self, deadly=(), left=10**9):
        self.deadly, self.left = set(deadly), left

    def __call__(self, function, items, n_jobs, tries):
        if self.left <= 0:
            raise TimeoutError("no worker")
        items = iter(items)
        while batch := list(itertools.islice(items, 3)):
            if function is abs:
                yield from map(abs, batch)
                continue
            cases = [item[0] if isinstance(item, tuple) else item for item in batch]
            if any(case.number in self.deadly for case in cases):
                self.left -= 1
                raise ChildProcessError("died")
            for case in cases:
                found = without_answer(case.number, "FINE", "", {})
                yield (True, found) if function is running._elsewhere else found


def fake_cases(number):
    return [Case(k, SMALL, FINITE.model, FINITE.target, 0, 0) for k in range(number)]


@pytest.mark.parametrize("deadly", [(), (0,), (4,), (0, 1, 2), (3, 9), range(10)])
def test_only_those_that_die_alone_are_to_blame(monkeypatch, deadly):
    monkeypatch.setattr(running, "_mapped", FakeWorkers(deadly))
    found = list(running.answered(fake_cases(10), 2))
    assert sorted(row.number for row in found) == [*range(10)]
    assert {row.number for row in found if row.answer.status == "CRASHED"} == set(deadly)


def test_without_workers_nobody_is_to_blame(monkeypatch):
    monkeypatch.setattr(running, "_SECONDS_BETWEEN_TRIES", 0)
    monkeypatch.setattr(running, "_mapped", FakeWorkers((4,), left=2))  # those two do not return
    found = []
    with pytest.raises(TimeoutError):
        found.extend(running.answered(fake_cases(10), 2))
    monkeypatch.setattr(running, "_mapped", FakeWorkers(left=0))
    with pytest.raises(TimeoutError):
        next(running.answered(fake_cases(10), 2))


def test_a_fatal_case_never_runs_in_the_caller(monkeypatch):
    case = fake_cases(1)[0]
    assert running._elsewhere((case, running._this_process())) == (False, None)
    assert running._elsewhere((case, ("elsewhere", 1)))[0]
    monkeypatch.setattr(running, "_SECONDS_BETWEEN_TRIES", 0)
    monkeypatch.setattr(running, "_mapped", lambda function, items, *rest: map(function, items))
    with pytest.raises(ChildProcessError):  # one worker is left, which is this process
        running._alone(case, None, ChildProcessError("died"))


def test_the_order_of_pairs_changes_no_row(tmp_path):
    one = verify.campaign(SMALL, pairs(), out=tmp_path / "1")
    two = verify.campaign(SMALL, dict(reversed(pairs().items())), out=tmp_path / "2")
    key = {(row["input"], row["part"]): row["low"] for row in one}
    assert {(row["input"], row["part"]): row["low"] for row in two} == key
    assert len(set(key.values())) > 5


def test_resuming_goes_on_where_it_stopped(tmp_path):
    whole = verify.campaign(SMALL, pairs(), out=tmp_path)
    expected = rows(tmp_path)
    with sqlite3.connect(tmp_path / "campaign.sqlite") as connection:
        connection.execute("DELETE FROM results WHERE number IN (1, 7)")
        connection.execute("UPDATE results SET seconds = -1")
    connection.close()
    # The order of what is given plays no role.
    again = verify.campaign(SMALL, dict(reversed(pairs().items())), out=tmp_path)
    assert rows(tmp_path) == expected
    assert [row["number"] for row in again if row["seconds"] >= 0] == [1, 7]
    assert again.definition == whole.definition
    assert verify.campaign([SMALL, SMALL], pairs(), out=tmp_path).planned == 10


def test_another_definition_is_refused(tmp_path):
    verify.campaign(SMALL, pairs(), out=tmp_path)
    with pytest.raises(InputError, match=r"out: .* new are 1 claims, such as .*; gone are 1"):
        verify.campaign(OneInput(6), pairs(), out=tmp_path)
    fewer = {"mod p": FINITE}
    with pytest.raises(InputError, match=r"gone are 1 inputs, such as 'swapped'"):
        verify.campaign(SMALL, fewer, out=tmp_path)
    assert len(verify.CampaignResult.load(tmp_path)) == 10


def test_files_are_read_again_each_time(tmp_path):
    paths = [tmp_path / name for name in "fg"]
    for path, model in zip(paths, (FINITE.model, FINITE.target), strict=True):
        model.save(path)
    verify.campaign(SMALL, paths, out=tmp_path / "out")
    PLAIN.model.save(paths[0])
    with pytest.raises(InputError, match=r"new are 1 inputs, such as .* with weights"):
        verify.campaign(SMALL, paths, out=tmp_path / "out")
    paths[0].unlink()
    with pytest.raises(InputError, match=r"which cannot be read \(path: .*No such file"):
        verify.campaign(SMALL, paths, out=tmp_path / "out")


@pytest.mark.parametrize("cut", ["text", "half", "noise", "foreign", "newer"])
def test_files_that_are_none_are_refused_and_left_alone(tmp_path, cut):
    verify.campaign(SMALL, pairs(), out=tmp_path)
    file = tmp_path / "campaign.sqlite"
    content = file.read_bytes()
    if cut in ("foreign", "newer"):
        pragma = "application_id = 1" if cut == "foreign" else "user_version = 2"
        with sqlite3.connect(file) as connection:
            connection.execute(f"PRAGMA {pragma}")
        connection.close()
    else:
        page = b"no page of a tree " * 4000
        new = {"text": b"text\n" * 999, "half": content[: len(content) // 2]}
        file.write_bytes(new.get(cut, content[:4096] + page[: len(content) - 4096]))
    before = file.read_bytes()
    words = {"foreign": "not a campaign's", "newer": "version 2"}.get(cut, "whole")
    for call in (
        lambda: verify.campaign(SMALL, pairs(), out=tmp_path),
        lambda: verify.CampaignResult.load(tmp_path),
    ):
        with pytest.raises(InputError, match=words):
            call()
    assert file.read_bytes() == before


def test_a_foreign_file_with_a_log_is_left_alone(tmp_path):
    file = tmp_path / "campaign.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text)")
    before = file.read_bytes()
    with pytest.raises(InputError, match="not a campaign's"):
        verify.campaign(SMALL, FINITE, out=tmp_path)
    assert file.read_bytes() == before


def test_a_lock_that_is_none_is_named(tmp_path):
    (tmp_path / "campaign.lock").write_text("text\n" * 999)
    with pytest.raises(InputError, match=r"whose campaign\.lock is whole"):
        verify.campaign(SMALL, FINITE, out=tmp_path)


@pytest.mark.parametrize("together", [False, True])
def test_a_full_disk_loses_nothing(together, tmp_path, monkeypatch):
    connect, write = store._connected, store.Store._write

    def late(self):
        time.sleep(0.5)  # all rows have come, and are committed at once
        write(self)

    def small(folder, mode):
        connection = connect(folder, mode)
        connection.execute("PRAGMA max_page_count = 14")
        return connection

    monkeypatch.setattr(store, "_connected", small)
    if together:
        monkeypatch.setattr(store.Store, "_write", late)
    claim = OneInput(30, length=2000)
    for _ in range(2):
        with pytest.raises(InputError, match="room on its disk"):
            verify.campaign(claim, FINITE, out=tmp_path)
    monkeypatch.undo()
    done = len(verify.CampaignResult.load(tmp_path))
    assert 0 < done < 30
    assert verify.campaign(claim, FINITE, out=tmp_path).finished


def test_one_writer_at_a_time_and_readers_beside_it(tmp_path):
    definition = Definition.of(SMALL, pairs())
    with store.Store.opened(tmp_path, definition):
        with pytest.raises(InputError, match="no campaign is running"):
            verify.campaign(SMALL, pairs(), out=tmp_path)
        assert len(verify.CampaignResult.load(tmp_path).missing) == 10
    assert verify.campaign(SMALL, pairs(), out=tmp_path).finished


def test_threads_of_a_backend_take_turns(tmp_path):
    with joblib.parallel_config(backend="threading", n_jobs=3):
        threads = verify.campaign(SMALL, pairs(), out=tmp_path / "threads")
    assert threads.finished
    verify.campaign(SMALL, pairs(), out=tmp_path / "one")
    assert rows(tmp_path / "threads") == rows(tmp_path / "one")
    assert not [t for t in threading.enumerate() if t.name.startswith("campaign")]


def test_a_backend_that_cannot_do_it_is_refused(tmp_path):
    with (
        joblib.parallel_config(backend="multiprocessing", n_jobs=2),
        pytest.raises(InputError, match="loky, threading, dask or ray"),
    ):
        verify.campaign(SMALL, FINITE, out=tmp_path)


@dataclass(frozen=True)
class Own(Claim):
    """A claim with a field that is called as a column, and any number of parts."""

    target: object
    count: object = 1

    @property
    def parts(self):
        return self.count

    def run(self, f, g, part, seed):
        return Answer("FINE", certificate={"own": 1})


def test_claims_of_ones_own(tmp_path, monkeypatch):
    targets = ["1/0", "x", 0.1, np.int64(3), Fraction(1, 3)]
    monkeypatch.chdir(tmp_path)
    result = verify.campaign([Own(t) for t in targets], FINITE, out="out")
    monkeypatch.chdir("/")
    assert result.table().column("target") == [None, None, 0.1, 3, Fraction(1, 3)]
    assert result.detail(np.int64(4)) == {}  # as DataFrames have numbers
    with pytest.raises(InputError, match="one of the formats"):
        result.certificate(0)
    for claim, words in (
        (Own(1, 0), "parts: .* at least 1"),
        (Own(1, 1.5), "parts: .* at least 1"),
        (Own(10**5000), r"target: .* to 2\^8,192"),
        (Own(Fraction(1, 10**5000)), r"target: .* to 2\^8,192"),
    ):
        with pytest.raises(InputError, match=words):
            verify.campaign(claim, FINITE, out=tmp_path / "none")


def test_dask_runs_it(tmp_path):
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=2, processes=False, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            result = verify.campaign([SMALL, Hostile("refuse")], pairs(), out=tmp_path / "dask")
    assert result.counts == {"FINE": 8, "MEASURED": 10, "REFUSED": 2}
    verify.campaign([SMALL, Hostile("refuse")], pairs(), out=tmp_path / "here")
    assert rows(tmp_path / "dask") == rows(tmp_path / "here")


def test_a_table_as_sweeps_have_it(tmp_path):
    result = verify.campaign(
        SMALL, {"naïve, ∞\n名": FINITE, "\udc80": PLAIN}, out=tmp_path / "é?#%"
    )
    result.to_csv(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text("utf-8")
    assert lines.startswith("number,claim,input,part,epsilon,target,horizon,status,length,")
    data = json.loads(result.to_json(tmp_path / "rows.json"))
    assert json.loads((tmp_path / "rows.json").read_text("utf-8")) == data
    assert {row["input"] for row in data} == {"naïve, ∞\n名", "\\udc80"}
    assert len(result.table().where(status="MEASURED", part=[0, 1])) == 4
    assert repr(result) == "<CampaignResult 10 of 10 cases: MEASURED 10>"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among files")
def test_paths_that_are_no_files_are_rows(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: reading would never end
    pairs = [(f, "g") for f in (tmp_path / "pipe", "", "a\0b", tmp_path)]
    result = verify.campaign(SMALL, pairs, out=tmp_path / "out")
    assert result.counts == {"REFUSED": 20}


def test_pairs_of_files_by_patterns(tmp_path):
    for name in ("a", "b [x]"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        FINITE.model.save(folder / "f.safetensors")
    FINITE.target.save(tmp_path / "runs/a/g.safetensors")
    both = pairs_of_files("runs/*/f.safetensors", "runs/*/g.safetensors", folder=tmp_path)
    names = [f"runs/{name}/f.safetensors and runs/{name}/g.safetensors" for name in ("a", "b [x]")]
    assert [pair.name for pair in both] == names
    result = verify.campaign(SMALL, both, out=tmp_path / "out")
    assert result.counts == {"MEASURED": 5, "REFUSED": 5}
    one = pairs_of_files("runs/*/f.safetensors", tmp_path / "runs/a/g.safetensors", folder=tmp_path)
    assert [pair.problem for pair in one] == ["", ""]
    for f, g in (
        ("runs/*/h", "g"),
        ("runs/*/f.safetensors", "*/*"),
        ("**/f.safetensors", "g"),
        ("*/" * 5, "g"),
        (3, "g"),
        ("f", b"g"),
    ):
        with pytest.raises(InputError):
            pairs_of_files(f, g, folder=tmp_path)


def test_arguments_that_are_none(tmp_path):
    prove = verify.Prove(target="3/10", horizon=None)
    for claims, inputs, extra in (
        ([], FINITE, {}),
        (prove, [], {}),
        ("prove", FINITE, {}),
        (prove, 3, {}),
        (prove, "ab", {}),
        (prove, [FINITE.model], {}),
        (prove, {"": FINITE}, {}),
        (prove, FINITE, {"n_jobs": 0}),
        (prove, FINITE, {"n_jobs": "x"}),
        (prove, FINITE, {"n_jobs": True}),
        (prove, FINITE, {"progress": "yes"}),
        (prove, FINITE, {"retry": "no"}),
        (prove, FINITE, {"out": "/dev/null/folder"}),
        (prove, FINITE, {"out": "a\0b"}),
        (prove, FINITE, {"out": None}),
        ([prove, verify.Check(epsilon=1, random=10**6, parts=10**6)], FINITE, {}),
    ):
        with pytest.raises(InputError):
            verify.campaign(claims, inputs, **({"out": tmp_path / "out"} | extra))
    assert not (tmp_path / "out").exists()
    for kind, arguments in (
        (verify.Prove, {"target": "x", "horizon": None}),
        (verify.Prove, {"target": -1, "horizon": None}),
        (verify.Prove, {"target": 1, "horizon": 0}),
        (verify.Prove, {"target": 1, "horizon": 5, "from_length": 6}),
        (verify.Prove, {"target": 1, "horizon": None, "error": "average"}),
        (verify.Prove, {"target": 1, "horizon": None, "law": verify.FixedLaw([1])}),
        (verify.Prove, {"target": 1, "horizon": None, "limit": 0}),
        (verify.Certify, {"epsilon": 0}),
        (verify.Certify, {"epsilon": 1, "target": 1}),
        (verify.Check, {"epsilon": 0}),
        (verify.Check, {"epsilon": 1, "parts": 2}),
        (verify.Check, {"epsilon": 1, "random": 1, "parts": 2}),
        (verify.Check, {"epsilon": 1, "families": ["uniform"]}),
        (verify.Check, {"epsilon": 1, "random": 1, "families": ["uniformly"]}),
    ):
        with pytest.raises(InputError):
            kind(**arguments)


def test_different_claims_read_differently():
    law, other = verify.DirichletLaw([1, 1]), verify.FixedLaw(["1/3", "2/3"])
    average = {"target": 1, "horizon": 9, "error": "average"}
    claims = [
        verify.Prove(target=1, horizon=9),
        verify.Prove(target=1, horizon=9, limit=50),
        verify.Prove(**average, law=law),
        verify.Prove(**average, law=other),
        verify.Check(epsilon=1),
        verify.Check(epsilon=1, length=100),
        verify.Check(epsilon=1, seed=1),
        verify.Check(epsilon=1, theorem="derived.one_layer_linf"),
        verify.Check(epsilon=1, random=9),
        verify.Check(epsilon=1, random=9, parts=3),
        verify.Check(epsilon=1, random=9, families="nested"),
    ]
    assert len(set(map(str, claims))) == len(claims)


def test_average_claims(tmp_path):
    law = verify.DirichletLaw([1, "1/2"])
    claim = verify.Prove(target="1/20", horizon=2**10, error="average", law=law)
    (row,) = verify.campaign(claim, FINITE, out=tmp_path)
    assert row["status"] == "PROVED"
    assert row["claim"] == "average |f − g| ≤ 1/20 up to 1,024, Dirichlet(1, 1/2)"
    other = verify.Prove(
        target="1/20", horizon=2**10, error="average", law=verify.DirichletLaw([1, 1])
    )
    with pytest.raises(InputError, match="new are"):
        verify.campaign(other, FINITE, out=tmp_path)


def test_progress_says_how_long(tmp_path, capsys):
    verify.campaign(SMALL, pairs(), out=tmp_path, progress=True)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("campaign: 10/10 cases, ")
    assert line.endswith("; MEASURED 10")
    verify.campaign(OneInput(6), pairs(), out=tmp_path / "b", progress=None)
    assert capsys.readouterr().err == ""
