"""The harness of the benchmarks: its mathematics on clocks that are made up, its file, its page."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.growth import fit, grow
from benchmarks.memory import in_a_fresh_process
from benchmarks.plan import PLAN, Benchmark
from benchmarks.report import MARKS, tables, with_tables
from benchmarks.rows import growth_row, missing_row, ratio_row
from benchmarks.timing import LEAST, alternate, ratio, times

DOCS = Path(__file__).parents[2] / "docs"
TINY = "tests.docs.test_benchmarks"


class FakeClock:
    """Seconds pass only where a program says so."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def __call__(self):
        return self.now

    def program(self, name, seconds_of):
        """A program whose k-th call (and every call, at time t) takes `seconds_of(k, t)`."""
        calls = iter(range(10**9))

        def run():
            self.log.append(name)
            self.now += seconds_of(next(calls), self.now)

        return run


def test_a_ratio_is_that_of_the_seconds_and_so_are_its_quartiles():
    clock = FakeClock()
    slow = [1, 2, 3, 4, 5]
    programs = {
        "slow": clock.program("slow", lambda k, t: slow[max(0, k - 1) % 5]),
        "fast": clock.program("fast", lambda k, t: 0.5),
    }
    found = alternate(programs, 5, clock)
    assert (found.median, found.quartiles) == (6, (4, 8))
    assert found.of_minima == 2
    assert (found.seconds, found.other_seconds, found.rounds) == (3, 0.5, 5)


def test_fast_programs_are_called_until_a_run_is_long_enough():
    clock = FakeClock()
    programs = {
        "fast": clock.program("fast", lambda k, t: LEAST / 8),
        "slow": clock.program("slow", lambda k, t: 100 * LEAST),
    }
    found = times(programs, 3, clock)
    assert found["fast"] == pytest.approx([LEAST / 8] * 3)
    assert found["slow"] == pytest.approx([100 * LEAST] * 3)
    assert clock.log.count("fast") == 2 + 3 * 8
    assert clock.log.count("slow") == 1 + 3


def test_a_machine_that_gets_slower_favours_nobody():
    """Both take 1 s at first and 2 s at the end: measured in turn they are equal, in blocks not."""
    clock = FakeClock()

    def drifting(k, t):
        return 1 + t / 100

    programs = {name: clock.program(name, drifting) for name in ("first", "second")}
    found = times(programs, 20, clock)
    in_turn = ratio(found["first"], found["second"])
    assert in_turn.median == pytest.approx(1, abs=0.005)
    everything = found["first"] + found["second"]
    in_blocks = ratio(sorted(everything)[:20], sorted(everything)[20:])
    assert in_blocks.median < 0.9
    assert clock.log[2:10] == ["first", "second", "second", "first"] * 2


def test_two_programs_and_two_rounds_are_needed():
    with pytest.raises(ValueError, match="two programs"):
        alternate({"one": list}, 5)
    with pytest.raises(ValueError, match="two rounds"):
        alternate({"one": list, "other": list}, 1)


def test_a_power_is_found_exactly_and_its_error_is_that_of_least_squares():
    sizes = [10, 100, 1000, 10_000]
    exact = fit(sizes, [3e-9 * n**1.5 for n in sizes])
    assert exact.exponent == pytest.approx(1.5, abs=1e-12)
    assert exact.standard_error == pytest.approx(0, abs=1e-12)
    assert exact.residual == pytest.approx(0, abs=1e-12)
    assert exact.decades == 3
    noisy = [2e-9 * n * factor for n, factor in zip(sizes, (1, 1.3, 0.8, 1.1), strict=True)]
    known, covariance = np.polyfit(np.log(sizes), np.log(noisy), 1, cov=True)
    found = fit(sizes, noisy)
    assert found.exponent == pytest.approx(known[0], rel=1e-9)
    assert found.standard_error == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-9)
    line = np.exp(np.polyval(known, np.log(sizes)))
    assert 2**found.residual == pytest.approx(np.exp(np.abs(np.log(noisy / line)).max()))
    with pytest.raises(ValueError, match="three sizes"):
        fit([10, 10, 100], [1, 1, 2])


def test_growth_is_fitted_through_the_shortest_runs():
    """Every second run is disturbed, by a different factor at every size."""
    clock = FakeClock()

    def program(size):
        return clock.program(size, lambda k, t: size**2 * (1 if k % 2 else 1 + 10 / size))

    found = grow(program, [1, 10, 100], 4, clock)
    assert found.exponent == pytest.approx(2, abs=1e-12)
    assert found.seconds == pytest.approx((1, 100, 10_000))


