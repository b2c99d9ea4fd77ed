"""The pipeline of the experiments: resumable, atomic, complete, and honest about what is missing."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from verify.errors import InputError
from verify.model.summary import summarise as verify_summarise
from verify.training import require, store
from verify.training.experiment import Experiment, Setting

TINY = Experiment(
    name="tiny",
    task="mod_p",
    sweep="Δ",
    distribution="dirichlet",
    settings=(Setting(2, period=2), Setting(5, period=5)),
    training_lengths=(8, 16),
    seeds=(0, 1),
    test_lengths=(16, 256),
    test_distributions=("dirichlet", "conditional"),
    steps=70,
    batch=16,
    test_inputs=64,
    width=8,
    hidden=12,
)
COLUMNS = {"task", "difficulty", "vocabulary_size", "k", "training_length", "test_length"}
COLUMNS |= {"loss", "seed", "fitted", "config_digest", "versions"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    pytest.importorskip("jax")
    from verify.training.pipeline import train_all

    out = tmp_path_factory.mktemp("runs")
    train_all((TINY,), out, quiet=True)
    return out


@pytest.mark.slow
def test_rows_are_complete_and_tidy(trained):
    rows = store.read_rows(trained / "runs.csv.gz")
    assert set(rows[0]) >= COLUMNS
    keys = {
        (r["difficulty"], r["training_length"], r["seed"], r["test_distribution"], r["test_length"])
        for r in rows
    }
    assert len(rows) == len(keys) == 2 * 2 * 2 * 2 * 2
    assert all(0 <= r["loss"] < np.inf and r["fitted"] in (0, 1) for r in rows)
    assert all(r["max_error"] ** 2 >= r["loss"] for r in rows)
    assert {r["config_digest"] for r in rows} == {TINY.digest()}


@pytest.mark.slow
def test_a_killed_call_goes_on_where_it_stopped(trained, monkeypatch):
    from verify.training import optimise, pipeline

    before = store.read_rows(trained / "runs.csv.gz")

    def refuse(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(optimise, "train", refuse)
    store.rows_path(trained, TINY).unlink()  # killed after training, before testing
    (trained / "experiments" / ".tiny.csv.gz.part").write_bytes(b"half a file")
    pipeline.train_all((TINY,), trained, quiet=True)
    assert store.read_rows(trained / "runs.csv.gz") == before
    # Another configuration under the same name is trained anew, not taken for this one.
    with pytest.raises(AssertionError, match="trained again"):
        pipeline.train_all((dataclasses.replace(TINY, steps=71),), trained, quiet=True)


@pytest.mark.slow
def test_a_run_does_not_depend_on_the_runs_beside_it(trained):
    from verify.training.optimise import train

    alone = dataclasses.replace(TINY, training_lengths=(16,), seeds=(1,))
    params, losses = train(alone)
    assert losses.shape == (2, TINY.steps)
    _, together = store.read_weights(store.weights_path(trained, TINY))
    chosen = [i for i, run in enumerate(TINY.runs()) if run in alone.runs()]
    for name, array in params.items():
        assert np.abs(np.asarray(array) - together[name][chosen]).max() <= 1e-4, name


def test_seeds_are_used(trained):
    _, arrays = store.read_weights(store.weights_path(trained, TINY))
    assert len({array.tobytes() for array in arrays["embedding"]}) == len(TINY.runs())


@pytest.mark.slow
def test_measuring_and_drawing_need_no_jax(trained):
    from verify.training.measuring import measure_all

    measure_all((TINY,), trained, quiet=True)
    gaps = store.read_rows(trained / "gaps.csv.gz")
    assert all(row["gap"] >= 0 for row in gaps)
    attention = store.read_rows(trained / "attention.csv.gz")
    sums = {}
    for row in attention:
        key = (row["training_length"], row["seed"], row["input_length"])
        sums[key] = sums.get(key, 0) + row["weight"]
    assert all(abs(total - 1) <= 1e-9 for total in sums.values())
    for row in store.read_rows(trained / "simulation.csv.gz"):
        assert row["short"] <= row["limit"]
        assert max(row["error_simulated"], row["error_target"]) <= row["proven_error"]
    _check_certified(trained)

    code = (
        "import sys; sys.modules['jax'] = sys.modules['optax'] = None; "
        "from verify.training.__main__ import main; "
        f"main(['--figures-only', '--out', {str(trained)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    paths = [line for line in done.stdout.splitlines() if line.endswith(".png")]
    assert len(paths) >= 6
    figures = trained / "figures"
    assert {p.suffix for p in figures.iterdir()} == {".png", ".pdf"}
    assert (trained / "statistics.json").exists()


def _check_certified(out):
    """Two rows for every run, none left out, each with the losses of the same run."""
    rows = store.read_rows(out / "certified.csv.gz")
    losses = {
        (r["difficulty"], r["training_length"], r["seed"]): (r["loss"], r["max_error"])
        for r in store.read_rows(out / "runs.csv.gz")
        if (r["test_distribution"], r["test_length"]) == ("dirichlet", 256)
    }
    runs = [(row["difficulty"], row["training_length"], row["seed"]) for row in rows]
    assert runs == [run for run in losses for _ in range(2)]
    assert [(row["loss"], row["max_error"]) for row in rows] == [losses[run] for run in runs]
    assert {row["status"] for row in rows} <= {"PROVED", "REFUTED", "OPEN"}


@pytest.mark.slow
def test_importing_verify_imports_no_jax():
    code = "import sys, verify, verify.training.draw; print('jax' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_missing_extra_is_one_clear_error(monkeypatch, tmp_path):
    from verify.training.pipeline import train_all

    monkeypatch.setattr(require, "find_spec", lambda name: None)
    with pytest.raises(
        require.MissingExtra, match=r"jax, optax, tqdm: pip install 'lgbounds\[train\]'"
    ):
        train_all((TINY,), tmp_path)


def test_missing_results_are_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="a results file written by"):
        store.read_rows(tmp_path / "runs.csv.gz")


def test_rows_survive_the_round_trip(tmp_path):
    row = {"task": "1e5", "config_digest": "12e45", "difficulty": 2.5, "k": 3, "margin": None}
    store.write_rows(tmp_path / "a.csv.gz", [row])
    assert store.read_rows(tmp_path / "a.csv.gz") == [row]
    first = (tmp_path / "a.csv.gz").read_bytes()
    store.write_rows(tmp_path / "a.csv.gz", [row])
    assert (tmp_path / "a.csv.gz").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv.gz"]


@pytest.mark.slow
def test_width_does_not_change_the_size_of_activations():
    """μP: after some steps, logits and outputs are of the same order at every width."""
    jax = pytest.importorskip("jax")
    from verify.training.model import _content, forward, type_embeddings
    from verify.training.optimise import train
    from verify.training.tasks import make_task

    logits, outputs = [], []
    for width in (16, 128):
        e = dataclasses.replace(
            TINY,
            settings=TINY.settings[:1],
            training_lengths=(16,),
            seeds=(0, 1, 2, 3),
            width=width,
            hidden=2 * width,
            steps=50,
            attention_rate=1.0,
        )
        params, _ = train(e)
        setting = e.settings[0]
        rng = np.random.default_rng(0)
        batch = make_task(e, setting).sample(rng, np.arange(8, 40), "dirichlet")
        for i in range(len(e.seeds)):
            single = jax.tree.map(lambda a, i=i: a[i], params)
            types = type_embeddings(single)
            content = np.asarray(_content(types, single["key"], single["query"]))
            logits.append(np.ptp(content))
            outputs.append(np.abs(np.asarray(forward(e, single, batch))).mean())
    for sizes in (logits, outputs):
        narrow, wide = np.mean(sizes[:4]), np.mean(sizes[4:])
        # Without the factors d₀/d the updates of K, Q, V would grow with the width: 8-fold here.
        assert 1 / 2.5 <= wide / narrow <= 2.5, sizes


def test_lengths_beyond_writing_agree_with_written_inputs():
    from verify.tasks.mod_p import mod_p
    from verify.training.beyond import _summary

    f = mod_p(3, 1).transformer
    for length in (16, 17, 18, 64):
        summary, share = _summary(f, length, 1)
        x = np.zeros(length, dtype=int)
        for residue in range(3):
            places = [i for i in range(1, length) if i % 3 == residue]
            x[np.array(places[: summary.counts[residue, 1]]) - 1] = 1
        assert verify_summarise(x, 2, 3, 0) == summary
        assert abs(x[np.arange(1, length + 1) % 3 == 1].mean() - share) <= 1e-15
        assert abs(f(x)[0] - share) <= 1e-12
    # 2²⁵⁶ is no power to be afraid of: hardmax averages the residue, whose share is 30%.
    summary, share = _summary(f, 2**256, 1)
    assert abs(f.of_summary(summary)[0] - share) <= 1e-12
    assert abs(share - 0.3) <= 1e-12
