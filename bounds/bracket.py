"""`bracket`: how long training inputs must be, from both sides, in one call."""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from bounds.apply import apply
from bounds.errors import BoundsError, NotComputable, ParameterError, Problem, UnsupportedSetting
from bounds.length import bound_for, is_guarantee
from bounds.numbers import Exact, brief, written
from bounds.other_side import is_necessary, not_of_the_pair, other_side, reason, unasserted
from bounds.registry import all_theorems
from bounds.request import Request, read_request
from bounds.result import LengthBound, Status, show_length
from bounds.signs import listed
from bounds.theorem import Setting


class Measured(Protocol):
    """Constants read off weights, such as `verify.measure` returns."""

    assume: Collection[str]

    def parameters(self) -> Mapping[str, Any]:
        """The keywords of `required_length` that describe the models."""


def bracket(
    *,
    error: str | None = None,
    attention: str | None = None,
    layers: int | None = None,
    theorem: str | None = None,
    assume: Collection[str] = (),
    measured: Measured | None = None,
    **parameters: Any,
) -> Bracket:
    """How long training inputs must be, from both sides: what is necessary, what suffices.

    Args:
        error, attention, layers, assume, **parameters: as in `required_length`.
        theorem: key of the theorem for its side, sufficient, necessary or the paper's; the other
            sides are about the class of models for which it is used. None: the shortest length
            that suffices, the longest that is necessary.
        measured: constants of given weights (`verify.measure(f, g)`): their `.parameters()` and
            `.assume` count as given.

    Returns:
        A `Bracket`. A side of which nothing is known is None, and `.reasons` says why.

    Raises:
        ParameterError: a parameter is unknown, outside its domain or given twice, or parameters
            are missing without which neither side says anything.
        UnsupportedSetting: no theorem covers the setting.
    """
    found: dict[str, Any] = {}
    if measured is not None:
        found = dict(measured.parameters())
        setting = {"attention": attention, "layers": layers}
        _refuse_given_twice(found, {**setting, **parameters})
        attention = found.pop("attention", attention)
        layers = found.pop("layers", layers)
        assume = {*([assume] if isinstance(assume, str) else assume), *measured.assume}
    request = read_request(error, attention, layers, theorem, assume, {**found, **parameters})
    if request.setting is None:
        raise ParameterError([Problem("theorem", theorem, "a theorem about a setting, no lemma")])
    return _Question(request, request.setting).answer(tuple(found))


