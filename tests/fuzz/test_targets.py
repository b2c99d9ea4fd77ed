"""Every target, on its own valid file, on what once broke it, and on a few hundred random bytes."""

from __future__ import annotations

import faulthandler

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.hostile import SIZE

FOUND: dict[str, list[bytes]] = {
    # precision_bits = 10^899: no float is so large.
    "weights_header": [b"#|\xb1\x1f]\x10\x8c\xf2Y0&98\xb3p\xa1\xb5v\x9f\xa0\xf1H?\x95\xa9\r"],
}

QUICK = ("weights_bytes", "weights_header", "report_bytes", "rows_bytes", "text_bytes")


@pytest.mark.parametrize("name", TARGETS)
def test_what_broke_it_once(name):
    for data in (b"", bytes(64), *FOUND.get(name, [])):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_random_bytes(name):
    @settings(
        max_examples=(15 if name in QUICK else 2) * SIZE,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.binary(max_size=80))
    def run(data: bytes) -> None:
        faulthandler.dump_traceback_later(120, exit=True)
        try:
            TARGETS[name](data)
        finally:
            faulthandler.cancel_dump_traceback_later()

    run()
