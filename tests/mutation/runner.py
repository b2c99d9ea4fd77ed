"""Fork one process for each mutant, in a pytest that has collected all tests."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.coverage import LineRecorder
from tests.mutation.live import Live, import_anew
from tests.mutation.mutants import Mutant, Source

KILLED, SURVIVED, TIMEOUT, NO_TEST = "killed", "survived", "timeout", "no test"
SAME, CONTROL = "same code", "control"
CHECKERS = "verify/certificates/recheck/"
MAKERS = {
    "test_each_kind_of_forgery_is_named",
    "test_forgeries_are_named",
    "test_the_examples_pass",
    "test_random_pairs_pass",
}
CONTROLS = 40
"""After so many mutants the same tests are run on the code as it is, and must pass."""


@dataclass
class Options:
    """What to run.

    Attributes:
        root: of the tree.
        out: where results go.
        weights: files to change, relative to the root, with the weight of their sampling.
        jobs: processes at a time.
        seconds: wall clock for everything.
        budget: seconds of tests for one mutant, as measured without a change, times its weight.
        slowest: tests that take longer are not used.
        seed: of the order of mutants.
        at_import: weight of what runs at import.
        only: keys of mutants; empty: all.
        baseline: tests.json.gz of an earlier run.
    """

    root: Path
    out: Path
    weights: dict[str, float]
    jobs: int = 2
    seconds: float = 600
    budget: float = 4
    slowest: float = 8
    seed: int = 2026
    at_import: float = 0.1
    only: frozenset[str] = frozenset()
    baseline: Path | None = None


class Plugin:
    """A pytest plugin that replaces the loop over tests."""

    def __init__(self, options: Options) -> None:
        """Begin to record; nothing of the packages has been imported."""
        self.options = options
        self.began = time.monotonic()
        root = options.root
        self.sources = {path: Source(root, path) for path in options.weights}
        files = {source.file for source in self.sources.values()}
        loaded = [n for n in sys.modules if n.split(".")[0] in ("bounds", "verify")]
        if loaded:
            raise RuntimeError(f"imported too early: {loaded[:3]}")
        self.files = files
        self.recorder = LineRecorder(files)
        self.fixtures: dict[str, set[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}  # of CPU, by test
        self.kills: dict[str, dict[str, int]] = {}
        self.unfinished = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef, request: object) -> object:
        """Lines of a fixture that several tests share belong to each of them."""
        if self.recorder is None or fixturedef.scope == "function":
            return (yield)
        with self.recorder.recorded() as lines:
            result = yield
        self.fixtures.setdefault(f"{fixturedef.baseid}::{fixturedef.argname}", set()).update(lines)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests, then run the mutants."""
        if session.testsfailed:
            self.say(f"{session.testsfailed} files could not be collected")
        self.recorder.collected()
        self.items = {item.nodeid: item for item in session.items}
        self.config = session.config
        self.config.option.tbstyle = "native"
        self.make_examples()
        self.live = Live(self.files)
        gc_freeze()
        self.say(f"{len(self.items)} tests collected")
        self.measure()
        self.run(list(self.order()))
        return True

    def say(self, text: str) -> None:
        """Print, with the time."""
        line = f"[{time.monotonic() - self.began:6.1f} s] {text}"
        print(line, flush=True)

    def make_examples(self) -> None:
        """Let tests of the checkers make the certificates that they all start from.

        The checkers share no code with what makes these, so that their mutants can have them.
        """
        self.recorder.stop()
        seen = set()
        for item in self.items.values():
            name = item.nodeid.split("[")[0]
            if name.split("::")[-1] in MAKERS and name not in seen:
                seen.add(name)
                if passes(item, None) is False:
                    self.say(f"{item.nodeid} fails")

    # Tests without a change

    def measure(self) -> None:
        """Run every test once, in processes by file: which pass, how long, and what they run."""
        old = self.options.baseline
        if old is not None:
            self.load(json.loads(gzip.decompress(old.read_bytes())))
            return
        groups: dict[str, list[pytest.Item]] = {}
        for item in self.items.values():
            groups.setdefault(item.nodeid.split("::")[0], []).append(item)
        # Long files in pieces, which may repeat fixtures; what is slow first.
        pieces = [
            (name, items[k : k + 12])
            for name, items in groups.items()
            for k in range(0, len(items), 12)
        ]

        def slow(piece: tuple[str, list[pytest.Item]]) -> int:
            return -sum(item.get_closest_marker("slow") is not None for item in piece[1])

        jobs = [
            (lambda items=items: self.measured(items), 240.0, name)
            for name, items in sorted(pieces, key=slow)
        ]
        found: dict = {"tests": {}, "fixtures": {}, "failed": []}
        for _, name, text, status in self.processes(iter(jobs)):
            if not text:
                self.say(f"tests of {name} ended with {status}")
                continue
            data = json.loads(text)
            found["tests"].update(data["tests"])
            found["failed"] += data["failed"]
            for key, lines in data["fixtures"].items():
                found["fixtures"].setdefault(key, []).append(lines)
        found["imported"] = self.by_file(self.recorder.imported)
        (self.options.out / "tests.json.gz").write_bytes(gzip.compress(json.dumps(found).encode()))
        self.load(found)

    def by_file(self, lines: set[tuple[str, int]]) -> dict[str, list[int]]:
        """Lines, by the number of their file."""
        found: dict[str, list[int]] = {}
        for file, line in sorted(lines):
            found.setdefault(os.path.relpath(file, self.options.root), []).append(line)
        return found

    def load(self, found: dict) -> None:
        """Take over measurements."""
        self.by_line: dict[tuple[str, int], list[str]] = {}
        # Seconds of a test, more for one that has most to do with other files.
        self.price: dict[tuple[str, str], float] = {}
        for nodeid, (seconds, lines) in found["tests"].items():
            item = self.items.get(nodeid)
            if item is None or seconds > self.options.slowest:
                continue
            self.seconds[nodeid] = seconds
            seen = {path: set(numbers) for path, numbers in lines.items()}
            for definitions in item._fixtureinfo.name2fixturedefs.values():
                for d in definitions:
                    for shared in found["fixtures"].get(f"{d.baseid}::{d.argname}", ()):
                        for path, numbers in shared.items():
                            seen.setdefault(path, set()).update(numbers)
            total = sum(map(len, seen.values()))
            for path, numbers in seen.items():
                if path in self.sources:
                    self.price[nodeid, path] = (seconds + 0.02) * total / len(numbers)
                    for number in numbers:
                        self.by_line.setdefault((path, number), []).append(nodeid)
        self.imported = {(f, n) for f, numbers in found["imported"].items() for n in numbers}
        self.say(
            f"{len(self.seconds)} tests used, {sum(self.seconds.values()):.0f} s of CPU; "
            f"{len(found['failed'])} fail here: " + ", ".join(found["failed"][:5])
        )

    def measured(self, items: list[pytest.Item]) -> str:
        """In a process of its own: run these tests, and say what was seen."""
        self.recorder.start()
        signal.signal(signal.SIGPROF, _too_slow)
        tests, failed = {}, []
        for k, item in enumerate(items):
            self.live.forget_all(examples=False)
            following = items[k + 1] if k + 1 < len(items) else None
            before = time.process_time()
            limit(2 * self.options.slowest + 2)
            with self.recorder.recorded() as lines:
                good = passes(item, following)
            limit(0)
            seconds = time.process_time() - before
            if good is False:
                failed.append(item.nodeid)
            elif good:
                tests[item.nodeid] = (round(seconds, 4), self.by_file(lines))
        fixtures = {key: self.by_file(lines) for key, lines in self.fixtures.items()}
        return json.dumps({"tests": tests, "failed": failed, "fixtures": fixtures})

    # Mutants

    def order(self) -> Iterator[Mutant]:
        """All mutants in an order whose every beginning is a random sample of each file.

        Changes of what runs at import cost seconds each, for all is imported anew: they are a
        population of their own, sampled at a tenth of the rate.
        """
        ranked = []
        for path, source in self.sources.items():
            mutants = source.mutants()
            random.Random(f"{self.options.seed} {path}").shuffle(mutants)
            for at_import, factor in ((False, 1.0), (True, self.options.at_import)):
                chosen = [m for m in mutants if m.at_import == at_import]
                size = len(chosen) * self.options.weights[path] * factor
                ranked += [((k + 0.5) / size, m) for k, m in enumerate(chosen)]
        ranked.sort(key=lambda pair: (pair[0], pair[1].key))
        self.say(f"{len(ranked)} mutants")
        (self.options.out / "sizes.json").write_text(json.dumps(self.sizes(m for _, m in ranked)))
        for _, mutant in ranked:
            if not self.options.only or mutant.key in self.options.only:
                yield mutant

    def sizes(self, mutants: Iterator[Mutant]) -> dict[str, list[int]]:
        """By file: the number of mutants, in functions and of what runs at import."""
        found = {path: [0, 0] for path in self.sources}
        for mutant in mutants:
            found[mutant.path][mutant.at_import] += 1
        return found

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Tests that run the changed line, the most promising first."""
        path = mutant.path
        for first, last in ((mutant.line, mutant.last), mutant.statement):
            found = {
                nodeid
                for line in range(first, last + 1)
                for nodeid in self.by_line.get((path, line), ())
            }
            if found:
                break
        kills = self.kills.get(f"{mutant.path}::{mutant.name}", {})
        order = sorted(found, key=lambda n: self.price[n, path] / (1 + kills.get(n, 0)))
        return self.within_budget(order, path)

    def tests_of_import(self, mutant: Mutant) -> list[str]:
        """Tests that see what runs at import: of the files that run most of this file."""
        path = mutant.path
        found = self.tests_of(mutant)
        kills = self.kills.get(f"{mutant.path}::import", {})
        others = [nodeid for nodeid in self.seconds if (nodeid, path) in self.price]
        others.sort(key=lambda n: self.price[n, path] / (1 + kills.get(n, 0)))
        # Few test files, whose collection takes time.
        files: dict[str, None] = {}
        for nodeid in [*sorted(kills, key=lambda n: -kills[n])[:8], *found, *others]:
            if len(files) < 4:
                files.setdefault(nodeid.split("::")[0])
        chosen = dict.fromkeys(
            n for n in [*found, *others] if n in self.seconds and n.split("::")[0] in files
        )
        return self.within_budget(list(chosen), path)

    def within_budget(self, nodeids: list[str], path: str) -> list[str]:
        """The first tests that together take no longer than the budget; one at least."""
        left = self.options.budget * self.options.weights[path]
        chosen = []
        for nodeid in nodeids:
            if not chosen or self.seconds[nodeid] <= left:
                left -= self.seconds[nodeid]
                chosen.append(nodeid)
        return chosen

    def run(self, mutants: list[Mutant]) -> None:
        """Run them until the time is over."""
        with (self.options.out / "results.jsonl").open("a") as out:
            self.count: dict[str, int] = {}
            again: list[Mutant] = []
            rest, number = iter(mutants), [0]

            def record(mutant: Mutant, status: str, more: dict) -> None:
                out.write(json.dumps({"key": mutant.key, "status": status} | more | asdict(mutant)))
                out.write("\n")
                out.flush()
                self.count[status] = self.count.get(status, 0) + 1
                number = sum(self.count.values())
                if number % 500 == 0:
                    self.say(f"{number} mutants: {self.count}")

            def jobs() -> Iterator[tuple]:
                while True:
                    warm = not again
                    mutant = again.pop() if again else next(rest, None)
                    if mutant is None:
                        return
                    warm = warm and not mutant.at_import
                    # What only an import runs has to be imported anew.
                    nodeids = self.tests_of(mutant) if warm else []
                    if not nodeids and (not warm or (mutant.path, mutant.line) in self.imported):
                        warm, nodeids = False, self.tests_of_import(mutant)
                    if not nodeids:
                        record(mutant, NO_TEST, {"tests": 0})
                        continue
                    run = self.warm if warm else self.cold
                    wall = 60 + 3 * self.options.budget
                    yield run(mutant, nodeids, True), wall, (mutant, warm, len(nodeids))
                    number[0] += 1
                    if number[0] % CONTROLS == 0:
                        yield run(mutant, nodeids, False), wall, (mutant, None, len(nodeids))

            while True:
                for seconds, (mutant, warm, tests), text, status in self.processes(jobs()):
                    more = {"killer": "", "tests": tests, "warm": warm, "cpu": round(seconds, 3)}
                    if warm is None:
                        record(mutant, CONTROL, more | {"killer": text or f"exit {status}"})
                    elif text.startswith("killed"):
                        more["killer"] = killer = text.removeprefix("killed ").strip()
                        name = f"{mutant.path}::{mutant.name if warm else 'import'}"
                        known = self.kills.setdefault(name, {})
                        known[killer] = known.get(killer, 0) + 1
                        record(mutant, KILLED, more)
                    elif text == "cold":
                        again.append(mutant)
                    elif text == "survived":
                        line = (mutant.path, mutant.line)
                        if warm and line in self.imported:
                            again.append(mutant)  # what it made at import was made without it
                        else:
                            record(mutant, SURVIVED, more)
                    elif text == "same code":
                        record(mutant, SAME, more)
                    elif status in (-signal.SIGPROF, -signal.SIGKILL):
                        record(mutant, TIMEOUT, more)
                    else:  # the interpreter itself ended
                        record(mutant, KILLED, more | {"killer": f"exit {status}"})
                if not again or time.monotonic() > self.began + self.options.seconds - 15:
                    break
        self.say(f"end: {self.count}; {self.unfinished} stopped by the clock")

    def warm(self, mutant: Mutant, nodeids: list[str], change: bool) -> Callable[[], str]:
        """In a process of its own: change functions, run tests."""

        def work() -> str:
            self.stop_recording()
            source = self.sources[mutant.path]
            before, after = source.compile(None), source.compile(mutant.number)
            if before == after:
                return "same code"
            if self.live.runs_at_import(before, after):
                return "cold"
            if change and not self.live.change(before, after):
                return "cold"
            self.live.forget_all(examples=not mutant.path.startswith(CHECKERS))
            items = [self.items[n] for n in nodeids]
            for k, item in enumerate(items):
                limit(5 * self.seconds[item.nodeid] + 2)
                following = items[k + 1] if k + 1 < len(items) else None
                if passes(item, following) is False:
                    return f"killed {item.nodeid}"
            return "survived"

        return work

    def cold(self, mutant: Mutant, nodeids: list[str], change: bool) -> Callable[[], str]:
        """In a process of its own: import everything anew, with the change, and run tests."""
        source = self.sources[mutant.path]

        def work() -> str:
            self.stop_recording()
            after = source.compile(mutant.number if change else None)
            if change and after == source.compile(None):
                return "same code"
            import_anew(source.file, after)
            limit(15 + 5 * sum(self.seconds[n] for n in nodeids))
            seen = _FirstFailure()
            arguments = ["-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", "-s"]
            arguments += ["--tb=native", "--doctest-glob=README.md"]
            code = pytest.main([*arguments, *nodeids], plugins=[seen])
            if code == 0:
                return "survived"
            return f"killed {seen.nodeid or f'import, exit {int(code)}'}"

        return work

    def stop_recording(self) -> None:
        """In a process of its own: lines do not matter any more."""
        self.recorder.release()
        self.recorder = None

    # Processes

    def processes(self, jobs: Iterator[tuple]) -> Iterator[tuple]:
        """Run (work, wall limit, tag), several at a time; yield CPU seconds, tag, text, status."""
        running: dict[int, tuple] = {}
        end = self.began + self.options.seconds
        more = True
        while running or more:
            while more and len(running) < self.options.jobs:
                if time.monotonic() > end - 15:
                    more = False
                    break
                job = next(jobs, None)
                if job is None:
                    more = False
                    break
                work, wall, tag = job
                reader, pid = fork(work)
                running[reader] = (pid, tag, time.monotonic() + wall, [])
            if not running:
                continue
            ready, _, _ = select.select(list(running), [], [], 0.5)
            now = time.monotonic()
            for reader in ready:
                pid, tag, _, texts = running[reader]
                chunk = os.read(reader, 1 << 20)
                if chunk:
                    texts.append(chunk)
                    continue
                os.close(reader)
                del running[reader]
                _, status, usage = os.wait4(pid, 0)
                status = os.waitstatus_to_exitcode(status)
                text = b"".join(texts).decode()
                yield usage.ru_utime + usage.ru_stime, tag, text, status
            for reader, (pid, tag, until, _) in list(running.items()):
                if now <= min(until, end):
                    continue
                os.killpg(pid, signal.SIGKILL)
                os.close(reader)
                _, _, usage = os.wait4(pid, 0)
                del running[reader]
                if now > end:  # stopped by the clock: no result
                    self.unfinished += 1
                else:
                    yield usage.ru_utime + usage.ru_stime, tag, "", -signal.SIGKILL


class _FirstFailure:
    nodeid = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.nodeid:
            self.nodeid = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.nodeid:
            self.nodeid = f"collecting {report.nodeid}"


def _too_slow(signum: int, frame: object) -> None:
    raise RuntimeError("the test takes too long to be used for mutants")


def gc_freeze() -> None:
    """Keep the collector from touching, and so copying, what the processes share."""
    import gc

    gc.collect()
    gc.freeze()


def passes(item: pytest.Item, following: pytest.Item | None) -> bool | None:
    """Run one test; None: it was skipped."""
    with warnings.catch_warnings():
        reports = runtestprotocol(item, nextitem=following, log=False)
    if any(r.failed for r in reports):
        return False
    return None if any(r.skipped for r in reports) else True


def limit(seconds: float) -> None:
    """End this process after so many more seconds of CPU."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def fork(work: Callable[[], str]) -> tuple[int, int]:
    """Run work in a new process; what it returns can be read."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):  # the process may have done it, or have ended
            os.setpgid(pid, pid)
        os.close(writer)
        return reader, pid
    status = 70
    try:
        os.setpgid(0, 0)
        os.close(reader)
        nowhere = os.open(os.devnull, os.O_RDWR)
        if not os.environ.get("MUTATION_DEBUG"):
            for standard in (0, 1, 2):
                os.dup2(nowhere, standard)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
        text = work().encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        while text:
            text = text[os.write(writer, text) :]
        status = 0
    except BaseException:
        if os.environ.get("MUTATION_DEBUG"):
            traceback.print_exc()
    finally:
        os._exit(status)
