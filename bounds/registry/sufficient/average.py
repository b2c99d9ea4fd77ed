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

SHARE, U_1, U_2 = auxiliary("xi"), auxiliary("u_1"), auxiliary("u_2")
"""The fluctuation may take the share ξ of s/Λ, what the end adds the rest."""

SHARES = (Fraction(1, 2), Fraction(1, 4), Fraction(3, 4))
"""The shares that are tried; any is allowed."""

POWER_MASS_1, POWER_MASS_2 = auxiliary("a_1"), auxiliary("a_2")
"""Masses ≤ a* at which the power form of K_θ is taken (`bounds.registry.sufficient.beta_roots`)."""


def unless_trivial(trivial: sympy.Expr, length: sympy.Expr, lipschitz: sympy.Symbol) -> sympy.Expr:
    """`trivial` where s is at least the Lipschitz constant: the same query simulates."""
    return Piecewise((trivial, lipschitz <= S), (length, True))


def all_lengths_hard() -> sympy.Expr:
    """All Δ lengths up to N reach h₀: the one that stands for T may be N − Δ + 1."""
    return ceiling(H0) + symbols.period - 1


def split(u: sympy.Expr) -> dict[sympy.Symbol, sympy.Expr]:
    """The auxiliary symbols of the entries whose error has two terms, u to be shared."""
    return {U_1: SHARE * u, U_2: (1 - SHARE) * u, S: simulation_error(), H0: hardmax_length()}


def quadratic_root(factor: sympy.Expr, error: sympy.Expr) -> sympy.Expr:
    """The t with 1/√(2t) + factor/t = error."""
    return (1 + sympy.sqrt(1 + 8 * factor * error)) ** 2 / (8 * error**2)


def joined(end: sympy.Expr, least: sympy.Expr, falls: int) -> sympy.Expr:
    """C = least + end + falls·end/√(least + end): fluctuations of second order, and the end's."""
    return least + end + falls * end / sympy.sqrt(least + end)


def where(u: sympy.Expr) -> dict[sympy.Symbol, sympy.Expr]:
    """The auxiliary symbols of the Dirichlet entries, with this u."""
    return {U: u, S: simulation_error(), H0: hardmax_length()}


def power_masses(
    values: Values, mass: str, lipschitz: str, observed: int, theta: Fraction
) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """The mass for the power form at θ, for u = s/(2·`lipschitz`)."""
    s, constant = values["simulation_error"], values[lipschitz]
    if compare(s, constant) >= 0:  # simulation is trivial: no mass is asked for
        yield {}
        return
    u = s / (2 * constant)
    yield {POWER_MASS_1: smaller_mass(values[mass], values["alpha_total"], observed, theta, u)}


def shared_masses(
    values: Values, mass: str, observed: int, terms: int, thetas: tuple[Fraction, Fraction]
) -> Iterator[Mapping[sympy.Symbol, Exact]]:
    """Every share, with the masses for the power form at each θ, for s/(terms·Λ) shared."""
    s, constant = values["simulation_error"], values["lipschitz_euclidean"]
    if compare(s, constant) >= 0:
        yield {}
        return
    whole = s / (terms * constant)
    for share in SHARES:
        masses = [
            smaller_mass(values[mass], values["alpha_total"], observed, theta, part * whole)
            for theta, part in zip(thetas, (share, 1 - share), strict=True)
        ]
        yield {SHARE: share, POWER_MASS_1: masses[0], POWER_MASS_2: masses[1]}
