"""The report card: theorem × property, so that nothing unverified is invisible.

    python -m tests.report_card            # rewrites docs/report_card.md
    python -m tests.report_card --check    # exit code 1 if it has to be rewritten, or has a FAIL

What can be tried on every entry alike is tried here: it prints, pickles, survives JSON, answers in
time, is monotone as declared, refuses what contradicts it. The rest is shown by tests, which say
so with a marker: `@pytest.mark.covers("attack", "derived.one_layer_linf", ...)`.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import pickle
import random
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import bounds
from bounds.parameters import BY_KEYWORD
from bounds.registry import all_theorems
from bounds.theorem import Direction, Theorem
from tests.helpers.theory_pages import page_with

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "report_card.md"

PASS, FAIL, MISSING, NOT_APPLICABLE = "PASS", "FAIL", "MISSING", "n/a"

SHOWN_BY_TESTS = ("second formula", "attack", "soundness", "tightness")

_VALUES: dict[str, tuple[Any, ...]] = {
    "epsilon": ("1/100000", "1/100", "1/10"),
    "lipschitz": (1, 4, 64),
    "lipschitz_other": (1,),
    "lipschitz_euclidean": (1, 4),
    "lipschitz_marginal": (1, 4),
    "vocabulary_size": (2, 3, 4),
    "period": (1, 2),
    "locality": (0, 1),
    "heads": (1, 2),
    "precision_bits": (4, 8),
    "margin": (1, "1/2", 2),
    "positional_margin": (1, "1/4"),
    "logit_range": (1, 20),
    "logit_range_columns": (1, 20),
    "alpha_min": (1, "1/2", "1/4"),
    "alpha_total": (2, 3),
    "alpha_class": (1,),
    "class_probability": ("1/2",),
    "gram_probability": ("1/4",),
    "spectral_gap": ("1/2",),
    "stationary_min": ("1/4",),
    "largest_gap": ("1/2",),
    "tie_tolerance": ("1/1000",),
    "horizon": (2**20,),
    "light_groups": (1,),
    "states": (3,),
    "path_states": (5,),
    "attention_weight": ("1/2",),
    "depth_constants": (
        bounds.DepthConstants(
            (
                bounds.LayerConstants("5/4", 1, (bounds.HeadConstants(1, 1, 1, 1, 1, 1),)),
                bounds.LayerConstants(
                    1, 1, (bounds.HeadConstants("1/2", 1, 2, 1, 1, 1, "balanced"),)
                ),
            )
        ),
    ),
}
"""Values to try, in this order, until the hypotheses of an entry hold; other keywords take 2."""


def names(theorem: Theorem) -> set[str]:
    """The hypotheses that a user would assert."""
    return {h.name for h in theorem.hypotheses if h.name and h.needs_assertion()}


def ask(theorem: Theorem, values: dict[str, Any], assume: set[str] | None = None) -> Any:
    """`required_length` of this entry."""
    asserted = names(theorem) if assume is None else assume
    return bounds.required_length(theorem=theorem.key, assume=asserted, **values)


def example(theorem: Theorem) -> dict[str, Any]:
    """Parameters at which the entry applies."""
    keywords = [k for k in theorem.parameters if k not in ("target", "constant")]
    grids = [_VALUES.get(k, (2,)) for k in keywords]
    for combination in itertools.islice(itertools.product(*grids), 5000):
        values = dict(zip(keywords, combination, strict=True))
        try:
            ask(theorem, values)
        except bounds.ParameterError:
            continue
        return values
    raise LookupError(f"no example of {theorem.key} among the values tried")


def prints(theorem: Theorem) -> bool:
    """Text, HTML, LaTeX and explanation exist and name the entry."""
    answer = ask(theorem, example(theorem))
    texts = (str(answer), repr(answer), answer.explain(), answer._repr_html_(), answer.cite())
    return theorem.key in texts[0] and all(texts) and bool(theorem.latex())


def pickles(theorem: Theorem) -> bool:
    """The entry comes back as itself, its answer with the same number."""
    answer = ask(theorem, example(theorem))
    again = pickle.loads(pickle.dumps(answer))
    return again.theorem is theorem and again.to_dict() == answer.to_dict()


def writes_json(theorem: Theorem) -> bool:
    """Plain data in, the same data out."""
    data = ask(theorem, example(theorem)).to_dict()
    return bool(json.loads(json.dumps(data, allow_nan=False)) == data)


def answers_in_time(theorem: Theorem) -> bool:
    """Answers or refuses within a second, also at extreme values."""
    values = example(theorem)
    for keyword, extreme in itertools.product(values, ("1e-300", "1e300", 10**30)):
        start = time.perf_counter()
        with contextlib.suppress(bounds.BoundsError):
            ask(theorem, values | {keyword: extreme})
        if time.perf_counter() - start > 2:  # twice the budget: machines differ
            return False
    return True


def is_monotone(theorem: Theorem) -> bool:
    """The length moves as the table of parameters says, up to whole periods."""
    rng = random.Random(theorem.key)
    start = example(theorem)
    for keyword, value in start.items():
        row = BY_KEYWORD[keyword]
        if not row.effect or theorem.formula is None:
            continue
        for _ in range(4):
            low = row.read(value)
            high = low + rng.randint(1, 3) if row.kind == "integer" else low * Fraction(5, 4)
            at_target = keyword == "epsilon" and "target" in theorem.parameters
            fixed = start | ({"target": 3 * row.read(value)} if at_target else {})
            try:
                pair = [ask(theorem, fixed | {keyword: v}) for v in (low, high)]
            except bounds.ParameterError:
                continue
            lengths = [answer.log2_length or 0.0 for answer in pair]
            period = max(int(a.parameters.get("period", 1)) for a in pair)
            effect = 1 if at_target else row.effect  # at a fixed target, N grows with ε
            exact = [a.length for a in pair]
            if None not in exact:
                moved = effect * (exact[1] - exact[0])
                if moved < -period:
                    return False
            elif effect * (lengths[1] - lengths[0]) < -1e-9:
                return False
    return True


def contradictions(theorem: Theorem) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Parameters and assertions that contradict the entry's scope."""
    scope = theorem.scope
    assert scope is not None
    values, asserted = example(theorem), names(theorem)
    for keyword, rule in scope.rules().items():
        for value in range(0 if keyword == "locality" else 1, 8):
            given = {k: BY_KEYWORD[k].read(v) for k, v in values.items()} | {
                keyword: Fraction(value)
            }
            given = {"locality": Fraction(0)} | given
            if not rule.holds(Fraction(value), given):
                yield values | {keyword: value}, asserted
    if scope.lag_bias == "none":
        yield values | {"locality": 1}, asserted
    if scope.ties == "exact":
        yield values | {"tie_tolerance": "1/1000"}, asserted
    laws = {"alpha_min": "1/2", "class_probability": "1/2", "spectral_gap": "1/2"}
    for keyword, value in laws.items():
        if scope.refused_law({keyword}, ()):
            yield values | {keyword: value}, asserted
    if scope.refused_law((), {"markov_inputs"}):
        yield values, asserted | {"markov_inputs"}
    if theorem.direction is Direction.NECESSARY:
        for name in ("shared_logits", "laminar_classes"):
            if name not in theorem.survives:
                yield values, asserted | {name}


