"""The constants of every layer of two softmax models: what the theorem of any depth reads.

One structured parameter, `depth_constants`, holds them: a number per layer or head would need as
many keywords as models have heads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal, get_args

from bounds.numbers import Structure, brief, exact, written

LagBias = Literal["none", "token dominant", "balanced", "position dominant"]
"""By the largest lag bias of a head against 1: below, equal, above; "none": φ = 0 at every lag."""


@dataclass(frozen=True)
class HeadConstants:
    """Constants of one head; any upper bounds may stand for the numbers.

    Numbers are read as everywhere (int, Fraction, "1/10", or a float as its shortest decimal) and
    kept as Fractions.

    Attributes:
        logit_range: R, of the content logits over the keys of one query.
        value_diameter: D, diameter of the set of values.
        tilt_lipschitz: ℓ = ‖V‖ + ‖M‖ Y D, Y the largest norm of a state; not read in layer 1.
        query_lipschitz: ‖M‖ D_Y, D_Y the diameter of the states; not read in layer 1.
        value_rank: rank of V; not read in layer 1.
        score_rank: rank of M; read in the middle layers only.
        lag_bias: the regime; "none" where φ = 0 at every lag.

    Raises:
        ValueError: a number is negative or no rational number; a rank is no integer ≥ 0.
    """

    logit_range: Fraction
    value_diameter: Fraction
    tilt_lipschitz: Fraction = Fraction(0)
    query_lipschitz: Fraction = Fraction(0)
    value_rank: int = 0
    score_rank: int = 0
    lag_bias: LagBias = "none"

    def __post_init__(self) -> None:
        """Read the numbers exactly."""
        for name in ("logit_range", "value_diameter", "tilt_lipschitz", "query_lipschitz"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        for name in ("value_rank", "score_rank"):
            object.__setattr__(self, name, _integer(name, getattr(self, name)))
        if self.lag_bias not in get_args(LagBias):
            allowed = " or ".join(map(repr, get_args(LagBias)))
            raise ValueError(f"lag_bias must be {allowed}, not {self.lag_bias!r}")

    @property
    def has_bias(self) -> bool:
        """Whether φ ≢ 0."""
        return self.lag_bias != "none"

    @property
    def reads_prefix(self) -> bool:
        """Whether the whole input keeps a share of the attention: not position dominant."""
        return self.lag_bias != "position dominant"

    @property
    def reads_lags(self) -> bool:
        """Whether single lags keep a share: balanced or position dominant."""
        return self.lag_bias in ("balanced", "position dominant")


@dataclass(frozen=True)
class LayerConstants:
    """Constants of one layer.

    Attributes:
        lipschitz: Λ of what follows the attention: 1 + ‖A‖‖B‖; in the last layer ‖U‖(1 + ‖A‖‖B‖).
        locality: τ, the largest lag with a bias in this layer.
        heads: of each head; () for a layer without attention, such as one that only pads.

    Raises:
        ValueError: a number is negative or of another kind.
    """

    lipschitz: Fraction
    locality: int
    heads: tuple[HeadConstants, ...] = ()

    def __post_init__(self) -> None:
        """Read the numbers exactly, and heads given as mappings."""
        object.__setattr__(self, "lipschitz", _number("lipschitz", self.lipschitz))
        object.__setattr__(self, "locality", _integer("locality", self.locality))
        object.__setattr__(self, "heads", _members("heads", self.heads, HeadConstants))


@dataclass(frozen=True)
class DepthConstants(Structure):
    """Constants of f and g, layer by layer: the value of the parameter `depth_constants`.

    Attributes:
        f: one LayerConstants per layer, from the first to the last.
        g: the same for g; None: those of f stand for both models.

    The shorter of two models is padded with layers that change nothing, before its last one.

    Raises:
        ValueError: a model has fewer than two layers, or a layer cannot be read.
    """

    f: tuple[LayerConstants, ...]
    g: tuple[LayerConstants, ...] | None = None

    def __post_init__(self) -> None:
        """Read layers given as mappings, and pad the shorter model."""
        models = [_members("f", self.f, LayerConstants)]
        if self.g is not None:
            models.append(_members("g", self.g, LayerConstants))
        if min(map(len, models)) < 2:
            raise ValueError("at least two layers per model (derived.one_layer_softmax has one)")
        depth = max(map(len, models))
        models = [
            (*m[:-1], *[LayerConstants(Fraction(1), 0)] * (depth - len(m)), m[-1]) for m in models
        ]
        for name, model in zip("fg", models, strict=False):
            object.__setattr__(self, name, model)

    @property
    def models(self) -> tuple[tuple[LayerConstants, ...], ...]:
        """The layers of f, and of g: those of f again where g is not given."""
        return self.f, self.f if self.g is None else self.g

    @property
    def layers(self) -> int:
        """P, the number of layers."""
        return len(self.f)

    @property
    def localities(self) -> tuple[int, ...]:
        """τ_l of every layer, the larger one of f and g."""
        return tuple(max(a.locality, b.locality) for a, b in zip(*self.models, strict=True))

    @property
    def has_bias(self) -> bool:
        """Whether any head of f or g has a lag bias."""
        return any(h.has_bias for model in self.models for layer in model for h in layer.heads)

    @classmethod
    def read(cls, value: Any) -> DepthConstants:
        """The constants from themselves, from a mapping, or from JSON text.

        Raises:
            ValueError: they cannot be read.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (json.JSONDecodeError, RecursionError):
                raise ValueError("JSON text as .data() gives it") from None
        found = _read(cls, value)
        assert isinstance(found, cls)
        return found

    def data(self) -> dict[str, Any]:
        """Plain data for JSON, exact: numbers as strings."""
        named = {"f": self.f} | ({} if self.g is None else {"g": self.g})
        return {name: [_data(layer) for layer in model] for name, model in named.items()}

    def brief(self) -> str:
        """For people, in a line: depth, heads, localities, and the largest logit range."""
        heads = ["+".join(str(len(layer.heads)) for layer in model) for model in self.models]
        shown = heads[0] if self.g is None else f"{heads[0]} and {heads[1]}"
        ranges = [h.logit_range for model in self.models for x in model for h in x.heads]
        lags = ", ".join(map(str, self.localities))
        largest = max(ranges, default=Fraction(0))
        range_ = f"{float(largest):.4g}" if largest < 10**300 else brief(largest)
        return f"{self.layers} layers, heads {shown}, τ = {lags}, largest R = {range_}"


