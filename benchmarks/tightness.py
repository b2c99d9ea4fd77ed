"""How tight it is: certified and class bounds beside the longest shortest simulation found.

    python benchmarks/tightness.py [--rows docs/tightness.csv] [--every 1] [--seconds 480]
    python benchmarks/tightness.py --report docs/tightness.md

200 random pairs (exact ties, near ties, generic), the tasks as explicit weights, the stored trained
models of one layer in finite precision with their targets at ε = 1/10 and 3/100, and the pairs of
`verify.worst_pair`. Target 3ε, horizon 2^20. Every row is written when it is done; rows that are
there already are kept, so that the run can be interrupted and resumed. About 8 CPU minutes.

For SimpleTask the same search is made a second time with outputs that are linear in the attention
(`linear`): that is all that a proof by counts sees of the models.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

import verify
from verify import Head, Layer, LimitTransformer
from verify.errors import VerifyError
from verify.measure.lipschitz import head_lipschitz
from verify.tasks.trained import all_trained
from verify.tightness.worst_pair import own_inputs, pairs_of_class

HORIZON = 2**20
RANDOM = 200
INPUTS = 800
FIELDS = (
    "kind",
    "name",
    "epsilon",
    "paper",
    "wide",
    "class",
    "class_theorem",
    "certified",
    "found",
    "status",
    "necessary",
    "linear",
    "violations",
    "seconds",
)


@dataclasses.dataclass
class Case:
    """One pair and ε."""

    kind: str
    name: str
    f: LimitTransformer
    g: LimitTransformer
    epsilon: Fraction
    inputs: tuple[object, ...] = ()


def random_pair(seed):
    """Return two random models, |Σ| ≤ 3, Δ ≤ 3, τ ≤ 1, one head, and ε = L/r."""
    rng = np.random.default_rng([2027, seed])
    tokens, period = int(rng.integers(2, 4)), int(rng.integers(1, 4))
    kind = ("ties", "positional", "near ties", "generic")[seed % 4]
    models = []
    for _ in range(2):
        d = int(rng.integers(2, 4))

        def numbers(*shape, whole=kind != "generic", rng=rng):
            return rng.integers(-1, 2, shape).astype(float) if whole else rng.normal(size=shape)

        embedding, positions = numbers(tokens, d), numbers(period, d)
        key, lags = numbers(d, d), numbers(int(rng.integers(1, 3)))
        if kind == "positional":  # only positions are looked for, by content that all tokens share
            embedding = np.hstack([numbers(tokens, d), np.zeros((tokens, d)), np.ones((tokens, 1))])
            positions = np.hstack(
                [np.zeros((period, d)), numbers(period, d), np.zeros((period, 1))]
            )
            key = np.zeros((2 * d + 1, 2 * d + 1))
            key[d : 2 * d, -1] = numbers(d)
        if kind == "near ties":
            key, lags = (
                key + 1e-3 * rng.normal(size=key.shape),
                lags + 1e-3 * rng.normal(size=lags.shape),
            )
        width = embedding.shape[1]
        head = Head(key, rng.normal(size=(width, width)), lags)
        layer = Layer(
            (head,), rng.normal(size=(5, width)), rng.normal(size=5), rng.normal(size=(width, 5))
        )
        bits = int(rng.integers(1, 5))
        models.append(
            LimitTransformer(embedding, positions, (layer,), rng.normal(size=(1, width)), bits)
        )
    f, g = models
    g = dataclasses.replace(g, precision_bits=f.precision_bits)
    largest = max(float(sum(h.least for h in head_lipschitz(m))) for m in (f, g))
    ratio = int(rng.choice([4, 8, 16]))
    epsilon = Fraction(max(largest, 1e-3) / ratio).limit_denominator(10**4)
    return Case("random", f"{kind}, {seed}", f, g, epsilon)


def cases() -> Iterator[Case]:
    """Yield all pairs."""
    for pair in all_trained():
        if pair.task != "simple_plain":
            for epsilon in (Fraction(1, 10), Fraction(3, 100)):
                yield Case(pair.task, pair.name, pair.model, pair.target, epsilon)
    for epsilon in (Fraction(1, 10), Fraction(3, 100)):
        for period in (2, 3, 5):
            f = verify.tasks.mod_p(period, 0).transformer
            g = verify.tasks.mod_p(period, 1).transformer
            yield Case("task", f"mod_p, Δ = {period}, residue 0", f, f, epsilon)
            yield Case("task", f"mod_p, Δ = {period}, residues 0 and 1", f, g, epsilon)
        for omega in (2, 4):
            f = dataclasses.replace(verify.tasks.simple(omega).transformer, precision_bits=8)
            yield Case("task", f"simple, ω = {omega}", f, f, epsilon)
    shapes = ((2, 1, 0, 1), (3, 1, 0, 1), (2, 2, 1, 1))
    for tokens, period, locality, heads in shapes:
        given = {"vocabulary_size": tokens, "period": period, "locality": locality, "heads": heads}
        built, _ = pairs_of_class(given, 4, "1/5", None, 8)
        for name, witness in built.items():
            label = f"{name}, |Σ| = {tokens}, Δ = {period}, τ = {locality}"
            inputs = tuple(own_inputs(name, witness, HORIZON))
            yield Case("witness", label, witness.f, witness.g, Fraction(1, 5), inputs)
    for seed in range(RANDOM):
        yield random_pair(seed)


def linear(f: LimitTransformer) -> LimitTransformer:
    """Return f with the output L·(share of token 1 in the attention), L the constant of f."""
    d, size = f.dimension, f.vocabulary_size
    constant = float(sum(h.least for h in head_lipschitz(f)))

    def padded(matrix):
        result = np.zeros((d + 2, d + 2))
        result[:d, :d] = matrix
        return result

    embedding = np.hstack([f.embedding, np.eye(size)[:, 1:2], np.zeros((size, 1))])
    positions = np.hstack([f.positions, np.zeros((f.period, 2))])
    value = np.zeros((d + 2, d + 2))
    value[d + 1, d] = constant
    heads = tuple(Head(padded(h.query_key), value, h.lag_bias) for h in f.layers[0].heads)
    nothing = np.zeros((0, d + 2)), np.zeros(0), np.zeros((d + 2, 0))
    output = np.zeros((1, d + 2))
    output[0, d + 1] = 1.0
    return LimitTransformer(
        embedding, positions, (Layer(heads, *nothing),), output, f.precision_bits
    )


def run(case: Case, limit: int) -> dict[str, object]:
    """Return the row of one case."""
    start = time.process_time()
    found = verify.compare_lengths(
        case.f,
        case.g,
        epsilon=case.epsilon,
        horizon=HORIZON,
        budget=INPUTS,
        inputs=case.inputs,
        limit=limit,
    )
    flat = ""
    if case.kind == "simple":
        pair = linear(case.f), linear(case.g)
        worst = verify.worst_input(
            *pair, epsilon=case.epsilon, horizon=HORIZON, budget=INPUTS, limit=limit
        )
        flat = int(worst.length)
    data = found.to_dict()
    logs = {side: "" if log is None else round(log, 6) for side, log in data["log2"].items()}
    return {
        "kind": case.kind,
        "name": case.name,
        "epsilon": str(case.epsilon),
        "paper": logs["paper"],
        "wide": logs["wide"],
        "class": logs["class"],
        "class_theorem": data["theorems"]["class"] or "",
        "certified": "" if found.certified is None else found.certified,
        "found": int(found.worst.length),
        "status": "exact" if found.worst.exhausted is None else "limit reached",
        "necessary": logs["necessary"],
        "linear": flat,
        "violations": "; ".join(found.violations),
        "seconds": round(time.process_time() - start, 2),
    }


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows that are there."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Run what is missing, or write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=Path("docs/tightness.csv"))
    parser.add_argument("--every", type=int, default=1, help="only every k-th case")
    parser.add_argument("--seconds", type=float, default=480.0, help="CPU seconds")
    parser.add_argument("--limit", type=int, default=60_000, help="short inputs per pair")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if options.report:
        options.report.write_text(report(read(options.rows)), encoding="utf-8")
        return
    done = {(row["kind"], row["name"], row["epsilon"]) for row in read(options.rows)}
    new = not options.rows.exists()
    with options.rows.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        for number, case in enumerate(cases()):
            if number % options.every or (case.kind, case.name, str(case.epsilon)) in done:
                continue
            if time.process_time() > options.seconds:
                sys.exit("out of time; run again to go on")
            try:
                row = run(case, options.limit)
            except VerifyError as problem:
                sys.exit(f"{case.name}: {problem}")
            writer.writerow(row)
            file.flush()
            print(*(row[name] for name in FIELDS), sep=" | ", flush=True)


def report(rows: list[dict[str, str]]) -> str:
    """Return the page."""
    raise NotImplementedError


if __name__ == "__main__":
    main()
