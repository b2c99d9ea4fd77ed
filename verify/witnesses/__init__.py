"""Explicit pairs of models: equal on every short input, different on a longer one."""

from verify.witnesses.alternation import alternating_shares, alternation
from verify.witnesses.average import (
    AverageWitness,
    circulation,
    fair_coin,
    prime_tents,
    rare_class,
    rare_token,
    ring,
    window,
)
from verify.witnesses.levels import levels_of_one, nested_levels
from verify.witnesses.one_layer import (
    nested_classes,
    own_share,
    presence,
    tents,
    two_residues,
)
from verify.witnesses.one_layer_softmax import last_token
from verify.witnesses.padded_machine import (
    padded_doubling,
    padded_machine_model,
    padded_run,
)
from verify.witnesses.run_lengths import RunLengths
from verify.witnesses.threshold import (
    limit_one_residue,
    limit_residues,
    limit_shares,
    shared_logits,
    threshold_one_residue,
    threshold_residues,
    threshold_two_slopes,
    threshold_window,
)
from verify.witnesses.two_layer_argmax import bounded_norms, doubling_machine, gram_tents
from verify.witnesses.two_layer_softmax import changes, windows
from verify.witnesses.witness import Witness

__all__ = [
    "AverageWitness",
    "RunLengths",
    "Witness",
    "alternating_shares",
    "alternation",
    "bounded_norms",
    "changes",
    "circulation",
    "doubling_machine",
    "fair_coin",
    "gram_tents",
    "last_token",
    "levels_of_one",
    "limit_one_residue",
    "limit_residues",
    "limit_shares",
    "nested_classes",
    "nested_levels",
    "own_share",
    "padded_doubling",
    "padded_machine_model",
    "padded_run",
    "presence",
    "prime_tents",
    "rare_class",
    "rare_token",
    "ring",
    "shared_logits",
    "tents",
    "threshold_one_residue",
    "threshold_residues",
    "threshold_two_slopes",
    "threshold_window",
    "two_residues",
    "window",
    "windows",
]
