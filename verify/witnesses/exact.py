"""Outputs of two-layer models in exact rational arithmetic, under two rules of attention.

`LimitTransformer` itself drops attention weights in finite precision and rounds nothing else.
Statements about two argmax layers speak of other rules, so they get their own evaluator:

- "hardmax": attention is the uniform average over the keys of maximal logit, in both layers;
- "rounded": softmax with logits times log T, and absolute values ≤ 2^−p become 0, both for
  relative attention weights and for the outputs of the heads (p = the model's precision_bits).

Every number is a Fraction. Under "rounded" the weights that are kept are irrational in general;
an output is given only where it does not depend on them, because the kept keys of different
logits have the same value. Source: [derived,
docs/theory/two_layer_argmax.md#derived-no_bound_two_layer_argmax].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from verify.errors import CertificateError, InputError, WeightsError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

Rule = Literal["hardmax", "rounded"]
Vector = Mapping[int, Fraction]
"""A vector by its non-zero entries."""

_Columns = tuple[tuple[tuple[int, Fraction], ...], ...]


class ExactTwoLayer:
    """A two-layer model under one of the rules; call it on a sequence of tokens.

    Args:
        model: two layers, finite precision; any heads, biases and period.
        rule: "hardmax" or "rounded", see the module's text.

    Raises:
        WeightsError: the model has not two layers, or infinite precision.
    """

    def __init__(self, model: LimitTransformer, rule: Rule) -> None:
        if len(model.layers) != 2:
            raise WeightsError("model", model, "a model with two layers")
        if model.precision_bits is None:
            raise WeightsError("model", model, "finite precision (precision_bits an integer)")
        self.model = model
        self.rule = rule
        self._bits = model.precision_bits
        self._layers = tuple(_ExactLayer(layer) for layer in model.layers)
        self._unembedding = _columns(model.unembedding)
        self._start = [
            _sum([_vector(token), _vector(row)])
            for row in model.positions
            for token in model.embedding
        ]
        self._first: dict[tuple[object, ...], int] = {}
        self._middle: list[Vector] = []
        self._content: dict[tuple[int, int, int], Fraction] = {}

    def __call__(self, x: Sequence[int]) -> tuple[Fraction, ...]:
        """The output at the last position, (o,) Fractions.

        Raises:
            InputError: x is empty or has a token outside 0..|Σ|−1.
            CertificateError: "rounded", and the output depends on irrational weights.
        """
        size = self.model.vocabulary_size
        if not x or not all(0 <= token < size for token in x):
            raise InputError("x", x, f"at least one token, all in 0..{size - 1}")
        middle = [self._middle[k] for k in self._first_layer(x)]
        last = self._layers[1]
        total: list[Vector] = [middle[-1]]
        for head in last.heads:
            query = _apply(head.query_key, middle[-1])
            keys = [
                (_dot(y, query) + head.bias(len(x) - 1 - j), 1, _apply(head.value, y))
                for j, y in enumerate(middle)
            ]
            total.append(self._attend(keys, len(x)))
        output = _apply(self._unembedding, last.mlp(_sum(total)))
        return tuple(output.get(k, Fraction(0)) for k in range(self.model.output_dimension))

    def _first_layer(self, x: Sequence[int]) -> list[int]:
        """Indices into `_middle` of the first layer's outputs; equal prefixes are shared.

        An output depends on the types at lags 0..τ, the counts of types beyond, and T.
        """
        size, period = self.model.vocabulary_size, self.model.period
        types = [(i % period) * size + token for i, token in enumerate(x, start=1)]
        reach = self.model.locality + 1
        counts = [0] * (size * period)
        outputs: list[int] = []
        for i in range(1, len(x) + 1):
            if i > reach:
                counts[types[i - reach - 1]] += 1
            window = tuple(types[max(0, i - reach) : i])
            key = (len(x), window, tuple(counts))
            if key not in self._first:
                self._first[key] = len(self._middle)
                self._middle.append(self._first_output(window, counts, len(x)))
            outputs.append(self._first[key])
        return outputs

    def _first_output(self, window: tuple[int, ...], counts: Sequence[int], length: int) -> Vector:
        first, query = self._layers[0], window[-1]
        total: list[Vector] = [self._start[query]]
        for number, head in enumerate(first.heads):
            near = [(kind, 1, lag) for lag, kind in enumerate(reversed(window))]
            far = [(kind, count, len(window)) for kind, count in enumerate(counts) if count]
            keys = [
                (
                    self._content_logit(number, kind, query) + head.bias(lag),
                    count,
                    _apply(head.value, self._start[kind]),
                )
                for kind, count, lag in near + far
            ]
            total.append(self._attend(keys, length))
        return first.mlp(_sum(total))

    def _content_logit(self, head: int, key: int, query: int) -> Fraction:
        name = (head, key, query)
        if name not in self._content:
            turned = _apply(self._layers[0].heads[head].query_key, self._start[query])
            self._content[name] = _dot(self._start[key], turned)
        return self._content[name]

    def _attend(self, keys: Sequence[tuple[Fraction, int, Vector]], length: int) -> Vector:
        """Attention over keys (logit, multiplicity, value) at an input of this length."""
        top = max(logit for logit, _, _ in keys)
        best = [(count, value) for logit, count, value in keys if logit == top]
        mean = _mean(best)
        if self.rule == "hardmax":
            return mean
        for logit, _, value in keys:
            if logit < top and not self._dropped(top - logit, length) and value != mean:
                raise CertificateError(
                    f"the output depends on an irrational weight, {length}^-({top - logit})"
                )
        smallest = Fraction(1, 2**self._bits)
        return {k: v for k, v in mean.items() if abs(v) > smallest}

    def _dropped(self, gap: Fraction, length: int) -> bool:
        """Whether T^−gap ≤ 2^−p, decided in integers."""
        return bool(length**gap.numerator >= 2 ** (self._bits * gap.denominator))


class _ExactHead:
    """A head's matrices by their non-zero entries."""

    def __init__(self, head: Head) -> None:
        self.query_key = _columns(head.query_key)
        self.value = _columns(head.value)
        self._lag_bias = [Fraction(v) for v in head.lag_bias.tolist()]

    def bias(self, lag: int) -> Fraction:
        return self._lag_bias[lag] if lag < len(self._lag_bias) else Fraction(0)


