"""The description for package indexes: README.md without what is dead outside the sources.

All other metadata stand in setup.cfg.
"""

import re
from pathlib import Path

from setuptools import setup

PATHS = "Paths such as `docs/theory.md` are those of the source distribution.\n"


def description(readme: str) -> str:
    """Pictures and links to files become the paths of these files."""
    local = r"(?!https?://|#)([^)\s#]+)(?:#[^)\s]*)?"
    text = re.sub(rf"!\[([^\]]*)\]\({local}\)", r"*Picture `\2`: \1*", readme)
    text = re.sub(rf"\[([^\]]*)\]\({local}\)", _said, text)
    title, rest = text.split("\n", 1)
    return f"{title}\n\n{PATHS}{rest}"


def _said(link: re.Match[str]) -> str:
    words, path = link.groups()
    return f"`{path}`" if words == path else f"{words} (`{path}`)"


if __name__ == "__main__":
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    setup(long_description=description(readme), long_description_content_type="text/markdown")
