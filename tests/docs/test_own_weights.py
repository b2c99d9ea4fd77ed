"""The page on own weights: its blocks run. Those that need other libraries: tests_adapters."""

import pytest

from tests.helpers.page_blocks import LIBRARIES, OWN_WEIGHTS, blocks, failures


def test_every_block_is_of_one_of_two_kinds():
    for kind, code in blocks(OWN_WEIGHTS):
        assert kind in ("python", "python adapters")
        assert (kind == "python adapters") == any(f"import {n}" in code or f"from {n}" in code for n in LIBRARIES)  # fmt: skip
    assert OWN_WEIGHTS.read_text("utf-8").count("```") == 2 * len(blocks(OWN_WEIGHTS))


@pytest.mark.slow
def test_blocks_without_libraries_run():
    assert failures(OWN_WEIGHTS, ("python",)) == 0