def test_memory_is_that_of_a_fresh_process():
    held = bytearray(6 * 10**7)  # of this process: must not count
    held[::4096] = b"\1" * len(held[::4096])
    peak = in_a_fresh_process("benchmarks.memory", "allocate", 3 * 10**7)
    assert peak.peak - peak.with_input == pytest.approx(3 * 10**7, rel=0.02)
    assert peak.peak < 5 * 10**7
    assert held[0] == 1
    with pytest.raises(RuntimeError, match="no attribute 'nothing'"):
        in_a_fresh_process("benchmarks.memory", "nothing", 1)


RUNS = []


def tiny(quick):
    """A benchmark of the real clock: sums of integers."""
    RUNS.append("tiny")
    found = alternate({"long": lambda: sum(range(9000)), "short": lambda: sum(range(3000))}, 3)
    yield ratio_row("9000 | terms", "3000 terms", found, goal="3")
    yield growth_row("terms", "n", grow(lambda n: lambda: sum(range(n)), [500, 1000, 2000], 2))
    yield missing_row("nothing", "9000 terms", "not installed")


def stopped(quick):
    RUNS.append("stopped")
    if RUNS.count("stopped") == 1:
        raise KeyboardInterrupt
    yield missing_row("a", "b", "not installed")


def failing(quick):
    yield missing_row("before", "the failure", "not installed")
    raise ValueError("what went wrong")


def test_a_run_is_stopped_and_goes_on_and_fails_aloud(tmp_path, capsys):
    names = ("tiny", "stopped", "failing")
    plan = [Benchmark(name, f"about {name}", TINY, name) for name in names]
    RUNS.clear()
    (tmp_path / "benchmarks.md").write_text(f"before\n\n{MARKS[0]}\n{MARKS[1]}\n\nafter\n")
    assert main(["--out", str(tmp_path), "--quick"], plan) == 130
    kept = json.loads((tmp_path / "benchmarks.json").read_text())
    assert list(kept["benchmarks"]) == ["tiny"]
    assert kept["pending"] == ["stopped", "failing"]
    assert "stopped in stopped" in capsys.readouterr().err

    assert main(["--out", str(tmp_path), "--quick"], plan) == 1
    assert RUNS == ["tiny", "stopped", "stopped"]
    data = json.loads((tmp_path / "benchmarks.json").read_text())
    assert data["benchmarks"]["tiny"] == kept["benchmarks"]["tiny"]
    assert data["pending"] == []
    assert data["benchmarks"]["failing"]["error"] == "ValueError: what went wrong"
    said = capsys.readouterr().err
    assert "kept: tiny" in said
    assert "failed: failing" in said

    page = (tmp_path / "benchmarks.md").read_text()
    assert page == with_tables(page, data["benchmarks"])
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "**failing failed:** ValueError: what went wrong" in page
    row = data["benchmarks"]["tiny"]["rows"][0]
    line = next(line for line in page.splitlines() if line.startswith("| 9000 \\| terms | 3000"))
    assert (
        f"**{row['median']:.2f}** ({row['quartiles'][0]:.2f} … {row['quartiles'][1]:.2f})" in line
    )
    assert 1 < row["median"] < 9
    assert "| nothing | 9000 terms | not installed |" in page

    (tmp_path / "benchmarks.md").write_text(f"{MARKS[0]}\n{MARKS[1]}\n")
    assert main(["--out", str(tmp_path), "--quick", "--tables"], plan) == 0
    assert tables(data["benchmarks"]) in (tmp_path / "benchmarks.md").read_text()

    # A finished run begins anew; so does a stopped one of another kind, and --restart.
    assert main(["--out", str(tmp_path), "--only", "tiny"], plan) == 0
    assert RUNS.count("tiny") == 2
    assert main(["--out", str(tmp_path)], plan) == 1
    assert RUNS.count("tiny") == 3


def test_an_unknown_name_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "forwards"])
    assert "'forward-1', 'forward-2'" in capsys.readouterr().err
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        benchmark.name for benchmark in PLAN
    ]


def test_a_file_of_somebody_else_is_refused_and_kept(tmp_path):
    file = tmp_path / "benchmarks.json"
    file.write_text('{"rows": 3}')
    with pytest.raises(SystemExit, match="not a file of this program"):
        main(["--out", str(tmp_path), "--quick"], [])
    assert file.read_text() == '{"rows": 3}'


def test_the_page_says_what_the_file_says():
    data = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert page == with_tables(page, data["benchmarks"]), "python -m benchmarks"
    assert set(data["benchmarks"]) == {benchmark.name for benchmark in PLAN}
    assert not any(entry["quick"] for entry in data["benchmarks"].values())
    for entry in data["benchmarks"].values():
        for row in entry["rows"]:
            if row["kind"] == "growth":
                again = asdict(fit(row["sizes"], row["seconds"]))
                assert math.isclose(again["exponent"], row["exponent"], abs_tol=1e-9)


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="once each"):
        with_tables("no marks", {})
    assert "Machine" in tables({})
