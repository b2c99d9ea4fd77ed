"""The numbers of a release, one row per theorem and question, so that none changes unnoticed.

    python docs/released.py 0.2.0         # write docs/released/0.2.0.csv, when 0.2.0 is released
    python docs/released.py --against     # what differs from the last record, for CHANGELOG.md

An older package is recorded with `PYTHONPATH=../older python docs/released.py 0.1.0`.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import bounds

RECORDS = Path(__file__).with_name("released")
COLUMNS = ("theorem", "question", "answer", "log2_length")

_HEAD = {"logit_range": 1, "value_diameter": "1/2", "tilt_lipschitz": "1/2"}
_HEAD |= {"query_lipschitz": "1/2", "value_rank": 1, "score_rank": 1, "lag_bias": "balanced"}
_LAYER = {"lipschitz": 1, "locality": 1, "heads": [_HEAD]}

BASE: Mapping[str, Any] = {
    "epsilon": "1/100",
    "lipschitz": 1,
    "lipschitz_euclidean": 1,
    "lipschitz_marginal": 1,
    "vocabulary_size": 4,
    "period": 2,
    "locality": 1,
    "heads": 1,
    "precision_bits": 8,
    "margin": 1,
    "positional_margin": 1,
    "logit_range": 2,
    "logit_range_columns": 2,
    "logit_range_last": 2,
    "tie_tolerance": "1/10000",
    "horizon": 2**20,
    "light_groups": 1,
    "complexity": 2,
    "complexity_balanced": 60,
    "complexity_periodic": 60,
    "complexity_average": 60,
    "depth_constants": {"f": [_LAYER, _LAYER]},
    "lipschitz_query": 2,
    "lipschitz_keys": 2,
    "limit_query": 2,
    "limit_keys": 2,
    "influence_keys": 2,
    "alpha_min": 1,
    "alpha_total": 4,
    "alpha_class": 1,
    "class_probability": "1/4",
    "gram_probability": "1/16",
    "urn_constant": 1,
    "largest_gap": "1/2",
    "dimension": 4,
    "block": 1,
    "states": 4,
    "path_states": 8,
    "spectral_gap": "1/2",
    "stationary_min": "1/4",
    "amplitude": 1,
    "lipschitz_histogram": 1,
    "averages_error": "1/100",
    "context": 2,
    "automaton_states": 5,
    "coefficient": 3,
    "counters": 2,
    "update": 1,
    "letters": 2,
    "logit_spread": 2,
    "temperature": 1,
    "attention_weight": "1/2",
    "fraction_bits": 8,
    "slope": "1/2",
    "constant": 1,
}
"""One value for the keywords; a theorem is asked for those that it reads."""

OWN: Mapping[str, Mapping[str, Any]] = {
    "derived.one_layer_linf_steep": {"margin": 3},
    "derived.one_layer_linf_shared_logits": {"period": 1},
    "derived.one_layer_average_nested": {"period": 1},
    "derived.one_layer_average_two_tokens": {"alpha_min": "1/4"},
    "derived.lower_threshold_window": {"margin": "2/3"},
    "derived.lower_softmax_locality": {"epsilon": "1/1000000"},
    "derived.lower_average": {"epsilon": "1/1000000"},
    "derived.lower_average_class": {"epsilon": "1/1000000"},
    "derived.lower_average_rare": {"epsilon": "1/1000000", "alpha_min": "1/4"},
    "derived.lower_average_two_layer": {"epsilon": "1/1000000"},
    "derived.lower_average_two_layer_argmax": {"epsilon": "1/1000000"},
    "alibi.locality": {"precision_bits": 16},
}
"""Where the base contradicts what a theorem needs."""

CHANGES: tuple[Mapping[str, Any], ...] = (
    {},
    {"epsilon": "1/1000", "averages_error": "1/1000"},
    {"target": "1/10"},
    {"target": "1/40"},
    {"epsilon": 0, "target": "1/10"},
    {"vocabulary_size": 2},
    {"vocabulary_size": 50, "dimension": 100},
    {"period": 1},
    {"period": 5},
    {"locality": 0},
    {"locality": 20},
    {"heads": 2},
    {"heads": 2, "vocabulary_size": 2, "period": 1},
    {"precision_bits": 24},
    {"precision_bits": 24, "period": 5, "locality": 2},
    {"margin": "1/2", "positional_margin": "1/2"},
    {"margin": 3, "positional_margin": 3},
    {"lipschitz": 10, "lipschitz_euclidean": 10, "lipschitz_marginal": 10},
    {"lipschitz_other": "1/2"},
    {"alpha_min": "1/4", "alpha_total": 1, "alpha_class": "1/4"},
    {"slope": "1/256", "precision_bits": 24, "fraction_bits": 7},
)
"""The questions: what changes from the base."""

SWITCH = "true_lipschitz"
"""Asserted in questions of their own, where a formula has more to say with it."""

Record = dict[tuple[str, str], tuple[str, str]]
"""(theorem, question) → (answer, log2)."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Theorem, question, answer (an integer, or a status where there is none), log2 of it."""
    for theorem in bounds.theorems():
        if not theorem.parameters:
            continue
        asked = set()
        for changes in CHANGES:
            changed = {k: v for k, v in changes.items() if k in theorem.parameters}
            label = " ".join(f"{k}={v}" for k, v in changed.items()) or "base"
            if label not in asked:
                asked.add(label)
                yield (theorem.key, label, *_answer(theorem, changed))
        if any(SWITCH in names for names in getattr(theorem, "switches", {}).values()):
            many = {"vocabulary_size": 50}
            yield (theorem.key, f"assume={SWITCH}", *_answer(theorem, {}, {SWITCH}))
            label = f"vocabulary_size=50 assume={SWITCH}"
            yield (theorem.key, label, *_answer(theorem, many, {SWITCH}))


