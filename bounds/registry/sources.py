"""The papers that the registry cites, and our own proofs."""

from __future__ import annotations

from bounds.theorem import Source

_IZZO = """@inproceedings{izzo2025,
  title     = {Quantitative Bounds for Length Generalization in Transformers},
  author    = {Izzo, Zachary and Nichani, Eshaan and Lee, Jason D.},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2026},
  note      = {arXiv:2510.27015; %s}
}"""

_DERIVED = """@software{lgbounds,
  title   = {lgbounds: training-length bounds for transformers, computed and verified},
  author  = {{The lgbounds authors}},
  year    = {2026},
  version = {VERSION},
  note    = {docs/theory.md, section %s}
}"""


def izzo2025(locator: str, section: str) -> Source:
    """Izzo, Nichani, Lee: arXiv 2510.27015, known from its abstract, notes and reviews."""
    return Source(
        "izzo2025",
        "Izzo, Nichani, Lee 2025, arXiv 2510.27015",
        locator,
        _IZZO % locator,
        section,
        second_hand=True,
    )


def derived(section: str, locator: str) -> Source:
    """A theorem proved in docs/theory.md, at the anchor `section`."""
    return Source("lgbounds", "docs/theory.md", locator, _DERIVED % locator, section)
