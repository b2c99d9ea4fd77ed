"""One clear error where the extra `train` is missing."""

from __future__ import annotations

from importlib.util import find_spec

from verify.errors import VerifyError

INSTALL = "pip install 'lgbounds[train]'"


class MissingExtra(VerifyError, ImportError):
    """A package of the extra `train` is not installed; `missing` names which."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__(f"training needs {', '.join(missing)}: {INSTALL}")


def require_train_extra() -> None:
    """Raise `MissingExtra` with the install line unless jax, optax and tqdm are there."""
    missing = tuple(name for name in ("jax", "optax", "tqdm") if find_spec(name) is None)
    if missing:
        raise MissingExtra(missing)
