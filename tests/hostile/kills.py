"""`python -m tests.hostile.kills DIR saves=100 runs=100 training=10`: kill −9 at random moments.

saves: a child writes two files in turn, over each other, until it is killed; whoever reads finds
one of the two, whole. runs: the pipeline of the experiments with steps that take no time, so that
most kills meet its files; resumed until it ends, its files are those of a run that nobody killed.
training: the same with JAX, for two tiny experiments. Prints counts as JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tests.fuzz.targets import certificates
from tests.hostile.tiny_training import run
from verify import LimitTransformer
from verify.certificates.direct.certificate import EnclosureCertificate
from verify.certificates.saved import SavedCertificate
from verify.training import measuring, pipeline, store

RNG = random.Random(9)


def killed(child: Callable[[], None], longest: float) -> bool:
    """Run this in a process of its own and kill it after a random time; whether it was running."""
    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(0)
    time.sleep(RNG.random() * longest)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def parts(folder: Path) -> int:
    return sum(path.name.endswith(".part") for path in folder.rglob("*"))


# Models and certificates.


def model(value: float, hidden: int = 20_000) -> LimitTransformer:
    """Some three megabytes, so that writing takes longer than renaming."""
    data = tiny_layers(value, hidden)
    return LimitTransformer(**data)


def tiny_layers(value: float, hidden: int) -> dict[str, Any]:
    import verify

    head = verify.Head(np.eye(8), np.eye(8) * value, [0.0])
    layer = verify.Layer(
        (head,), np.full((hidden, 8), value), np.ones(hidden), np.ones((8, hidden))
    )
    ends = {name: np.ones((2, 8)) for name in ("embedding", "positions", "unembedding")}
    return {**ends, "layers": (layer,), "precision_bits": 4}


def saves(count: int, folder: Path) -> dict[str, int]:
    """Kill writers of models and of certificates of both kinds; check what is there."""
    instance, enclosure = certificates()[0][0], certificates()[1][0]
    padding = {"not_claimed": ["x" * 2_000_000]}
    kinds: dict[str, tuple[Any, Callable[[Path], Any]]] = {
        "f.safetensors": ([model(1.0), model(2.0)], LimitTransformer.load),
        "c.json": (
            [
                SavedCertificate.load(_written(folder, instance | padding | {"claim": c}))
                for c in "ab"
            ],
            SavedCertificate.load,
        ),
        "e.json": (
            [EnclosureCertificate(enclosure | padding | {"claim": c}) for c in "ab"],
            EnclosureCertificate.load,
        ),
    }
    found = {"kills": 0, "first": 0, "second": 0, "absent": 0, "parts": 0}
    for number in range(count):
        name = list(kinds)[number % 3]
        versions, load = kinds[name]
        path = folder / str(number) / name
        path.parent.mkdir()
        if number % 6 < 3:  # half of the files are there already
            versions[0].save(path)

        def child(versions: Any = versions, path: Path = path) -> None:
            while True:
                versions[1].save(path)
                versions[0].save(path)

        assert killed(child, 0.1)
        found["kills"] += 1
        if path.exists():
            again = load(path)
            assert again in versions
            found["first" if again == versions[0] else "second"] += 1
        else:
            assert number % 6 >= 3, "the old file is gone"
            found["absent"] += 1
        left = parts(path.parent)
        found["parts"] += left
        assert left <= 1
        versions[1].save(path)  # what is left over is in nobody's way
        assert load(path) == versions[1]
        assert {p.name for p in path.parent.iterdir() if not p.name.endswith(".part")} == {name}
        shutil.rmtree(path.parent)
    return found


def _written(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "given.json"
    path.write_text(json.dumps(data))
    return path


# Experiments.


def contents(out: Path) -> dict[str, Any]:
    """All that a run leaves: rows without the seconds that they took, and weights."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*.csv.gz")):
        rows = store.read_rows(path)
        found[str(path.relative_to(out))] = [
            {name: value for name, value in row.items() if not name.endswith("_seconds")}
            for row in rows
        ]
    for path in sorted(out.rglob("*.safetensors")):
        digest, arrays = store.read_weights(path)
        found[str(path.relative_to(out))] = (digest, {n: a.tolist() for n, a in arrays.items()})
    found["timing"] = sorted(json.loads((out / "timing.json").read_text())) if out.exists() else []
    return found


