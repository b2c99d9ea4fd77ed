"""Models in safetensors files: plain arrays and text, nothing that could be executed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from verify.errors import InputError
from verify.files import MOST_WEIGHTS, check_plain, write_beside
from verify.model.weights import Head, Layer, Weights

_FORMAT = "lgbounds limit transformer"
_VERSION = "1"
_HEAD = ("query_key", "value", "lag_bias")
_MLP = ("mlp_in", "mlp_bias", "mlp_out")
_ENDS = ("embedding", "positions", "unembedding")


def save(f: Weights, path: str | os.PathLike[str], notes: Mapping[str, str] | None = None) -> None:
    """Write `f` to one file; an existing one stays until the new one is complete.

    Args:
        f: the weights.
        path: the file.
        notes: more text for the file's metadata, such as how the weights were trained.

    Raises:
        InputError: the file cannot be written.
    """
    tensors = {name: getattr(f, name) for name in _ENDS}
    for k, layer in enumerate(f.layers):
        tensors |= {f"layers.{k}.{name}": getattr(layer, name) for name in _MLP}
        for h, head in enumerate(layer.heads):
            tensors |= {f"layers.{k}.heads.{h}.{name}": getattr(head, name) for name in _HEAD}
    metadata = {
        **(notes or {}),
        "format": _FORMAT,
        "version": _VERSION,
        "precision_bits": "none" if f.precision_bits is None else str(f.precision_bits),
        "heads": ",".join(map(str, f.heads)),
    }
    try:
        write_beside(path, to_bytes(tensors, metadata))
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise InputError("path", path, f"a file that can be written; {error}") from error


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the arguments of LimitTransformer that `save` wrote.

    Raises:
        InputError: the file cannot be read, or is none that `save` wrote.
    """
    try:
        check_plain(path, MOST_WEIGHTS)
        with safe_open(os.fspath(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise InputError("path", path, f"a safetensors file that can be read; {error}") from error
    problem = _problem(metadata, tensors)
    if problem:
        raise InputError("path", path, f"a file written by LimitTransformer.save; {problem}")
    layers = tuple(
        Layer(
            tuple(
                Head(*(tensors[f"layers.{k}.heads.{h}.{name}"] for name in _HEAD))
                for h in range(heads)
            ),
            *(tensors[f"layers.{k}.{name}"] for name in _MLP),
        )
        for k, heads in enumerate(map(int, metadata["heads"].split(",")))
    )
    bits = metadata["precision_bits"]
    return {name: tensors[name] for name in _ENDS} | {
        "layers": layers,
        "precision_bits": None if bits == "none" else int(bits),
    }


def _problem(metadata: dict[str, str], tensors: dict[str, npt.NDArray[Any]]) -> str:
    """Say what is foreign in a file's contents; "" where nothing is."""
    if metadata.get("format") != _FORMAT:
        return f"its format is {_short(metadata.get('format'))}"
    if metadata.get("version") != _VERSION:
        found = _short(metadata.get("version"))
        return f"its version is {found}, this program reads {_VERSION!r}"
    bits = metadata.get("precision_bits", "")
    if bits != "none" and not _is_number(bits, 1000):
        return f"its precision_bits are {_short(bits)}"
    # Counted before they are listed: a short text can name more arrays than fit into memory.
    heads = metadata.get("heads", "").split(",", len(tensors))
    if not all(_is_number(h, 9) and int(h) >= 1 for h in heads):
        return f"its numbers of heads are {_short(metadata.get('heads'))}"
    if len(_ENDS) + sum(len(_MLP) + int(h) * len(_HEAD) for h in heads) > 2 * len(tensors) + 100:
        return f"its numbers of heads are {_short(','.join(heads))}, its arrays {len(tensors)}"
    expected = {
        *_ENDS,
        *(f"layers.{k}.{name}" for k in range(len(heads)) for name in _MLP),
        *(
            f"layers.{k}.heads.{h}.{name}"
            for k, count in enumerate(heads)
            for h in range(int(count))
            for name in _HEAD
        ),
    }
    if expected != tensors.keys():
        missing, extra = sorted(expected - tensors.keys()), sorted(tensors.keys() - expected)
        return f"missing arrays: {_short(missing)}, unexpected arrays: {_short(extra)}"
    wrong = sorted(name for name, array in tensors.items() if not _is_float(array))
    return f"not floating-point: {_short(wrong)}" if wrong else ""


def _is_number(text: str, digits: int) -> bool:
    """Return whether a text is a number as `save` writes it."""
    return text.isascii() and text.isdecimal() and len(text) <= digits


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _is_float(array: npt.NDArray[Any]) -> bool:
    """Return whether float64 holds all numbers of this floating-point type exactly."""
    name = array.dtype.name
    return "float" in name and np.can_cast(array.dtype, np.float64, "safe")
