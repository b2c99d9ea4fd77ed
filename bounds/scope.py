"""Hypotheses as data: what a theorem allows of every quantity of its setting.

A `Scope` has one field per quantity and no defaults, so that an entry has to say something of
each: "not mentioned" cannot mean "ignored". The checks of `required_length` are derived from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Literal, TypeAlias

from bounds.evaluate import compare
from bounds.numbers import Exact, brief
from bounds.parameters import BY_KEYWORD

Values: TypeAlias = Mapping[str, Exact]


@dataclass(frozen=True)
class Hypothesis:
    """One assumption of a theorem.

    Attributes:
        text: the assumption in words.
        check: whether exact parameter values satisfy it; None: no parameter shows it.
        name: what a user writes in `assume` to assert it. With a check, asserting is needed
            only where the check fails.
        keyword: the one parameter that the check is about, if it is one.
    """

    text: str
    check: Callable[[Values], bool] | None = None
    name: str | None = None
    keyword: str | None = None

    def needs_assertion(self) -> bool:
        """Whether the theorem is used only if the user asserts this."""
        return self.name is not None and self.check is None


@dataclass(frozen=True)
class Rule:
    """Which values of an integer quantity a theorem allows.

    Attributes:
        kind: "any", "exactly" or "at least".
        bound: the number; or the keyword of another quantity, which then counts as at least 1.
    """

    kind: Literal["any", "exactly", "at least"]
    bound: int | str = 0

    @property
    def text(self) -> str:
        """The condition as it follows the symbol, such as "= 1"; "" for any value."""
        number = f"max(1, {_symbol(self.bound)})" if isinstance(self.bound, str) else self.bound
        return {"any": "", "exactly": f"= {number}", "at least": f"≥ {number}"}[self.kind]

    def holds(self, value: Exact, values: Values) -> bool:
        """Whether the quantity may have this value, given those of the others."""
        if self.kind == "any":
            return True
        least = self.default(values)
        return bool(value == least if self.kind == "exactly" else value >= least)

    def default(self, values: Values) -> Exact:
        """The value taken where none is given.

        Raises:
            KeyError: it depends on a quantity that is not given.
        """
        if isinstance(self.bound, str):
            return max(Fraction(1), values[self.bound])
        return Fraction(self.bound)


ANY = Rule("any")
"""Any value, and the length does not depend on it unless the formula shows it."""


def exactly(number: int) -> Rule:
    """Only this value."""
    return Rule("exactly", number)


def at_least(number: int) -> Rule:
    """This value or a greater one."""
    return Rule("at least", number)


def at_least_quantity(keyword: str) -> Rule:
    """At least as great as another quantity, and at least 1."""
    return Rule("at least", keyword)


NO_LAG_BIAS, EXACT_TIES, MARKOV_INPUTS = "no_lag_bias", "exact_ties", "markov_inputs"
TRUE_LIPSCHITZ = "true_lipschitz"

Law: TypeAlias = Literal["every input", "exchangeable", "mixed", "Dirichlet", "fixed", "Markov"]

_LAW_OF_KEYWORD: Mapping[str, Law] = {
    "alpha_min": "Dirichlet",
    "alpha_total": "Dirichlet",
    "alpha_class": "Dirichlet",
    "class_probability": "fixed",
    "gram_probability": "fixed",
    "spectral_gap": "Markov",
    "stationary_min": "Markov",
}
_LAW_OF_NAME: Mapping[str, Law] = {MARKOV_INPUTS: "Markov"}

_LAW_TEXT: Mapping[Law, str] = {
    "every input": "",
    "exchangeable": "inputs exchangeable, and inputs of length n distributed as parts of longer "
    "ones",
    "mixed": "tokens i.i.d. given their law, any prior (a fixed law too), for all lengths",
    "Dirichlet": "tokens i.i.d. given their law, the law drawn from one Dirichlet prior for all "
    "lengths",
    "fixed": "tokens i.i.d. with one fixed law for all lengths; classes inside its support",
    "Markov": "inputs of every length from one stationary Markov chain",
}
_COVERED: Mapping[Law, tuple[Law, ...]] = {
    "every input": ("Dirichlet", "fixed", "Markov"),
    "exchangeable": ("Dirichlet", "fixed"),
    "mixed": ("Dirichlet", "fixed"),
    "Dirichlet": ("Dirichlet",),
    "fixed": ("fixed",),
    "Markov": ("Markov",),
}
"""What each law of a theorem covers of the laws that a user can describe."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a theorem allows of each quantity of a setting.

    For a sufficient length: the class of models and inputs for which it is proved. For a
    necessary one: the classes that contain the pair behind it.

    Attributes:
        vocabulary_size, period, locality, heads: rules for |Σ|, Δ (1: no positions), τ and the
            heads of every layer.
        lag_bias: "any"; "none" (φ = 0 in every head); "first layer" (φ = 0 in the second).
        logits: "any"; "shared": f and g have the same logits.
        precision: of f and g: "any" (p is the larger one); "common" (the same for both);
            "infinite" (softmax).
        ties: "exact": logits count as equal only where they are; "near": clusters of diameter κ
            count as tied, up to the horizon; "no matter" (softmax).
        inputs: the law of the inputs; "every input" for the worst case.
    """

    vocabulary_size: Rule
    period: Rule
    locality: Rule
    heads: Rule
    lag_bias: Literal["any", "none", "first layer"]
    logits: Literal["any", "shared"]
    precision: Literal["any", "common", "infinite"]
    ties: Literal["exact", "near", "no matter"]
    inputs: Law

    def rules(self) -> dict[str, Rule]:
        """The rules that restrict a quantity, by keyword."""
        found = {
            "vocabulary_size": self.vocabulary_size,
            "period": self.period,
            "locality": self.locality,
            "heads": self.heads,
        }
        return {keyword: rule for keyword, rule in found.items() if rule is not ANY}

    def hypotheses(self) -> Iterator[Hypothesis]:
        """The hypotheses that say the same in words, with their checks."""
        for keyword, rule in self.rules().items():
            text = f"{_symbol(keyword)} {rule.text}"
            yield Hypothesis(text, partial(follows, keyword, rule), keyword=keyword)
        if self.lag_bias == "none":
            yield Hypothesis("no lag bias (φ = 0)", name=NO_LAG_BIAS)
            text = "τ = 0, as no lag has a bias"
            yield Hypothesis(text, partial(_is_zero, "locality"), keyword="locality")
        elif self.lag_bias == "first layer":
            yield Hypothesis("no lag bias in the second layer")
        if self.logits == "shared":
            bits = " and the same precision p" if self.precision == "common" else ""
            yield Hypothesis(f"f and g have the same logits{bits}", name="shared_logits")
        if self.ties == "exact":
            yield Hypothesis(
                "only equal logits are ties (κ = 0); with κ > 0 the length is that of the models "
                "whose logits within κ are equal, not of those measured",
                partial(_is_zero, "tie_tolerance"),
                name=EXACT_TIES,
                keyword="tie_tolerance",
            )
        if _LAW_TEXT[self.inputs]:
            name = next((n for n, law in _LAW_OF_NAME.items() if law == self.inputs), None)
            yield Hypothesis(_LAW_TEXT[self.inputs], name=name)

    def refused_law(self, values: Collection[str], asserted: Collection[str]) -> str:
        """Why inputs as described by these keywords and names are not covered; "" if they are."""
        for law, keywords in given_laws(values, asserted).items():
            if law not in _COVERED[self.inputs]:
                needed = _LAW_TEXT[self.inputs]
                return f"nothing: the theorem needs {needed}; not {', '.join(keywords)}"
        return ""


def given_laws(values: Collection[str], asserted: Collection[str]) -> dict[Law, list[str]]:
    """The laws that keywords and asserted names describe, each with what describes it."""
    found: dict[Law, list[str]] = {}
    for given, table in ((values, _LAW_OF_KEYWORD), (asserted, _LAW_OF_NAME)):
        for name, law in table.items():
            if name in given:
                found.setdefault(law, []).append(name)
    return found


def contradictions(values: Values, asserted: Collection[str]) -> list[tuple[str, Any, str]]:
    """What is given cannot be true together: (keyword, value, what is allowed), all at once."""
    found: list[tuple[str, Any, str]] = []

    def refuse(keyword: str, allowed: str) -> None:
        found.append((keyword, values[keyword], allowed))

    def both(*keywords: str) -> bool:
        return all(keyword in values for keyword in keywords)

    if NO_LAG_BIAS in asserted and values.get("locality"):
        refuse("locality", f"0, as assume={{{NO_LAG_BIAS!r}}} says that no lag has a bias")
    if NO_LAG_BIAS in asserted and _below(1, values.get("positional_margin", Fraction(0))):
        refuse("positional_margin", f"at most 1, its value without lag bias ({NO_LAG_BIAS!r})")
    constants: Any = values.get("depth_constants")
    if NO_LAG_BIAS in asserted and constants is not None and constants.has_bias:
        refuse("depth_constants", f"heads without lag bias, as assume={{{NO_LAG_BIAS!r}}} says")
    if both("locality", "depth_constants") and _below(
        max(constants.localities), values["locality"]
    ):
        refuse("locality", f"at most {max(constants.localities)}, the largest τ of depth_constants")
    if both("lipschitz", "lipschitz_other") and _below(
        values["lipschitz"], values["lipschitz_other"]
    ):
        refuse("lipschitz_other", f"at most lipschitz = {brief(values['lipschitz'])}")
    if both("alpha_min", "alpha_total", "vocabulary_size"):
        least = values["alpha_min"] * values["vocabulary_size"]
        if _below(values["alpha_total"], least):
            refuse("alpha_total", f"at least vocabulary_size · alpha_min = {brief(least)}")
    elif both("alpha_min", "alpha_total") and _below(values["alpha_total"], values["alpha_min"]):
        refuse("alpha_total", f"at least alpha_min = {brief(values['alpha_min'])}")
    if both("alpha_min", "alpha_class") and _below(values["alpha_class"], values["alpha_min"]):
        refuse("alpha_class", f"at least alpha_min = {brief(values['alpha_min'])}")
    if both("alpha_class", "alpha_total") and _below(values["alpha_total"], values["alpha_class"]):
        refuse("alpha_class", f"at most alpha_total = {brief(values['alpha_total'])}")
    if both("stationary_min", "vocabulary_size") and _below(
        1, values["stationary_min"] * values["vocabulary_size"]
    ):
        refuse("stationary_min", f"at most 1/{brief(values['vocabulary_size'])}, 1/|Σ|")
    if (
        both("largest_gap", "margin")
        and values["largest_gap"] != 0
        and _below(values["largest_gap"], values["margin"])
    ):
        refuse("margin", f"at most largest_gap = {brief(values['largest_gap'])}")
    if both("states", "path_states") and values["states"] > values["path_states"]:
        refuse("path_states", f"at least states = {brief(values['states'])}")
    laws = given_laws(values, asserted)
    if len(laws) > 1:
        (first, *_), (second, *_) = list(laws.values())[:2]
        name = first if first in values else second
        other = second if first in values else first
        what = " and ".join(f"{law} ({', '.join(words)})" for law, words in laws.items())
        found.append(
            (name, values[name], f"nothing beside {other}: inputs have one law, not {what}")
        )
    return found


def _below(left: Any, right: Any) -> bool:
    return compare(*(Fraction(v) if isinstance(v, int) else v for v in (left, right))) < 0


def _symbol(keyword: str) -> str:
    pretty = {"vocabulary_size": "|Σ|", "period": "Δ", "locality": "τ", "heads": "H"}
    return pretty.get(keyword, str(BY_KEYWORD[keyword].symbol))


def follows(keyword: str, rule: Rule, values: Values) -> bool:
    """Whether the value of a keyword, if there is one, obeys the rule."""
    return keyword not in values or rule.holds(values[keyword], values)


def _is_zero(keyword: str, values: Values) -> bool:
    return not values.get(keyword)
