"""`python -m tests.hostile.tiny_training DIR`: train and measure two experiments of a few steps."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from verify.training.experiment import Experiment, Setting

FIRST = Experiment(
    name="first",
    task="mod_p",
    sweep="Δ",
    distribution="dirichlet",
    settings=(Setting(2, period=2),),
    training_lengths=(8,),
    seeds=(0,),
    test_lengths=(128,),
    test_distributions=("dirichlet",),
    steps=20,
    batch=8,
    test_inputs=16,
    width=8,
    hidden=4,
)
EXPERIMENTS = (FIRST, dataclasses.replace(FIRST, name="second", seeds=(1,)))


def run(out: Path) -> None:
    """All steps but the figures."""
    from verify.training.measuring import measure_all
    from verify.training.pipeline import train_all

    train_all(EXPERIMENTS, out, quiet=True)
    measure_all(EXPERIMENTS, out, quiet=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
