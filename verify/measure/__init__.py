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
from verify.measure.softmax import measure_softmax
from verify.measure.softmax_constants import SoftmaxConstants, SoftmaxModel
from verify.measure.softmax_heads import SoftmaxHead
from verify.measure.two_layer import TwoLayerForm
from verify.model.transformer import LimitTransformer

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

    Returns:
        A frozen dataclass whose `parameters()` are keywords for `bounds.required_length`:
        ArgmaxConstants in finite precision, SoftmaxConstants in infinite precision.

    Raises:
        InputError: an argument cannot be used, or f and g do not match (all problems at once).
    """
    models = _checked(f, g)
    if isinstance(block, bool) or not isinstance(block, (int, np.integer)) or block < 1:
        raise InputError("block", block, "an integer ≥ 1")
    tolerance = read_tolerance(tie_tolerance)
    if f.attention == "softmax":
        if tolerance is not None:
            raise InputError("tie_tolerance", tie_tolerance, "None: softmax has no logit margin")
        if len(f.layers) > 2:
            raise InputError("f.layers", len(f.layers), "one or two layers")
        return measure_softmax(models, int(block))
    for name, model in zip("fg", models, strict=False):
        check_one_layer(name, model)
    return measure_argmax(models, tolerance)


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
