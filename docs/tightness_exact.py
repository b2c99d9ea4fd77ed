"""Writes docs/tightness_exact.md and the two pictures beside it; it takes some minutes.

Run: python docs/tightness_exact.py
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl

import bounds
from verify.tightness import (
    AverageWorst,
    NestedPatterns,
    average_length,
    average_worst,
    exact_length,
    exact_worst,
)

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
SLOPES = (6, 8, 12, 16, 20, 24)
LONGEST = {(False, 3): 80, (False, 5): 42, (True, 3): 600, (True, 5): 60}
FREE, TIED = NestedPatterns(), NestedPatterns(tied=True)
AVERAGES = (
    (80, 7, 11, (1, 1)),
    (320, 15, 17, (1, 1)),
    (1280, 33, 37, (1, 1)),
    (1280, 60, 61, (1, 1)),
    (1280, 29, 31, (3, 3)),
    (1280, 60, 61, (3, 3)),
)
RISES = (10, 20, 40, 80, 160)
_SUFFICIENT = ("common_order", "nested")
INK, GREY = "black", "0.6"


def worst_case_lengths() -> dict[tuple[bool, int, int], int]:
    """(tied, target/ε, L/ε) → the exact least N."""
    found = {}
    for (tied, target), longest in LONGEST.items():
        for slope in SLOPES:
            if (tied, target) == (False, 3) and slope > 16:
                continue
            answer = exact_length(
                NestedPatterns(tied), lipschitz=slope, epsilon=1, target=target, longest=longest
            )
            assert answer.length is not None
            found[tied, target, slope] = answer.length
    return found


def proved(slope: int, target: int, tokens: int) -> tuple[int, int, int]:
    """What is necessary with and without lag bias, and what suffices."""
    model: dict[str, Any] = {"vocabulary_size": tokens, "precision_bits": 1, "margin": 1}
    model |= {"period": 1, "locality": 0, "epsilon": 1, "target": target, "lipschitz": slope}
    cell: dict[str, Any] = {"error": "linf", "attention": "argmax", "layers": 1}
    sides = [
        bounds.bracket(assume=assume, **cell, **model)
        for assume in ({"true_lipschitz"}, {"true_lipschitz", "no_lag_bias"})
    ]
    necessary = [side.necessary.length or 0 if side.necessary else 0 for side in sides]
    assert sides[0].sufficient is not None
    return necessary[0], necessary[1], sides[0].sufficient.length or 0


def one_input(tied: bool, slope: int) -> str:
    """Least N at which one z serves both models at target 5ε: that of 3ε at half the slope."""
    half = exact_length(NestedPatterns(tied), lipschitz=slope / 2, epsilon=1, target=3, longest=200)
    return str(half.length)


def worst_case_table(exact: dict[tuple[bool, int, int], int]) -> list[str]:
    """Rows: attention, target, L/ε, exact, one z, necessary, sufficient."""
    rows = []
    for tied, target in LONGEST:
        for slope in SLOPES:
            with_bias, without, sufficient = proved(slope, target, 2 if tied else 3)
            found = exact.get((tied, target, slope))
            rows.append(
                _row(
                    "tied" if tied else "free",
                    f"{target}ε",
                    slope,
                    "–" if found is None else f"**{found}**",
                    one_input(tied, slope) if target == 5 else "the same",
                    with_bias if tied else without,
                    sufficient,
                )
            )
    return rows


def _row(*cells: Any) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def average_table() -> list[str]:
    """Rows: Λ/ε, N, prior, T, both sides at T, tents, both sides at infinity."""
    rows = []
    for slope, length, at, prior in AVERAGES:
        here = average_worst(slope=slope, epsilon=1, length=length, at=at, prior=prior)
        limit = average_worst(slope=slope, epsilon=1, length=length, at=None, prior=prior)
        height = math.sqrt(at / slope)
        tents = "–"
        if prior == (1, 1) and height <= 0.5:
            tents = f"{height * slope / at * (at - 1) / (at + 1):.3f}"
        law = f"Dir({prior[0]}, {prior[1]})"
        rows.append(_row(slope, length, law, at, _both(here), tents, _both(limit)))
    return rows


def _both(worst: AverageWorst) -> str:
    low, high = float(worst.low), float(worst.high)
    if high - low < 1e-4:
        return f"{low:.4f}"
    return f"{math.floor(low * 1000) / 1000:.3f} … {math.ceil(high * 1000) / 1000:.3f}"


def average_lengths() -> dict[int, Any]:
    """Slope of f − g over ε → the exact least N for target 3ε."""
    slopes = sorted({s for rise in RISES for s in (rise, 2 * rise)})
    return {s: average_length(slope=s, epsilon=1, target=3, longest=80) for s in slopes}


def average_sides(rise: int) -> tuple[int, int, int]:
    """Necessary (A8), sufficient by A6 and by A3."""
    model: dict[str, Any] = {"epsilon": 1, "target": 3, "lipschitz": rise}
    prior: dict[str, Any] = {"alpha_min": 1, "alpha_total": 2}
    size: dict[str, Any] = {"vocabulary_size": 2, "period": 1, "locality": 0}
    hard: dict[str, Any] = {"precision_bits": 1, "margin": 1}
    keys = ("lower_average_one_column", *(f"one_layer_average_{k}" for k in _SUFFICIENT))
    lengths = []
    for key in keys:
        own = dict(model)
        if key != keys[0]:
            own |= {**size, **hard, **prior}
        if key == keys[1]:
            own["lipschitz_euclidean"] = rise
        if key == keys[2]:
            own["alpha_class"] = 2  # one class: all tokens
        lengths.append(bounds.required_length(theorem=f"derived.{key}", **own).length or 0)
    return lengths[0], lengths[1], lengths[2]


def average_length_table(exact: dict[int, Any]) -> list[str]:
    """Rows: Λ/ε, exact with g = 0, where N − 1 fails, exact for pairs, necessary, sufficient."""
    rows = []
    for rise in RISES:
        one, two = exact[rise], exact[2 * rise]
        fails = "T → ∞" if one.exceeded_at is None else f"T = {one.exceeded_at}"
        necessary, order, nested = average_sides(rise)
        shown = [f"**{a.length}**" if a.length else f"{a.insufficient + 1} …" for a in (one, two)]
        rows.append(_row(rise, shown[0], fails, shown[1], necessary or "–", order, nested))
    return rows


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(rows)


def draw_worst_case(exact: dict[tuple[bool, int, int], int]) -> None:
    """Left: the worst case against N. Right: the least N against L/ε."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for patterns, last, style, name in (
        (FREE, 30, "o-", "free: three tokens"),
        (TIED, 45, "s--", "tied: two tokens, lag bias"),
    ):
        lengths = list(range(3, last + 1))
        values = [
            exact_worst(patterns, lipschitz=12, epsilon=1, length=n, boxes=0).value for n in lengths
        ]
        left.plot(lengths, [float(v) for v in values], style, color=INK, markersize=3, label=name)
    for target in (3, 5):
        left.axhline(target, color=GREY, linewidth=0.8, zorder=0)
        left.annotate(f"{target}ε", (1.2, target + 0.1), color="0.35")
    left.set(xlabel="N: agreement within ε up to here", ylabel="largest |f − g| / ε at any length")
    left.set_xlim(0, 47)
    left.set_title("L = 12ε: exact worst case", fontsize=10)
    left.legend(frameon=False, fontsize=9)
    for tied, target in LONGEST:
        points = [(s, n) for (t, c, s), n in exact.items() if (t, c) == (tied, target)]
        label = f"exact, {'tied' if tied else 'free'}, target {target}ε"
        style = ("s" if tied else "o") + ("-" if target == 3 else "--")
        right.plot(*zip(*points, strict=True), style, color=INK, markersize=4, label=label)
    sides = [proved(s, 3, 2) for s in SLOPES]
    right.plot(SLOPES, [s[2] for s in sides], ":", color=GREY, label="sufficient, |Σ| = 2, 3ε")
    right.plot(SLOPES, [s[0] for s in sides], "+", color="tab:red", label="necessary, |Σ| = 2, 3ε")
    right.set(xscale="log", yscale="log", xlabel="L/ε", ylabel="least N")
    right.set_xticks(SLOPES, [str(s) for s in SLOPES], minor=False)
    right.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    right.set_ylim(3, 6000)
    right.set_title("least sufficient N", fontsize=10)
    right.legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(HERE / "tightness_exact.png", dpi=150)


