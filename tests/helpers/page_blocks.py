"""Pages whose code blocks are doctests: ```python, or ```python adapters (needs libraries)."""

import doctest
import re
from pathlib import Path

OWN_WEIGHTS = Path(__file__).parents[2] / "docs" / "own_weights.md"
LIBRARIES = ("torch", "transformer_lens", "tracr")


def blocks(page):
    """Pairs (info string, code) of all fenced blocks of a page, in order."""
    return re.findall(r"(?m)^```([^\n`]+)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL)


def failures(page, kinds):
    """Run the blocks of these kinds in order, in one namespace; return how many examples fail."""
    code = "\n".join(text for kind, text in blocks(page) if kind in kinds)
    test = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    assert test.examples
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.REPORT_NDIFF, verbose=False
    )
    return runner.run(test).failed
