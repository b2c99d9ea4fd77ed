"""`verify.worst_pairs`: among explicit pairs of a class, the one with the longest simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify import witnesses
from verify.errors import InputError
from verify.tables import aligned
from verify.tightness.request import Query, read_count, read_number
from verify.tightness.worst_input import LIMIT, ROUND, Progress, WorstInput, worst_input
from verify.witnesses import Witness

FAMILIES: dict[str, Callable[..., Witness]] = {
    "presence": witnesses.presence,
    "own share": witnesses.own_share,
    "tents": witnesses.tents,
    "nested classes": witnesses.nested_classes,
    "two residues": witnesses.two_residues,
    "nested levels": witnesses.nested_levels,
    "levels of one": witnesses.levels_of_one,
}
"""The pairs behind the necessary lengths, by name: their weights follow from the class."""

_TAKES: dict[str, tuple[str, ...]] = {
    "presence": (),
    "own share": ("vocabulary_size", "period"),
    "tents": ("vocabulary_size", "period"),
    "nested classes": ("vocabulary_size", "period"),
    "two residues": (),
    "nested levels": ("vocabulary_size", "period", "locality", "heads"),
    "levels of one": ("vocabulary_size", "period", "locality", "heads"),
}
"""What each family takes beside lipschitz, epsilon, target and precision_bits."""

_OWN: dict[str, dict[str, int]] = {
    "presence": {"vocabulary_size": 2, "period": 1},
    "two residues": {"vocabulary_size": 2, "period": 2},
}
"""What is fixed in a family."""

_ASTRONOMIC = ("nested classes", "two residues", "nested levels", "levels of one")
"""Families whose own inputs are far too long to be written out: they are sought like any other."""

_ROOM = Fraction(21, 20)
"""Those are built for errors that are larger by this factor: else only inputs whose shares are
right to many digits need so much, and no search finds them."""

_LONGEST_WRITTEN = 10**6


@dataclass(frozen=True)
class PairFound:
    """One pair, and the longest simulation found for it.

    Attributes:
        family: a key of FAMILIES.
        witness: the models, and why they need so much.
        worst: what the search found.
    """

    family: str
    witness: Witness
    worst: WorstInput


@dataclass(frozen=True)
class WorstPairs:
    """The pairs that were tried, the worst first.

    Attributes:
        pairs: one for each family that has a pair in the class.
        refused: why the other families have none.
        finished: False if the search was interrupted.
    """

    pairs: tuple[PairFound, ...]
    refused: Mapping[str, str]
    finished: bool

    @property
    def worst(self) -> PairFound:
        """The pair with the longest simulation."""
        return self.pairs[0]

    def table(self) -> str:
        """Return a line per pair."""
        cells = [["pair", "agrees up to", "longest simulation found", "way"]]
        for pair in self.pairs:
            length = str(pair.worst.length)
            cells.append([pair.family, str(pair.witness.agree_up_to), length, pair.worst.family])
        lines = aligned(cells)
        return "\n".join([*lines, *(f"{name}: {why}" for name, why in self.refused.items())])

    def __str__(self) -> str:
        """Return the table."""
        return self.table()


def worst_pairs(
    *,
    epsilon: Any,
    lipschitz: Any,
    target: Any = None,
    vocabulary_size: int = 2,
    period: int = 1,
    locality: int = 0,
    heads: int = 1,
    precision_bits: int = 8,
    horizon: int = 2**20,
    query: Query = "same",
    budget: int = 7 * ROUND,
    seed: int = 0,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> WorstPairs:
    """Return explicit pairs of a class, with the longest simulation that each was found to need.

    The pairs are those of `verify.witnesses` for one argmax layer, with the weights that the
    class calls for: `lipschitz` is their true constant in total variation. Each is searched by
    `verify.worst_input`, from its own long input on. No pair proves what a class needs at most;
    `bounds.required_length` does.

    Args:
        epsilon, lipschitz, vocabulary_size, period, locality, heads, precision_bits: as in
            `bounds.required_length`.
        target: > ε. None: 3ε.
        horizon, query, seed, limit, progress: as in `verify.worst_input`.
        budget: inputs to try in all; every family gets an equal part, at least one round.

    Raises:
        InputError: an argument is not usable, or no family has a pair in this class.
        KeyboardInterrupt: interrupted before the first pair was done.
    """
    wanted = read_count("budget", budget)
    given = {
        "vocabulary_size": read_count("vocabulary_size", vocabulary_size),
        "period": read_count("period", period),
        "locality": read_count("locality", locality, 0),
        "heads": read_count("heads", heads),
    }
    built, refused = pairs_of_class(given, lipschitz, epsilon, target, precision_bits)
    if not built:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise InputError("class", given, f"one that contains a pair of some family ({reasons})")
    found, finished = [], True
    try:
        for name, witness in built.items():
            worst = worst_input(
                witness.f,
                witness.g,
                epsilon=epsilon,
                target=target,
                horizon=horizon,
                query=query,
                budget=wanted // len(built) or 1,
                seed=seed,
                inputs=own_inputs(name, witness, horizon),
                limit=limit,
                progress=progress,
            )
            found.append(PairFound(name, witness, worst))
            if not worst.finished:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        if not found:
            raise
        finished = False
    found.sort(key=lambda pair: -pair.worst.length)
    return WorstPairs(tuple(found), refused, finished)


def pairs_of_class(
    given: dict[str, int], lipschitz: Any, epsilon: Any, target: Any, precision_bits: int
) -> tuple[dict[str, Witness], dict[str, str]]:
    """Return the pairs of a class by family, and why the other families have none.

    Args:
        given: vocabulary_size, period, locality and heads.
        lipschitz, epsilon, target, precision_bits: as in `worst_pairs`.
    """
    built: dict[str, Witness] = {}
    refused: dict[str, str] = {}
    agreement = read_number("epsilon", epsilon)
    goal = 3 * agreement if target is None else read_number("target", target)
    for name, family in FAMILIES.items():
        beyond = [
            f"{key} = {value}"
            for key, value in _OWN.get(name, {}).items()
            if value > given[key] or (key == "period" and given[key] % value)
        ]
        if beyond:
            refused[name] = f"needs {', '.join(beyond)}"
            continue
        keywords: dict[str, Any] = {key: given[key] for key in _TAKES[name]}
        room = _ROOM if name in _ASTRONOMIC else 1
        keywords |= {"lipschitz": lipschitz, "target": room * goal}
        keywords["precision_bits"] = precision_bits
        if name != "tents":
            keywords["epsilon"] = room * agreement
        try:
            built[name] = family(**keywords)
        except InputError as problem:
            refused[name] = str(problem)
    return built, refused


def own_inputs(name: str, witness: Witness, horizon: int) -> list[Any]:
    """Return the pair's own long inputs, where they can be written out."""
    longest = min(horizon, _LONGEST_WRITTEN, witness.last_long or horizon)
    first = max(witness.first_long, witness.agree_up_to + 1)
    if name in _ASTRONOMIC or first > longest:
        return []
    lengths = [first * factor for factor in (1, 4, 16) if first * factor <= longest]
    inputs = [witness.long_input(length) for length in lengths]
    return [x for x in inputs if x.size <= horizon]