def _refuse_given_twice(found: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    problems = [
        Problem(name, value, f"{found[name]}, as `measured` has it, or nothing")
        for name, value in given.items()
        if name in found and value is not None and value != found[name]
    ]
    if problems:
        raise ParameterError(problems)


class _Question:
    """One question, asked of the three sides in turn."""

    def __init__(self, request: Request, setting: Setting) -> None:
        self.request, self.setting = request, setting
        self.theorem = request.theorem
        self.reasons: dict[str, str] = {}
        self.refusals: list[BoundsError] = []

    def answer(self, measured: tuple[str, ...]) -> Bracket:
        """All sides; the refusal of the sufficient one if none says anything."""
        sufficient = self.sufficient()
        necessary, paper = self.others(sufficient)
        if sufficient is None and necessary is None and paper is None and self.refusals:
            raise self.refusals[0]
        return Bracket(
            setting=self.setting,
            parameters=self.request.values,
            asserted=self.request.asserted,
            sufficient=sufficient,
            necessary=necessary,
            paper=paper,
            reasons=self.reasons,
            measured={k: self.request.values[k] for k in measured if k in self.request.values},
        )

    def sufficient(self) -> LengthBound | None:
        """The guarantee, if there is one."""
        entry = self.theorem
        request = self.request
        if entry is None or not is_guarantee(entry):  # another side is asked for by its key
            more = frozenset() if entry is None else unasserted(entry, request.asserted)
            request = Request(None, self.setting, request.values, request.asserted | more)
        try:
            found = bound_for(request)
        except BoundsError as refusal:
            self.refusals.append(refusal)
            key = "" if entry is None else entry.key
            self.reasons["sufficient"] = reason(key, refusal)
            return None
        if found.status in (Status.PROVED, Status.TOO_LARGE):
            return found
        self.reasons["sufficient"] = f"{found.theorem.key}: {found.status}"
        if found.status is Status.ORDER_OF_GROWTH:
            self.reasons["sufficient"] = f"no guarantee is known in {self.setting}"
        return None

    def others(
        self, sufficient: LengthBound | None
    ) -> tuple[LengthBound | None, LengthBound | None]:
        """The longest necessary length, which knows the rest; and the paper's order."""
        values, asserted = self.request.values, self.request.asserted
        if sufficient is not None:
            beside = sufficient.other_side
        else:
            beside = other_side(self.setting, values, asserted)
        necessary = beside.necessary[0] if beside.necessary else None
        refused = {k: why for k, why in beside.refused.items() if is_necessary(all_theorems()[k])}
        if necessary is not None:
            necessary = necessary.with_alternatives(beside.necessary[1:], refused)
        paper = beside.paper
        if self.theorem is not None and is_necessary(self.theorem):
            necessary = self._asked_for("necessary")
        elif self.theorem is not None and self.theorem.constants == "implicit":
            paper = self._asked_for("paper")
        if necessary is None and "necessary" not in self.reasons:
            self.reasons["necessary"] = _why_not(refused) or f"none is known in {self.setting}"
        if paper is None and "paper" not in self.reasons:
            rest = {k: why for k, why in beside.refused.items() if k not in refused}
            self.reasons["paper"] = _why_not(rest) or "the paper states none in this setting"
        return necessary, paper

    def _asked_for(self, side: str) -> LengthBound | None:
        assert self.theorem is not None
        values, asserted = self.request.values, self.request.asserted
        if side == "necessary":
            assumed = asserted | unasserted(self.theorem, asserted)
            beyond = not_of_the_pair(self.theorem, self.setting, values, assumed)
            if beyond:
                self.reasons[side] = f"{self.theorem.key}: {beyond}"
                return None
        try:
            return apply(self.theorem, values, asserted, self.setting)
        except (ParameterError, NotComputable, UnsupportedSetting) as refusal:
            self.refusals.append(refusal)
            self.reasons[side] = reason(self.theorem.key, refusal)
            return None


def _why_not(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{key}: {why}" for key, why in refused.items())


@dataclass(frozen=True)
class Bracket:
    """Both sides of a required length, and what the paper says.

    Attributes:
        setting: the cell of error × attention × layers.
        parameters: the exact values given, by keyword; those measured among them.
        asserted: the hypotheses asserted.
        sufficient: agreement up to this length is enough; None where nothing is guaranteed.
        necessary: no shorter length is enough; its `.alternatives` are the others that apply.
        paper: the paper's order of growth, no guarantee; None where it states none that applies.
        reasons: "sufficient", "necessary" or "paper" → why there is none.
        measured: the parameters that were read off weights.
    """

    setting: Setting
    parameters: Mapping[str, Exact]
    asserted: frozenset[str]
    sufficient: LengthBound | None
    necessary: LengthBound | None
    paper: LengthBound | None
    reasons: Mapping[str, str]
    measured: Mapping[str, Exact]

    @property
    def ratio(self) -> Fraction | None:
        """sufficient / necessary, exact; None where a side is missing or too long to write."""
        upper, lower = self.sufficient, self.necessary
        if upper is None or lower is None or upper.length is None or not lower.length:
            return None
        return Fraction(upper.length, lower.length)

    @property
    def log2_ratio(self) -> float | None:
        """log2 of sufficient / necessary, also where they are too long to write."""
        upper, lower = self.sufficient, self.necessary
        if self.ratio is not None:
            return math.log2(self.ratio.numerator) - math.log2(self.ratio.denominator)
        if upper is None or lower is None:
            return None
        if upper.log2_length is None or lower.log2_length is None:
            return None
        return upper.log2_length - lower.log2_length

    @property
    def ratio_text(self) -> str:
        """The ratio for people; or why there is none."""
        if self.ratio is not None:
            exact = "" if self.ratio.denominator == 1 else brief(self.ratio)
            short = _rounded(self.ratio, self.log2_ratio)
            return short if not exact or exact.startswith("≈") else f"{exact} ≈ {short}"
        if self.log2_ratio is not None:
            return f"≈ 2^{self.log2_ratio:.6g}"
        if self.necessary is not None and self.necessary.length == 0:
            return "none: the necessary length is 0"
        missing = [side for side in ("sufficient", "necessary") if side in self.reasons]
        return f"none: no {' and no '.join(missing)} length"

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Side, length, theorem, what it says: as both tables have them."""
        sides = (
            ("necessary", self.necessary),
            ("sufficient", self.sufficient),
            ("paper", self.paper),
        )
        rows = []
        for name, bound in sides:
            if bound is None:
                rows.append((name, "–", "", _cut(self.reasons[name])))
                continue
            length = show_length(bound.length, bound.log2_length)
            says = "no shorter length is enough" if name == "necessary" else bound.conclusion
            if bound.status is Status.ORDER_OF_GROWTH:
                says = f"order of growth at C = {bound.constant}, no guarantee: {says}"
            rows.append((name, length, bound.theorem.key, says))
        return [*rows, ("ratio", self.ratio_text, "", "sufficient / necessary")]

    def _facts(self) -> list[tuple[str, str]]:
        """What was asked, measured, asserted and taken by default."""
        given = {k: v for k, v in self.parameters.items() if k not in self.measured}
        facts = [("given", listed(given)), ("measured", listed(self.measured))]
        facts.append(("asserted", ", ".join(sorted(self.asserted))))
        bounds = {"necessary": self.necessary, "sufficient": self.sufficient, "paper": self.paper}
        for name, bound in bounds.items():
            if bound is not None:
                facts.append((f"by default, {name}", bound.taken_by_default))
        return [(name, text) for name, text in facts if text]

    def __str__(self) -> str:
        rows = [("side", "length", "theorem", "says"), *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"Required training length, {self.setting}"]
        lines += [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *(f"{name}: {text}" for name, text in self._facts())])

    def explain(self) -> str:
        """The table, the reasons for what is missing, and both sides in sentences."""
        parts = [str(self)]
        parts += [f"No {side} length: {why}." for side, why in self.reasons.items()]
        parts += [b.explain() for b in (self.necessary, self.sufficient, self.paper) if b]
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        sides = [f"{name} {length}" for name, length, *_ in self._rows()]
        return f"<Bracket {self.setting}: {', '.join(sides)}>"

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        head = "".join(f"<th {left}>{name}</th>" for name in ("", "length", "theorem", "says"))
        body = "".join(
            f"<tr><th {left}>{html.escape(row[0])}</th>"
            + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in self._rows()
        )
        facts = "".join(
            f"<p><b>{html.escape(name)}</b>: {html.escape(text)}</p>"
            for name, text in self._facts()
        )
        title = html.escape(f"Required training length, {self.setting}")
        return f"<p><b>{title}</b></p><table><tr>{head}</tr>{body}</table>{facts}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; exact numbers as strings."""
        sides = {"necessary": self.necessary, "sufficient": self.sufficient, "paper": self.paper}
        return {
            "setting": self.setting.data(),
            "parameters": {k: written(v) for k, v in self.parameters.items()},
            "measured": sorted(self.measured),
            "assume": sorted(self.asserted),
            **{name: None if b is None else b.to_dict() for name, b in sides.items()},
            "ratio": None if self.ratio is None else written(self.ratio),
            "log2_ratio": self.log2_ratio,
            "reasons": dict(self.reasons),
        }


def _rounded(ratio: Fraction, log2: float | None) -> str:
    return f"{float(ratio):.4g}" if abs(log2 or 0) < 1000 else f"2^{log2:.6g}"


def _cut(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
