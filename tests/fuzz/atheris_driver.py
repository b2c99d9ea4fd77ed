"""`python -m tests.fuzz.atheris_driver TARGET [libFuzzer options]`: coverage-guided, until stopped."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["bounds", "verify"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    target(b"")  # builds the valid files once
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
