"""A claim without a horizon: proved, refuted, or how far it is proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from verify.certificates.claim import Claim
from verify.certificates.input_class import LONGEST, PairInputs
from verify.certificates.instance import cost
from verify.certificates.unbounded import carried_loss, settled_exponent
from verify.certificates.verdict import ProofStatus, Verdict
from verify.lengths import show_long

_SETTLED = 40
"""Least exponent of the horizon that stands for all of them: windows are small beside it."""

_FIRST = 20
"""Exponent of the first horizon that is tried where the claim fails for long inputs."""


_PROBE = 10**5
"""Evaluations of an attempt to prove a horizon; with more, N grows and the horizon hardly does."""


def decide_every_length(
    claim: Callable[[int], Claim], inputs: PairInputs, from_length: int | None
) -> Verdict:
    """Decide the claim for every length; `claim` is the same claim up to a horizon.

    Beyond 2^(p/κ) nothing new happens (`verify.certificates.unbounded`): a proof up to such a
    horizon is one for all, and a counterexample of such a length has longer ones like it.
    """
    exponent = max(settled_exponent(inputs) + 1, _SETTLED, 2 * (from_length or 1).bit_length())
    settled = 2**exponent <= LONGEST
    horizon = 2**exponent if settled else LONGEST
    found = claim(horizon).verdict(rungs=settled)
    if found.status is ProofStatus.PROVED:
        if settled and _carries(inputs, found):
            return replace(found, horizon=None)
        return _opened(found, _nearly_equal(exponent), horizon)
    if not found.finished:
        return _opened(found, found.reason, None)
    if found.status is ProofStatus.REFUTED and from_length is not None:
        return replace(found, horizon=None)
    far = _farthest(claim, horizon) if exponent > _SETTLED else None
    reached = None if far is None else far.horizon
    if found.status is ProofStatus.REFUTED and found.found is not None and settled:
        loss = carried_loss(inputs, found.found.worst.summary)
        if found.found.low - loss > found.target:
            reason = (
                f"{found.reason} The same shares at any greater length change f and g by at most "
                f"{float(loss):.3g} together: it fails at lengths beyond every bound."
            )
            return replace(found, horizon=None, reason=reason, proved_horizon=reached)
    reason = _nearly_equal(exponent) if exponent > _SETTLED else found.reason
    return _opened(found if far is None else far, reason, reached)


def _carries(inputs: PairInputs, found: Verdict) -> bool:
    """Whether the last window costs no more up to far greater horizons, as the theory says."""
    if not found.rungs or found.rungs[-1].reach != found.horizon:
        return False
    last, pair = found.rungs[-1], inputs.pair
    return all(
        cost(pair.f, pair.g, last.length, last.reach**power).value <= last.cost for power in (2, 4)
    )


def _farthest(claim: Callable[[int], Claim], beyond: int) -> Verdict | None:
    """Return the proof by one window up to the largest power of two that is found, if any.

    Args:
        claim: the claim up to a horizon.
        beyond: a power of two up to which it is not proved.
    """
    best: Verdict | None = None
    low, high = 0, beyond.bit_length() - 1
    step = _FIRST
    while high - low > 1:
        middle = min(low + step, (low + high) // 2) if best is None else (low + high) // 2
        attempt = claim(2**middle)
        attempt.limit = min(attempt.limit, _PROBE)
        if (attempt.from_length or 0) > attempt.horizon:
            low = middle
            continue
        found = attempt.verdict(extend=False, rungs=False)
        if not found.finished:
            break
        if found.status is ProofStatus.PROVED:
            low, best = middle, found
        else:
            high = middle
    return best


def _nearly_equal(exponent: int) -> str:
    return (
        f"Logits that are nearly equal part only at lengths about 2^{exponent - 1}: no window "
        "carries to every length."
    )


def _opened(found: Verdict, reason: str, proved_horizon: int | None) -> Verdict:
    """Return the verdict as one that is open for every length, with how far it is proved."""
    if proved_horizon is not None:
        reason = f"{reason} Proved up to length {show_long(proved_horizon)}."
    return replace(
        found,
        status=ProofStatus.OPEN,
        horizon=None,
        reason=reason,
        counterexample=None,
        proved_horizon=proved_horizon,
    )
