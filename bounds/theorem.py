r"""What a theorem is, for this package; how to state a new one.

A registry entry is one `Theorem`. Its formula is written with the symbols of
`bounds.parameters` and, where that reads better, with auxiliary symbols that
`where` defines:

    def _formula() -> Formula:
        s, X = auxiliary("s"), auxiliary("X")
        steps = ceiling(X * symbols.lipschitz / s)
        return Formula(
            terms={"simulation": steps + 1, "hardmax threshold": ceiling(hardmax_length())},
            where={s: simulation_error(), X: symbols.vocabulary_size / 4},
        )

    Theorem(
        key="derived.example",
        title="...",
        source=derived("derived-example"),
        setting=Setting("linf", "argmax", 1),
        direction=Direction.SUFFICIENT,
        constants="proved",
        statement="For every x there is z with ... (plain sentences)",
        conclusion="|f − g| ≤ {target} at every length",
        scope=Scope(vocabulary_size=ANY, period=exactly(1), ..., inputs="every input"),
        parameters=("epsilon", "target", "lipschitz", "vocabulary_size", ...),
        defaults={"heads": 1},
        hypotheses=(Hypothesis("weights are dropped, nothing else is rounded"),
                    Hypothesis("γ > 1", check=lambda v: below(1, v["margin"]))),
        formula=_formula,
        exponents={"epsilon": -2, "lipschitz": 2},
        compares_with="izzo2025.4.1",
    )

Rules:
- The required length is the largest of the terms (each term is a full length,
  so that they can be compared), unless `total` says otherwise.
- `scope` says of every quantity of a setting what the theorem allows (`bounds.scope`); the
  hypotheses and checks of these quantities follow from it. `hypotheses` adds what is left.
- `check` gets the exact parameter values by keyword (defaults filled in, and
  "simulation_error": s = (target − ε)/2 where the target applies) and returns
  True or False. A hypothesis without `check` cannot be read off the parameters;
  with a `name` besides, it restricts the models, and the theorem is used
  unasked only if the user asserts it: `required_length(..., assume={"no_lag_bias"})`.
- Necessary entries: every valid N is at least the value (rounded down).
- A theorem with a free integer choice (the m of a chain) yields in `choices`
  one substitution per choice; the least value counts.
- `exponents[k] = a` means: N grows like the parameter k to the power a.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import sympy

from bounds.algebra import put_in
from bounds.evaluate import Certified, certify, compare, least
from bounds.functions import for_arrays
from bounds.numbers import Exact
from bounds.parameters import BY_KEYWORD, symbols
from bounds.scope import Hypothesis, Rule, Scope, Values
from bounds.version import version


class Direction(StrEnum):
    """What a length means."""

    SUFFICIENT = "sufficient"
    """Agreement up to this length is enough."""
    NECESSARY = "necessary"
    """No shorter length is enough."""
    FAILURE = "failure"
    """Beyond this length the model fails, whatever it was trained on."""


@dataclass(frozen=True)
class Setting:
    """Which error, which attention, how many layers; printed like `linf, argmax, 1 layer`.

    `or_more`: of a theorem: for this number of layers and any larger one.
    """

    error: str
    attention: str
    layers: int
    or_more: bool = False

    def covers(self, other: Setting) -> bool:
        """Whether a theorem for this setting is about the other one."""
        if (self.error, self.attention) != (other.error, other.attention):
            return False
        return self.layers == other.layers or (self.or_more and self.layers < other.layers)

    def data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        more = {"or_more": True} if self.or_more else {}
        return {"error": self.error, "attention": self.attention, "layers": self.layers} | more

    def with_layers(self, layers: int) -> Setting:
        """The same error and attention at exactly this number of layers."""
        return Setting(self.error, self.attention, layers)

    def __str__(self) -> str:
        number = f"{self.layers} or more" if self.or_more else str(self.layers)
        plural = self.or_more or self.layers > 1
        return f"{self.error}, {self.attention}, {number} layer{'s' if plural else ''}"


@dataclass(frozen=True)
class Source:
    """Where a statement comes from: `str` names it in a line, `bibtex` in full."""

    bibkey: str
    label: str
    locator: str
    entry: str
    section: str
    second_hand: bool = False

    @property
    def bibtex(self) -> str:
        """The BibTeX entry; of our own proofs with the version of this package."""
        return self.entry.replace("{VERSION}", f"{{{version()}}}")

    def __str__(self) -> str:
        mark = ", from secondary sources" if self.second_hand else ""
        return f"[{self.bibkey}, {self.locator}]{mark}"


@dataclass(frozen=True)
class Formula:
    """Named terms, their combination, and the auxiliary symbols."""

    terms: Mapping[str, sympy.Expr]
    total: sympy.Expr | None = None
    where: Mapping[sympy.Symbol, sympy.Expr] = field(default_factory=dict)

    @property
    def length(self) -> sympy.Expr:
        """The required length in the symbols of the parameters and of `where`."""
        if self.total is not None:
            return self.total
        parts = tuple(self.terms.values())
        return parts[0] if len(parts) == 1 else sympy.Max(*parts, evaluate=False)


@dataclass(frozen=True)
class Evaluation:
    """Certified values of a formula: the length, each term, and the choice that was best."""

    length: Certified
    terms: Mapping[str, Certified]
    choice: Mapping[sympy.Symbol, Exact]
    """Values of the free symbols, switches too; a symbol where the choice is a closed form."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Theorem:
    """One theorem of the registry.

    Attributes:
        key: name in the registry, e.g. "izzo2025.4.1".
        title: one line.
        source: paper, version and place; for ours, the section of docs/theory.md.
        setting: the cell of error × attention × layers; None for lemmas.
        direction: sufficient, necessary or failure.
        constants: "proved" (by us, explicit), "stated" (explicit in the source)
            or "implicit" (an order of growth; the symbol C stands for them).
        statement: what is claimed, in plain sentences.
        conclusion: what holds from the length on; `{target}` is filled in.
        parameters: keywords that the formula uses.
        defaults: values of keywords that may be left out, or functions of the others.
        scope: what it allows of every quantity of the setting; None for lemmas, and for results
            about other models than ours.
        hypotheses: the assumptions; those that follow from `scope` come first.
        formula: builds the formula; None where no number exists.
        exponents: keyword → power with which N grows in it.
        compares_with: key of the counterpart in the paper.
        uncertain: points that the known sources leave open.
        quantity: "length", or "locality" where the number is an effective locality.
        no_bound: True where the theorem says that no computable bound exists.
        unknown: True where the entry records that it is not known whether a bound exists.
        silent_about: keywords that, if given, ask about a smaller class than `no_bound` covers.
        survives: of a necessary length: names of restrictions of the models (`assume`) that the
            pair behind it satisfies; any other makes the class too small for the pair.
        searched: auxiliary symbols whose value may be found by a search at given parameters,
            and then holds nowhere else.
        switches: symbols of the formula that are 1 where one of these names is asserted and 0
            elsewhere: of several pairs behind a necessary length, those count that are left.
    """

    key: str
    title: str
    source: Source
    setting: Setting | None
    direction: Direction
    constants: Literal["proved", "stated", "implicit"]
    statement: str
    conclusion: str
    scope: Scope | None = None
    parameters: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    hypotheses: tuple[Hypothesis, ...] = ()
    formula: Callable[[], Formula] | None = None
    choices: Callable[[Values], Iterable[Mapping[sympy.Symbol, Exact]]] | None = None
    exponents: Mapping[str, Any] = field(default_factory=dict)
    compares_with: str | None = None
    uncertain: tuple[str, ...] = ()
    quantity: Literal["length", "locality"] = "length"
    no_bound: bool = False
    unknown: bool = False
    silent_about: tuple[str, ...] = ()
    survives: tuple[str, ...] = ()
    searched: tuple[sympy.Symbol, ...] = ()
    switches: Mapping[sympy.Symbol, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the hypotheses that follow from the scope before the others."""
        if self.scope is not None:
            object.__setattr__(self, "hypotheses", (*self.scope.hypotheses(), *self.hypotheses))

    @property
    def reads(self) -> tuple[str, ...]:
        """The keywords that the formula or a hypothesis about a quantity depends on."""
        ties = ("tie_tolerance",) if self.scope is not None and self.scope.ties == "exact" else ()
        return tuple(dict.fromkeys((*self.parameters, *self.rules, *ties)))

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The rules for quantities that the theorem restricts, by keyword."""
        return {} if self.scope is None else self.scope.rules()

    @cached_property
    def stated(self) -> Formula | None:
        """The formula with its auxiliary symbols, as it reads best."""
        return None if self.formula is None else self.formula()

    @cached_property
    def expression(self) -> sympy.Expr | None:
        """The length as one SymPy expression in `bounds.symbols`; None where none exists."""
        if self.stated is None:
            return None
        return self.in_parameters(self.stated.length)

    def in_parameters(
        self, expression: sympy.Expr, chosen: Mapping[sympy.Symbol, sympy.Expr] | None = None
    ) -> sympy.Expr:
        """`expression` with the auxiliary symbols replaced by what they stand for.

        `chosen` holds the values of the free symbols of a theorem with choices.
        """
        where = {} if self.stated is None else self.stated.where
        return for_arrays(put_in(expression, {**where, **(chosen or {})}))

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols of the parameters, in the order of `parameters`."""
        return tuple(BY_KEYWORD[keyword].symbol for keyword in self.parameters)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The hypotheses in words."""
        return tuple(hypothesis.text for hypothesis in self.hypotheses)

    @property
    def required(self) -> tuple[str, ...]:
        """The keywords that have no default."""
        return tuple(k for k in self.parameters if k not in self.defaults)

    @property
    def rounding(self) -> Literal["up", "down"]:
        """The safe side: up for what suffices, down for what is necessary."""
        return "up" if self.direction is Direction.SUFFICIENT else "down"

    def exponent(self, keyword: str) -> sympy.Expr:
        """The power a in N ~ (parameter)^a, e.g. −2 for "epsilon".

        A SymPy expression in the other parameters; 0 if N does not depend on it.

        Raises:
            KeyError: the power is not stated (N is not a power of it, or the source
                leaves the degree open).
        """
        if keyword in self.exponents:
            return sympy.sympify(self.exponents[keyword])
        if keyword in BY_KEYWORD and keyword not in self.parameters:
            return sympy.Integer(0)
        raise KeyError(
            f"{self.key} states no power of {keyword!r}; it states: {list(self.exponents)}"
        )

    def latex(self) -> str:
        """The formula in LaTeX, with its auxiliary symbols explained."""
        if self.stated is None:
            return rf"\text{{{self.statement}}}"
        sign = r"\ge" if self.quantity == "length" else "="
        lines = [rf"N {sign} {sympy.latex(self.stated.length)}"]
        lines += [
            rf"{sympy.latex(name)} = {sympy.latex(meaning)}"
            for name, meaning in self.stated.where.items()
        ]
        return r",\quad ".join(lines)

    def _repr_html_(self) -> str:
        """Title, formula and hypotheses for a notebook."""
        rough = " (order of growth)" if self.constants == "implicit" else ""
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self.assumptions)
        formula = "" if self.stated is None else f"<p>$\\displaystyle {self.latex()}$</p>"
        return (
            f"<p><b>{html.escape(self.key)}</b>: {html.escape(self.title)}{rough}, "
            f"{self.direction} {html.escape(str(self.source))}</p>{formula}"
            f"<p>{html.escape(self.statement)}</p><ul>{items}</ul>"
        )

    def __str__(self) -> str:
        return f"{self.key}: {self.title} {self.source}"

    def __repr__(self) -> str:
        return f"<Theorem {self.key}>"

    def evaluate(self, values: Values, asserted: Collection[str] = ()) -> Evaluation:
        """Certified length for exact values of every parameter (defaults filled in).

        `asserted`: the names that the switches ask for.
        """
        if self.stated is None:
            raise ValueError(f"{self.key} has no formula")
        known: dict[sympy.Symbol, Any] = {
            BY_KEYWORD[keyword].symbol: value
            for keyword, value in values.items()
            if keyword in BY_KEYWORD
        }
        known.update(self.stated.where)
        switched = {
            symbol: Fraction(not set(names).isdisjoint(asserted))
            for symbol, names in self.switches.items()
        }
        known.update(switched)
        choices: list[Mapping[sympy.Symbol, Exact]]
        choices = [{}] if self.choices is None else list(self.choices(values))
        lengths = [certify(self.stated.length, known | dict(c), self.rounding) for c in choices]
        best = least(lengths)
        known.update(choices[best])
        terms = {
            name: certify(term, known, self.rounding) for name, term in self.stated.terms.items()
        }
        return Evaluation(lengths[best], terms, {**switched, **choices[best]})


