"""Constants of given weights, exact or rounded to the safe side: what the bounds need to know."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.errors import InputError
from verify.measure.argmax import measure_argmax
from verify.measure.argmax_constants import ArgmaxConstants, ArgmaxModel
from verify.measure.complexity import SecondHead
from verify.measure.lipschitz import HeadLipschitz
from verify.measure.margin import (
    HeadMargins,
    Key,
    LogitLevel,
    check_one_layer,
    logit_levels,
    read_tolerance,
)
from verify.measure.size import Progress, check_size, no_progress
from verify.measure.softmax import measure_softmax
from verify.measure.softmax_constants import SoftmaxConstants, SoftmaxModel
from verify.measure.softmax_heads import SoftmaxHead
from verify.measure.two_layer import TwoLayerForm
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_integer

__all__ = [
    "ArgmaxConstants",
    "ArgmaxModel",
    "HeadLipschitz",
    "HeadMargins",
    "Key",
    "LogitLevel",
    "SecondHead",
    "SoftmaxConstants",
    "SoftmaxHead",
    "SoftmaxModel",
    "TwoLayerForm",
    "logit_levels",
    "measure",
]


def measure(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    tie_tolerance: Any = None,
    block: int = 1,
    progress: Progress | None = None,
) -> ArgmaxConstants | SoftmaxConstants:
    """Return the constants of f and g on which required training lengths depend.

    Args:
        f: a model: one layer in finite precision, or one or two layers in infinite precision.
        g: a second model with the same |Σ|, number of outputs, layers and kind of precision.
            None (default): the constants stand for f and any model whose are no larger.
        tie_tolerance: finite precision only. Logits of one query this near count as ties; for
            weights from training, where rounding splits ties. None (default): exact arithmetic
            decides.
        block: θ ≥ 1, infinite precision with two layers only: length of the first block of the
            balanced construction to which the complexity refers.
        progress: called now and then with what is measured (a text), the number of query types
            done, and their total; for models that take more than seconds.

    Up to about 300 types |Σ|Δ every number is exact or as sharp as its formula. Beyond that,
    Lipschitz constants and diameters are rounded up (relative excess below 10^−8), and two layers
    may have norm forms only; margins and logit ranges are always exact. Measured with one layer,
    one head, d = 64: |Σ| = 1,000 in seconds.

    Returns:
        A frozen dataclass whose `parameters()` are keywords for `bounds.required_length`:
        ArgmaxConstants in finite precision, SoftmaxConstants in infinite precision.

    Raises:
        InputError: an argument cannot be used, f and g do not match (all problems at once), or a
            model is too large; the message then says what would fit.
    """
    models = _checked(f, g)
    first_block = as_integer(block)
    if first_block is None or first_block < 1:
        raise InputError("block", block, "an integer ≥ 1")
    if progress is not None and not callable(progress):
        raise InputError("progress", progress, "None, or a function of (what, done, total)")
    report = no_progress if progress is None else progress
    tolerance = read_tolerance(tie_tolerance)
    if f.attention == "softmax":
        if tolerance is not None:
            raise InputError("tie_tolerance", tie_tolerance, "None: softmax has no logit margin")
        if len(f.layers) > 2:
            raise InputError("f.layers", len(f.layers), "one or two layers")
    else:
        for name, model in zip("fg", models, strict=False):
            check_one_layer(name, model)
    for name, model in zip("fg", models, strict=False):
        check_size(name, model)
    # Bounds in floats allow for underflow, and overflow cannot happen in them.
    with np.errstate(all="ignore"):
        if f.attention == "softmax":
            return measure_softmax(models, first_block, report)
        return measure_argmax(models, tolerance, report)


def _checked(f: Any, g: Any) -> tuple[LimitTransformer, ...]:
    """Return the models as a tuple, or raise one InputError with everything that is wrong."""
    given = {"f": f} if g is None else {"f": f, "g": g}
    wrong = [
        (name, model, "a LimitTransformer")
        for name, model in given.items()
        if not isinstance(model, LimitTransformer)
    ]
    if wrong:
        raise InputError.of_all(wrong)
    if g is None:
        return (f,)
    pairs = {
        "vocabulary_size": (f.vocabulary_size, g.vocabulary_size),
        "output_dimension": (f.output_dimension, g.output_dimension),
        "number of layers": (len(f.layers), len(g.layers)),
        "attention": (f.attention, g.attention),
    }
    mismatches = [
        (f"g.{name}" if " " not in name else f"{name} of g", of_g, f"{of_f}, as in f")
        for name, (of_f, of_g) in pairs.items()
        if of_f != of_g
    ]
    if mismatches:
        raise InputError.of_all(mismatches)
    return (f, g)
