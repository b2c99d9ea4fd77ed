"""Draws docs/enclosure.png: the largest error of two trained models at every length, to ∞."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import verify
from verify.figures import error_profile_figure
from verify.tasks.trained import trained_pair

panels = []
for omega, training_length, says in ((2, 32, "generalizes"), (8, 8, "does not")):
    pair = trained_pair("simple_plain", omega=omega, training_length=training_length)
    profile = verify.error_profile(pair.model, pair.target, horizon=None)
    title = f"SimpleTask ω = {omega}, softmax, trained to length {training_length}: {says}"
    panels.append((title, profile))
figure = error_profile_figure(panels, Fraction(3, 10))
figure.savefig(Path(__file__).with_name("enclosure.png"), dpi=200)
