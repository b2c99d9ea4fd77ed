"""Attack Theorems B4 and B5 with many random models, hostile inputs and text; count violations.

    python benchmarks/softmax_sweep.py [seeds]

Prints, per theorem and regime, the number of cases, the violations, and the largest ratio of
measured to proven error. About three minutes per ten seeds on one core.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from importlib import resources
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for the tests' helpers

from tests.helpers.softmax_models import BIASES, hostile_inputs, random_model
from verify.checks.inputs import tokens_of
from verify.simulation.softmax.balanced import simulate_balanced
from verify.simulation.softmax.one_layer import simulate_softmax_one_layer


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    text = (resources.files("verify") / "data" / "sample.txt").read_text(encoding="utf-8")
    ratios: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    for seed in range(seeds):
        for name in BIASES:
            for scale in (0.1, 0.5, 1.5):
                rng = np.random.default_rng([seed, *name.encode(), int(10 * scale)])
                size, period = int(rng.integers(2, 5)), int(rng.integers(1, 4))
                options = {"size": size, "scale": scale, "locality": int(rng.integers(0, 4))}
                inputs = hostile_inputs(rng, 4000, size) | {"text": tokens_of(text, size)[:4000]}
                for layers, simulate in ((1, simulate_softmax_one_layer), (2, simulate_balanced)):
                    f = random_model(
                        rng,
                        layers=layers,
                        regimes=[name, "token"],
                        period=period,
                        last=1 + seed % 2,
                        outputs=2,
                        **options,
                    )
                    g = random_model(rng, layers=layers, regimes=[name], **options)
                    for x in inputs.values():
                        for length in (30, 150, 700):
                            s = simulate(x, f, g, length=length)
                            theorem = "B5" if layers == 1 else "B4"
                            ratios[theorem, name, scale].append(s.error / s.proven_error)
    print("theorem  regime    scale  cases  violations  largest measured/proven")
    for (theorem, name, scale), values in sorted(ratios.items()):
        failed = sum(value > 1 for value in values)
        print(f"{theorem:7}  {name:8}  {scale:5}  {len(values):5}  {failed:10}  {max(values):.2g}")


if __name__ == "__main__":
    main()
