"""The in-context k-gram weights: error by sharpness, length, k and |Σ|, and their complexity.

    python benchmarks/k_gram.py

Every error is the largest over four families of ten inputs that end in a context seen before.
About a minute on one core.
"""

from __future__ import annotations

import verify
from verify.tasks import in_context_k_gram
from verify.tasks.k_gram_error import k_gram_errors

SHARPNESS = [2.0, 4.0, 6.0, 8.0, 10.0, 14.0]


def main() -> None:
    print("largest error; s = " + "".join(f"{s:>10g}" for s in SHARPNESS))
    for margin in (1.0, 2.0):
        for k, size in ((1, 2), (2, 2), (3, 2), (2, 4)):
            for length in (100, 1000, 10_000):
                rows = k_gram_errors(
                    k,
                    size,
                    sharpness=SHARPNESS,
                    lengths=[length],
                    positional_margin=margin,
                )
                worst = [
                    max(r.error for r in rows if r.sharpness == s and r.error is not None)
                    for s in SHARPNESS
                ]
                label = f"γ={margin:g} k={k} |Σ|={size} T={length}"
                print(f"{label:22}" + "".join(f"{value:10.2g}" for value in worst))
    print(
        "\nlog C(f), enclosed / norm form, |Σ| = 2; s = " + "".join(f"{s:>16g}" for s in SHARPNESS)
    )
    for k in (1, 2, 3, 4):
        logs = []
        for s in SHARPNESS:
            model = verify.measure(in_context_k_gram(k, 2, s).transformer).models[0]
            logs.append(f"{model.log_complexity:.1f} / {model.log_complexity_norm:.1f}")
        print(f"k={k}" + "".join(f"{text:>18}" for text in logs))


if __name__ == "__main__":
    main()