def refuses(theorem: Theorem) -> bool:
    """Whatever contradicts the scope is refused."""
    for values, asserted in contradictions(theorem):
        try:
            ask(theorem, values, asserted)
        except bounds.ParameterError:
            continue
        return False
    return True


def proof_section(theorem: Theorem) -> str:
    """The section of theory that the source names, with a proof where we claim one."""
    page = page_with(theorem.source.section)
    if page is None:
        return MISSING
    if theorem.constants != "proved" or theorem.unknown:
        return NOT_APPLICABLE
    # Neighbouring anchors share a section.
    after = page.split(f'<a id="{theorem.source.section}"></a>')[1]
    section = next(part for part in after.split('<a id="') if len(part) > 80)
    return PASS if "*Proof" in section or "∎" in section else MISSING


CHECKS: dict[str, Callable[[Theorem], bool]] = {
    "monotone": is_monotone,
    "refuses": refuses,
    "prints": prints,
    "pickles": pickles,
    "JSON": writes_json,
    "in time": answers_in_time,
}


def tried(name: str, theorem: Theorem) -> str:
    """The result of one check that is run here."""
    if name == "refuses" and theorem.scope is None:
        return NOT_APPLICABLE
    if name == "monotone" and theorem.formula is None:
        return NOT_APPLICABLE
    return PASS if CHECKS[name](theorem) else FAIL


