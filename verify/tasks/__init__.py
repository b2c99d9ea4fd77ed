"""Targets of the experiments, and explicit weights that realise them."""

from verify.tasks.mod_p import ModPTask, mod_p
from verify.tasks.simple import SimpleTask, simple

__all__ = ["ModPTask", "SimpleTask", "mod_p", "simple"]