def _answer(
    theorem: Any, changed: Mapping[str, Any], asserted: Set[str] = frozenset()
) -> tuple[str, str]:
    named = {**BASE, **OWN.get(theorem.key, {}), **changed}
    values = {k: v for k, v in named.items() if k in theorem.parameters}
    assume = {h.name for h in theorem.hypotheses if h.name} | asserted
    try:
        bound = bounds.required_length(theorem=theorem.key, assume=assume, **values)
    except bounds.BoundsError as refusal:
        return type(refusal).__name__, ""
    length, log2 = bound.length, bound.log2_length
    word = str(length) if length is not None and length < 10**15 else bound.status.name
    return word, "" if log2 is None else f"{log2:.9g}"


def read(version: str) -> Record:
    """The record of a release."""
    with (RECORDS / f"{version}.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))[1:]
    return {(theorem, question): (answer, log2) for theorem, question, answer, log2 in table}


def latest() -> str:
    """The newest version that has a record."""
    found = [path.stem for path in RECORDS.glob("*.csv")]
    return max(found, key=lambda version: [int(part) for part in version.split(".")])


def answers() -> Record:
    """What this package answers, as a record."""
    return {(theorem, question): (word, log2) for theorem, question, word, log2 in rows()}


def changed(before: Record, now: Record) -> list[tuple[str, str, str, str]]:
    """Theorem, question, answer before, answer now ("gone"): wherever the two differ."""
    return [
        (*asked, _words(answer), _words(now.get(asked, ("gone", ""))))
        for asked, answer in before.items()
        if now.get(asked) != answer
    ]


def _words(answer: tuple[str, ...]) -> str:
    word, log2 = answer
    return word if word.isdigit() or not log2 else f"2^{log2} ({word})"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", nargs="?", help="write the record of this version")
    parser.add_argument("--against", nargs="?", const="", help="compare with a record")
    arguments = parser.parse_args()
    if arguments.version:
        with (RECORDS / f"{arguments.version}.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            table.writerows(rows())
    elif arguments.against is not None:
        record = read(arguments.against or latest())
        for theorem, question, before, after in changed(record, answers()):
            print(f"{theorem}, {question}: {before} → {after}")
    else:
        parser.error("a version to record, or --against")


if __name__ == "__main__":
    main()