def without_work() -> None:
    """Put steps that take no time in the place of training, testing and measuring."""

    def train(experiment: Any, bar: Any) -> tuple[dict[str, Any], None]:
        return {
            "w": np.full((len(experiment.runs()), 5_000), len(experiment.name), np.float32)
        }, None

    def evaluate(experiment: Any, params: Any) -> list[dict[str, Any]]:
        row = {"config_digest": experiment.digest(), "experiment": experiment.name}
        return [row | {"loss": float(np.sum(params["w"])) + k} for k in range(300)]

    def measured(experiment: Any, run: Any, f: Any) -> list[dict[str, Any]]:
        row = {"config_digest": experiment.digest(), "experiment": experiment.name}
        return [row | {"seed": run.seed, "number": k} for k in range(100)]

    jax, device = ModuleType("jax"), type("Device", (), {"device_kind": "none"})
    jax.devices, jax.numpy = lambda: [device], np  # type: ignore[attr-defined]
    for name, function in (("optimise", train), ("evaluate", evaluate)):
        stub = ModuleType(f"verify.training.{name}")
        setattr(stub, function.__name__, function)
        sys.modules[stub.__name__] = stub
    sys.modules["jax"] = jax
    sys.modules["tqdm"] = tqdm = ModuleType("tqdm")
    tqdm.tqdm = lambda things, **_: things  # type: ignore[attr-defined]
    pipeline.require_train_extra = measuring.require_train_extra = lambda: None
    measuring.to_limit_transformer = lambda experiment, run, params: None  # type: ignore[assignment]
    measuring.FILES = {name: (measured, lambda e, r: True) for name in ("constants", "gaps")}


def runs(count: int, folder: Path) -> dict[str, int]:
    """Kill the pipeline without its work; resume it, killed up to three times, until it ends."""
    without_work()
    run(folder / "warm")
    started = time.perf_counter()
    run(folder / "whole")
    longest, whole = 1.5 * (time.perf_counter() - started), contents(folder / "whole")
    return _killed_runs(count, folder, whole, lambda out: killed(lambda: run(out), longest))


def training(count: int, folder: Path) -> dict[str, int]:
    """Kill processes that train; resume each, killed up to three times, until it ends."""

    def command(out: Path) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "tests.hostile.tiny_training", str(out)]
        return subprocess.Popen(line, start_new_session=True)

    started = time.perf_counter()
    assert command(folder / "whole").wait() == 0
    longest, whole = time.perf_counter() - started, contents(folder / "whole")

    def kill(out: Path) -> bool:
        process = command(out)
        time.sleep(RNG.random() * longest)
        running = process.poll() is None
        process.kill()
        process.wait()
        return running

    def finish(out: Path) -> None:
        assert command(out).wait() == 0

    return _killed_runs(count, folder, whole, kill, finish)


def _killed_runs(
    count: int,
    folder: Path,
    whole: dict[str, Any],
    kill: Callable[[Path], bool],
    finish: Callable[[Path], None] = run,
) -> dict[str, int]:
    found = {"kills": 0, "runs": 0, "parts": 0}
    while found["kills"] < count:
        out = folder / f"run{found['runs']}"
        for _ in range(1 + RNG.randrange(3)):
            found["kills"] += kill(out)
            _check(out, whole)
        if out.exists():
            found["parts"] += parts(out)
        finish(out)
        assert contents(out) == whole
        found["runs"] += 1
        shutil.rmtree(out)
    return found


def _check(out: Path, whole: dict[str, Any]) -> None:
    """After a kill, whatever has its final name is as the whole run has it."""
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    for name in names:
        if not name.endswith(".part") and name != "timing.json":
            path = out / name
            if name.endswith(".csv.gz"):
                assert len(store.read_rows(path)) == len(whole[name])
            else:
                assert store.read_weights(path)[0] == whole[name][0]
    assert {n for n in names if not n.endswith(".part")} <= {*whole, "timing.json"}


if __name__ == "__main__":
    out, kinds = Path(sys.argv[1]), {"saves": saves, "runs": runs, "training": training}
    results = {}
    for kind, count in (argument.split("=") for argument in sys.argv[2:]):
        (out / kind).mkdir(parents=True, exist_ok=True)
        results[kind] = kinds[kind](int(count), out / kind)
    print(json.dumps(results))
