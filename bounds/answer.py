"""What an answer consists of: a length, the theorem behind it, and what is needed to judge it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Generic, Literal, Self, TypeAlias, TypeVar

import sympy

from bounds.errors import NotComputable
from bounds.evaluate import compare, size
from bounds.numbers import Exact, brief, to_sympy
from bounds.signs import equation
from bounds.theorem import Direction, Setting, Theorem

_SILENT = ("constant", "tie_tolerance", "horizon")
"""Defaults that go without saying: C is shown with the number, and exact ties are the rule."""

Standing: TypeAlias = Literal["satisfied", "asserted", "assumed", "violated"]


class Status(Enum):
    """What the number is worth, and what to do about it: the value is the advice."""

    PROVED = "Proved: explicit constants, rounded to the safe side."
    TOO_LARGE = (
        "Proved, but too long to write out (more than 100,000 bits): use log2_length. "
        "If it is the hardmax threshold 2^(p/γ), only fewer bits or a larger margin help."
    )
    ORDER_OF_GROWTH = (
        "Order of growth only: the source leaves the constants implicit, so this value (at the "
        "constant C shown) is no guarantee. Use it for comparison, never as a training length."
    )
    SECOND_HAND = (
        "As reported by secondary sources; not checked by us. Look it up before you rely on it."
    )
    NOT_COMPUTABLE = (
        "Proved: no computable bound exists in this setting. Restrict the models (see alternatives "
        "and not_applicable for theorems that need more parameters)."
    )
    UNKNOWN = (
        "Not known: neither a bound nor its impossibility is proved in this setting. Look at "
        "`necessary` for lengths that are too short, and restrict the models."
    )
    NO_NUMBER = "The source states no number; read the statement."

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Term:
    """One term of the bound, as a full length: integer (None if too long) and log2."""

    length: int | None
    log2_length: float | None

    def __str__(self) -> str:
        return show_length(self.length, self.log2_length)


@dataclass(frozen=True)
class Assumption:
    """A hypothesis and whether it is known to hold.

    `status`: "satisfied" (checked on the parameters), "asserted" (by the user, in
    `assume`) or "assumed" (about the models; no parameter shows it).
    """

    text: str
    status: Standing


_B = TypeVar("_B")


@dataclass(frozen=True)
class OtherSide(Generic[_B]):
    """What is known beside an answer, in its setting and of the same class of models.

    Attributes:
        necessary: the necessary lengths that apply, longest first.
        paper: the paper's order of growth, where it states one that applies.
        refused: key of a theorem → why it says nothing here.
    """

    necessary: tuple[_B, ...]
    paper: _B | None
    refused: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Answer:
    """The data of an answer, which `bounds.result.LengthBound` shows and compares.

    Attributes:
        theorem: the theorem used.
        status: what the number is worth.
        parameters: exact values used, by keyword (defaults included).
        defaults: keywords whose values were not given but taken by default.
        assumptions: the theorem's hypotheses, each with its status.
        length: the length, rounded up (down for necessary ones); None where no number
            is justified or it has more than 100,000 bits.
        log2_length: its log2; None only where no number is justified or it is 0.
        choice: the free integers of the theorem (such as the m of a chain) that are best.
        terms: each term of the formula as a full length.
        alternatives: other theorems that apply, shortest first.
        not_applicable: key → why a theorem of the setting was not used.
        unused: keywords given that the theorem does not depend on.
        setting: the cell of error × attention × layers that was asked about; None for lemmas.
    """

    theorem: Theorem
    status: Status
    parameters: Mapping[str, Exact]
    assumptions: tuple[Assumption, ...]
    defaults: tuple[str, ...] = ()
    length: int | None = None
    log2_length: float | None = None
    choice: Mapping[sympy.Symbol, Exact] = field(default_factory=dict)
    terms: Mapping[str, Term] = field(default_factory=dict)
    alternatives: tuple[Self, ...] = ()
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    setting: Setting | None = None
    find_other_side: Callable[[], OtherSide[Self]] | None = field(default=None, repr=False)

    def with_other_side(self, find: Callable[[], OtherSide[Self]]) -> Self:
        """The same answer, knowing how to find what stands beside it in its setting."""
        return replace(self, find_other_side=find)  # type: ignore[arg-type]  # mypy: Self

    @cached_property
    def other_side(self) -> OtherSide[Self]:
        """What is known in the same setting of the same class; worked out when first asked for."""
        find = self.find_other_side
        return OtherSide((), None, {}) if find is None else find()

    @property
    def necessary(self) -> tuple[Self, ...]:
        """The necessary lengths that apply to the same class of models, longest first."""
        return self.other_side.necessary

    @property
    def paper(self) -> Self | None:
        """The paper's order of growth in this setting; None where it states none that applies."""
        return self.other_side.paper

    def with_alternatives(
        self, alternatives: tuple[Self, ...], not_applicable: Mapping[str, str]
    ) -> Self:
        """The same bound, knowing what else applies."""
        return replace(self, alternatives=alternatives, not_applicable=not_applicable)

    @property
    def expression(self) -> sympy.Expr | None:
        """The formula in `bounds.symbols`; None where the theorem has none.

        None too where a part of the number was searched for at these parameters (`choice` shows
        it): as a formula it would be false at any others. `theorem.expression` has the symbol.
        """
        if self.theorem.stated is None:
            return None
        if self.searched:
            return None
        chosen = {name: to_sympy(value) for name, value in self.choice.items()}
        return self.theorem.in_parameters(self.theorem.stated.length, chosen)

    @property
    def direction(self) -> Direction | None:
        """Sufficient, necessary or failure; None where it is not known whether a bound exists."""
        return None if self.status is Status.UNKNOWN else self.theorem.direction

    @property
    def constants(self) -> str:
        """One of "proved", "stated", "implicit (C = ...)", "none" where nothing is known."""
        if self.status is Status.UNKNOWN:
            return "none"
        if self.theorem.constants != "implicit":
            return self.theorem.constants
        return f"implicit (C = {self.constant})"

    @property
    def constant(self) -> str:
        """The value of C, the constant that a source leaves implicit."""
        return brief(self.parameters.get("constant", Fraction(1)))

    @property
    def dominant(self) -> str | None:
        """Name of the largest term."""
        sizes = {
            name: size(term.length, term.log2_length)
            for name, term in self.terms.items()
            if term.log2_length is not None
        }
        return max(sizes, key=lambda name: sizes[name]) if sizes else None

    @property
    def conclusion(self) -> str:
        """What holds from that length on."""
        text = self.theorem.conclusion
        if self.parameters.get("tie_tolerance") and "horizon" in self.parameters:
            horizon = brief(self.parameters["horizon"])
            text = text.replace("at every length", f"at every length up to T* = {horizon}")
            if self.length is not None and self.length >= self.parameters["horizon"]:
                text += " (vacuous: the length is not below T*, so nothing is carried over)"
        if self.nothing_to_shorten:
            text += " (vacuous: s = (target − ε)/2 is at least L, by which attention can move an "
            text += "output at most, so that every input with the same query stands in for x)"
        target, epsilon = self.parameters.get("target"), self.parameters.get("epsilon")
        if target is None:
            return text.format(target="O(ε)")
        triple = epsilon is not None and target == 3 * epsilon
        number = brief(target)
        shown = ("3 ε " if number.startswith("≈") else "3 ε = ") + number if triple else number
        return text.format(target=shown)

    @property
    def nothing_to_shorten(self) -> bool:
        """Whether s is at least what the error of a simulation by one layer can be at all, L."""
        asked, read = self.setting, self.parameters
        if asked is None or (asked.error, asked.layers) != ("linf", 1):
            return False
        if self.direction is not Direction.SUFFICIENT or self.status is Status.ORDER_OF_GROWTH:
            return False
        if "simulation_error" not in read or "lipschitz" not in read:
            return False
        try:
            return compare(read["simulation_error"], read["lipschitz"]) >= 0
        except NotComputable:
            return False

    @property
    def searched(self) -> bool:
        """Whether a part of the number was found by a search at these parameters."""
        return any(_is_number(self.choice.get(n)) for n in self.theorem.searched)

    @property
    def numbers_chosen(self) -> dict[sympy.Symbol, str]:
        """The free integers of the theorem that were best; not those that are a closed form."""
        return {
            name: brief(value)
            for name, value in self.choice.items()
            if not isinstance(value, sympy.Symbol) and name not in self.theorem.switches
        }

    @property
    def given(self) -> dict[str, Exact]:
        """The values that the theorem used and that were given, by keyword."""
        silent = (*self.defaults, "simulation_error", "layers")
        return {k: v for k, v in self.parameters.items() if k not in silent}

    @property
    def taken_by_default(self) -> str:
        """The values taken by default, such as "heads = 1, target = 3 ε = 3/10"."""
        shown = {k: brief(self.parameters[k]) for k in self.defaults if k not in _SILENT}
        if "target" in shown:
            shown["target"] = f"3 ε = {shown['target']}"
        return ", ".join(f"{keyword} = {value}" for keyword, value in shown.items())

    @property
    def values(self) -> str:
        """Every value used, such as "ε = 1/10, L = 1; by default heads = 1"."""
        given = ", ".join(equation(k, v) for k, v in self.given.items())
        taken = f"by default {self.taken_by_default}" if self.taken_by_default else ""
        return "; ".join(text for text in (given, taken) if text)

    @property
    def number(self) -> str:
        """The length in short, with what keeps it from being a guarantee."""
        if self.status is Status.NOT_COMPUTABLE:
            return "no computable bound"
        if self.status is Status.UNKNOWN:
            return "not known whether a bound exists"
        if self.status is Status.NO_NUMBER:
            return "no number"
        number = show_length(self.length, self.log2_length)
        if self.status is Status.ORDER_OF_GROWTH:
            return f"order of growth {number} at C = {self.constant}, no guarantee"
        return number

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.status in (Status.NOT_COMPUTABLE, Status.UNKNOWN, Status.NO_NUMBER):
            return f"Required length: {self.number}."
        if self.theorem.quantity == "locality":
            return f"Effective locality: {self.number}."
        if self.status is Status.ORDER_OF_GROWTH:
            number = show_length(self.length, self.log2_length)
            return f"Order of growth, no guarantee: {number} at C = {self.constant}."
        if self.direction is Direction.FAILURE:
            return f"The model fails beyond length {self.number}."
        if self.setting is None:  # a lemma: its length is not one of training inputs
            what = "sufficient" if self.direction is Direction.SUFFICIENT else "necessary"
            return f"Length {what} in the sense of the statement: {self.number}."
        if self.direction is Direction.NECESSARY:
            return f"Every sufficient training length is at least {self.number}."
        return f"Sufficient training length: {self.number}."


def show_length(length: int | None, log2_length: float | None) -> str:
    """A length as text: digits where short, a power of two where long; never a wrong digit."""
    if length is not None and length < 10**15:
        return f"{length:,}" if length >= 10**5 else str(length)
    if log2_length is None:
        return "0" if length is not None else "no number"
    power = f"2^{log2_length:.10g}"
    if length is not None and length < 10**300:
        return f"≈ {float(length):.4g} ({power})"
    return f"≈ {power}"


def _is_number(value: object) -> bool:
    return isinstance(value, sympy.Basic) and not value.free_symbols
