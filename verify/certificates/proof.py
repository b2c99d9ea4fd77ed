"""Is |f − g| ≤ target on every input of length from_length … horizon? A proof, or an input.

With error="average": is its average, under a law of inputs, at every length?
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, overload

from verify.average.laws import Law
from verify.certificates.average.proof import prove_average
from verify.certificates.average.verdict import AverageVerdict
from verify.certificates.claim import Claim
from verify.certificates.contexts import pair_of
from verify.certificates.decision import Decision
from verify.certificates.digest import digest
from verify.certificates.direct.pieces import least_start
from verify.certificates.every_length import decide_every_length
from verify.certificates.input_class import PairInputs
from verify.certificates.ladder import read_length
from verify.certificates.target import read_target
from verify.certificates.verdict import ProofStatus, Verdict
from verify.certificates.window import LIMIT, Progress
from verify.errors import InputError
from verify.float_errors import usual_float_errors
from verify.lengths import show_long
from verify.model.transformer import LimitTransformer

_MOST_EXPONENT = 900
_ATTEMPT = 10**6
"""Evaluations for each horizon that is tried where a claim fails."""


@overload
def prove(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    target: Any,
    horizon: int | None,
    from_length: int | None = None,
    error: Literal["linf"] = "linf",
    law: None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
    route: Literal["cells", "windows"] | None = None,
) -> Verdict: ...


@overload
def prove(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    target: Any,
    horizon: int | None,
    from_length: int | None = None,
    error: Literal["average"],
    law: Law,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> AverageVerdict: ...


@usual_float_errors
def prove(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    target: Any,
    horizon: int | None,
    from_length: int | None = None,
    error: str = "linf",
    law: Law | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
    route: Literal["cells", "windows"] | None = None,
) -> Verdict | AverageVerdict:
    """Decide whether |f − g| ≤ target on every input of length from_length … horizon.

    Without `from_length` the claim starts where it can: at the least length from which it is
    proved. It is refuted, then, if it fails however late one starts: by an input of at least half
    the horizon (horizon=None: by inputs of unbounded length, one of them explicit).

    With error="average" the claim is that E|f − g|, |·| the largest output, is at most the target
    at every length; there is then no input that refutes it, but a length.

    An interruption (Ctrl-C) gives OPEN with what was done; `.finished` is then False.

    Args:
        f: a model of one layer, in finite precision or both in infinite precision (softmax).
        g: the other one, with the same |Σ| and number of outputs.
        target: the error allowed, ≥ 0: an int, float, Fraction or text such as "3/10".
        horizon: the longest length of the claim; None: every length.
        from_length: the shortest length of the claim; None: as short as can be.
        error: "linf", every input, or "average".
        law: of the inputs, for the average: a DirichletLaw or a FixedLaw.
        limit: the largest number of evaluations for the proof, and again for the shorter
            lengths beside it; a cell counts as 50.
        progress: called with the evaluations done and `limit`.
        route: "cells": branch and bound over token shares and lengths; "windows": the window
            theorem (finite precision). None: cells first, then windows.

    Raises:
        InputError: an argument is not usable.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    if error not in ("linf", "average"):
        raise InputError("error", error, '"linf" or "average"')
    if route not in (None, "cells", "windows"):
        raise InputError("route", route, '"cells", "windows" or None')
    if error == "average":
        if law is None:
            raise InputError("law", law, 'for error="average": a DirichletLaw or a FixedLaw')
        if route is not None:
            raise InputError("route", route, 'None: for error="average" there is one route')
        return prove_average(
            f,
            g,
            target=target,
            law=law,
            horizon=horizon,
            from_length=from_length,
            limit=limit,
            progress=progress,
        )
    if law is not None:
        raise InputError("law", law, 'None: error="linf" is about every input, under any law')
    inputs = PairInputs(f, g, finite=True if route == "windows" else None)
    allowed_error = read_target(target)
    if horizon is not None:
        horizon = read_length("horizon", horizon, 1, or_none=True)
    if from_length is not None:
        from_length = read_length("from_length", from_length, 1)
        if horizon is not None and from_length > horizon:
            raise InputError("from_length", from_length, f"at most the horizon, {horizon}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError("limit", limit, "an integer ≥ 1")

    if f == g:
        return _equal_weights(f, allowed_error, horizon, from_length)

    by_cells = None
    only_cells = route == "cells" or not inputs.pair.finite
    if route != "windows":
        decision = Decision(f, g, allowed_error, horizon, from_length, limit, progress)
        try:
            by_cells = decision.verdict()
        except InputError:
            if only_cells:
                raise
    if by_cells is not None:
        if by_cells.status is not ProofStatus.PROVED and by_cells.finished:
            by_cells = replace(by_cells, proved_horizon=_farthest(decision))
        if by_cells.status is not ProofStatus.OPEN or only_cells or not by_cells.finished:
            return by_cells

    def claim(up_to: int) -> Claim:
        return Claim(inputs, allowed_error, up_to, from_length, limit, progress)

    if horizon is None:
        by_windows = decide_every_length(claim, inputs, from_length)
    else:
        by_windows = claim(horizon).verdict()
    if by_windows.status is ProofStatus.OPEN and by_cells is not None:
        return replace(
            by_windows, reason=f"{by_cells.reason} {by_windows.reason}", cells=by_cells.cells
        )
    if by_windows.status is ProofStatus.OPEN and by_windows.finished and route is None:
        # Cells cover no unbounded lengths here, but they may carry further than a window.
        reached = _farthest(decision)
        if reached is not None and reached > (by_windows.proved_horizon or 0):
            reason = f"{by_windows.reason} By cells it is proved up to length {show_long(reached)}."
            return replace(by_windows, proved_horizon=reached, reason=reason)
    return by_windows


def _farthest(decision: Decision) -> int | None:
    """Return the largest power of two that is found up to which a claim is proved, if any."""
    longest = 2**_MOST_EXPONENT if decision.horizon is None else decision.horizon
    least = max(decision.from_length or 1, least_start(pair_of(decision.f, decision.g, None)))
    low, high = least.bit_length(), longest.bit_length()
    best: int | None = None
    step = 2
    while high - low > 1:
        # First 2, 4, 8, … times further; once one fails, halve.
        ahead = low + step if high == longest.bit_length() else high
        middle = min(ahead, (low + high) // 2)
        step *= 2
        attempt = replace(
            decision,
            horizon=2**middle,
            limit=min(decision.limit, _ATTEMPT),
            progress=None,
            refine=False,
            cells=0,
            violation=None,
        )
        try:
            found = attempt.verdict()
        except InputError:  # more short inputs than the limit allows to look at
            found = None
        if found is not None and found.status is ProofStatus.PROVED:
            low = best = middle
        else:
            high = middle
    return None if best is None else 2**best


def _equal_weights(
    f: LimitTransformer, target: Fraction, horizon: int | None, from_length: int | None
) -> Verdict:
    """One model, given twice: there is nothing to look at."""
    weights = digest(f)
    return Verdict(
        status=ProofStatus.PROVED,
        target=target,
        horizon=horizon,
        from_length=from_length or 1,
        reason="f and g have the same weights.",
        rungs=(),
        direct={},
        shorter={},
        counterexample=None,
        found=None,
        proved_horizon=None,
        inputs=0,
        weights={"f": weights, "g": weights},
    )
