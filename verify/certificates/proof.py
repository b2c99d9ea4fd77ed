"""Is |f − g| ≤ target on every input of length from_length … horizon? A proof, or an input.

With error="average": is its average, under a law of inputs, at every length?
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, overload

from verify.average.laws import Law
from verify.certificates.average.proof import prove_average
from verify.certificates.average.verdict import AverageVerdict
from verify.certificates.claim import Claim
from verify.certificates.digest import digest
from verify.certificates.every_length import decide_every_length
from verify.certificates.input_class import PairInputs
from verify.certificates.ladder import read_length
from verify.certificates.target import read_target
from verify.certificates.verdict import ProofStatus, Verdict
from verify.certificates.window import LIMIT, Progress
from verify.errors import InputError
from verify.model.transformer import LimitTransformer


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
) -> Verdict | AverageVerdict:
    """Decide whether |f − g| ≤ target on every input of length from_length … horizon.

    Without `from_length` the claim starts where it can: at the least length from which it is
    proved. It is refuted, then, if it fails however late one starts: by an input of at least half
    the horizon (horizon=None: by inputs of unbounded length, one of them explicit).

    With error="average" the claim is that E|f − g|, |·| the largest output, is at most the target
    at every length; there is then no input that refutes it, but a length.

    An interruption (Ctrl-C) gives OPEN with what was done; `.finished` is then False.

    Args:
        f: a model of one layer in finite precision.
        g: the other one, with the same |Σ| and number of outputs.
        target: the error allowed, ≥ 0: an int, float, Fraction or text such as "3/10".
        horizon: the longest length of the claim; None: every length.
        from_length: the shortest length of the claim; None: as short as can be.
        error: "linf", every input, or "average".
        law: of the inputs, for the average: a DirichletLaw or a FixedLaw.
        limit: the largest number of evaluations for the proof, and again for the shorter
            lengths beside it.
        progress: called with the evaluations done and `limit`.

    Raises:
        InputError: an argument is not usable.
        WeightsError: the weights lead to numbers beyond the range of float64.
    """
    if error not in ("linf", "average"):
        raise InputError("error", error, '"linf" or "average"')
    if error == "average":
        if law is None:
            raise InputError("law", law, 'for error="average": a DirichletLaw or a FixedLaw')
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
    inputs = PairInputs(f, g)
    allowed_error = read_target(target)
    if horizon is not None:
        horizon = read_length("horizon", horizon, 1)
    if from_length is not None:
        from_length = read_length("from_length", from_length, 1)
        if horizon is not None and from_length > horizon:
            raise InputError("from_length", from_length, f"at most the horizon, {horizon}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError("limit", limit, "an integer ≥ 1")

    if f == g:
        return _equal_weights(f, allowed_error, horizon, from_length)

    def claim(up_to: int) -> Claim:
        return Claim(inputs, allowed_error, up_to, from_length, limit, progress)

    if horizon is None:
        return decide_every_length(claim, inputs, from_length)
    return claim(horizon).verdict()


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
