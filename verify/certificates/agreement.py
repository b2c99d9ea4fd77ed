"""`verify.agreement`: the error over all inputs of given lengths, the largest or the average."""

from __future__ import annotations

from collections.abc import Iterable
from typing import overload

from verify.average.laws import Law
from verify.certificates import window
from verify.certificates.average.exact import AverageAgreement, average_agreement
from verify.certificates.window import LIMIT, Agreement, Progress
from verify.float_errors import usual_float_errors
from verify.model.transformer import LimitTransformer


@overload
def agreement(
    f: LimitTransformer,
    g: LimitTransformer,
    lengths: int | Iterable[int],
    *,
    law: None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Agreement: ...


@overload
def agreement(
    f: LimitTransformer,
    g: LimitTransformer,
    lengths: int | Iterable[int],
    *,
    law: Law,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> AverageAgreement: ...


@usual_float_errors
def agreement(
    f: LimitTransformer,
    g: LimitTransformer,
    lengths: int | Iterable[int],
    *,
    law: Law | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Agreement | AverageAgreement:
    """Return the largest, or with a law the average, |f − g| over *all* inputs of given lengths.

    Without a law the result says where the largest |f − g| is. With one it is E|f − g|, |·| the
    largest output, at each length. An interruption (Ctrl-C) leaves the lengths that were done;
    `.finished` is then False.

    Args:
        f, g: two models of one layer with the same |Σ| and number of outputs.
        lengths: one length, or several: a range, a list.
        law: of the inputs, a DirichletLaw or a FixedLaw; None: the largest |f − g|.
        limit: the largest number of evaluations to do.
        progress: called with the evaluations done and their total.

    Raises:
        InputError: an argument is not usable, or it would take more than `limit` evaluations.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    if law is None:
        return window.agreement(f, g, lengths, limit=limit, progress=progress)
    return average_agreement(f, g, lengths, law=law, limit=limit, progress=progress)