def covered() -> dict[str, dict[str, list[str]]]:
    """Property → key → files of the tests whose marker says that they show it."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in SHOWN_BY_TESTS}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.covers"):
                continue
            shows, *keys = (ast.literal_eval(argument) for argument in node.args)
            for key in keys:
                if shows not in found or key not in all_theorems():
                    raise ValueError(f"{path}: no property {shows!r}, or no theorem {key!r}")
                files = found[shows].setdefault(key, [])
                name = path.relative_to(ROOT).as_posix()
                if name not in files:
                    files.append(name)
    return found


def applies(name: str, theorem: Theorem) -> bool:
    """Whether a property that tests show makes sense for this entry."""
    proved = theorem.constants == "proved"
    if name == "second formula":
        return theorem.formula is not None
    if name == "attack":
        return proved and theorem.scope is not None and not theorem.unknown
    if name == "soundness":
        sufficient = theorem.direction is Direction.SUFFICIENT
        return proved and sufficient and theorem.scope is not None and not theorem.unknown
    return proved and theorem.scope is not None and theorem.formula is not None


def card() -> dict[str, dict[str, str]]:
    """Key → property → PASS, FAIL, MISSING or n/a."""
    shown = covered()
    rows: dict[str, dict[str, str]] = {}
    for key, theorem in all_theorems().items():
        row = {"proof": proof_section(theorem)}
        for name in SHOWN_BY_TESTS:
            there = PASS if key in shown[name] else MISSING
            row[name] = there if applies(name, theorem) else NOT_APPLICABLE
        row |= {name: tried(name, theorem) for name in CHECKS}
        rows[key] = row
    return rows


def page(rows: dict[str, dict[str, str]]) -> str:
    """The card as Markdown."""
    columns = ["proof", *SHOWN_BY_TESTS, *CHECKS]
    counts = {
        state: sum(cell == state for row in rows.values() for cell in row.values())
        for state in (PASS, FAIL, MISSING, NOT_APPLICABLE)
    }
    lines = [
        "# Report card",
        "",
        "Written by `python -m tests.report_card`, checked in CI. What each theorem of the registry "
        "has been put to; MISSING means that nobody has.",
        "",
        f"{len(rows)} theorems: " + ", ".join(f"{n} {state}" for state, n in counts.items()) + ".",
        "",
        "- *proof*: its section of [theory.md](theory.md) has a proof (n/a: constants of others).",
        "- *second formula*: written again from the page, compared to the integer.",
        "- *attack*: inputs made to break the statement.",
        "- *soundness*: from random weights through `measure` and `required_length` to the exact "
        "truth.",
        "- *tightness*: an explicit pair or input that needs almost as much.",
        "- *monotone*, *refuses*, *prints*, *pickles*, *JSON*, *in time*: tried on every entry "
        "alike.",
        "",
        "| theorem | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [
        f"| `{key}` | " + " | ".join(row[c] for c in columns) + " |" for key, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check the page."""
    rows = card()
    text = page(rows)
    bad = [f"{key}: {name}" for key, row in rows.items() for name, s in row.items() if s == FAIL]
    for line in bad:
        print("FAIL", line)
    if "--check" in sys.argv:
        stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text
        if stale:
            print(f"{PAGE.relative_to(ROOT)} is stale: python -m tests.report_card")
        return int(bool(bad) or stale)
    PAGE.write_text(text, encoding="utf-8")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
