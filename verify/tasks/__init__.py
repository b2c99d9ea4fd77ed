"""Targets of the experiments, and explicit weights that realise them."""

from verify.tasks import lower_bounds
from verify.tasks.k_gram import InContextKGramTask, in_context_k_gram
from verify.tasks.mod_p import ModPTask, mod_p
from verify.tasks.simple import SimpleTask, simple
from verify.tasks.trained import TrainedPair, all_trained, trained, trained_pair

__all__ = [
    "InContextKGramTask",
    "ModPTask",
    "SimpleTask",
    "TrainedPair",
    "all_trained",
    "in_context_k_gram",
    "lower_bounds",
    "mod_p",
    "simple",
    "trained",
    "trained_pair",
]