def draw_average(exact: dict[int, Any]) -> None:
    """Left: the worst average error against T. Right: the least N against the slope."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    slope, length = 320, 15
    lengths = list(range(length + 1, 61))
    values = [
        float(average_worst(slope=slope, epsilon=1, length=length, at=t).low) for t in lengths
    ]
    limit = average_worst(slope=slope, epsilon=1, length=length, at=None)
    prime = [all(t % k for k in range(2, math.isqrt(t) + 1)) for t in lengths]
    left.plot(lengths, values, "-", color=GREY, linewidth=0.8)
    for wanted, style, name in ((True, "o", "T prime"), (False, ".", "T composite")):
        chosen = [(t, v) for t, v, p in zip(lengths, values, prime, strict=True) if p is wanted]
        left.plot(*zip(*chosen, strict=True), style, color=INK, label=name)
    left.axhline(float(limit.high), color="tab:red", linewidth=1, label="T → ∞")
    left.set(xlabel="T", ylabel="largest average of |f − g| / ε at T", ylim=(0, None))
    left.set_title(f"Λ = {slope}ε, average error ≤ ε up to N = {length}", fontsize=10)
    left.legend(frameon=False, fontsize=9)
    slopes = [s for s, a in exact.items() if a.length]
    right.plot(slopes, [exact[s].length for s in slopes], "o-", color=INK, label="exact, g = 0")
    proved_on_average = {s: average_sides(s) for s in RISES}
    for column, style, name in ((1, ":", "A6"), (2, "--", "A3")):
        values = [sides[column] for sides in proved_on_average.values()]
        right.plot(RISES, values, style, color=GREY, label=f"sufficient ({name})")
    necessary = [(s, n) for s in slopes if (n := average_sides(s)[0])]
    right.plot(*zip(*necessary, strict=True), "+", color="tab:red", label="necessary (A8)")
    right.set(xscale="log", yscale="log", xlabel="Λ/ε", ylabel="least N, target 3ε")
    right.set_title("least sufficient N", fontsize=10)
    right.legend(frameon=False, fontsize=9)
    figure.savefig(HERE / "tightness_average.png", dpi=150)


def four_tokens() -> str:
    """Least N for |Σ| = 4, as far as both sides tell."""
    said = []
    for slope, target in ((6, 3), (6, 5), (8, 5)):
        found = exact_length(
            NestedPatterns(vocabulary_size=4),
            lipschitz=slope,
            epsilon=1,
            target=target,
            boxes=20_000,
        )
        assert found.complete
        low, high = (found.insufficient or 1) + 1, found.sufficient
        length = str(high) if low == high else f"from {low} to {high}"
        said.append(f"L = {slope}ε, target {target}ε: {length}")
    return "; ".join(said)


def further() -> str:
    """Least N of the tied family at more slopes."""
    said = []
    for target, slopes in ((5, (48, 96)), (7, (12, 24, 48, 96))):
        lengths = []
        for slope in slopes:
            found = exact_length(TIED, lipschitz=slope, epsilon=1, target=target, longest=200)
            lengths.append(f"{found.length} (L = {slope}ε)")
        said.append(f"target {target}ε: {', '.join(lengths)}")
    return "; ".join(said)


def page() -> str:
    """Compute all tables, draw, and return the page."""
    exact = worst_case_lengths()
    on_average = average_lengths()
    draw_worst_case(exact)
    draw_average(on_average)
    far = bounds.required_length(
        theorem="derived.lower_average_one_column", epsilon=1, target=3, lipschitz=1280
    )
    parts = {
        "worst_case": _lines(worst_case_table(exact)),
        "average": _lines(average_table()),
        "average_length": _lines(average_length_table(on_average)),
        "first_ratio": f"{proved(6, 3, 2)[2] / exact[True, 3, 6]:.2f}",
        "last_ratio": f"{proved(24, 3, 2)[2] / exact[True, 3, 24]:.2f}",
        "four": four_tokens(),
        "further": further(),
        "far": str(far.length),
    }
    text = (HERE / "tightness_exact_text.md").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"<<{name}>>", part)
    return text


if __name__ == "__main__":
    (HERE / "tightness_exact.md").write_text(page(), encoding="utf-8")
