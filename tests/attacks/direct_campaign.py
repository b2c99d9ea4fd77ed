"""Enclosures over every length, attacked by inputs: python -m tests.attacks.direct_campaign.

Random pairs of every kind are enclosed; adversarial inputs, and a climb from them and from the
input that was found, look for an |f − g| above the upper end. The lower end is evaluated again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import numpy as np

from tests.helpers.counted_outputs import (
    CountedInputs,
    adversarial,
    climbed,
    differences,
    size,
)
from tests.helpers.direct_enclosures import (
    enclosure,
    finite_pair,
    softmax_pair,
    special_lengths,
)
from verify.tasks.trained import all_trained

LONGEST = 2**61


@dataclass
class Tally:
    """What a campaign found."""

    pairs: int = 0
    refused: int = 0
    undecided: int = 0
    unbounded: int = 0
    tried: int = 0
    violations: list = field(default_factory=list)
    not_attained: list = field(default_factory=list)
    nearest: float = 0.0
    wide: int = 0

    def __str__(self):
        return (
            f"{self.pairs} pairs ({self.refused} refused, {self.undecided} undecided, "
            f"{self.unbounded} of unbounded length, {self.wide} wider than asked), "
            f"{self.tried} inputs, nearest to the upper end {self.nearest:.6f}, violations "
            f"{self.violations}, not attained {self.not_attained}"
        )


def of_summary(summary):
    """Return one Summary with T > τ and counts below 2^63 as CountedInputs; None for others."""
    if summary is None or summary.length >= LONGEST:
        return None
    return CountedInputs(
        np.array([summary.length], dtype=np.int64),
        summary.counts.astype(np.int64)[None],
        summary.suffix[::-1][None].astype(np.int64),
    )


def attack(tally, seed, *, finite, limit=3000, batch=300, rounds=5):
    """Enclose one random pair and attack it."""
    rng = np.random.default_rng(seed)
    f, g = (finite_pair if finite else softmax_pair)(rng)
    return attack_pair(tally, seed, rng, f, g, limit=limit, batch=batch, rounds=rounds)


def attack_pair(tally, name, rng, f, g, *, limit, batch, rounds):
    """Enclose a pair for random lengths and tolerance, and attack it."""
    finite = f.precision_bits is not None
    scale = max(1.0, size(f) + size(g))
    horizon = 2 ** int(rng.integers(4, 61)) + int(rng.integers(-3, 4))
    if rng.random() < (0.2 if finite else 0.5):
        horizon = None
    start = int(rng.choice([1, 2, 3, 5, 20, 300]))
    tolerance = float(rng.choice([1e-4, 1e-2])) * scale
    found = enclosure(f, g, horizon=horizon, start=start, tolerance=tolerance, limit=limit)
    if found is None and horizon is None:
        horizon = 2 ** int(rng.integers(6, 61))
        found = enclosure(f, g, horizon=horizon, start=start, tolerance=tolerance, limit=limit)
    if found is None:
        tally.refused += 1
        return None
    tally.pairs += 1
    tally.undecided += not found.decided
    tally.unbounded += horizon is None
    tally.wide += found.decided and found.high > found.low + 1.6 * tolerance
    pair = found.pair
    last = LONGEST if horizon is None else horizon
    first = max(found.start, pair.locality + 1)
    if last < first:
        return found
    inputs = adversarial(
        rng,
        batch,
        start=first,
        last=last,
        period=pair.period,
        locality=pair.locality,
        tokens=pair.vocabulary_size,
        special=special_lengths(pair, last),
    )
    worst = of_summary(found.worst)
    if worst is not None and worst.suffix.shape[1] == pair.locality + 1:
        again = float(differences(f, g, worst)[0])
        length = int(worst.lengths[0])
        inside = found.start <= length <= last
        if abs(again - found.low) > 1e-9 * scale or not inside:
            tally.not_attained.append((name, found.low, again, length))
        inputs = CountedInputs.joined([inputs, worst])
    tried, at, value = climbed(rng, f, g, inputs, start=first, last=last, rounds=rounds, size=batch)
    tally.tried += tried
    if np.isfinite(found.high) and found.high > 0:
        tally.nearest = max(tally.nearest, value / found.high if value > 1e-6 else 0.0)
    if value > found.high + 1e-9 * scale:
        tally.violations.append((name, finite, value, found.high, int(at.lengths[0])))
    return found


def main():
    """Run as many pairs as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--trained", action="store_true", help="the stored models instead")
    parser.add_argument("--precision", choices=["finite", "infinite", "both"], default="both")
    parser.add_argument("--limit", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.trained:
        tally, begin = Tally(), time.time()
        for number, pair in enumerate(all_trained()):
            rng = np.random.default_rng([arguments.first, number])
            attack_pair(
                tally,
                pair.name,
                rng,
                pair.model,
                pair.target,
                limit=arguments.limit,
                batch=arguments.batch,
                rounds=arguments.rounds,
            )
        print("trained", f"{time.time() - begin:.0f} s:", tally)
        return
    kinds = {"finite": [True], "infinite": [False], "both": [True, False]}[arguments.precision]
    for finite in kinds:
        tally, begin = Tally(), time.time()
        for seed in range(arguments.first, arguments.first + arguments.pairs):
            attack(
                tally,
                seed,
                finite=finite,
                limit=arguments.limit,
                batch=arguments.batch,
                rounds=arguments.rounds,
            )
        print(
            "finite" if finite else "infinite", f"{time.time() - begin:.0f} s:", tally, flush=True
        )


if __name__ == "__main__":
    main()
