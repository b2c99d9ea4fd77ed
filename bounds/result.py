"""`LengthBound`: a length, the theorem behind it, and everything needed to judge it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.printing.defaults import Printable

from bounds import comparing, display, formula
from bounds.answer import Answer, Assumption, OtherSide, Standing, Status, Term, show_length

__all__ = ["Assumption", "LengthBound", "OtherSide", "Standing", "Status", "Term", "show_length"]


@dataclass(frozen=True, eq=False)
class LengthBound(Answer, Printable):  # type: ignore[misc]  # SymPy is untyped
    """The answer of `required_length`; what it holds is listed at `Answer`, its base.

    `int`, `float` and formats such as f"{bound:,}" give the length, or refuse: nothing is
    rounded, and an order of growth is no number to train with. Two answers are equal if they
    are the same theorem at the same parameters with the same length. `<`, `<=`, `>` and `>=`
    compare lengths alone, those of two answers or of an answer and a number, so that `a <= b`
    and `b <= a` of two different theorems means equally long.
    """

    def explain(self) -> str:
        """The answer in plain sentences."""
        return display.in_sentences(self)

    def cite(self) -> str:
        """BibTeX of the theorem that was used."""
        return self.theorem.source.bibtex

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; exact numbers as strings, very long integers in hexadecimal.

        "formula" is code in the keywords of `required_length`, which `sympy.sympify` reads;
        "symbols" says how each keyword is typeset and named in `expression`.
        """
        return display.as_data(self)

    def formula(self, free: Collection[str] = ()) -> sympy.Expr:
        """The length as a SymPy expression in the parameters `free`, the rest put in.

        Hypotheses are not in it: it is the length where they hold.

        Args:
            free: keywords, e.g. ["epsilon"]; what was taken by default follows them.

        Raises:
            ParameterError: the theorem does not depend on one of them.
            NotComputable: there is no formula, or a part of it was found by a search at these
                parameters.
        """
        return formula.with_values(self, free)

    def function(self, *free: str) -> Callable[..., Any]:
        """log2 of the length as a function of NumPy arrays, one for each parameter named.

        It works in log space with floats, and is not certified: right to some ten digits, also
        at 2^24000, and fewer where the formula subtracts numbers that are nearly equal. nan where
        the theorem does not apply. A theorem with a free integer, whose best value depends on the
        parameters, is evaluated point by point, certified and at that price.

        Raises:
            ParameterError: the theorem does not depend on one of them.
            NotComputable: there is no formula.
        """
        return formula.over_arrays(self, free)

    def __int__(self) -> int:
        return comparing.as_integer(self)

    def __float__(self) -> float:
        return comparing.as_float(self)

    def __format__(self, how: str) -> str:
        return comparing.formatted(self, how)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LengthBound):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Any, ...]:
        values = frozenset(self.parameters.items())
        return self.theorem.key, values, self.length, self.log2_length

    def __lt__(self, other: Any) -> bool:
        return comparing.order(self, other) == -1

    def __gt__(self, other: Any) -> bool:
        return comparing.order(self, other) == 1

    def __le__(self, other: Any) -> bool:
        return comparing.order(self, other) in (-1, 0)

    def __ge__(self, other: Any) -> bool:
        return comparing.order(self, other) in (0, 1)

    def __str__(self) -> str:
        note = f"; {self.values}" if self.values else ""
        side = f", {self.direction}" if self.direction else ""
        about = f"{self.theorem.key}{side}; {self.status.name}{note}"
        return f"{self.headline[:-1]} ({about})"

    def __repr__(self) -> str:
        return f"<LengthBound {self}>"

    def _sympystr(self, printer: Any) -> str:
        return str(self)

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        return prettyForm(str(self))

    def _latex(self, printer: Any) -> str:
        return display.in_latex(self, printer._print)

    def _repr_html_(self) -> str:
        return display.in_html(self)
