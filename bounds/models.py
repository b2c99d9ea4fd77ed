"""Named models to start from: take one, change a number, ask.

    from bounds import models
    bounds.required_length(epsilon="1/10", **models.MOD_P)
    bounds.required_length(epsilon="1/10", **models.MOD_P.but(period=7))

A model is a setting with the constants of a class of pairs (f, g): what `required_length` reads
but for `epsilon` and `target`. Constants of explicit and of trained weights are those that
`verify.measure` reads off them, rounded to the safe side; the tests measure them again. Constants
that nobody measured are called what-ifs in `about`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from bounds.errors import ParameterError, Problem
from bounds.parameters import BY_KEYWORD, one_of
from bounds.table import Table

_SETTING = ("error", "attention", "layers", "assume")


@dataclass(frozen=True, repr=False)
class Model(Mapping[str, Any]):
    """Keywords of `required_length` with a name: unpack it with `**`.

    Attributes:
        name: what it is called in the gallery.
        about: which models it stands for, and where its constants come from.
        keywords: the setting and the constants, by keyword.
    """

    name: str
    about: str
    keywords: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "keywords", MappingProxyType(dict(self.keywords)))

    def __getitem__(self, keyword: str) -> Any:
        return self.keywords[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keywords)

    def __len__(self) -> int:
        return len(self.keywords)

    def __reduce__(self) -> tuple[type[Model], tuple[str, str, dict[str, Any]]]:
        return Model, (self.name, self.about, dict(self.keywords))

    def but(self, **changes: Any) -> Model:
        """The same model with some keywords changed or added; None takes one away.

        What was measured holds for the model as it was: after a change the constants are yours.

        Raises:
            ParameterError: a keyword that `required_length` does not know.
        """
        unknown = [k for k in changes if k not in BY_KEYWORD and k not in _SETTING]
        if unknown:
            known = (*BY_KEYWORD, *_SETTING)
            attention = self.keywords.get("attention")
            problems = [Problem(k, changes[k], one_of(k, known, attention)) for k in unknown]
            raise ParameterError(problems)
        merged = {**self.keywords, **changes}
        changed = ", ".join(f"{keyword} = {value}" for keyword, value in changes.items())
        return replace(
            self,
            name=f"{self.name} but {changed}",
            keywords={k: v for k, v in merged.items() if v is not None},
        )

    def __repr__(self) -> str:
        values = ", ".join(f"{k}={_shown(v)}" for k, v in self.keywords.items())
        return f"<Model {self.name}: {values}>"


def _shown(value: Any) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(repr, sorted(value))) + "}"
    return repr(value)


_ONE_ARGMAX_LAYER = {"error": "linf", "attention": "argmax", "layers": 1}

SIMPLE = Model(
    "SIMPLE",
    "SimpleTask, sin(ω·share of token 1) with ω = 2: explicit weights, L = 2ω",
    _ONE_ARGMAX_LAYER
    | {
        "lipschitz": 4,
        "vocabulary_size": 2,
        "period": 1,
        "locality": 0,
        "precision_bits": 8,
        "margin": 8,
        "assume": frozenset({"positional_attention", "no_lag_bias"}),
    },
)

MOD_P = Model(
    "MOD_P",
    "ModPTask with p = 3, the share of token 1 at every third position: explicit weights",
    _ONE_ARGMAX_LAYER
    | {
        "lipschitz": 1,
        "vocabulary_size": 2,
        "period": 3,
        "locality": 0,
        "precision_bits": 8,
        "margin": 8,
        "assume": frozenset({"positional_attention", "no_lag_bias"}),
    },
)

MOD_P_TRAINED = Model(
    "MOD_P_TRAINED",
    "a layer trained on ModPTask, p = 2, inputs up to 32 tokens, and its target: measured, near "
    "ties up to 2^20 tokens",
    _ONE_ARGMAX_LAYER
    | {
        "lipschitz": "7.368",
        "lipschitz_other": 1,
        "lipschitz_marginal": "9.093",
        "vocabulary_size": 2,
        "period": 2,
        "locality": 1,
        "precision_bits": 8,
        "margin": "4.652",
        "tie_tolerance": "0.001682",
        "horizon": 2**20,
        "assume": frozenset({"positional_attention"}),
    },
)

SIMPLE_TRAINED = Model(
    "SIMPLE_TRAINED",
    "a layer trained on SimpleTask, ω = 2, inputs up to 32 tokens, and its target: measured, near "
    "ties up to 2^20 tokens",
    _ONE_ARGMAX_LAYER
    | {
        "lipschitz": "3.9974",
        "vocabulary_size": 2,
        "period": 1,
        "locality": 1,
        "precision_bits": 8,
        "margin": 8,
        "tie_tolerance": "0.012028",
        "horizon": 2**20,
        "assume": frozenset({"positional_attention"}),
    },
)

SIMPLE_PLAIN_TRAINED = Model(
    "SIMPLE_PLAIN_TRAINED",
    "a softmax layer trained on SimpleTask, ω = 2, inputs up to 32 tokens, and its target; "
    "measured",
    {
        "error": "linf",
        "attention": "softmax",
        "layers": 1,
        "lipschitz": "3.9974",
        "vocabulary_size": 2,
        "period": 1,
        "locality": 0,
        "positional_margin": 1,
        "logit_range": "0.005361",
        "assume": frozenset({"no_lag_bias"}),
    },
)

K_GRAM = Model(
    "K_GRAM",
    "the in-context k-gram task, k = 1, three tokens, sharpness 2: explicit weights, two softmax "
    "layers, measured",
    {
        "error": "linf",
        "attention": "softmax",
        "layers": 2,
        "vocabulary_size": 3,
        "period": 1,
        "locality": 1,
        "positional_margin": 1,
        "complexity_balanced": "582.2",
        "block": 1,
    },
)

GPT2_LAYER = Model(
    "GPT2_LAYER",
    "one attention layer of the size of GPT-2 small: 50,257 tokens, 12 heads, bfloat16 (8 bits). "
    "No positions, locality 1, L = 1 and margin 1 are what-ifs: nothing was measured",
    _ONE_ARGMAX_LAYER
    | {
        "lipschitz": 1,
        "vocabulary_size": 50_257,
        "period": 1,
        "locality": 1,
        "heads": 12,
        "precision_bits": 8,
        "margin": 1,
    },
)

ALL: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            SIMPLE,
            MOD_P,
            MOD_P_TRAINED,
            SIMPLE_TRAINED,
            SIMPLE_PLAIN_TRAINED,
            K_GRAM,
            GPT2_LAYER,
        )
    }
)
"""The gallery, by name."""


def table() -> Table:
    """The gallery as a table. Columns: name, error, attention, layers, constants, about."""
    return Table(
        ("name", "error", "attention", "layers", "constants", "about"),
        [
            {
                "name": model.name,
                **{key: model[key] for key in ("error", "attention", "layers")},
                "constants": ", ".join(f"{k} = {v}" for k, v in model.items() if k not in _SETTING),
                "about": model.about,
            }
            for model in ALL.values()
        ],
    )
