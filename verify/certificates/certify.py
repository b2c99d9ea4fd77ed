"""`certify` for either kind of precision."""

from __future__ import annotations

from typing import Any

from verify.certificates.certificate import Certificate, certify_finite
from verify.certificates.contexts import pair_of
from verify.certificates.softmax import SoftmaxCertificate, certify_softmax
from verify.float_errors import usual_float_errors
from verify.model.transformer import LimitTransformer


@usual_float_errors
def certify(
    f: LimitTransformer,
    g: LimitTransformer,
    *,
    epsilon: Any,
    target: Any = None,
    horizon: Any = None,
) -> Certificate | SoftmaxCertificate:
    """Return the least length found from which agreement within ε carries to the horizon.

    Args:
        f, g: one-layer models with the same |Σ|, number of outputs and kind of precision.
        epsilon: ε ≥ 0, the error on the window of Δ lengths.
        target: the error wanted up to the horizon, > ε. None (default): 3ε.
        horizon: T* ≥ 2Δ, the longest length of interest. None (infinite precision only): every
            length.

    Raises:
        InputError: an argument cannot be used (all problems of the models at once).
    """
    kind = certify_finite if pair_of(f, g, finite=None).finite else certify_softmax
    return kind(f, g, epsilon=epsilon, target=target, horizon=horizon)
