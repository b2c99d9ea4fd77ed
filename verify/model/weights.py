"""The weights of a limit transformer as plain data, checked against each other; no behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from verify.errors import WeightsError
from verify.model import qkvo
from verify.model.validation import Problem, as_integer, as_weights

Floats = npt.NDArray[np.float64]

_MLP_SHAPES = {"mlp_in": "(m, d)", "mlp_bias": "(m,)", "mlp_out": "(d, m)"}


class _ByValue:
    """Equality, hash and pickling by value for frozen dataclasses that hold arrays."""

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        pairs = zip(self._values(), other._values(), strict=True)
        return all(
            np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a == b) for a, b in pairs
        )

    def __hash__(self) -> int:
        # Adding 0.0 turns −0.0 into 0.0: what is equal must have equal hashes.
        return hash(
            tuple(
                (a.shape, (a + 0.0).tobytes()) if isinstance(a, np.ndarray) else a
                for a in self._values()
            )
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy through the constructor, which makes the arrays read-only again."""
        return type(self), self._values()


@dataclass(frozen=True, eq=False, repr=False)
class Head(_ByValue):
    """One attention head.

    Attributes:
        query_key: KᵀQ, shape (d, d); the content logit of key j for query i is
            y_jᵀ query_key y_i.
        value: V, shape (d, d); the head adds Σ_j s_ij value y_j.
        lag_bias: φ at the lags 0..τ, shape (τ+1,); φ is 0 at greater lags.

    Raises:
        WeightsError: an argument is no finite real array of that shape (all problems at once).
    """

    query_key: Floats
    value: Floats
    lag_bias: Floats

    def __post_init__(self) -> None:
        """Copy the arguments to read-only float64 arrays, or refuse them."""
        problems: list[Problem] = []
        square = "(d, d), a square matrix with d at least 1"
        query_key = as_weights(problems, "query_key", self.query_key, 2, square)
        value = as_weights(problems, "value", self.value, 2, square)
        lag_bias = as_weights(
            problems, "lag_bias", self.lag_bias, 1, "(τ+1,), one number per lag 0..τ"
        )
        for name, array in (("query_key", query_key), ("value", value)):
            if array is not None and array.shape[0] != array.shape[1]:
                problems.append((name, array, f"shape {square}; this one is {array.shape}"))
        if query_key is not None and value is not None and query_key.shape != value.shape:
            allowed = f"the shape of query_key, {query_key.shape}; this one is {value.shape}"
            problems.append(("value", value, allowed))
        _finish(self, problems, query_key=query_key, value=value, lag_bias=lag_bias)

    @staticmethod
    def from_qkvo(
        W_Q: npt.ArrayLike,
        W_K: npt.ArrayLike,
        W_V: npt.ArrayLike,
        W_O: npt.ArrayLike,
        b_Q: npt.ArrayLike | None = None,
        b_K: npt.ArrayLike | None = None,
        b_V: npt.ArrayLike | None = None,
        b_O: npt.ArrayLike | None = None,
        *,
        vectors: qkvo.Vectors,
        scale: float | None = None,
        constant: int | None = None,
        lag_bias: npt.ArrayLike = (0.0,),
    ) -> Head:
        """Return the head with these queries, keys, values and outputs.

        The logit is scale·(query of i)·(key of j), so query_key = scale·W_K W_Qᵀ and
        value = (W_V W_O)ᵀ for `vectors="row"`. Both are multiplied out in float64: logits that
        the factors tie exactly may come out 10⁻¹⁶ apart.

        A bias is a column at the coordinate `constant`: b_Q adds scale·y_jᵀ W_K b_Q to the logit
        of key j, b_V and b_O add the constant b_V W_O + b_O to what the head writes. b_K adds the
        same to the logits of all keys, which changes no attention weight, and is left out.

        Args:
            W_Q, W_K, W_V, W_O: of one head. `vectors="row"`: (d, d_head), (d, d_head), (d, d_v),
                (d_v, d); `vectors="column"`: the transposed shapes.
            b_Q, b_K, b_V, b_O: (d_head,), (d_head,), (d_v,), (d,); None is 0. Of several heads
                that share b_O, one takes it.
            vectors: "row" where vectors multiply from the left, y @ W (TransformerLens, Haiku,
                Flax); "column" where they multiply from the right, W @ y (torch.nn.Linear).
            scale: factor of the logits before softmax; None is 1/√d_head.
            constant: a coordinate that is 1 in every vector of the residual stream, in every
                layer; needed for b_Q, b_V and b_O. `verify.adapters.build` appends one.
            lag_bias: φ at the lags 0..τ, as the limit transformer scales it.

        Raises:
            WeightsError: an array has a wrong shape or is not usable (all problems at once).
            InputError: `vectors`, `scale` or `constant` is impossible, or a bias needs `constant`.
        """
        given = dict(
            zip(qkvo.MATRICES + qkvo.BIASES, (W_Q, W_K, W_V, W_O, b_Q, b_K, b_V, b_O), strict=True)
        )
        arrays = qkvo.checked(given, qkvo.check_vectors(vectors))
        factor = qkvo.as_scale(scale, arrays["W_Q"].shape[1])
        query_key, value = qkvo.products(arrays, factor, constant)
        return Head(query_key, value, lag_bias)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        """Return the sizes, not the weights."""
        return f"Head(d={self.query_key.shape[0]}, τ={self.lag_bias.size - 1})"


