"""The shortest z by attention: integer linear programs over the counts of types.

Fix the suffix of z and, in each head with δ < 1, the largest logit v of z; the query type is that
of x. The head then attends to the prefix types P and the lags S of logit v, uniformly, if

- no type above v occurs, and no lag lies above v;
- types and lags below v are dropped at |z|: gap·log₂|z| ≥ p.

The set of dropped gaps is constant between consecutive thresholds ⌈2^(p/gap)⌉, so lengths fall into
few ranges. With counts d_t of the allowed types, a_t = d_t[t ∈ P] + number of lags in S of type t,
W = Σa_t ≥ 1 and π the attention at x, which is constant,

    TV ≤ δ   ⇔   Σ_t (π_t W − a_t)₊ ≤ δ W,

so with e_t ≥ π_t W − a_t, e_t ≥ 0 the constraint is linear. Column r has base_r + n prefix
positions, and |z| = first + Δn is minimised.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verify.certificates.contexts import Context, HeadLogits, Pair
from verify.model.precision import is_dropped
from verify.model.summary import Summary
from verify.simulation.argmax.threshold import hardmax_threshold
from verify.tightness.exact_outputs import Law, hardmax_laws, total_variation
from verify.tightness.tree import Program, Row, minimum

Counts = list[int]


@dataclass(frozen=True)
class Minimum:
    """The shortest z that was found, and what is proved.

    Attributes:
        short: z, checked in exact arithmetic.
        lower: no z is shorter.
        nodes: programs, and nodes of their search trees.
        method: how z was found.
    """

    short: Summary
    lower: int
    nodes: int
    method: str


def attention_minimum(
    pair: Pair,
    x: Summary,
    laws: list[Law | None],
    tolerances: list[Fraction],
    start: Summary,
    limit: int,
) -> Minimum:
    """Return the shortest z whose attention is within the tolerances of that of x.

    Args:
        pair: f and g.
        x: the input.
        laws: its attention, not None where δ < 1.
        tolerances: δ of each head.
        start: a z that is proposed, such as that of the theorem; x itself will do.
        limit: nodes of the search trees, in all; a program itself counts as one.
    """
    bound_heads = [
        _Bound(head, law, delta)
        for head, law, delta in zip(pair.heads, laws, tolerances, strict=True)
        if delta < 1 and law is not None
    ]
    best, method = x, "x itself"
    if start.length < x.length and is_simulation(pair, start, laws, tolerances):
        best, method = start, "verify.simulate"
    first = (x.length - 1) % pair.period + 1
    for length in range(first, min(pair.locality + 1, best.length - 1) + 1, pair.period):
        for z in _without_prefix(pair, x, length):
            if is_simulation(pair, z, laws, tolerances):
                return Minimum(z, length, 0, "looking at inputs without a prefix")
    lower, nodes = best.length, 0
    for problem in _problems(pair, x, bound_heads, best.length - 1):
        last = (best.length - 1 - problem.first_length) // pair.period
        if last < problem.program.first:
            continue
        if nodes >= limit:
            lower = min(lower, problem.first_length + pair.period * problem.program.first)
            continue
        found = minimum(problem.program, min(last, problem.program.last), limit - nodes)
        nodes += found.nodes + 1
        if found.counts is not None:
            z = problem.summary(found.counts)
            if not is_simulation(pair, z, laws, tolerances):
                raise AssertionError("the program's solution fails the exact check")
            best, method = z, "integer programming"
        if found.lower is not None:
            lower = min(lower, problem.first_length + pair.period * found.lower)
    return Minimum(best, min(lower, best.length), nodes, method)


def is_simulation(
    pair: Pair, z: Summary, laws: list[Law | None], tolerances: list[Fraction]
) -> bool:
    """Whether every head with δ < 1 is hardmax at z, with attention within δ of the law given."""
    for law, own, delta in zip(laws, hardmax_laws(pair, z), tolerances, strict=True):
        if delta < 1 and (law is None or own is None or total_variation(law, own) > delta):
            return False
    return True


@dataclass(frozen=True)
class _Bound:
    """A head whose attention has to be reproduced."""

    head: HeadLogits
    law: Law
    delta: Fraction

    def dropped_from(self, gap: int, most: int) -> int | None:
        """Return the least length at which a gap > 0 is dropped; None if it is above `most`."""
        exact, bits = gap * self.head.unit, self.head.precision_bits
        if not is_dropped(most, exact, bits):
            return None
        return hardmax_threshold(bits, exact)


@dataclass(frozen=True)
class _Problem:
    """One program, and the inputs that its counts stand for."""

    program: Program
    suffix: tuple[int, ...]
    first_length: int
    types: tuple[int, ...]
    pair: Pair

    def summary(self, counts: list[int]) -> Summary:
        """Return the input with these counts of the allowed types."""
        table = np.zeros((self.pair.period, self.pair.vocabulary_size), dtype=object)
        for t, count in zip(self.types, counts, strict=True):
            table[divmod(t, self.pair.vocabulary_size)] = count
        prefix = sum(counts)
        return Summary(table, np.array(self.suffix), prefix + len(self.suffix))


def _without_prefix(pair: Pair, x: Summary, length: int) -> Iterator[Summary]:
    counts = np.zeros((pair.period, pair.vocabulary_size), dtype=np.int64)
    query = int(x.suffix[-1])
    for tokens in itertools.product(range(pair.vocabulary_size), repeat=length - 1):
        yield Summary(counts, np.array([*tokens, query]), length)


def _problems(pair: Pair, x: Summary, heads: list[_Bound], most: int) -> Iterator[_Problem]:
    """Yield the programs for lengths τ+2 … `most`, short ranges first."""
    found = [
        problem
        for tokens in itertools.product(range(pair.vocabulary_size), repeat=pair.locality)
        for problem in _of_suffix(pair, x, heads, most, (*tokens, int(x.suffix[-1])))
    ]
    # Short lengths first, and the suffix of x: a small z found early shortens the rest.
    own = tuple(x.suffix.tolist())
    yield from sorted(found, key=lambda p: (p.program.first, p.suffix != own))


def _of_suffix(
    pair: Pair, x: Summary, heads: list[_Bound], most: int, suffix: tuple[int, ...]
) -> Iterator[_Problem]:
    lags = pair.lag_types(Context(x.length % pair.period, suffix[::-1]))
    query = lags[0]
    choices = [_levels(bound, query, lags) for bound in heads]
    prefix = pair.locality + 1  # positions beside the prefix
    base_prefix = (x.length - prefix - 1) % pair.period + 1  # the shortest that is not empty
    base = [pair.positions(base_prefix, r) if base_prefix >= r else 0 for r in range(pair.period)]
    first_length = prefix + base_prefix
    for levels in itertools.product(*choices):
        drops = _drops(pair, heads, levels, query, lags, most)
        if drops is None:
            continue
        types, from_suffix = drops
        marks = sorted({from_suffix, first_length, *(n for n in types.values() if n > from_suffix)})
        marks = [n for n in marks if n >= max(from_suffix, first_length)]
        for start, stop in itertools.pairwise([*marks, most + 1]):
            allowed = tuple(t for t in pair.types if types.get(t, most + 1) <= start)
            first = -((first_length - start) // pair.period)
            last = (stop - 1 - first_length) // pair.period
            if last < first:
                continue
            program = _program(pair, heads, levels, lags, allowed, base, (first, last))
            if program is not None:
                yield _Problem(program, suffix, first_length, allowed, pair)


def _levels(bound: _Bound, query: int, lags: tuple[int, ...]) -> list[int]:
    """Return the largest logits of z at which enough of the attention of x can be met."""
    content, bias = bound.head.content[query], bound.head.bias
    of_lags = [content[t] + bias[lag] for lag, t in enumerate(lags)]
    top = max(of_lags)
    found = []
    for level in sorted({logit for logit in content if logit > top} | {top}):
        met = {t for t, logit in enumerate(content) if logit == level}
        met |= {t for t, logit in zip(lags, of_lags, strict=True) if logit == level}
        if sum((bound.law.get(t, Fraction(0)) for t in met), Fraction(0)) >= 1 - bound.delta:
            found.append(level)
    return found


def _drops(
    pair: Pair,
    heads: list[_Bound],
    levels: tuple[int, ...],
    query: int,
    lags: tuple[int, ...],
    most: int,
) -> tuple[dict[int, int], int] | None:
    """Return from which length on each type may occur, and from which the suffix allows z at all.

    Types that may not occur up to `most` are left out; None if the suffix never allows z.
    """
    types = dict.fromkeys(pair.types, 1)
    from_suffix = 1
    for bound, level in zip(heads, levels, strict=True):
        content, bias = bound.head.content[query], bound.head.bias
        known: dict[int, int | None] = {0: 1}
        for lag, t in enumerate(lags):
            gap = level - content[t] - bias[lag]
            if gap not in known:
                known[gap] = bound.dropped_from(gap, most)
            length = known[gap]
            if length is None:
                return None
            from_suffix = max(from_suffix, length)
        for t in list(types):
            gap = level - content[t]
            if gap not in known:
                known[gap] = None if gap < 0 else bound.dropped_from(gap, most)
            length = known[gap]
            if length is None:
                del types[t]
            else:
                types[t] = max(types[t], length)
    return types, from_suffix


def _program(
    pair: Pair,
    heads: list[_Bound],
    levels: tuple[int, ...],
    lags: tuple[int, ...],
    allowed: tuple[int, ...],
    base: list[int],
    lengths: tuple[int, int],
) -> Program | None:
    """Return the program; None where a column cannot be filled."""
    place = {t: k for k, t in enumerate(allowed)}
    columns = [[place[t] for t in pair.column(r) if t in place] for r in range(pair.period)]
    first, last = lengths
    for column, size in zip(columns, base, strict=True):
        if not column:
            if size + first > 0:
                return None
            last = min(last, -size)
    if last < first:
        return None
    rows = []
    for bound, level in zip(heads, levels, strict=True):
        content, bias = bound.head.content[lags[0]], bound.head.bias
        fixed: dict[int, int] = {}
        for lag, t in enumerate(lags):
            if content[t] + bias[lag] == level:
                fixed[t] = fixed.get(t, 0) + 1
        members = {t for t in allowed if content[t] == level}
        met = sorted(t for t in bound.law if t in members or t in fixed)
        outside = 1 - sum((bound.law[t] for t in met), Fraction(0))
        unit = math.lcm(
            *(share.denominator for share in bound.law.values()), bound.delta.denominator
        )
        rows.append(
            Row(
                members=tuple(sorted(place[t] for t in members)),
                suffix=sum(fixed.values()),
                met=tuple(place[t] if t in members else None for t in met),
                met_suffix=tuple(fixed.get(t, 0) for t in met),
                shares=tuple(int(bound.law[t] * unit) for t in met),
                slack=int((bound.delta - outside) * unit),
                unit=unit,
            )
        )
    return Program(tuple(map(tuple, columns)), tuple(base), first, last, len(allowed), tuple(rows))
