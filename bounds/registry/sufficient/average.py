"""What the sufficient lengths for average error and argmax attention share.

u is the share of s/Λ that one term of the error may take; K_θ(u) says how small t must be for
E min(1, (t/q)^θ) ≤ u, q a Beta variable [derived, Lemma T3].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Piecewise, ceiling

from bounds.evaluate import compare
from bounds.numbers import Exact
from bounds.parameters import symbols
from bounds.registry.sufficient.beta_roots import smaller_mass
from bounds.scope import Values
from bounds.theorem import auxiliary, hardmax_length, simulation_error

CONCLUSION = "average error of f − g ≤ {target} at every length"

S, U, H0 = auxiliary("s"), auxiliary("u"), auxiliary("h_0")

POWER_MASS_1, POWER_MASS_2 = auxiliary("a_1"), auxiliary("a_2")
"""Masses ≤ a* at which the power form of K_θ is taken (`bounds.registry.sufficient.beta_roots`)."""


def unless_trivial(trivial: sympy.Expr, length: sympy.Expr, lipschitz: sympy.Symbol) -> sympy.Expr:
    """`trivial` where s is at least the Lipschitz constant: the same query simulates."""
    return Piecewise((trivial, lipschitz <= S), (length, True))


def all_lengths_hard() -> sympy.Expr:
    """All Δ lengths up to N reach h₀: the one that stands for T may be N − Δ + 1."""
    return ceiling(H0) + symbols.period - 1


def where(u: sympy.Expr) -> dict[sympy.Symbol, sympy.Expr]:
    """The auxiliary symbols of the Dirichlet entries, with this u."""
    return {U: u, S: simulation_error(), H0: hardmax_length()}


def power_masses(
    values: Values,
    mass: str,
    lipschitz: str,
    observed: int,
    terms: int,
    thetas: tuple[Fraction, ...],
) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """The masses for the power form at each θ, for u = s/(2·terms·`lipschitz`)."""
    s, constant = values["simulation_error"], values[lipschitz]
    if compare(s, constant) >= 0:  # simulation is trivial: no mass is asked for
        yield {}
        return
    u = s / (2 * terms * constant)
    masses = [smaller_mass(values[mass], values["alpha_total"], observed, t, u) for t in thetas]
    yield dict(zip((POWER_MASS_1, POWER_MASS_2), masses, strict=False))