@dataclass(frozen=True, eq=False, repr=False)
class Layer(_ByValue):
    """Attention heads, added up, and a ReLU network with one hidden layer.

    Attributes:
        heads: at least one Head, all of one width d; a list is taken too.
        mlp_in: A, shape (m, d), m hidden units.
        mlp_bias: b, shape (m,).
        mlp_out: B, shape (d, m); y ← u + mlp_out relu(mlp_in u + mlp_bias).
            The three are given together; None (default) for all three, or m = 0, is no MLP.

    Raises:
        WeightsError: an argument is not usable (all problems at once).
    """

    heads: tuple[Head, ...]
    mlp_in: Floats = None  # type: ignore[assignment]
    mlp_bias: Floats = None  # type: ignore[assignment]
    mlp_out: Floats = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Check the heads and the three arrays of the MLP against each other."""
        problems: list[Problem] = []
        heads = _members(problems, "heads", self.heads, Head)
        width = heads[0].query_key.shape[0] if heads else None
        for number, head in enumerate(heads):
            if head.query_key.shape[0] != width:
                problems.append((f"heads[{number}]", head, f"width d = {width}, as in heads[0]"))
        given = {name: getattr(self, name) for name in _MLP_SHAPES}
        arrays = _mlp_arrays(problems, given, width)
        _finish(self, problems, heads=heads, **arrays)

    @property
    def dimension(self) -> int:
        """Width d of the residual stream."""
        return int(self.heads[0].query_key.shape[0])

    @property
    def hidden(self) -> int:
        """Number m of hidden units of the MLP; 0 without one."""
        return int(self.mlp_bias.size)

    @property
    def locality(self) -> int:
        """Locality τ: the greatest lag of any head's lag_bias."""
        return max(head.lag_bias.size for head in self.heads) - 1

    def __repr__(self) -> str:
        """Return the sizes, not the weights."""
        return f"Layer(H={len(self.heads)}, d={self.dimension}, τ={self.locality}, m={self.hidden})"