def auxiliary(name: str, **assumptions: bool) -> sympy.Symbol:
    """A symbol for use inside one formula; positive unless told otherwise."""
    return sympy.Symbol(name, **(assumptions or {"positive": True}))


def simulation_error() -> sympy.Expr:
    """s = (η − ε)/2, the error that simulation may cost for each of f and g."""
    return (symbols.target - symbols.epsilon) / 2


def hardmax_length() -> sympy.Expr:
    """h₀ = 2^(p/γ), from which on softmax with p bits is hardmax."""
    return sympy.Integer(2) ** (symbols.precision_bits / symbols.margin)


def levels(sets: Any) -> sympy.Expr:
    """min{sets, Δ(|Σ| − 1) + 1}: types of prefix positions serve as levels as well as sets do."""
    types = symbols.period * (symbols.vocabulary_size - 1) + 1
    return sympy.Min(sets, types, evaluate=False)


def larger(one: Any, other: Any) -> sympy.Expr:
    """Max of two, for powers in `exponents`: not compared, which takes SymPy 10 ms at import."""
    return sympy.Max(one, other, evaluate=False)


def smaller(one: Any, other: Any) -> sympy.Expr:
    """Min of two, as `larger`."""
    return sympy.Min(one, other, evaluate=False)


def whole_periods(threshold: sympy.Expr) -> sympy.Expr:
    """⌈threshold⌉ + Δ − 1: every residue has a length from the threshold on, up to here."""
    return sympy.ceiling(threshold) + symbols.period - 1


def below(left: Any, right: Any) -> bool:
    """left < right for exact numbers, certified: for the checks of hypotheses."""
    return compare(_exact(left), _exact(right)) < 0


def _exact(value: Any) -> Exact:
    return Fraction(value) if isinstance(value, int) else value
