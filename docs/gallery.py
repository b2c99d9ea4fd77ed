"""Rebuilds docs/gallery.md and its pictures: `python docs/gallery.py [folder]`.

Every picture is made by the lines that stand beside it, in the style for a column of 3.25 inches.
With a folder, variants on a dark background and in greyscale are written there, to be looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.image
from matplotlib.figure import Figure
from PIL import Image

from bounds import figures

HERE = Path(__file__).parent
LARGEST = 60_000
"""Bytes of a picture, at most."""

SETUP = """\
import bounds, verify, verify.figures
from bounds import figures

model = dict(lipschitz=1, vocabulary_size=3, locality=1, precision_bits=8, margin=1)
epsilon = ["1/2", "1/4", "1/8", "1/16", "1/32", "1/64", "1/128"]
"""

PICTURES: dict[str, tuple[str, str]] = {
    "lengths": (
        "The paper's order of growth, what is proved to suffice and what is proved to be "
        "necessary, against ε, for three periods",
        """\
keys = ["izzo2025.4.1", "derived.one_layer_linf", "derived.lower_presence"]
table = bounds.sweep(theorem=keys, epsilon=epsilon, period=[1, 2, 5], **model)
ax = figures.length_curve(table, "epsilon", series="period")
""",
    ),
    "theorems": (
        "One curve per theorem, against the number of tokens",
        """\
keys = ["derived.one_layer_linf", "derived.one_layer_linf_additive_weights"]
keys += ["derived.lower_presence"]
more = model | dict(vocabulary_size=[2**k for k in range(1, 11)], epsilon="1/64", period=7)
ax = figures.length_curve(bounds.sweep(theorem=keys, **more), "vocabulary_size")
""",
    ),
    "bracket": (
        "Both sides, whichever theorem is best at each point, and the paper's order",
        """\
setting = dict(error="linf", attention="argmax", layers=1)
ax = figures.bracket_curve("epsilon", epsilon, period=2, **setting, **model)
""",
    ),
    "map": (
        "Over two parameters, with the line where the other term takes over",
        """\
grid = dict(precision_bits=range(2, 25), epsilon=[2.0**-k for k in range(1, 20)])
table = bounds.sweep(theorem="derived.one_layer_linf", period=2, **model | grid)
ax = figures.length_map(table, "epsilon", "precision_bits")
""",
    ),
    "terms_against_bits": (
        "Which term decides",
        """\
key = "derived.one_layer_linf"
given = dict(lipschitz=1, vocabulary_size=3, period=2, locality=1, margin=1, epsilon="1/64")
ax = figures.term_curves("precision_bits", range(2, 25, 2), theorem=key, **given)
""",
    ),
    "sensitivities": (
        "What to improve: elasticities, d log N / d log parameter",
        """\
bound = bounds.required_length(theorem="derived.one_layer_linf", epsilon="1/10", period=2, **model)
ax = figures.sensitivities(bound)
""",
    ),
    "errors_against_epsilon": (
        "Measured errors of short inputs against the ε that was asked for",
        """\
f, g = (verify.tasks.mod_p(3, residue).transformer for residue in (0, 1))
x = [0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1] * 100_000
made = [verify.simulate(x, f, g, epsilon=e) for e in ["1/8", "1/16", "1/32", "1/64", "1/128"]]
ax = verify.figures.error_against_epsilon(made)
""",
    ),
    "short_against_long": (
        "Lengths of short inputs against those of the long ones that they stand for",
        """\
f = verify.tasks.mod_p(2, 1).transformer
made = [verify.simulate([0, 0, 1] * 4**k, f, epsilon="1/20") for k in range(2, 11)]
ax = verify.figures.short_against_long(made)
""",
    ),
}


def main() -> None:
    """Write the page and its pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    (HERE / "gallery").mkdir(exist_ok=True)
    for name, (_, lines) in PICTURES.items():
        picture = HERE / "gallery" / f"{name}.png"
        draw(lines, picture)
        pack(picture)
        size = picture.stat().st_size
        assert size < LARGEST, f"{name}: {size} bytes"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            draw(lines, folder / f"{name}_dark.png", dark=True)
            grey(picture, folder / f"{name}_grey.png")
    (HERE / "gallery.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The page, in Markdown."""
    parts = [
        "# Gallery",
        "Rebuilt by `python docs/gallery.py`. Every picture is made by the lines above it, after "
        "these:",
        f"```python\n{SETUP}```",
        'For a paper: `with figures.style():` around them, then `figures.save(ax, "name")` '
        "writes name.pdf and name.svg at column width, fonts embedded. In a notebook: "
        "`%matplotlib inline` once, then `ax.figure` at the end of a cell shows it. Solid: proved. "
        "Dotted: necessary. Dashed: order of growth, no guarantee.",
    ]
    for name, (title, lines) in PICTURES.items():
        parts.append(f"## {title}\n\n```python\n{lines}```\n\n![{title}](gallery/{name}.png)")
    return "\n\n".join(parts) + "\n"


def draw(lines: str, path: Path, dark: bool = False) -> Figure:
    """The figure that the lines leave in `ax`, written at column width."""
    names: dict[str, Any] = {}
    with figures.style(dark=dark):
        exec(SETUP + lines, names)
        figures.save(names["ax"], path)
    return names["ax"].figure


def pack(path: Path) -> None:
    """Write a picture again with few colours."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(64)
    few.save(path, optimize=True)


def grey(source: Path, path: Path) -> None:
    """The same picture as a greyscale printer prints it."""
    picture = matplotlib.image.imread(source)[..., :3]
    matplotlib.image.imsave(path, picture @ [0.299, 0.587, 0.114], cmap="gray", vmin=0, vmax=1)


if __name__ == "__main__":
    main()
