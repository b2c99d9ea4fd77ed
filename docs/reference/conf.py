"""The API reference, from docstrings: python -m sphinx -W docs/reference build/reference."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

project = "lgbounds"
author = "The lgbounds authors"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
html_theme = "furo"
html_title = "lgbounds: API reference"
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
napoleon_use_rtype = False
napoleon_use_ivar = True
nitpicky = False
exclude_patterns = ["build"]


def _plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text with `code`: no markup in |Σ| or x*, and indented code is code."""
    read = []
    for line in lines:
        if what == "module" and line.startswith("    "):
            if not read[-1]:
                read += ["::", ""]
            read.append(line)
            continue
        several = re.match(r"( +)(\w+(?:, \w+)+): ", line)
        if several:  # "low, high: ..." as a field would be one name with a type
            *first, last = several[2].split(", ")
            read += [f"{several[1]}{name}: with ``{last}``, below." for name in first]
            line = f"{several[1]}{last}: {line[several.end() :]}"
        words = line.split("`")
        words[::2] = [re.sub(r"([\\|*]|_(?!\w))", r"\\\1", text) for text in words[::2]]
        read.append("``".join(words))
    lines[:] = read


def setup(app):
    """Before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _plain_text, priority=400)
