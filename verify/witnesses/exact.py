"""Outputs of two-layer models in exact rational arithmetic, under three rules of attention.

`LimitTransformer` computes in floats, and only by the last of them:

- "hardmax": attention is the uniform average over the keys of maximal logit, in both layers;
- "rounded": softmax with logits times log T, and absolute values ≤ 2^−p become 0, both for
  relative attention weights and for the outputs of the heads (p = the model's precision_bits);
- "dropped": the same for relative attention weights only, the rule of `LimitTransformer`.

Every number is a Fraction. A weight T^−gap that is kept is irrational in general; an output is
given only where the gap is an integer ("dropped"), or where it does not matter, because the kept
keys of different logits have the same value. `RunLengths` encloses the others. Source: [derived,
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

Rule = Literal["hardmax", "rounded", "dropped"]
Vector = Mapping[int, Fraction]
"""A vector by its non-zero entries."""

_Entries = tuple[tuple[int, Fraction], ...]
_Columns = tuple[_Entries, ...]


class ExactTwoLayer:
    """A two-layer model under one of the rules; call it on a sequence of tokens.

    Args:
        model: two layers, finite precision; any heads, biases and period.
        rule: "hardmax", "rounded" or "dropped", see the module's text.

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
            add([_vector(token), _vector(row)])
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
            CertificateError: the output depends on irrational weights.
        """
        size = self.model.vocabulary_size
        if not x or not all(0 <= token < size for token in x):
            raise InputError("x", x, f"at least one token, all in 0..{size - 1}")
        middle = [self._middle[k] for k in self._first_layer(x)]
        last = self._layers[1]
        total: list[Vector] = [middle[-1]]
        for head in last.heads:
            query = apply(head.query_key, middle[-1])
            keys = [
                (dot(y, query) + head.bias(len(x) - 1 - j), 1, apply(head.value, y))
                for j, y in enumerate(middle)
            ]
            total.append(self._attend(keys, len(x)))
        output = apply(self._unembedding, last.mlp(add(total)))
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
        attended = self._attended(window, counts, length)
        return self._layers[0].mlp(add([self._start[window[-1]], *attended]))

    def _attended(
        self, window: tuple[int, ...], counts: Sequence[int], length: int
    ) -> list[Vector]:
        """What each head of the first layer yields."""
        first, query = self._layers[0], window[-1]
        total: list[Vector] = []
        for number, head in enumerate(first.heads):
            near = [(kind, 1, lag) for lag, kind in enumerate(reversed(window))]
            far = [(kind, count, len(window)) for kind, count in enumerate(counts) if count]
            keys = [
                (
                    self._content_logit(number, kind, query) + head.bias(lag),
                    count,
                    apply(head.value, self._start[kind]),
                )
                for kind, count, lag in near + far
            ]
            total.append(self._attend(keys, length))
        return total

    def _content_logit(self, head: int, key: int, query: int) -> Fraction:
        name = (head, key, query)
        if name not in self._content:
            turned = apply(self._layers[0].heads[head].query_key, self._start[query])
            self._content[name] = dot(self._start[key], turned)
        return self._content[name]

    def _attend(self, keys: Sequence[tuple[Fraction, int, Vector]], length: int) -> Vector:
        """Attention over keys (logit, multiplicity, value) at an input of this length."""
        top = max(logit for logit, _, _ in keys)
        best = [(Fraction(count), value) for logit, count, value in keys if logit == top]
        mean = _mean(best)
        if self.rule == "hardmax":
            return mean
        near = [k for k in keys if k[0] < top and not self._dropped(top - k[0], length)]
        if any(value != mean for _, _, value in near):
            if self.rule == "rounded" or any((top - k[0]).denominator > 1 for k in near):
                gap = max(top - logit for logit, _, _ in near)
                raise CertificateError(
                    f"the output depends on an irrational weight, {length}^-({gap})"
                )
            scale = [Fraction(1, length ** int(top - logit)) for logit, _, _ in near]
            best += [(n * w, value) for w, (_, n, value) in zip(scale, near, strict=True)]
            mean = _mean(best)
        if self.rule == "dropped":
            return mean
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
        self.rows = frozenset(row for column in self.query_key for row, _ in column)
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
        self._rows = _columns(layer.mlp_in.T)

    def units(self) -> Iterable[tuple[Fraction, _Entries, _Entries]]:
        """Hidden units: bias, what each reads, what each writes."""
        for number, (reads, writes) in enumerate(zip(self._rows, self._out, strict=True)):
            yield self._bias.get(number, Fraction(0)), reads, writes

    def hidden(self, u: Vector) -> Vector:
        """The inputs of the hidden units, without biases."""
        return apply(self._into, u)

    def mlp(self, u: Vector) -> Vector:
        hidden = add([apply(self._into, u), self._bias])
        positive = {k: v for k, v in hidden.items() if v > 0}
        return add([u, apply(self._out, positive)])


def _columns(matrix: npt.NDArray[np.float64]) -> _Columns:
    return tuple(
        tuple((int(row), Fraction(float(column[row]))) for row in np.flatnonzero(column))
        for column in matrix.T
    )


def _vector(values: npt.NDArray[np.float64]) -> Vector:
    return {int(k): Fraction(float(values[k])) for k in np.flatnonzero(values)}


def apply(columns: _Columns, vector: Vector) -> Vector:
    """Return matrix times vector."""
    result: dict[int, Fraction] = {}
    for k, v in vector.items():
        for row, weight in columns[k]:
            result[row] = result.get(row, Fraction(0)) + weight * v
    return {row: v for row, v in result.items() if v}


def add(vectors: Iterable[Vector]) -> Vector:
    """Return the sum of vectors."""
    result: dict[int, Fraction] = {}
    for vector in vectors:
        for k, v in vector.items():
            result[k] = result.get(k, Fraction(0)) + v
    return {k: v for k, v in result.items() if v}


def dot(left: Vector, right: Vector) -> Fraction:
    """Return the inner product."""
    return sum((v * right[k] for k, v in left.items() if k in right), Fraction(0))


def _mean(keys: Sequence[tuple[Fraction, Vector]]) -> Vector:
    total = add({k: count * v for k, v in value.items()} for count, value in keys)
    number = sum((count for count, _ in keys), Fraction(0))
    return {k: v / number for k, v in total.items()}
