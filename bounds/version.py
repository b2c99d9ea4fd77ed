"""The version: written down in setup.cfg, and nowhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def version() -> str:
    """The version of this package: of the checkout that it runs from, or of what is installed."""
    from configparser import ConfigParser  # both cost what `import bounds` should not
    from importlib import metadata

    checkout = ConfigParser()
    checkout.read(Path(__file__).resolve().parents[1] / "setup.cfg", encoding="utf-8")
    if checkout.get("metadata", "name", fallback=None) == "lgbounds":
        return checkout["metadata"]["version"]
    try:
        return metadata.version("lgbounds")
    except metadata.PackageNotFoundError:
        return "(not installed)"
