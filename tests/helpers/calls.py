"""Calls of the main functions, a tenth of a second each, with answers that can be compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import bounds
import verify

ARGMAX = {
    "lipschitz": 1,
    "vocabulary_size": 3,
    "period": 2,
    "locality": 1,
    "precision_bits": 8,
    "margin": "3/7",
}
SOFTMAX = {
    "lipschitz": "3/2",
    "vocabulary_size": 3,
    "period": 1,
    "locality": 1,
    "positional_margin": "2/7",
    "logit_range": "5/3",
}
CELLS = (
    {"error": "linf", "attention": "argmax", "layers": 1} | ARGMAX,
    {"error": "linf", "attention": "softmax", "layers": 1} | SOFTMAX,
)
X = [0, 0, 0, 1] * 500


@cache
def argmax_pair() -> tuple[verify.LimitTransformer, verify.LimitTransformer]:
    """A trained model in finite precision, and its target."""
    f = verify.tasks.trained("mod_p", period=2, training_length=32)
    return f, verify.tasks.mod_p(2, 0, precision_bits=8).transformer


@cache
def softmax_pair() -> tuple[verify.LimitTransformer, verify.LimitTransformer]:
    """A trained softmax model, and its target."""
    pair = verify.tasks.trained_pair("simple_plain", omega=2, training_length=32)
    return pair.model, pair.target


def lengths() -> Any:
    return [
        bounds.required_length(epsilon=epsilon, **cell).to_dict()
        for epsilon in ("1/10", "1e-9")
        for cell in CELLS
    ]


def both_sides() -> Any:
    return bounds.bracket(epsilon="1/100", **CELLS[1]).to_dict()


def solved() -> Any:
    given = {"length": 10**9, "theorem": "derived.one_layer_linf"}
    return str(bounds.solve_for("epsilon", **given, **ARGMAX))


def swept() -> Any:
    return bounds.sweep(**CELLS[0] | {"epsilon": ["1/10", "1/30"]}).to_json()


def proved() -> Any:
    f, g = argmax_pair()
    return verify.prove(f, g, target="3/10", horizon=2**20).to_dict()


def proved_softmax() -> Any:
    return verify.prove(*softmax_pair(), target="1/10", horizon=None).to_dict()


def certified() -> Any:
    return [
        verify.certify(*argmax_pair(), epsilon="1/10", horizon=2**20).to_dict(),
        verify.certify(*softmax_pair(), epsilon="1/10").to_dict(),
    ]


def enclosed() -> Any:
    return str(verify.enclose(*softmax_pair(), horizon=None))


def measured() -> Any:
    return repr([verify.measure(*argmax_pair(), horizon=2**20), verify.measure(*softmax_pair())])


def simulated() -> Any:
    return repr(verify.simulate(X, argmax_pair()[0], epsilon="1/20"))


def averaged() -> Any:
    return repr(verify.agreement(*argmax_pair(), 2**10, law=verify.DirichletLaw([1, 1])))


CALLS: dict[str, Callable[[], Any]] = {
    call.__name__: call
    for call in (
        *(lengths, both_sides, solved, swept, proved, proved_softmax),
        *(certified, enclosed, measured, simulated, averaged),
    )
}
