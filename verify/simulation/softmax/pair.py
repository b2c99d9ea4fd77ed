"""What the maps for softmax models share: the checked pair, its sizes, and measured errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.errors import InputError, WeightsError
from verify.lengths import Length
from verify.measure.value_types import minimal_locality, minimal_period
from verify.model.summary import Summary, summary_of
from verify.model.transformer import LimitTransformer
from verify.model.validation import Problem, as_sequence, check_tokens
from verify.simulation.argmax.summaries import coarsened
from verify.simulation.result import Simulation
from verify.simulation.softmax.blocks import kept_tail
from verify.simulation.softmax.rounding import softmax_rounding

Floats = NDArray[np.float64]
Tokens = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SoftmaxPair:
    """One or two models in infinite precision, with as many layers each, on one vocabulary.

    Attributes:
        f, g: the models; g may be None.
        layers: 1 or 2.
    """

    f: LimitTransformer
    g: LimitTransformer | None
    layers: int

    def __post_init__(self) -> None:
        """Refuse what the softmax theorems do not cover.

        Raises:
            WeightsError: another number of layers, finite precision, a lag bias in the second
                layer, or vocabularies of different size.
        """
        problems: list[Problem] = []
        given = (self.f,) if self.g is None else (self.f, self.g)
        for name, model in zip("fg", given, strict=False):
            if model.precision_bits is not None:
                allowed = "None: infinite precision, softmax attention"
                problems.append((f"{name}.precision_bits", model.precision_bits, allowed))
            if len(model.layers) != self.layers:
                allowed = f"{self.layers}, as the theorem says"
                problems.append((f"number of {name}.layers", len(model.layers), allowed))
            elif self.layers == 2 and any(h.lag_bias.any() for h in model.layers[1].heads):
                biases = [h.lag_bias.tolist() for h in model.layers[1].heads]
                problems.append((f"lag_bias of {name}.layers[1]", biases, "zeros only"))
        if self.g is not None and self.g.vocabulary_size != self.f.vocabulary_size:
            allowed = f"|Σ| = {self.f.vocabulary_size}, as of f"
            problems.append(("g.vocabulary_size", self.g.vocabulary_size, allowed))
        if problems:
            raise WeightsError.of_all(problems)

    @cached_property
    def models(self) -> tuple[LimitTransformer, ...]:
        """The models that are there, with positions of the smallest period."""
        given = (self.f,) if self.g is None else (self.f, self.g)
        return tuple(replace(m, positions=m.positions[: minimal_period(m)]) for m in given)

    @property
    def vocabulary_size(self) -> int:
        """|Σ|."""
        return self.f.vocabulary_size

    @cached_property
    def period(self) -> int:
        """Δ, the least common multiple of the models' smallest periods."""
        return lcm(*(model.period for model in self.models))

    @cached_property
    def locality(self) -> int:
        """τ, the greatest lag of any bias that is not 0."""
        return max(minimal_locality(model) for model in self.models)

    def tokens(self, x: Any, length: Any) -> Tokens:
        """x as int64, after checks of x and of the length wanted for z; x itself if it is that.

        Raises:
            InputError: x is no sequence of tokens, or length is not an integer ≥ 1.
        """
        tokens = self.sequence(x, length)
        check_tokens(tokens, self.vocabulary_size)
        return tokens.astype(np.int64, copy=False)

    def sequence(self, x: Any, length: Any) -> NDArray[Any]:
        """x as an array of integers whose range nobody has looked at, for who reads them next.

        Raises:
            InputError: x has not one axis of integers, or length is not an integer ≥ 1.
        """
        whole = isinstance(length, int | np.integer) and not isinstance(length, bool)
        if not whole or length < 1:
            raise InputError("length", length, "an integer, at least 1")
        return as_sequence(x)

    def summary(self, x: NDArray[Any], locality: int) -> Summary:
        """The counts of x by the pair's types, with a suffix of at least `locality` + 1 tokens.

        The suffix is as long as any of the models reads, too.

        Raises:
            InputError: a token of x is out of range.
        """
        longest = max(locality, *(model.locality for model in self.models))
        return summary_of(x, self.vocabulary_size, self.period, longest)

    def outputs_of(self, summary: Summary) -> list[Floats]:
        """The outputs of one-layer models on the inputs with this summary."""
        return [m.of_summary(coarsened(summary, m.period, m.locality)) for m in self.models]

    def tail(self, total: int) -> int:
        """a: how many last tokens z keeps of x, |x| = `total`; ≡ `total` mod Δ, above τ."""
        return kept_tail(total, self.locality, self.period)

    def outputs(self, x: NDArray[Any]) -> list[Floats]:
        """The outputs of the models on x."""
        return [model(x) for model in self.models]

    def measured(
        self,
        x: NDArray[Any],
        z: Tokens,
        *,
        limit: int | None,
        proven_error: float | None,
        theorem: str,
        outputs: list[Floats] | None = None,
    ) -> Simulation:
        """Run the models on x and z and put the result together; `outputs` on x where known."""
        on_x = self.outputs(x) if outputs is None else outputs
        pairs = zip(on_x, self.outputs(z), strict=True)
        errors = [float(np.abs(long - short).max()) for long, short in pairs]
        return Simulation(
            short=z,
            length=len(z),
            input_length=len(x),
            limit=None if limit is None else Length(limit),
            error_f=errors[0],
            error_g=errors[1] if self.g is not None else None,
            proven_error=proven_error,
            rounding_allowance=2 * max(softmax_rounding(m, len(x)) for m in self.models),
            theorem=theorem,
        )

    def unchanged(self, x: Tokens, *, limit: int | None, theorem: str) -> Simulation:
        """The result for an input that is short enough already: z = x, a copy."""
        error_g = None if self.g is None else 0.0
        stated = None if limit is None else Length(limit)
        return Simulation(x.copy(), len(x), len(x), stated, 0.0, error_g, 0.0, 0.0, theorem)
