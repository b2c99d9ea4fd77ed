"""`explore()`: a setting, its parameters, both sides of the length and a curve, live in Jupyter.

Needs the extra `notebooks` (ipywidgets); `import bounds` does not load it.
"""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from bounds import models
from bounds.bracket import Bracket, bracket
from bounds.errors import BoundsError, ParameterError, Problem
from bounds.numbers import exact, written
from bounds.parameters import BY_KEYWORD, PARAMETERS
from bounds.registry import all_theorems
from bounds.request import CHOICES
from bounds.signs import sign
from bounds.theorem import Setting

_SETTING = ("error", "attention", "layers")
_CHOICES = {**CHOICES, "layers": (1, 2)}
_POINTS = 15
_DASHES = {"sufficient": "-", "necessary": ":", "paper": "--"}


def explore(model: Mapping[str, Any] | str = "MOD_P", *, against: str = "epsilon") -> Explorer:
    """Controls for a question, and the answer that follows them, in a notebook.

    Args:
        model: where to start: a named model (`bounds.models`), its name, or any keywords of
            `bracket`.
        against: the parameter on the horizontal axis.

    Returns:
        An `Explorer`: the last line of a cell shows it; `.question` are the keywords that
        the controls say, `.bracket` the answer.

    Raises:
        ParameterError: no such model or parameter.
        ImportError: ipywidgets is not installed; the message says how to get it.
    """
    if isinstance(model, str):
        if model not in models.ALL:
            raise ParameterError([Problem("model", model, "one of " + ", ".join(models.ALL))])
        model = models.ALL[model]
    if against not in BY_KEYWORD:
        raise ParameterError([Problem("against", against, "a keyword of required_length")])
    return Explorer(model, against)


class Explorer:
    """The controls, and what they ask.

    Attributes:
        box: the widget.
        bracket: the answer at the present values; None where they have none.
    """

    def __init__(self, model: Mapping[str, Any], against: str) -> None:
        self._widgets = _ipywidgets()
        w = self._widgets
        self.bracket: Bracket | None = None
        self._assume: frozenset[str] = frozenset()
        self._fields: dict[str, Any] = {}
        self._quiet = False
        self._model = w.Dropdown(
            options=[*models.ALL, "your own"],
            value=getattr(model, "name", "your own"),
            description="start from",
        )
        self._setting = {
            name: w.Dropdown(options=list(_CHOICES[name]), description=name) for name in _SETTING
        }
        self._more = w.Dropdown(description="add")
        self._against = w.Dropdown(description="against", options=[against], value=against)
        self._low = w.Text(description="from", continuous_update=False)
        self._high = w.Text(description="to", continuous_update=False)
        self._parameters = w.VBox()
        self._answer = w.HTML()
        self._curve = w.HTML()
        controls = w.VBox(
            [
                self._model,
                *self._setting.values(),
                self._parameters,
                self._more,
                self._against,
                self._low,
                self._high,
            ]
        )
        self.box = w.HBox([controls, w.VBox([self._answer, self._curve])])
        self._take(model, against)
        self._model.observe(self._start_again, "value")
        self._more.observe(self._add, "value")
        self._against.observe(self._new_axis, "value")
        for control in (*self._setting.values(), self._low, self._high):
            control.observe(self._changed, "value")

    @property
    def question(self) -> dict[str, Any]:
        """The keywords of `bounds.bracket` as the controls have them; empty fields left out."""
        given = {name: field.value.strip() for name, field in self._fields.items()}
        asked: dict[str, Any] = {name: box.value for name, box in self._setting.items()}
        if self._assume:
            asked["assume"] = self._assume
        return asked | {name: text for name, text in given.items() if text}

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    def _take(self, model: Mapping[str, Any], against: str) -> None:
        """Fill every control from keywords."""
        self._quiet = True
        values = {"epsilon": "1/10", **model}
        for name, box in self._setting.items():
            box.value = values.get(name, box.options[0])
        self._assume = frozenset(values.get("assume", ()))
        self._fields = {}
        for keyword, value in values.items():
            if keyword in BY_KEYWORD:
                text = value if isinstance(value, str) else written(exact(value))
                self._new_field(keyword, text)
        self._show_fields()
        self._against.value = against if against in self._fields else "epsilon"
        self._set_range()
        self._quiet = False
        self._ask()

    def _new_field(self, keyword: str, text: str = "") -> None:
        row = BY_KEYWORD[keyword]
        field = self._widgets.Text(
            value=text,
            description=f"{keyword.replace('_', ' ')} {sign(keyword)}",
            placeholder=row.domain,
            tooltip=row.meaning,
            continuous_update=False,
            style={"description_width": "11em"},
        )
        field.observe(self._changed, "value")
        self._fields[keyword] = field

    def _show_fields(self) -> None:
        self._parameters.children = tuple(self._fields.values())
        read = _read_in(Setting(*(box.value for box in self._setting.values())))
        rest = [k for k in read if k not in self._fields]
        self._more.options = ["", *rest]
        kept = self._against.value
        self._against.options = list(self._fields)
        if kept in self._fields:
            self._against.value = kept

    def _set_range(self) -> None:
        """A decade to each side of the present value, inside the parameter's domain."""
        row = BY_KEYWORD[self._against.value]
        text = self._fields[self._against.value].value or "1"
        here = exact(text)
        at = Fraction(str(here)) if not isinstance(here, Fraction) else here
        low, high = (at / 10, at * 10) if at else (Fraction(1, 10), Fraction(1))
        if row.kind == "integer":
            low, high = Fraction(max(int(low), int(row.lower), 1)), Fraction(max(int(high), 4))
        if row.upper is not None:
            high = min(high, row.upper)
        self._low.value, self._high.value = str(low), str(high)

    def _start_again(self, _change: Any) -> None:
        if self._model.value in models.ALL:
            self._take(models.ALL[self._model.value], self._against.value)

    def _add(self, change: Any) -> None:
        if change["new"]:
            self._new_field(change["new"])
            self._show_fields()

    def _new_axis(self, _change: Any) -> None:
        if not self._quiet and self._against.value:
            self._quiet = True
            self._set_range()
            self._quiet = False
            self._ask()

    def _changed(self, _change: Any) -> None:
        if not self._quiet:
            self._ask()

    def _ask(self) -> None:
        """The answer and the curve; a refusal is shown, not raised."""
        try:
            self.bracket = bracket(**self.question)
            self._answer.value = self.bracket._repr_html_()
        except BoundsError as refusal:
            self.bracket = None
            self._answer.value = _refusal(refusal)
        self._curve.value = self._drawn()

    def _drawn(self) -> str:
        axis = self._against.value
        try:
            at = _points(BY_KEYWORD[axis].kind, exact(self._low.value), exact(self._high.value))
        except (ValueError, BoundsError) as problem:
            return f"<p>No curve: {html.escape(str(problem))}</p>"
        lines: dict[str, list[tuple[float, float]]] = {name: [] for name in _DASHES}
        question = self.question
        for value in at:
            try:
                both = bracket(**{**question, axis: value})
            except BoundsError:
                continue
            for name, line in lines.items():
                bound = getattr(both, name)
                if bound is not None and bound.log2_length is not None:
                    line.append((float(value), bound.log2_length))
        return _svg(lines, axis)


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError as missing:
        raise ImportError(
            "explore() needs ipywidgets: pip install 'lgbounds[notebooks]', then open Jupyter"
        ) from missing
    return ipywidgets


