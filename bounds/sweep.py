"""`sweep`: required lengths over grids of parameters, one row per combination.

Rows are worked out when they are looked at. In tables of more than `EXACT_ROWS` rows the column
`log2_length` is computed for all rows at once, in floats (`bounds.vectorised`), where the
theorem's formula allows it; every `length` comes from the certified evaluator.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from bounds.errors import BoundsError, Missing, ParameterError, Problem
from bounds.grid import Grid, Values, entries
from bounds.length import bound_for
from bounds.numbers import plain
from bounds.parameters import BY_KEYWORD
from bounds.request import Request, find_theorem, read_request
from bounds.result import LengthBound
from bounds.table import Column, Computed, Stored, Table, as_float

if TYPE_CHECKING:
    from bounds.sweep_arrays import Answers

RESULT_COLUMNS = (
    "length",
    "log2_length",
    "theorem",
    "direction",
    "constants",
    "status",
    "dominant",
    "note",
)

EXACT_ROWS = 1000
"""Up to so many rows, `log2_length` is that of the certified length."""

_SETTINGS = ("error", "attention", "layers", "theorem")


def sweep(
    *,
    error: Any = None,
    attention: Any = None,
    layers: Any = None,
    theorem: Any = None,
    assume: Collection[str] = (),
    paired: Mapping[str, Sequence[Any]] | None = None,
    **parameters: Any,
) -> Table:
    """Required lengths over all combinations of what is given as lists.

    Args:
        error, attention, layers, theorem: as in `required_length`; or lists of them.
        assume: as in `required_length`, for all rows.
        paired: parameters that move together, as equally long lists: `paired={"period":
            [1, 2, 5], "locality": [0, 1, 4]}` are three points, not nine.
        **parameters: single values, or lists, tuples, ranges or arrays of values.

    Returns:
        A `Table` with a row per combination, theorems and settings moving slowest, paired
        parameters fastest, of the others the last one: the settings given as lists, the parameters,
        then `length` (int, or None if too long to write), `log2_length`, `theorem`, `direction`,
        `constants`, `status`, `dominant` and `note` (why a row has no number; the others are
        kept). In tables of more than `EXACT_ROWS` rows, `log2_length` is within 10⁻⁹ of the
        certified length's (beyond 2: of itself); where floats cannot tell, it is on the safe side,
        and `note` says by how much at most.

    Raises:
        ParameterError: an unknown keyword, a parameter that is missing or unusable in every row,
            an unknown theorem, or a contradiction in every row; before any row is computed.
    """
    settings = {
        name: entries(value)
        for name, value in zip(_SETTINGS, (error, attention, layers, theorem), strict=True)
    }
    empty = [name for name, values in settings.items() if not values]
    if empty:
        raise ParameterError([Problem(name, [], "at least one value") for name in empty])
    for key in settings["theorem"]:
        if key is not None:
            find_theorem(key)
    grid = Grid(parameters, {} if paired is None else paired)
    several = [name for name in _SETTINGS[:3] if len(settings[name]) > 1]
    combinations = [
        dict(zip(_SETTINGS, values, strict=True))
        for values in itertools.product(*settings.values())
    ]
    blocks = [Block(combination, assume, grid) for combination in combinations]
    _refuse_hopeless(blocks)
    rows = len(blocks) * len(grid)
    data: dict[str, Column] = {}
    for name in several:
        data[name] = Stored(b.settings[name] for b in blocks for _ in range(len(grid)))
    for keyword in grid.axes:
        data[keyword] = _parameter_column(grid, keyword, len(blocks))
    answers = Rows(blocks, exact=rows <= EXACT_ROWS)
    for name in RESULT_COLUMNS:
        data[name] = answers.column(name)
    return Table.of_columns(data, rows)


class Block:
    """One theorem or one setting at all points of the grid."""

    def __init__(self, settings: Mapping[str, Any], assume: Collection[str], grid: Grid) -> None:
        self.settings = settings
        self.grid = grid
        self.request: Request | None = None
        self.problem: BoundsError | None = None
        try:
            error, attention, layers, theorem = settings.values()
            self.request = read_request(error, attention, layers, theorem, assume, {})
        except BoundsError as problem:
            self.problem = problem

    def bound(self, point: int) -> LengthBound:
        """The answer at one point.

        Raises:
            BoundsError: there is none.
        """
        if self.request is None:
            assert self.problem is not None
            raise self.problem
        return bound_for(self.request, self.grid.values(point))

    @cached_property
    def answers(self) -> Answers | None:
        """log2 of the lengths at all points at once; None where they are worked out one by one."""
        from bounds.sweep_arrays import answers  # needs NumPy

        return None if self.request is None else answers(self.request, self.grid)


class Rows:
    """The results of all blocks, worked out row by row as far as they are asked for."""

    def __init__(self, blocks: Sequence[Block], exact: bool) -> None:
        self.blocks = blocks
        self.exact = exact
        self.points = len(blocks[0].grid)
        self._known: dict[int, dict[str, Any]] = {}

    def column(self, name: str) -> Column:
        """One of the `RESULT_COLUMNS`."""
        total = len(self.blocks) * self.points
        if self.exact:
            return Computed(total, partial(self._exact, name))
        if name == "log2_length":
            return Computed(total, self._log2, self._all_log2)
        return Computed(total, partial(self._value, name))

    def _result(self, row: int) -> dict[str, Any]:
        if row not in self._known:
            block = self.blocks[row // self.points]
            try:
                self._known[row] = _result(block.bound(row % self.points))
            except BoundsError as reason:
                asked = block.settings["theorem"]
                note = " / ".join(str(reason).splitlines())
                blank = dict.fromkeys(RESULT_COLUMNS)
                self._known[row] = blank | {"theorem": asked, "note": note}
        return self._known[row]

    def _exact(self, name: str, row: int) -> Any:
        return self._result(row)[name]

    def _value(self, name: str, row: int) -> Any:
        """What is known without the exact length, or else with it."""
        answers = self.blocks[row // self.points].answers
        if answers is not None:
            found = answers.known(row % self.points, name)
            if found is not None:
                return found
        return self._result(row)[name]

    def _log2(self, row: int) -> float | None:
        answers = self.blocks[row // self.points].answers
        if answers is None:
            value: float | None = self._result(row)["log2_length"]
            return value
        number = float(answers.log2[row % self.points])
        return None if math.isnan(number) else number

    def _all_log2(self) -> Any:
        import numpy as np

        parts = []
        for number, block in enumerate(self.blocks):
            first = number * self.points
            if block.answers is not None:
                parts.append(block.answers.log2)
            else:
                rows = range(first, first + self.points)
                parts.append(np.array([as_float(self._result(i)["log2_length"]) for i in rows]))
        return np.concatenate(parts)


def _refuse_hopeless(blocks: Sequence[Block]) -> None:
    """Raise what stands in the way of every row: a missing keyword, a contradictory setting.

    Raises:
        ParameterError: as the first block would.
    """
    if all(block.problem is not None for block in blocks):
        assert blocks[0].problem is not None
        raise blocks[0].problem
    missing: set[str] | None = None
    first: ParameterError | None = None
    for block in blocks:
        if block.problem is not None:
            continue
        for point in {0, len(block.grid) // 2, len(block.grid) - 1}:
            try:
                block.bound(point)
            except ParameterError as problem:
                lacking = {p.name for p in problem.problems if isinstance(p, Missing)}
            except BoundsError:
                return
            else:
                return
            lacking &= set(BY_KEYWORD) - set(block.grid.axes)
            if "epsilon" in block.grid.axes:  # 3ε by default, except at ε = 0
                lacking -= {"target"}
            missing = lacking if missing is None else missing & lacking
            if not missing:
                return
            first = first or problem_of(block, point)
    if first is not None:
        raise first


def problem_of(block: Block, point: int) -> ParameterError | None:
    """What a point is refused for, as far as parameters are missing."""
    try:
        block.bound(point)
    except ParameterError as problem:
        return ParameterError([p for p in problem.problems if isinstance(p, Missing)])
    except BoundsError:
        pass
    return None


def _parameter_column(grid: Grid, keyword: str, blocks: int) -> Column:
    value = partial(_given, grid, grid.axes[keyword])
    return Computed(blocks * len(grid), value, partial(_all_given, grid, keyword, blocks))


def _given(grid: Grid, values: Values, row: int) -> Any:
    """The value of a parameter in one row; as it was given where it is unusable."""
    place = grid.place(values.keyword, row % len(grid))
    read = values.read(place)
    return values.given[place] if isinstance(read, ParameterError) else plain(read)


def _all_given(grid: Grid, keyword: str, blocks: int) -> Any:
    import numpy as np

    from bounds.sweep_arrays import floats_of

    dimension = grid.axes[keyword].dimension
    once = np.repeat(floats_of(grid.axes[keyword]), grid.strides[dimension])
    return np.tile(once, math.prod(grid.shape[:dimension]) * blocks)


def _result(bound: LengthBound) -> dict[str, Any]:
    return {
        "length": bound.length,
        "log2_length": bound.log2_length,
        "theorem": bound.theorem.key,
        "direction": bound.direction and str(bound.direction),
        "constants": bound.constants,
        "status": bound.status.name,
        "dominant": bound.dominant,
        "note": "" if bound.log2_length is not None else str(bound.status),
    }