class _ExactLayer:
    """A layer's heads and its network."""

    def __init__(self, layer: Layer) -> None:
        self.heads = tuple(_ExactHead(head) for head in layer.heads)
        self._into = _columns(layer.mlp_in)
        self._bias = _vector(layer.mlp_bias)
        self._out = _columns(layer.mlp_out)

    def mlp(self, u: Vector) -> Vector:
        hidden = _sum([_apply(self._into, u), self._bias])
        positive = {k: v for k, v in hidden.items() if v > 0}
        return _sum([u, _apply(self._out, positive)])


def _columns(matrix: npt.NDArray[np.float64]) -> _Columns:
    return tuple(
        tuple((int(row), Fraction(float(column[row]))) for row in np.flatnonzero(column))
        for column in matrix.T
    )


def _vector(values: npt.NDArray[np.float64]) -> Vector:
    return {int(k): Fraction(float(values[k])) for k in np.flatnonzero(values)}


def _apply(columns: _Columns, vector: Vector) -> Vector:
    result: dict[int, Fraction] = {}
    for k, v in vector.items():
        for row, weight in columns[k]:
            result[row] = result.get(row, Fraction(0)) + weight * v
    return {row: v for row, v in result.items() if v}


def _sum(vectors: Iterable[Vector]) -> Vector:
    result: dict[int, Fraction] = {}
    for vector in vectors:
        for k, v in vector.items():
            result[k] = result.get(k, Fraction(0)) + v
    return {k: v for k, v in result.items() if v}


def _dot(left: Vector, right: Vector) -> Fraction:
    return sum((v * right[k] for k, v in left.items() if k in right), Fraction(0))


def _mean(keys: Sequence[tuple[int, Vector]]) -> Vector:
    total = _sum({k: count * v for k, v in value.items()} for count, value in keys)
    number = sum(count for count, _ in keys)
    return {k: v / number for k, v in total.items()}