def _number(name: str, value: Any) -> Fraction:
    try:
        number = exact(value)
    except ValueError as problem:
        raise ValueError(f"{name} must be a rational number ≥ 0: {problem}") from None
    if not isinstance(number, Fraction) or number < 0:
        raise ValueError(f"{name} must be a rational number ≥ 0")
    return number


def _integer(name: str, value: Any) -> int:
    try:
        number = exact(value)
    except ValueError:
        number = Fraction(-1)
    if not isinstance(number, Fraction) or number < 0 or number.denominator != 1:
        raise ValueError(f"{name} must be an integer ≥ 0")
    if number >= 2**64:
        raise ValueError(f"{name} must be below 2^64")
    return int(number)


def _members(name: str, value: Any, kind: type) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{name} must be a tuple of {kind.__name__}")
    return tuple(member if isinstance(member, kind) else _read(kind, member) for member in value)


def _read(kind: type, value: Any) -> Any:
    """An object of `kind` from a mapping of its fields."""
    if not isinstance(value, Mapping):
        raise ValueError(f"a {kind.__name__}, or a mapping of its fields")
    known = [field.name for field in fields(kind)]
    unknown = sorted(map(str, set(value) - set(known)))
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(known)}")
    try:
        return kind(**value)
    except TypeError:
        raise ValueError(f"{kind.__name__} needs {', '.join(known)}") from None


def _data(value: Any) -> Any:
    if isinstance(value, Fraction):
        return written(value)
    if isinstance(value, tuple):
        return [_data(member) for member in value]
    if isinstance(value, (LayerConstants, HeadConstants)):
        return {field.name: _data(getattr(value, field.name)) for field in fields(value)}
    return value
