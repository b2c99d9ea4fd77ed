"""`verify.worst_input`: a search for the input that needs the longest simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.certificates.counted_input import CountedInput
from verify.certificates.digest import digest
from verify.certificates.input_class import InputClass
from verify.errors import InputError
from verify.lengths import Length
from verify.model.transformer import LimitTransformer
from verify.tightness.families import FAMILIES, neighbour
from verify.tightness.request import Query, Reproduces, Request, read_count, read_request
from verify.tightness.shortest import Shortest, shortest
from verify.tightness.sieve import Points, Sieve

ROUND = 400
"""Inputs of one round; the search can be interrupted and resumed between rounds."""

_CLASSES = 10
"""Lengths and suffixes of one round."""

_KEPT = 12
"""Inputs that local search starts from."""

_LONGEST = 2**53

LIMIT = 2 * 10**6
"""Short inputs whose outputs are kept: a few hundred MB, some ten seconds."""

Progress = Callable[[int, int, int], None]
"""Called with the inputs tried, their total, and the longest simulation so far."""


@dataclass(frozen=True)
class Candidate:
    """An input that was tried.

    Attributes:
        length: of the input; suffix: its last tokens, oldest first.
        counts: of atoms, column by column.
        needs: no z shorter than this simulates it; proved.
        family: how it was made.
    """

    length: int
    suffix: tuple[int, ...]
    counts: tuple[int, ...]
    needs: int
    family: str


@dataclass(frozen=True)
class WorstInput:
    """The longest shortest simulation that was found.

    Attributes:
        shortest: x, its z, and what is proved.
        family: how x was made.
        kept: the inputs that come next, with their lengths: local search goes on from them.
        tried: number of inputs tried.
        seed, horizon: as given.
        finished: False if the search was interrupted.
        exhausted: the first length of z that `limit` left out; None: none had to be left out.
        weights: digests of f and g.
    """

    shortest: Shortest
    family: str
    kept: tuple[Candidate, ...]
    tried: int
    seed: int
    horizon: int
    finished: bool
    exhausted: int | None
    weights: tuple[str, str]

    @property
    def length(self) -> Length:
        """No z shorter than this simulates `input`; proved."""
        return Length(self.shortest.lower_bound)

    @property
    def input(self) -> CountedInput:
        """x."""
        return CountedInput(self.shortest.summary)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it."""
        return {
            "length": int(self.length),
            "shortest": self.shortest.to_dict(),
            "family": self.family,
            "tried": self.tried,
            "seed": self.seed,
            "horizon": self.horizon,
            "finished": self.finished,
            "exhausted": self.exhausted,
            "weights": list(self.weights),
            "kept": [asdict(candidate) for candidate in self.kept],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> WorstInput:
        """Return the result that `to_dict` described, to resume it."""
        kept = [
            Candidate(c["length"], tuple(c["suffix"]), tuple(c["counts"]), c["needs"], c["family"])
            for c in data["kept"]
        ]
        f, g = data["weights"]
        return cls(
            shortest=Shortest.from_dict(data["shortest"]),
            family=data["family"],
            kept=tuple(kept),
            tried=data["tried"],
            seed=data["seed"],
            horizon=data["horizon"],
            finished=data["finished"],
            exhausted=data["exhausted"],
            weights=(f, g),
        )

    def __str__(self) -> str:
        """Return the length, what was tried, and the input."""
        stopped = "" if self.finished else ", interrupted"
        return (
            f"an input that needs |z| ≥ {self.length}, the worst of {self.tried:,} tried"
            f"{stopped}; {self.family}; {self.input}"
        )


def worst_input(
    f: LimitTransformer,
    g: LimitTransformer | None = None,
    *,
    epsilon: Any,
    target: Any = None,
    horizon: int,
    reproduces: Reproduces = "outputs",
    query: Query = "same",
    budget: int = 8000,
    seed: int = 0,
    inputs: Sequence[Any] = (),
    limit: int = LIMIT,
    resume: WorstInput | None = None,
    progress: Progress | None = None,
) -> WorstInput:
    """Return the input, among many that are tried, whose shortest simulation is longest.

    Structured inputs come first in every round (light beside heavy sets, neighbours of simple
    fractions, near ties, rare tokens, at lengths of all scales up to the horizon), then inputs
    near the best so far. The result is a proved lower bound of how long simulations must be for
    this pair; no search proves an upper one, `verify.certify` does.

    The same arguments give the same result. An interruption (Ctrl-C) keeps what was found, and
    `resume` goes on from there, or with a larger `budget`, as if there had been no interruption.

    Args:
        f, g, epsilon, target, query: as in `verify.shortest`.
        horizon: length of the longest inputs, at most 2^53.
        reproduces: "outputs" or "each output".
        budget: number of inputs to try, rounded up to whole rounds of 400.
        seed: ≥ 0.
        inputs: more inputs, tried first: tokens, Summaries or CountedInputs.
        limit: the largest number of short inputs to evaluate.
        resume: an earlier result of the same pair and arguments.
        progress: called after every round.

    Raises:
        InputError: an argument is not usable.
        KeyboardInterrupt: interrupted before the first round was done.
    """
    request = read_request(f, g, epsilon, target, reproduces, query)
    if reproduces == "attention":
        allowed = '"outputs" or "each output"; attention input by input, by verify.shortest'
        raise InputError("reproduces", reproduces, allowed)
    most, wanted = read_count("limit", limit), read_count("budget", budget)
    longest, number = read_count("horizon", horizon), read_count("seed", seed, 0)
    if longest > _LONGEST:
        raise InputError("horizon", horizon, "at most 2^53")
    weights = (digest(f), digest(f if g is None else g))
    if resume is not None:
        _check_resume(resume, request, weights, number, longest)
    search = _Search(request, longest, number, Sieve(request, most))
    if resume is not None:
        search.kept, search.tried = list(resume.kept), resume.tried
    rounds = -(-wanted // ROUND)
    finished = True
    try:
        if resume is None:
            search.try_given([request.summary(x) for x in inputs])
        while search.tried < rounds * ROUND:
            search.round()
            if progress is not None:
                progress(search.tried, rounds * ROUND, search.kept[0].needs)
    except KeyboardInterrupt:
        if not search.kept:
            raise
        finished = False
    best = search.kept[0]
    found = shortest(
        search.summary(best),
        f,
        g,
        epsilon=epsilon,
        target=target,
        reproduces=reproduces,
        query=query,
        limit=most,
    )
    if found.lower_bound < best.needs:
        found = replace(found, lower_bound=best.needs)
    return WorstInput(
        shortest=found,
        family=best.family,
        kept=tuple(search.kept),
        tried=search.tried,
        seed=number,
        horizon=longest,
        finished=finished,
        exhausted=search.sieve.exhausted,
        weights=weights,
    )


def _check_resume(
    resume: WorstInput, request: Request, weights: tuple[str, str], seed: int, horizon: int
) -> None:
    before = resume.shortest
    same = {
        "f, g": (resume.weights, weights),
        "target − ε": (before.budget, request.budget),
        "reproduces": (before.reproduces, request.reproduces),
        "query": (before.query, request.query),
        "seed": (resume.seed, seed),
        "horizon": (resume.horizon, horizon),
    }
    for name, (old, new) in same.items():
        if old != new:
            raise InputError("resume", f"{name} = {old}", f"a result with {name} = {new}")


class _Search:
    """The state of a search: what was tried, and what local search starts from."""

    def __init__(self, request: Request, horizon: int, seed: int, sieve: Sieve) -> None:
        self._request, self._horizon, self._seed = request, horizon, seed
        self.sieve = sieve
        self.kept: list[Candidate] = []
        self.tried = 0

    def try_given(self, summaries: Sequence[Any]) -> None:
        """Try inputs of any length."""
        for summary in summaries:
            one_class = self._class(summary.length, tuple(summary.suffix.tolist()))
            table = summary.counts.ravel().tolist()
            row = [sum(table[t] for t in atom) for column in one_class.atoms for atom in column]
            self._try([(one_class, np.array([row], dtype=object), ["given"])])

    def round(self) -> None:
        """Try one round of inputs."""
        rng = np.random.default_rng([self._seed, self.tried // ROUND])
        if self.tried == 0:
            self._try(self._longest(rng))
            self.tried = ROUND
            return
        groups = []
        per_class = ROUND // (2 * _CLASSES)
        for _ in range(_CLASSES):
            one_class = self._random_class(rng)
            groups.append(self._structured(rng, one_class, per_class))
        for k in range(_CLASSES):
            groups.append(self._local(rng, self.kept[k % len(self.kept)], per_class))
        self._try(groups)
        self.tried += 2 * _CLASSES * per_class

    def summary(self, candidate: Candidate) -> Any:
        """Return a candidate as an input."""
        one_class = self._class(candidate.length, candidate.suffix)
        return one_class.summary(_columns(one_class, candidate.counts))

    def _class(self, length: int, suffix: tuple[int, ...]) -> InputClass:
        return InputClass(self._request.inputs, length, suffix)

    def _longest(self, rng: np.random.Generator) -> list[_Group]:
        """The first round: the longest lengths, with every suffix if there are not too many."""
        inputs = self._request.inputs
        lengths = range(max(self._horizon - inputs.period + 1, 1), self._horizon + 1)
        number = sum(inputs.number_of_suffixes(length) for length in lengths)
        if number > ROUND // 5:
            classes = [self._random_class(rng) for _ in range(2 * _CLASSES)]
        else:
            classes = [c for length in lengths for c in inputs.classes(length)]
        return [self._structured(rng, c, -(-ROUND // len(classes))) for c in classes]

    def _random_class(self, rng: np.random.Generator) -> InputClass:
        """Half of the lengths are the longest of each residue, the others of any scale."""
        inputs = self._request.inputs
        if rng.random() < 0.5:
            length = self._horizon - int(rng.integers(inputs.period))
        else:
            length = int(math.exp(rng.uniform(0, math.log(self._horizon))))
        length = max(length, 1)
        size = min(length, inputs.locality + 1)
        return self._class(length, tuple(rng.integers(inputs.vocabulary_size, size=size).tolist()))

    def _structured(self, rng: np.random.Generator, one_class: InputClass, number: int) -> _Group:
        names = list(FAMILIES)
        rows, families = [], []
        for k in range(number):
            name = names[k % len(names)]
            columns = [
                FAMILIES[name](rng, total, len(atoms))
                for total, atoms in zip(one_class.vectors.totals, one_class.atoms, strict=True)
            ]
            rows.append(np.concatenate(columns) if columns else np.zeros(0, np.int64))
            families.append(name)
        return one_class, np.array(rows, dtype=object), families

    def _local(self, rng: np.random.Generator, start: Candidate, number: int) -> _Group:
        """Inputs near one: counts moved, at its length or with all counts scaled to another."""
        suffix, length = start.suffix, start.length
        if rng.random() < 0.3:
            period = self._request.inputs.period
            factor = float(rng.choice([0.5, 0.9, 1.1, 2.0]))
            length = min(max(int(length * factor), 1), self._horizon)
            length -= (length - start.length) % period
            if length < self._request.inputs.locality + 1:
                length = start.length
        one_class = self._class(length, suffix)
        widths = [len(atoms) for atoms in one_class.atoms]
        before = np.array(start.counts, dtype=np.float64)
        rows = []
        for _ in range(number):
            if sum(widths) != before.size:  # other atoms at this length
                columns = [
                    FAMILIES["nested"](rng, total, width)
                    for total, width in zip(one_class.vectors.totals, widths, strict=True)
                ]
            else:
                columns = []
                first = 0
                for total, width in zip(one_class.vectors.totals, widths, strict=True):
                    own = np.array(start.counts[first : first + width], dtype=np.int64)
                    if int(own.sum()) != total:
                        own = _scaled(own, total)
                    columns.append(neighbour(rng, own) if width > 1 else own)
                    first += width
            rows.append(np.concatenate(columns) if columns else np.zeros(0, np.int64))
        families = [f"near {start.family.removeprefix('near ')}"] * number
        return one_class, np.array(rows, dtype=object), families

    def _try(self, groups: Sequence[_Group]) -> None:
        batches, longest = [], []
        for one_class, rows, _ in groups:
            outputs = np.concatenate(one_class.outputs(rows.astype(np.float64)), axis=1)
            rounding = sum(one_class.roundings)
            residue = one_class.length % self._request.inputs.period
            batches.append(Points(residue, one_class.suffix[-1], outputs, rounding))
            longest.append(one_class.length)
        needs = self.sieve.lengths(batches, longest)
        found = [
            Candidate(one_class.length, one_class.suffix, tuple(int(c) for c in row), need, family)
            for (one_class, rows, families), of_batch in zip(groups, needs, strict=True)
            for row, need, family in zip(rows, of_batch, families, strict=True)
        ]
        self._keep(found)

    def _keep(self, found: list[Candidate]) -> None:
        """Keep the worst, no more than a third of them of one suffix and residue."""
        ranked = sorted([*self.kept, *found], key=lambda c: -c.needs)
        kept: list[Candidate] = []
        seen: dict[tuple[int, tuple[int, ...]], int] = {}
        known: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
        for candidate in ranked:
            kind = (candidate.length % self._request.inputs.period, candidate.suffix)
            name = (candidate.length, candidate.suffix, candidate.counts)
            if name in known or seen.get(kind, 0) >= _KEPT // 3:
                continue
            known.add(name)
            seen[kind] = seen.get(kind, 0) + 1
            kept.append(candidate)
            if len(kept) == _KEPT:
                break
        self.kept = kept


_Group = tuple[InputClass, npt.NDArray[Any], list[str]]
"""A class, counts of some of its inputs, and how each was made."""


def _columns(one_class: InputClass, counts: Sequence[int]) -> list[list[int]]:
    columns, first = [], 0
    for atoms in one_class.atoms:
        columns.append(list(counts[first : first + len(atoms)]))
        first += len(atoms)
    return columns


def _scaled(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Scale counts to another sum."""
    before = int(counts.sum())
    if before == 0:
        result = np.zeros_like(counts)
        result[0] = total
        return result
    scaled = np.array([int(c) * total // before for c in counts], dtype=np.int64)
    scaled[int(counts.argmax())] += total - int(scaled.sum())
    return scaled
