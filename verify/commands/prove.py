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
    """Four stored models: three that generalize to a million tokens, and one that does not."""
    return [
        trained_pair("mod_p", period=2, training_length=32),
        trained_pair("mod_p", period=5, training_length=64),
        trained_pair("simple", omega=4, training_length=64),
        trained_pair("simple", omega=8, training_length=32),
    ]


def stored_pairs() -> list[TrainedPair]:
    """All stored models in finite precision, which `prove` covers."""
    return [*all_trained("mod_p"), *all_trained("simple")]


def prove_pairs(
    pairs: Sequence[TrainedPair], progress: Callable[[str], None] | None = None
) -> Iterator[Proof]:
    """Decide for one pair after the other whether |f − g| ≤ 3/10 up to 2²⁰."""
    for pair in pairs:
        if progress is not None:
            progress(pair.name)
        start = time.monotonic()
        verdict = prove(pair.model, pair.target, target=TARGET, horizon=HORIZON)
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
    """Return the proofs as text: verdict, start of the claim, N, both sides of the error."""
    cells = [["model, and longest input it was trained on", "verdict", "from", "N", "error", "s"]]
    for proof in proofs:
        verdict = proof.verdict
        low, high = verdict.enclosure
        if verdict.status is ProofStatus.REFUTED and verdict.counterexample is not None:
            length = show_long(verdict.counterexample.length)
            error = f"{float_down(low):.4f} at length {length}"
        elif high is None:
            error = f"at least {float_down(low):.4f}"
        else:
            error = f"{float_down(low):.4f} … {float_up(high):.4f}"
        cells.append(
            [
                proof.name,
                verdict.status.name,
                "–" if verdict.from_length is None else show_long(verdict.from_length),
                "–" if verdict.length is None else show_long(verdict.length),
                error,
                f"{proof.seconds:.1f}",
            ]
        )
    claim = f"|f − g| ≤ {show_fraction(TARGET)} on every input up to length {show_long(HORIZON)}"
    return "\n".join([f"{claim}: f trained on short inputs, g its target", *aligned(cells)])