def _read_in(setting: Setting) -> list[str]:
    """The keywords that some theorem of the setting reads, in the order of PARAMETERS."""
    known = {
        keyword
        for entry in all_theorems().values()
        if entry.setting is not None and entry.setting.covers(setting)
        for keyword in entry.reads
    }
    numbers = (row for row in PARAMETERS if row.kind != "structure")
    return [row.keyword for row in numbers if row.keyword in known]


def _points(kind: str, low: Any, high: Any) -> list[Fraction]:
    """Values from low to high, evenly spread in their logarithms."""
    if not 0 < low < high:
        raise ParameterError([Problem("from, to", f"{low}, {high}", "0 < from < to")])
    ratio = float(high / low) ** (1 / (_POINTS - 1))
    values = [Fraction(float(low) * ratio**i).limit_denominator(10**6) for i in range(_POINTS)]
    values[0], values[-1] = Fraction(low), Fraction(high)
    if kind == "integer":
        return [Fraction(n) for n in sorted({round(value) for value in values})]
    return values


def _refusal(problem: BoundsError) -> str:
    return f"<pre style='white-space:pre-wrap'>{html.escape(str(problem))}</pre>"


def _svg(lines: Mapping[str, list[tuple[float, float]]], axis: str) -> str:
    """The curves as SVG, drawn without pyplot: nothing global is touched."""
    if not any(lines.values()):
        return "<p>No length in this range.</p>"
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 2.8), layout="constrained")
    ax = figure.subplots()
    for name, line in lines.items():
        if line:
            label = "paper, order of growth" if name == "paper" else name
            ax.plot(*zip(*line, strict=True), _DASHES[name], color="black", marker=".", label=label)
    ax.set(xscale="log", xlabel=axis.replace("_", " "), ylabel=r"training length, $\log_2 N$")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize="small")
    target = io.StringIO()
    figure.savefig(target, format="svg")
    text = target.getvalue()
    return text[text.index("<svg") :]
