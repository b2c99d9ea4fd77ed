"""`python -m verify --prove f g`, and the proofs for stored models that open the main job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.certificates import Verdict, prove
from verify.certificates.verdict import ProofStatus
from verify.certificates.window import float_down, float_up
from verify.lengths import show_long
from verify.model.transformer import LimitTransformer
from verify.tables import aligned, show_fraction
from verify.tasks.trained import TrainedPair, all_trained, trained_pair

TARGET, HORIZON = Fraction(3, 10), 2**20

EXIT_CODES = {ProofStatus.PROVED: 0, ProofStatus.REFUTED: 1, ProofStatus.OPEN: 4}


@dataclass(frozen=True)
class Proof:
    """A verdict with the name of its model and the seconds that it took."""

    name: str
    verdict: Verdict
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"model": self.name, "seconds": round(self.seconds, 3)} | self.verdict.to_dict()


def opening_pairs() -> list[TrainedPair]:
    """Six stored models: in finite precision to a million tokens, plain softmax to infinity."""
    return [
        trained_pair("mod_p", period=2, training_length=32),
        trained_pair("mod_p", period=5, training_length=64),
        trained_pair("simple", omega=4, training_length=64),
        trained_pair("simple", omega=8, training_length=32),
        trained_pair("simple_plain", omega=2, training_length=32),
        trained_pair("simple_plain", omega=8, training_length=64),
    ]


def stored_pairs() -> list[TrainedPair]:
    """All stored models."""
    return [*all_trained("mod_p"), *all_trained("simple"), *all_trained("simple_plain")]


def prove_pairs(
    pairs: Sequence[TrainedPair], progress: Callable[[str], None] | None = None
) -> Iterator[Proof]:
    """Decide for pair after pair whether |f − g| ≤ 3/10: up to 2²⁰, softmax at every length."""
    for pair in pairs:
        if progress is not None:
            progress(pair.name)
        start = time.monotonic()
        horizon = None if pair.model.precision_bits is None else HORIZON
        verdict = prove(pair.model, pair.target, target=TARGET, horizon=horizon)
        yield Proof(pair.name, verdict, time.monotonic() - start)


def prove_files(
    paths: Sequence[str],
    target: Fraction,
    horizon: int | None,
    from_length: int | None,
    limit: int,
) -> Proof:
    """Decide for the models in two files that `LimitTransformer.save` wrote.

    Raises:
        InputError: a file cannot be read, or a model is not covered.
    """
    f, g = (LimitTransformer.load(path) for path in paths)
    start = time.monotonic()
    verdict = prove(f, g, target=target, horizon=horizon, from_length=from_length, limit=limit)
    return Proof(" and ".join(paths), verdict, time.monotonic() - start)


def proof_table(proofs: Sequence[Proof]) -> str:
    """Return the proofs as text: verdict, lengths of the claim, both sides of the error."""
    head = ["model, and longest input it was trained on", "verdict", "lengths", "largest error"]
    cells = [[*head, "holds up to", "s"]]
    for proof in proofs:
        verdict = proof.verdict
        low, high = verdict.enclosure
        end = "∞" if verdict.horizon is None else show_long(verdict.horizon)
        if verdict.status is ProofStatus.REFUTED and verdict.counterexample is not None:
            length = show_long(verdict.counterexample.length)
            error = f"{float_down(low):.4f} at length {length}"
        elif high is None:
            error = f"at least {float_down(low):.4f}"
        else:
            error = f"{float_down(low):.4f} … {float_up(high):.4f}"
        start = "any" if verdict.from_length is None else show_long(verdict.from_length)
        holds = end if verdict.status is ProofStatus.PROVED else "–"
        if verdict.proved_horizon is not None:
            holds = show_long(verdict.proved_horizon)
        row = [proof.name, verdict.status.name, f"{start} … {end}", error, holds]
        cells.append([*row, f"{proof.seconds:.1f}"])
    claim = f"|f − g| ≤ {show_fraction(TARGET)} on every input of all lengths claimed"
    return "\n".join([f"{claim}: f trained on short inputs, g its target", *aligned(cells)])
