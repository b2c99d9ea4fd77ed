"""Every block of the page on own weights runs, those that need the libraries too."""

from tests.helpers.page_blocks import OWN_WEIGHTS, failures


def test_all_blocks_run():
    assert failures(OWN_WEIGHTS, ("python", "python adapters")) == 0
