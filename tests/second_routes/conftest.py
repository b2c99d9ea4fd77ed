"""What was compared, counted: printed at the end where the number of cases was asked for."""

from collections import Counter

import pytest

from tests.second_routes.cases import FACTOR

_NAME = "second_routes"


@pytest.fixture
def tally(request):
    """A Counter: comparison → how many were made."""
    counts = Counter()
    yield counts
    request.node.user_properties.append((_NAME, dict(counts)))


def pytest_terminal_summary(terminalreporter):
    if FACTOR == 1:
        return
    total = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                for name, counts in report.user_properties:
                    if name == _NAME:
                        file = report.nodeid.split("::")[0].split("/")[-1]
                        total.setdefault(file, Counter()).update(counts)
    for file, counts in sorted(total.items()):
        found = ", ".join(f"{what} {number:,}" for what, number in sorted(counts.items()))
        terminalreporter.write_line(f"{file}: {found}")
    every = sum(sum(counts.values()) for counts in total.values())
    terminalreporter.write_line(f"{every:,} comparisons")
