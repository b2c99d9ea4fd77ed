"""Targets of the experiments, and explicit weights that realise them."""

from verify.tasks import lower_bounds
from verify.tasks.k_gram import InContextKGramTask, in_context_k_gram
from verify.tasks.mod_p import ModPTask, mod_p
from verify.tasks.simple import SimpleTask, simple

__all__ = [
    "InContextKGramTask",
    "ModPTask",
    "SimpleTask",
    "in_context_k_gram",
    "lower_bounds",
    "mod_p",
    "simple",
]