@dataclass(frozen=True, eq=False, repr=False)
class Weights(_ByValue):
    """The weights of a limit transformer; see `verify.LimitTransformer` for the model.

    Attributes:
        embedding: E, shape (|Σ|, d).
        positions: shape (Δ, d); position i = 1, 2, … adds row i mod Δ. A row of zeros: none.
        layers: at least one Layer of width d; a list is taken too.
        unembedding: U, shape (o, d).
        precision_bits: p ≥ 1 for finite precision (argmax attention in the limit), None for
            infinite precision (softmax attention).

    Raises:
        WeightsError: an argument is not usable (all problems at once).
    """

    embedding: Floats
    positions: Floats
    layers: tuple[Layer, ...]
    unembedding: Floats
    precision_bits: int | None

    def __post_init__(self) -> None:
        """Check the arguments against each other; the width d is that of the embedding."""
        problems: list[Problem] = []
        shapes = {"embedding": "(|Σ|, d)", "positions": "(Δ, d)", "unembedding": "(o, d)"}
        arrays = {
            name: as_weights(problems, name, getattr(self, name), 2, shape)
            for name, shape in shapes.items()
        }
        layers = _members(problems, "layers", self.layers, Layer)
        width = None if arrays["embedding"] is None else arrays["embedding"].shape[1]
        for name, array in arrays.items():
            if array is not None and width is not None and array.shape[1] != width:
                allowed = f"shape {shapes[name]} with d = {width}, as in embedding; this one is "
                problems.append((name, array, f"{allowed}{array.shape}"))
        for number, layer in enumerate(layers):
            if width is not None and layer.dimension != width:
                problems.append((f"layers[{number}]", layer, f"d = {width}, as in embedding"))
        bits = self.precision_bits
        if bits is not None:
            whole = as_integer(bits)
            if whole is None or whole < 1:
                problems.append(("precision_bits", bits, "an integer, at least 1, or None"))
            bits = whole
        _finish(self, problems, layers=layers, precision_bits=bits, **arrays)

    @property
    def vocabulary_size(self) -> int:
        """Number |Σ| of tokens."""
        return int(self.embedding.shape[0])

    @property
    def period(self) -> int:
        """Period Δ of the positions."""
        return int(self.positions.shape[0])

    @cached_property
    def locality(self) -> int:
        """Locality τ: the greatest lag of any lag_bias, over all heads and layers."""
        return max(layer.locality for layer in self.layers)

    @property
    def dimension(self) -> int:
        """Width d of the residual stream."""
        return int(self.embedding.shape[1])

    @property
    def output_dimension(self) -> int:
        """Number o of outputs."""
        return int(self.unembedding.shape[0])

    @property
    def heads(self) -> tuple[int, ...]:
        """Number H of heads of each layer."""
        return tuple(len(layer.heads) for layer in self.layers)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Number m of hidden units of each layer's MLP."""
        return tuple(layer.hidden for layer in self.layers)

    @property
    def attention(self) -> Literal["argmax", "softmax"]:
        """Which attention: "argmax" in finite precision, "softmax" in infinite precision."""
        return "softmax" if self.precision_bits is None else "argmax"

    def __repr__(self) -> str:
        """Return the sizes, not the weights."""
        layers = ", ".join(map(repr, self.layers))
        return (
            f"{type(self).__name__}(|Σ|={self.vocabulary_size}, Δ={self.period}, "
            f"τ={self.locality}, d={self.dimension}, "
            f"o={self.output_dimension}, p={self.precision_bits}, "
            f"layers=({layers}{',' if len(self.layers) == 1 else ''}))"
        )


def _members(problems: list[Problem], name: str, value: Any, kind: type) -> tuple[Any, ...]:
    """Return the members of a list or tuple of `kind`; or (), with one more entry in problems."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) == 0:
        problems.append((name, value, f"a tuple of at least one {kind.__name__}"))
        return ()
    wrong = [(k, member) for k, member in enumerate(value) if not isinstance(member, kind)]
    problems += [(f"{name}[{k}]", member, f"a {kind.__name__}") for k, member in wrong]
    return () if wrong else tuple(value)


def _mlp_arrays(
    problems: list[Problem], given: dict[str, Any], width: int | None
) -> dict[str, Floats | None]:
    """Return the three arrays of an MLP of width d, checked against each other."""
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 3:
        d = width or 0
        given = {
            "mlp_in": np.zeros((0, d)),
            "mlp_bias": np.zeros(0),
            "mlp_out": np.zeros((d, 0)),
        }
    elif missing:
        problems += [(name, None, "all three of the MLP, or none of them") for name in missing]
    arrays = {
        name: as_weights(problems, name, value, shape.count(", ") + 1, shape, empty_allowed=True)
        for name, value in given.items()
        if value is not None
        for shape in (_MLP_SHAPES[name],)
    }
    mlp_in = arrays.get("mlp_in")
    if width is not None and mlp_in is not None:
        hidden = mlp_in.shape[0]
        expected = {"mlp_in": (hidden, width), "mlp_bias": (hidden,), "mlp_out": (width, hidden)}
        for name, array in arrays.items():
            if array is not None and array.shape != expected[name]:
                allowed = f"shape {_MLP_SHAPES[name]} = {expected[name]}; this one is {array.shape}"
                problems.append((name, array, allowed))
    return arrays


def _finish(instance: object, problems: list[Problem], **values: Any) -> None:
    """Set the checked values on a frozen dataclass, or report all problems in one error."""
    if problems:
        raise WeightsError.of_all(problems)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
