"""One table of every quantity that a theorem may depend on.

Each row says: the keyword, the symbol as it prints, whether it is an integer,
its domain, and the direction in which required lengths move when it grows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import sympy

from bounds import hints
from bounds.depth_constants import DepthConstants
from bounds.errors import NotComputable, ParameterError, Problem
from bounds.evaluate import compare
from bounds.numbers import Exact, exact


@dataclass(frozen=True)
class Parameter:
    """One quantity: `effect` is +1 if N grows with it, -1 if N falls, 0 if it depends."""

    keyword: str
    symbol: sympy.Symbol
    kind: Literal["integer", "real", "structure"]
    lower: Fraction
    lower_open: bool
    upper: Fraction | None
    upper_open: bool
    effect: int
    meaning: str

    @property
    def domain(self) -> str:
        """The allowed values in words, e.g. 'an integer ≥ 1'."""
        noun = "an integer" if self.kind == "integer" else "a real number"
        text = f"{noun} {'>' if self.lower_open else '≥'} {self.lower}"
        if self.upper is not None:
            text += f" and {'<' if self.upper_open else '≤'} {self.upper}"
        return text

    @property
    def wanted(self) -> str:
        """Domain and meaning, for who has not given it; where it comes from, if from weights."""
        hint = "; verify.measure(f, g) gives it" if self.keyword in FROM_WEIGHTS else ""
        return f"{self.domain} ({self.meaning}){hint}"

    def read(self, value: Any) -> Exact:
        """`value` as an exact number of this parameter's domain.

        Raises:
            ParameterError: it is not in the domain.
        """
        try:
            number = exact(value)
            allowed = "" if self._contains(number) else self.domain
        except (ValueError, NotComputable) as problem:
            allowed = f"{self.domain}; {problem}"
        if allowed:
            raise ParameterError([Problem(self.keyword, value, allowed)])
        return number

    def _contains(self, number: Exact) -> bool:
        if self.kind == "integer" and not (
            isinstance(number, Fraction) and number.denominator == 1
        ):
            return False
        low = compare(number, self.lower)
        if low < 0 or (low == 0 and self.lower_open):
            return False
        if self.upper is None:
            return True
        high = compare(number, self.upper)
        return high < 0 or (high == 0 and not self.upper_open)


@dataclass(frozen=True)
class StructuredParameter(Parameter):
    """A quantity that is no single number: many constants with one meaning, in one object."""

    @property
    def domain(self) -> str:
        """What may be given."""
        return "a bounds.DepthConstants, or its JSON"

    def read(self, value: Any) -> Any:
        """`value` as the object.

        Raises:
            ParameterError: it cannot be read.
        """
        try:
            return DepthConstants.read(value)
        except ValueError as problem:
            allowed = f"{self.domain}; {problem}"
        raise ParameterError([Problem(self.keyword, value, allowed)])


def _real(
    keyword: str,
    symbol: str,
    effect: int,
    meaning: str,
    lower: int = 0,
    lower_open: bool = True,
    upper: int | None = None,
    upper_open: bool = False,
) -> Parameter:
    assumptions = {"positive": True} if lower_open and lower >= 0 else {"nonnegative": True}
    return Parameter(
        keyword,
        sympy.Symbol(symbol, **assumptions),
        "real",
        Fraction(lower),
        lower_open,
        None if upper is None else Fraction(upper),
        upper_open,
        effect,
        meaning,
    )


def _integer(keyword: str, symbol: str, effect: int, meaning: str, lower: int = 1) -> Parameter:
    assumptions = {"integer": True, "positive" if lower >= 1 else "nonnegative": True}
    return Parameter(
        keyword,
        sympy.Symbol(symbol, **assumptions),
        "integer",
        Fraction(lower),
        False,
        None,
        False,
        effect,
        meaning,
    )


def _structure(keyword: str, symbol: str, meaning: str) -> Parameter:
    return StructuredParameter(
        keyword, sympy.Symbol(symbol), "structure", Fraction(0), False, None, False, 0, meaning
    )


# fmt: off
PARAMETERS: tuple[Parameter, ...] = (
    _real("epsilon", "varepsilon", -1,
          "error of |f − g| on inputs up to the training length", lower_open=False),
    _real("target", "eta", -1,
          "error of |f − g| wanted at every length (default 3ε)"),
    _real("lipschitz", "L", +1,
          "Lipschitz constant of the output in the total variation of the last layer's attention, "
          "summed over heads, max over f and g", lower_open=False),
    _real("lipschitz_other", "L_o", +1,
          "Lipschitz constant of the other model, the smaller one of f and g (default L)",
          lower_open=False),
    _real("lipschitz_euclidean", "Lambda", +1,
          "Euclidean Lipschitz constant of what follows the last layer's attention times the "
          "Euclidean diameter of a head's values, summed over heads, max over f and g",
          lower_open=False),
    _real("lipschitz_marginal", "L'", +1,
          "the same for the token and position marginals of the attention", lower_open=False),
    _integer("vocabulary_size", r"|\Sigma|", +1, "number of tokens"),
    _integer("period", "Delta", +1, "period of the positional embeddings"),
    _integer("locality", "tau", +1, "largest lag with a positional bias in a logit", lower=0),
    _integer("heads", "H", +1, "heads per layer (default 1)"),
    _integer("precision_bits", "p", +1,
             "bits of precision: relative attention weights ≤ 2^−p are rounded to 0"),
    _real("margin", "gamma", -1,
          "logit margin: least positive difference of two logits of one query, in every layer"),
    _real("positional_margin", "gamma_P", -1,
          "positional margin: gap below the largest of the lag biases and 1"),
    _real("logit_range", "R", +1,
          "largest range of a head's content logits over the keys of one query",
          lower_open=False),
    _real("logit_range_columns", "R_c", +1,
          "largest range of a head's content logits over the keys of one query and one residue "
          "(of a head with a lag bias above 1: over all keys of the query)", lower_open=False),
    _real("logit_range_last", "R_2", +1,
          "largest range of the second/last layer's logits over all pairs of keys of one query",
          lower_open=False),
    _real("tie_tolerance", "kappa", +1,
          "largest diameter of a cluster of logits taken as tied (0: only equal ones)",
          lower_open=False),
    _integer("horizon", "T_*", +1, "longest length of interest"),
    _integer("light_groups", "g_l", +1,
             "different attended sets, among the heads of f and g on one input, that contain no "
             "whole column", lower=0),
    _real("complexity", "C_f", +1,
          "the paper's complexity C(f) (Definition 5.1), max over f and g"),
    _real("complexity_balanced", "C_F", +1,
          "constant of derived.two_layer_softmax, max over f and g"),
    _real("complexity_periodic", "C_Delta", +1,
          "constant of derived.two_layer_softmax_periodic, max over f and g"),
    _real("complexity_average", r"\mathcal{C}", +1,
          "constant of derived.average_softmax_two_layer, max over f and g"),
    _structure("depth_constants", r"\mathbf{c}",
               "constants of every layer and head of f and g, any number of layers"),
    _real("lipschitz_query", "L_q", +1,
          "Lipschitz constant of the output, through the query of a second softmax layer alone, in "
          "the total variation of the histogram, max over f and g", lower_open=False),
    _real("lipschitz_keys", "L_k", +1,
          "the same through the keys: in the mean total variation of the histograms at all "
          "positions, max over f and g", lower_open=False),
    _real("limit_query", "B_q", +1,
          "output per distance β⁻¹‖y_T − Y_T‖ of the query of a second softmax layer from its "
          "limit, max over f and g", lower_open=False),
    _real("limit_keys", "B_k", +1,
          "the same per mean distance of the keys from their limits, max over f and g",
          lower_open=False),
    _real("influence_keys", "L_v", +1,
          "change of the output per share of the keys of a second softmax layer that are "
          "replaced, max over f and g", lower_open=False),
    _real("alpha_min", "alpha_0", -1,
          "least parameter of the Dirichlet prior on token probabilities"),
    _real("alpha_total", "A", +1, "sum of the parameters of the Dirichlet prior"),
    _real("alpha_class", "a_*", -1, "least Dirichlet mass of a top class (default α₀)"),
    _real("class_probability", "q_*", -1,
          "least probability of a first layer's top class of tokens under the fixed token law",
          upper=1),
    _real("gram_probability", "q_g", -1,
          "least probability of a second layer's top class of τ + 1 tokens under the fixed "
          "token law", upper=1),
    _real("urn_constant", r"\bar{W}", +1, "Wasserstein constant W̄ of the urn tree",
          lower_open=False),
    _real("largest_gap", r"\hat{g}", +1,
          "largest difference of two logits of one query, which must be below 1",
          lower_open=False, upper=1, upper_open=True),
    _integer("dimension", "d", +1, "dimension of the vectors to be balanced"),
    _integer("block", "theta", 0,
             "length θ of the first block of the balanced construction (default 1)"),
    _integer("states", "nu", +1,
             "states in one strongly connected component of the first layer's automaton"),
    _integer("path_states", "Q_*", +1, "states on one run of the first layer's automaton"),
    _real("spectral_gap", r"\varsigma", -1,
          "spectral gap 1 − λ of the Markov chain of the inputs", upper=1),
    _real("stationary_min", r"\pi_{\min}", -1,
          "least stationary probability of a token", upper=1),
    _real("amplitude", "G", +1, "bound on the size of the averaged function",
          lower_open=False),
    _real("lipschitz_histogram", "L_mu", +1,
          "Lipschitz constant of the averaged function in the total variation of the histogram",
          lower_open=False),
    _real("averages_error", r"\varepsilon_{\mathrm{avg}}", -1,
          "difference allowed between the averages over the long and the short input"),
    _integer("context", "k", +1, "length of the context in the in-context k-gram task"),
    _integer("automaton_states", "n", +1, "states of an automaton or of a counter system"),
    _integer("coefficient", "T", +1, "largest magnitude of a coefficient of a C-RASP program"),
    _integer("counters", "k_c", +1, "counters of a vector addition system over the integers"),
    _integer("update", "U", +1, "largest change of a counter in one step"),
    _integer("letters", "w", +1, "letters read in one transition, at most (default 1)"),
    _real("logit_spread", "delta", +1, "largest difference of two logits of one query",
          lower_open=False),
    _real("temperature", r"\vartheta", -1, "temperature of the softmax (default 1)"),
    _real("attention_weight", "c", -1, "attention weight wanted on one key", upper=1),
    _integer("fraction_bits", "s_f", 0, "fractional bits of a fixed-point number", lower=0),
    _real("slope", "a", -1, "slope of a linear lag bias (ALiBi)"),
    _real("constant", "C", +1, "constant that the source leaves implicit (default 1)"),
)
# fmt: on

BY_KEYWORD: Mapping[str, Parameter] = {row.keyword: row for row in PARAMETERS}


class Symbols:
    """The symbols of the formulas by keyword: `bounds.symbols.epsilon`, `.period`, ..."""

    def __init__(self, rows: Iterable[Parameter]) -> None:
        for row in rows:
            setattr(self, row.keyword, row.symbol)

    def __getattr__(self, keyword: str) -> sympy.Symbol:
        raise AttributeError(f"no symbol {keyword!r}; there are: {', '.join(BY_KEYWORD)}")

    def __getitem__(self, keyword: str) -> sympy.Symbol:
        return BY_KEYWORD[keyword].symbol

    def __repr__(self) -> str:
        return ", ".join(f"{row.keyword}: {row.symbol}" for row in PARAMETERS)

    def __dir__(self) -> list[str]:
        return list(BY_KEYWORD)


symbols = Symbols(PARAMETERS)

FROM_WEIGHTS = frozenset(
    {"complexity_balanced", "complexity_periodic", "complexity_average", "depth_constants"}
    | {"dimension", "lipschitz_query", "lipschitz_keys", "limit_query", "limit_keys"}
    | {"influence_keys", "lipschitz_marginal", "lipschitz_euclidean", "logit_range_columns"}
)
"""Constants that nobody knows by heart, and that `verify.measure` reads off weights."""


def one_of(keyword: Any, among: Collection[str], attention: Any = None) -> str:
    """What is allowed where one of these keywords is asked for, with what `keyword` may have meant.

    `attention`: "argmax" or "softmax" where that is known, for hints.
    """
    symbols_ = {row.symbol.name: row.keyword for row in PARAMETERS}
    return hints.of_one_of(keyword, among, symbols_, attention)


def read_all(given: Mapping[str, Any], attention: Any = None) -> dict[str, Exact]:
    """Every given parameter as an exact number; all problems are reported at once.

    `attention`: "argmax" or "softmax" where that is known, for hints.
    """
    values: dict[str, Exact] = {}
    problems: list[Problem] = []
    for keyword, value in given.items():
        if keyword not in BY_KEYWORD:
            symbols_ = {row.symbol.name: row.keyword for row in PARAMETERS}
            hint = hints.of_keyword(keyword, BY_KEYWORD, symbols_, attention)
            problems.append(Problem(keyword, value, f"a known parameter name; {hint}"))
            continue
        try:
            values[keyword] = BY_KEYWORD[keyword].read(value)
        except ParameterError as error:
            problems.extend(error.problems)
    if problems:
        raise ParameterError(problems)
    return values
