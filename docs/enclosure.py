"""Draws docs/enclosure.png: what is proved of a trained model up to a million tokens."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import verify
from verify.figures import enclosure_figure

f = verify.tasks.trained("mod_p", period=2, training_length=32)
g = verify.tasks.mod_p(2, 0, precision_bits=8).transformer
ladder = verify.enclose(f, g, length=64, horizon=2**20, factor=4)
figure = enclosure_figure(ladder, verify.agreement(f, g, range(2, 63)), Fraction(3, 10))
figure.savefig(Path(__file__).with_name("enclosure.png"), dpi=200)
