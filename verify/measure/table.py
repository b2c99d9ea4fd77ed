"""Measured constants as a text table: symbol, meaning, value; norm form beside enclosed form."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb, ctx

from verify.measure.norms import PRECISION, interval

if TYPE_CHECKING:
    from verify.measure.argmax import ArgmaxConstants
    from verify.measure.softmax import SoftmaxConstants, SoftmaxModel

_Row = tuple[str, ...]


def argmax_table(c: ArgmaxConstants) -> str:
    """Return the constants for finite precision as lines of text."""
    none = "no two logits differ"
    rows = [
        *_common(c),
        ("p", "bits of precision", str(c.precision_bits)),
        ("L", "Lipschitz constant in the attention", _number(c.lipschitz)),
        ("", "  sharp form", _number(c.lipschitz_sharp)),
        ("", "  operator norms", _number(c.lipschitz_operator)),
        ("L′", "the same for token and position marginals", _number(c.lipschitz_marginal)),
        ("γ", "logit margin, all pairs", none if c.margin is None else _number(c.margin)),
        (
            "",
            "  largest logit of an input against the next",
            none if c.margin_realised is None else _number(c.margin_realised),
        ),
    ]
    if c.tie_tolerance is not None:
        merged = f"  logits merged within {_number(c.tie_tolerance)}"
        rows.append(("", merged, str(c.ties_merged)))
    return _lines(rows)


def softmax_table(c: SoftmaxConstants) -> str:
    """Return the constants for infinite precision as lines of text, model by model."""
    rows = [
        *_common(c),
        ("γ", "positional margin", _number(c.positional_margin)),
        ("R", "largest range of a head's content logits", _number(c.logit_range)),
        ("L", "Lipschitz constant in the last attention", _number(c.lipschitz)),
    ]
    parts = [_lines(rows)]
    for name, model in zip("fg", c.models, strict=False):
        parts.append(_lines([(f"model {name}", "", "norm form", "enclosed"), *_model_rows(model)]))
    return "\n\n".join(parts)


def _common(c: ArgmaxConstants | SoftmaxConstants) -> list[_Row]:
    return [
        ("|Σ|", "tokens", str(c.vocabulary_size)),
        ("Δ", "period of the positions", str(c.period)),
        ("τ", "largest lag with a bias", str(c.locality)),
        ("H", "heads", str(c.heads)),
    ]


def _model_rows(model: SoftmaxModel) -> list[_Row]:
    rows: list[_Row] = []
    for number, head in enumerate(model.heads):
        title = f"head {number}, {head.regime}: logit range"
        rows.append((f"R_{number}", title, *_pair(head.logit_range_norm, head.logit_range)))
        diameters = _pair(head.value_diameter_norm, head.value_diameter)
        rows.append((f"D_{number}", f"head {number}: diameter of the values", *diameters))
    if model.norm is not None and model.enclosed is not None:
        a, b = model.norm, model.enclosed
        rows += _form_rows(
            (a, b),
            {
                ("D_Y", "diameter of the first layer's outputs"): "output_diameter",
                ("Y_max", "largest norm of such an output"): "output_norm",
            },
        )
        rows += _form_rows(
            (a.ingredients, b.ingredients),
            {
                ("β", "first layer against total variation"): "beta",
                ("β′", "  without position dominant heads"): "beta_histogram",
                ("Λ₂", "readout"): "readout_lipschitz",
            },
        )
        for heads in zip(a.ingredients.heads, b.ingredients.heads, strict=True):
            rows += _form_rows(
                heads,
                {
                    ("R₂", "second layer: logit range"): "logit_range",
                    ("D₂", "  diameter of the values"): "value_diameter",
                    ("ℓ₂", "  Lipschitz constant of the tilt"): "tilt_lipschitz",
                },
            )
    logs = (model.log_complexity_norm, model.log_complexity)
    rows.append(("ln C", "complexity", *("–" if log is None else f"{log:.6g}" for log in logs)))
    return rows


def _form_rows(forms: tuple[Any, Any], names: dict[tuple[str, str], str]) -> list[_Row]:
    """Return one row per constant: its two labels, then its value in both forms."""
    return [
        (*labels, *_pair(*(getattr(form, name) for form in forms)))
        for labels, name in names.items()
    ]


def _pair(norm: Any, enclosed: Any) -> _Row:
    return (_number(norm), _number(enclosed))


def _number(value: Fraction | Any) -> str:
    """Return four digits of a number ≥ 0, also where no float holds it."""
    with ctx.workprec(PRECISION):
        size = interval(value) if isinstance(value, Fraction) else value
        if not size > 0:
            return "0"
        log10 = float(size.upper().log() / arb(10).log())
        return f"{float(size.upper()):.4g}" if abs(log10) < 300 else f"10^{log10:.6g}"


def _lines(rows: Iterable[_Row]) -> str:
    """Return the rows as aligned columns; numbers to the right."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
