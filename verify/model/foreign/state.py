"""Arrays by name: a module's state, a state dict, or a safetensors file. Never a pickle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from safetensors import SafetensorError, safe_open

from verify.errors import InputError
from verify.files import MOST_WEIGHTS, check_plain


def is_module(source: Any) -> bool:
    """Return whether this is a torch.nn.Module, told by its methods."""
    return callable(getattr(source, "named_modules", None)) and callable(
        getattr(source, "state_dict", None)
    )


class State:
    """Arrays by name, each of them taken once or ignored by name: what is left over is refused."""

    def __init__(self, arrays: Mapping[str, Any], ignore: Iterable[str]) -> None:
        self._arrays = arrays
        self._ignore = tuple(ignore)
        self._taken: set[str] = set()

    def weight(self, role: str, name: str) -> Any:
        """Return the array called `name`, or `name`.weight.

        Raises:
            InputError: there is neither.
        """
        for full in (name, f"{name}.weight"):
            if full in self._arrays:
                self._taken.add(full)
                return self._arrays[full]
        raise InputError(role, name, f"the name of an array, or of a part; {self._known()}")

    def bias(self, name: str) -> Any | None:
        """Return `name`.bias, None where there is none."""
        return self.optional(f"{name}.bias")

    def optional(self, name: str) -> Any | None:
        """Return the array called `name`, None where there is none."""
        if name not in self._arrays:
            return None
        self._taken.add(name)
        return self._arrays[name]

    def has(self, name: str) -> bool:
        """Return whether there is an array of that name."""
        return name in self._arrays

    def check_all_taken(self) -> None:
        """Refuse arrays without a role.

        Raises:
            InputError: it names them.
        """
        left = [
            name
            for name in self._arrays
            if name not in self._taken and not is_under(name, self._ignore)
        ]
        if left:
            allowed = (
                "arrays that all have a role; of these nothing is known, and a model without them "
                'is another one. If they play no part, such as a stored mask: ignore=("NAME", …)'
            )
            raise InputError("state", ", ".join(left), allowed)

    def _known(self) -> str:
        names = ", ".join(self._arrays)
        return f"known: {names if len(names) <= 600 else names[:600] + ' …'}"


def is_under(name: str, prefixes: Iterable[str]) -> bool:
    """Return whether a dotted name is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def read_state(source: Any) -> Mapping[str, Any]:
    """Return the arrays of a module, a mapping, or a safetensors file, by name.

    Raises:
        InputError: it is none of these, or the file cannot be read.
    """
    if is_module(source):
        # Buffers that are not saved, such as tables of positions, are part of the model.
        arrays = {**source.state_dict(), **dict(source.named_buffers())}
    elif isinstance(source, str | os.PathLike):
        arrays = _read_file(source)
    else:
        arrays = source
    if not isinstance(arrays, Mapping) or not all(isinstance(name, str) for name in arrays):
        allowed = "a torch.nn.Module, a mapping from names to arrays, or a path of safetensors"
        raise InputError("source", source, allowed)
    return arrays


def _read_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        check_plain(path, MOST_WEIGHTS)
        with safe_open(os.fspath(path), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        allowed = (
            "a safetensors file that can be read (safetensors.torch.save_file(model.state_dict(), "
            f"path) writes one); pickles (.pt, .pth, .bin) can run code and are not read; {error}"
        )
        raise InputError("source", path, allowed) from error
