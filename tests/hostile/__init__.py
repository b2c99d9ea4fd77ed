"""What tries to break the packages: killed processes, hostile files, extreme numbers, threads."""

from __future__ import annotations

import os

SIZE = int(os.environ.get("LGBOUNDS_HOSTILE", "1"))
"""How much: 1 in the suite, 100 in `.ci/kills`."""
