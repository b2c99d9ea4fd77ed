"""Measured average errors per length, next to what is proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.average.error import average_error, average_simulation_error
from verify.average.estimate import Estimate
from verify.average.last_symbols import last_symbols_bound
from verify.average.laws import Law
from verify.errors import InputError
from verify.model.transformer import LimitTransformer


@dataclass(frozen=True)
class AverageRow:
    """One length of an average profile.

    Attributes:
        length: T.
        short: n, the length of z (T itself if T ≤ the limit given).
        error: estimate of ‖f − g‖ at T.
        simulation_f, simulation_g: estimates of E|f(x) − f(z)| and E|g(x) − g(z)|.
        bound_f, bound_g: Theorem A1's bounds on these two; None where it does not apply.
    """

    length: int
    short: int
    error: Estimate
    simulation_f: Estimate
    simulation_g: Estimate
    bound_f: float | None
    bound_g: float | None

    @property
    def holds(self) -> bool:
        """Whether no interval lies wholly above its bound."""
        pairs = ((self.simulation_f, self.bound_f), (self.simulation_g, self.bound_g))
        return all(bound is None or measured.low <= bound for measured, bound in pairs)


def average_profile(
    f: LimitTransformer,
    g: LimitTransformer,
    lengths: Sequence[int],
    *,
    short: int,
    law: Law,
    samples: int = 1000,
    confidence: float = 0.99,
    seed: int = 0,
) -> tuple[AverageRow, ...]:
    """Estimate ‖f − g‖ and the last-n simulation at each length, next to the proved bounds.

    z is the last n symbols of x, n the greatest number ≤ `short` with n ≡ T (mod Δ).

    Args:
        f, g: one-layer models in finite precision with equal |Σ|, Δ and τ.
        lengths: the lengths T ≥ 1.
        short: the largest n, at least Δ.
        law: a DirichletLaw or a FixedLaw.
        samples, confidence, seed: as in `average_error`.

    Raises:
        InputError: an argument is not usable.
    """
    if (f.period, f.locality) != (g.period, g.locality):
        allowed = f"Δ = {f.period} and τ = {f.locality}, as f has them"
        raise InputError("g", g, allowed)
    if short < f.period:
        raise InputError("short", short, f"at least Δ = {f.period}")
    settings = {"law": law, "samples": samples, "confidence": confidence, "seed": seed}
    rows = []
    for length in lengths:
        n = length if length <= short else short - (short - length) % f.period
        rows.append(
            AverageRow(
                length,
                n,
                average_error(f, g, length, **settings),  # type: ignore[arg-type]
                average_simulation_error(f, length, n, **settings),  # type: ignore[arg-type]
                average_simulation_error(g, length, n, **settings),  # type: ignore[arg-type]
                last_symbols_bound(f, n, law=law),
                last_symbols_bound(g, n, law=law),
            )
        )
    return tuple(rows)
