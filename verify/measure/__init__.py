"""Constants of given weights, exact or rounded to the safe side: what the bounds need to know."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from bounds.errors import ParameterError
from bounds.evaluate import compare
from bounds.parameters import BY_KEYWORD
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.measure.argmax import measure_argmax
from verify.measure.argmax_constants import ArgmaxConstants, ArgmaxModel
from verify.measure.candidates import shortest
from verify.measure.clusters import Clustering
from verify.measure.complexity import SecondHead
from verify.measure.lipschitz import HeadLipschitz
from verify.measure.margin import (
    HeadMargins,
    LogitLevel,
    check_one_layer,
    logit_levels,
)
from verify.measure.query_logits import Key
from verify.measure.size import Progress, check_size, no_progress
from verify.measure.softmax import measure_softmax
from verify.measure.softmax_constants import SoftmaxConstants, SoftmaxModel
from verify.measure.softmax_depth import depth_constants
from verify.measure.softmax_heads import SoftmaxHead
from verify.measure.two_layer import TwoLayerForm
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_integer

__all__ = [
    "ArgmaxConstants",
    "ArgmaxModel",
    "Clustering",
    "HeadLipschitz",
    "HeadMargins",
    "Key",
    "LogitLevel",
    "SecondHead",
    "SoftmaxConstants",
    "SoftmaxHead",
    "SoftmaxModel",
    "TwoLayerForm",
    "depth_constants",
    "logit_levels",
    "measure",
]


@usual_float_errors
def measure(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    horizon: int | None = None,
    epsilon: Any = None,
    target: Any = None,
    block: int = 1,
    progress: Progress | None = None,
) -> ArgmaxConstants | SoftmaxConstants:
    """Return the constants of f and g on which required training lengths depend.

    Args:
        f: a model: one layer in finite precision, or any number of layers in infinite precision.
        g: a second model with the same |Σ|, number of outputs and kind of precision, and of the
            same depth in finite precision. In infinite precision the shorter model counts as
            padded with layers that change nothing, which is exact.
            None (default): the constants stand for f and any model whose are no larger.
        horizon: T* ≥ 1, finite precision only: the longest length of interest. Training splits
            ties by a little; up to a horizon near ties may count as ties, at a price that the
            theorems know. Logits fall into clusters of diameter ≤ κ and distance ≥ γ, such that
            κ log₂ T* < p ≤ γ log₂ T*, if there are such clusters. None (default): every length,
            and only equal logits are ties (κ = 0).
        epsilon: with a horizon: the error up to the training length. Of exact ties and near ties
            those are chosen that give the shorter required length. None (default): near ties,
            where there are clusters; `.candidate(0)` has exact ties.
        target: the error wanted up to the horizon, > epsilon. None (default): 3·epsilon.
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
    longest = _read_horizon(horizon)
    _check_errors(epsilon, target, longest)
    if f.attention == "softmax":
        if longest is not None:
            allowed = "None: softmax drops nothing, its lengths hold for every T without a horizon"
            raise InputError("horizon", horizon, allowed)
    else:
        for name, model in zip("fg", models, strict=False):
            check_one_layer(name, model)
    for name, model in zip("fg", models, strict=False):
        check_size(name, model)
    # Bounds in floats allow for underflow, and overflow cannot happen in them.
    with np.errstate(all="ignore"):
        if f.attention == "softmax":
            return measure_softmax(models, first_block, report)
        constants = measure_argmax(models, longest, report)
        if epsilon is None:
            return constants
        return constants.candidate(shortest(constants, epsilon, target))


def _read_horizon(value: Any) -> int | None:
    """Return T*, or None."""
    if value is None:
        return None
    horizon = as_integer(value)
    if horizon is None or horizon < 1:
        raise InputError("horizon", value, "None (every length), or an integer ≥ 1")
    return horizon


def _check_errors(epsilon: Any, target: Any, horizon: int | None) -> None:
    """Raise InputError unless ε and the target can choose among clusters of near ties."""
    if epsilon is None:
        if target is not None:
            raise InputError("target", target, "None without epsilon; give both")
        return
    if horizon is None:
        allowed = "None without horizon: it chooses among near ties; give horizon, such as 2**20"
        raise InputError("epsilon", epsilon, allowed)
    given = {"epsilon": epsilon} | ({} if target is None else {"target": target})
    read = {}
    for name, value in given.items():
        try:
            read[name] = BY_KEYWORD[name].read(value)
        except ParameterError as error:
            raise InputError(name, value, error.problems[0].allowed) from None
    if target is None and compare(read["epsilon"], Fraction(0)) == 0:
        raise InputError("target", None, "a number > 0, since epsilon = 0")
    if target is not None and compare(read["target"], read["epsilon"]) <= 0:
        raise InputError("target", target, f"a number greater than epsilon = {epsilon}")


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
    pairs: dict[str, tuple[Any, Any]] = {
        "vocabulary_size": (f.vocabulary_size, g.vocabulary_size),
        "output_dimension": (f.output_dimension, g.output_dimension),
        "attention": (f.attention, g.attention),
    }
    if f.attention == "argmax":
        pairs["number of layers"] = (len(f.layers), len(g.layers))
    mismatches = [
        (f"g.{name}" if " " not in name else f"{name} of g", of_g, f"{of_f}, as in f")
        for name, (of_f, of_g) in pairs.items()
        if of_f != of_g
    ]
    if mismatches:
        raise InputError.of_all(mismatches)
    return (f, g)
