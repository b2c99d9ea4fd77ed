"""The inputs of all lengths as finitely many *pieces*, on each of which f − g is one formula.

A piece fixes what decides the formula: length mod Δ, the query, the tokens at the lags that a bias
can reach, and, in finite precision, which logit is the largest present in every head (its *level*)
and a block of lengths in which no further weight is dropped. What is left free are the shares s of
the types among the prefix positions of each residue, and v = 1/T. With n_r(T) = (T − o_r)/Δ prefix
positions of residue r, head i gives a type of residue r the weight s·ω, and a lag the weight ω:

    ω(v) = C v^e (1 − o v)/(1 − o_i v),  o = o_r for types, 0 for lags,  C ≥ 0, e ≥ 0,

up to one factor for each head, which does not matter.

*Finite precision* (level A_i, gap = A_i − logit). Types: C = 1, e = gap; lags: C = Δ, e = 1 + gap;
C = 0 if it is dropped. The relative weight T^(−gap) is 0 from T = ⌈2^(p/gap)⌉ on, and so lengths
are cut there. That the level occurs is one of two things: a lag has it, or Σ n_r s ≥ 1 over the
types P_i that have it (a *presence*).

*Infinite precision* (ψ_i = max(1, φ_i)). The true weights e^a n_r s and e^a T^φ, times Δ T^(−ψ):
types C = e^a, e = ψ − 1; lags C = Δ e^a, e = ψ − φ. Lags at which no head has a bias are counted
with the prefix; if lag 0 is among them, the query's type is present.

A head whose types and lags all have one value gives that value, whatever the weights (*inert*).
Types of one residue that no head of a piece can tell apart are merged.
[docs/theory/certificates.md, Every length at once]
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint

from bounds.precision import FLINT
from verify.certificates.choices import least_length
from verify.certificates.contexts import Context, HeadLogits, Pair
from verify.errors import InputError
from verify.model.precision import is_dropped
from verify.tables import show_digits

LONGEST = 2**900
"""Longest finite lengths; float64 holds their reciprocals, and all weights beside them."""

_WIDEST = 600
"""Ranges of logits, and of precision_bits·ln 2, beyond which weights leave float64."""

_DIGITS = 80

_MOST_PIECES = 10**5


@dataclass(frozen=True)
class Weight:
    """ω(v) = C v^e (1 − o v)/(1 − o_i v); o is known from the key, o_i from the head."""

    factor: float
    power: float


@dataclass(frozen=True)
class PieceHead:
    """What one head does on a piece.

    Attributes:
        types: weights of the representatives that it attends to.
        lags: weights of the lags that it attends to.
        origin: o_i.
        inert: a type whose value it gives, whatever the weights; None: it may give several.
        floor: the total weight is at least floor·v/(1 − o_i v).
    """

    types: dict[int, Weight]
    lags: dict[int, Weight]
    origin: int
    inert: int | None
    floor: float


@dataclass(frozen=True)
class Piece:
    """A piece, with a formula for f − g.

    Attributes:
        residue: T mod Δ.
        query: type of the query.
        lags: the lags that are counted by themselves, with their types.
        levels: finite precision: the level of every head, in its own unit; () else.
        first, last: the lengths; last None: no end. first ≡ residue.
        offsets: o_r for each residue.
        columns: representatives of the merged types, for each residue; the first one is that of
            which the share is 1 minus the others.
        members: the types that each representative stands for, itself included.
        presences: sets of representatives, of each of which some token is there.
        heads: those of f, then those of g.
    """

    residue: int
    query: int
    lags: dict[int, int]
    levels: tuple[int, ...]
    first: int
    last: int | None
    offsets: tuple[int, ...]
    columns: tuple[tuple[int, ...], ...]
    members: dict[int, tuple[int, ...]]
    presences: tuple[tuple[int, ...], ...]
    heads: tuple[PieceHead, ...]

    @property
    def constant_in_length(self) -> bool:
        """Whether f − g depends on the shares only, not on T."""
        return all(
            head.inert is not None
            or (
                not head.lags
                and all(weight.power == 0 for weight in head.types.values())
                and len({self.offsets[r] for r, column in enumerate(self.columns) if column}) == 1
                and head.origin == self.offsets[0]
            )
            for head in self.heads
        )


def least_start(pair: Pair) -> int:
    """Return the shortest length of which pieces speak; all shorter inputs are few."""
    if pair.finite:
        return pair.locality + pair.period + 1
    return max(_counted_lags(pair), default=-1) + 1 or 1


def pieces(pair: Pair, start: int, horizon: int | None) -> Iterator[Piece]:
    """Yield the pieces of all inputs of length start … horizon.

    Args:
        pair: two models.
        start: at least `least_start(pair)`.
        horizon: the longest length; None: no end.

    Raises:
        InputError: weights beyond the range of float64, too many pieces, or, in finite precision
            without a horizon, a head that no last block covers.
    """
    found = _finite(pair, start, horizon) if pair.finite else _infinite(pair, start, horizon)
    for number, piece in enumerate(found):
        if number == _MOST_PIECES:
            raise InputError("number of pieces", f"> {_MOST_PIECES}", f"at most {_MOST_PIECES}")
        yield piece


# ---------------------------------------------------------------- infinite precision


def _counted_lags(pair: Pair) -> list[int]:
    """Return the lags at which some head has a bias."""
    lags = range(pair.locality + 1)
    return [lag for lag in lags if any(head.bias[lag] for head in pair.heads)]


def _infinite(pair: Pair, start: int, horizon: int | None) -> Iterator[Piece]:
    counted = _counted_lags(pair)
    known = sorted({0, *counted})
    for residue in range(pair.period):
        first = start + (residue - start) % pair.period
        last = None if horizon is None else horizon - (horizon - residue) % pair.period
        if last is not None and last < first:
            continue
        for tokens in itertools.product(range(pair.vocabulary_size), repeat=len(known)):
            types = {
                lag: (residue - lag) % pair.period * pair.vocabulary_size + token
                for lag, token in zip(known, tokens, strict=True)
            }
            yield _softmax_piece(pair, residue, types, counted, first, last)


def _softmax_piece(
    pair: Pair,
    residue: int,
    types: dict[int, int],
    counted: list[int],
    first: int,
    last: int | None,
) -> Piece:
    query = types[0]
    lags = {lag: types[lag] for lag in counted}
    offsets = _offsets(pair, residue, first, counted)
    present = None if 0 in counted else query
    groups: dict[int, dict[tuple[object, ...], list[int]]] = {
        r: defaultdict(list) for r in range(pair.period)
    }
    for r in range(pair.period):
        for t in pair.column(r):
            signature: list[object] = [t == present]
            for head in pair.heads:
                one_value = len(set(head.values)) == 1
                signature.append(None if one_value else (head.values[t], head.content[query][t]))
            groups[r][tuple(signature)].append(t)
    members = {group[0]: tuple(group) for r in groups for group in groups[r].values()}
    heads = []
    for head in pair.heads:
        keys = [*members, *lags.values()]
        inert = keys[0] if len({head.values[t] for t in keys}) == 1 else None
        heads.append(_softmax_head(pair, head, query, list(members), lags, offsets, first, inert))
    columns = [_referred([g[0] for g in groups[r].values()], heads) for r in range(pair.period)]
    return Piece(
        residue=residue,
        query=query,
        lags=lags,
        levels=(),
        first=first,
        last=last,
        offsets=offsets,
        columns=tuple(columns),
        members=members,
        presences=() if present is None else ((present,),),
        heads=tuple(heads),
    )


def _softmax_head(
    pair: Pair,
    head: HeadLogits,
    query: int,
    types: list[int],
    lags: dict[int, int],
    offsets: tuple[int, ...],
    first: int,
    inert: int | None,
) -> PieceHead:
    if inert is not None:
        return PieceHead({}, {}, 0, inert, 0.0)
    content = head.content[query]
    largest = max(content[t] for t in [*types, *lags.values()])

    def factor(t: int) -> float:
        gap = (largest - content[t]) * head.unit
        if gap > _WIDEST:
            allowed = f"logits of one query that differ by at most {_WIDEST}"
            raise InputError("query_key", f"logits that differ by {show_digits(gap, 6)}", allowed)
        with FLINT, flint.ctx.workprec(_DIGITS):
            return float((-flint.arb(flint.fmpq(gap.numerator, gap.denominator))).exp().mid())

    biases = {lag: head.bias[lag] * head.unit for lag in lags}
    top = max([Fraction(1), *biases.values()])
    origin = 0
    if top == 1:
        origin = next((o for o in offsets if o < first), 0)
    return PieceHead(
        types={t: Weight(factor(t), float(top - 1)) for t in types},
        lags={
            lag: Weight(pair.period * factor(t), float(top - biases[lag]))
            for lag, t in lags.items()
        },
        origin=origin,
        inert=None,
        floor=pair.period * factor(query) if top == 1 and 0 not in lags else 0.0,
    )


# ---------------------------------------------------------------- finite precision


def _finite(pair: Pair, start: int, horizon: int | None) -> Iterator[Piece]:
    if max(head.precision_bits for head in pair.heads) > _WIDEST / 0.7:
        allowed = f"at most {int(_WIDEST / 0.7)}"
        raise InputError("precision_bits", max(h.precision_bits for h in pair.heads), allowed)
    for residue in range(pair.period):
        first = start + (residue - start) % pair.period
        last = None if horizon is None else horizon - (horizon - residue) % pair.period
        if last is not None and last < first:
            continue
        for context in pair.contexts(residue):
            types = pair.lag_types(context)
            for levels, possible in _levels(pair, types):
                yield from _blocks(pair, context, types, levels, possible, first, last)


def _levels(pair: Pair, types: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], frozenset[int]]]:
    """Yield the levels that some input has, with the types that it may then have."""
    query = types[0]

    def extended(
        number: int, levels: tuple[int, ...], allowed: frozenset[int]
    ) -> Iterator[tuple[tuple[int, ...], frozenset[int]]]:
        if number == len(pair.heads):
            for head, level in zip(pair.heads, levels, strict=True):
                content = head.content[query]
                if all(content[t] != level for t in allowed) and level != _suffix_top(head, types):
                    return
            yield levels, allowed
            return
        head = pair.heads[number]
        content, suffix = head.content[query], _suffix_top(head, types)
        for level in sorted({suffix, *(content[t] for t in allowed)}):
            below = frozenset(t for t in allowed if content[t] <= level)
            residues = {pair.residue_of(t) for t in below}
            if level >= suffix and len(residues) == pair.period:
                yield from extended(number + 1, (*levels, level), below)

    yield from extended(0, (), frozenset(pair.types))


def _suffix_top(head: HeadLogits, types: tuple[int, ...]) -> int:
    content = head.content[types[0]]
    return max(content[t] + head.bias[lag] for lag, t in enumerate(types))


def _blocks(
    pair: Pair,
    context: Context,
    types: tuple[int, ...],
    levels: tuple[int, ...],
    allowed: frozenset[int],
    first: int,
    last: int | None,
) -> Iterator[Piece]:
    """Yield the pieces of one context and choice of levels, one for each block of lengths."""
    longest = LONGEST if last is None else last
    cuts = set()
    for head, level in zip(pair.heads, levels, strict=True):
        content = head.content[types[0]]
        if len({head.values[t] for t in (*allowed, *types)}) == 1:
            continue
        logits = {content[t] for t in allowed}
        logits |= {content[t] + head.bias[lag] for lag, t in enumerate(types)}
        for logit in logits - {level}:
            gap = (level - logit) * head.unit
            cut = least_length(gap, head.precision_bits, longest)
            if cut is not None:
                cuts.add(cut)
            elif last is None:
                found = f"logits that differ by {float(gap):.3g}"
                allowed_gaps = "logits that are equal or far apart; else a horizon"
                raise InputError("query_key", found, allowed_gaps)
    starts = [first, *sorted(cut for cut in cuts if cut > first)]
    ends: list[int | None] = [*(cut - 1 for cut in starts[1:]), last]
    for begin, end in zip(starts, ends, strict=True):
        block_first = begin + (context.residue - begin) % pair.period
        if end is not None:
            end -= (end - context.residue) % pair.period
            if end < block_first:
                continue
        yield _finite_piece(pair, context, types, levels, allowed, block_first, end)


def _finite_piece(
    pair: Pair,
    context: Context,
    types: tuple[int, ...],
    levels: tuple[int, ...],
    allowed: frozenset[int],
    first: int,
    last: int | None,
) -> Piece:
    query = types[0]
    kept = [
        _kept(head, level, types, allowed, first)
        for head, level in zip(pair.heads, levels, strict=True)
    ]
    single = [
        len({head.values[t] for t in keys}) == 1
        for head, keys in zip(pair.heads, kept, strict=True)
    ]
    presences: list[frozenset[int]] = []
    for head, level in zip(pair.heads, levels, strict=True):
        if level != _suffix_top(head, types):
            presences.append(frozenset(t for t in allowed if head.content[query][t] == level))
    columns: list[list[int]] = []
    members: dict[int, tuple[int, ...]] = {}
    for r in range(pair.period):
        groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for t in pair.column(r):
            if t in allowed:
                signature: list[object] = [t in presence for presence in presences]
                for head, keys, one_value in zip(pair.heads, kept, single, strict=True):
                    seen = t in keys.prefix and not one_value
                    signature.append((head.values[t], head.content[query][t]) if seen else None)
                groups[tuple(signature)].append(t)
        columns.append([group[0] for group in groups.values()])
        members |= {group[0]: tuple(group) for group in groups.values()}
    offsets = _offsets(pair, context.residue, first, range(len(types)))
    heads = [
        _finite_head(pair, head, level, types, keys, members, offsets, one_value, last)
        for head, level, keys, one_value in zip(pair.heads, levels, kept, single, strict=True)
    ]
    represented = {frozenset(t for t in presence if t in members) for presence in presences}
    return Piece(
        residue=context.residue,
        query=query,
        lags=dict(enumerate(types)),
        levels=levels,
        first=first,
        last=last,
        offsets=offsets,
        columns=tuple(_referred(column, heads) for column in columns),
        members=members,
        presences=tuple(sorted(tuple(sorted(presence)) for presence in represented)),
        heads=tuple(heads),
    )


class _Kept:
    """The types and lags that a head does not drop at a length."""

    def __init__(self, prefix: frozenset[int], lags: dict[int, int]) -> None:
        self.prefix, self.lags = prefix, lags

    def __iter__(self) -> Iterator[int]:
        return iter([*sorted(self.prefix), *self.lags.values()])


def _kept(
    head: HeadLogits, level: int, types: tuple[int, ...], allowed: frozenset[int], length: int
) -> _Kept:
    content = head.content[types[0]]

    def stays(logit: int) -> bool:
        return not is_dropped(length, (level - logit) * head.unit, head.precision_bits)

    prefix = frozenset(t for t in allowed if stays(content[t]))
    lags = {lag: t for lag, t in enumerate(types) if stays(content[t] + head.bias[lag])}
    return _Kept(prefix, lags)


def _finite_head(
    pair: Pair,
    head: HeadLogits,
    level: int,
    types: tuple[int, ...],
    kept: _Kept,
    members: dict[int, tuple[int, ...]],
    offsets: tuple[int, ...],
    one_value: bool,
    last: int | None,
) -> PieceHead:
    if one_value:
        return PieceHead({}, {}, 0, next(iter(kept)), 0.0)
    content = head.content[types[0]]
    prefix = sorted(t for t in kept.prefix if t in members)
    top = {pair.residue_of(t) for t in prefix if content[t] == level}
    origin = offsets[min(top)] if top else 0
    # Without an end of the block: weights of lags alone stay when they are divided by v.
    shift = 0.0
    if last is None:
        everywhere = {t for of in members.values() for t in of}
        whole = any(
            all(content[t] == level for t in everywhere if pair.residue_of(t) == r) for r in top
        )
        if not prefix:
            shift = 1.0
        elif not whole:
            allowed = (
                "a horizon: attention goes to a token that may be as rare as 1/T, beside others"
            )
            raise InputError("horizon", None, allowed)
    return PieceHead(
        types={t: Weight(1.0, float((level - content[t]) * head.unit)) for t in prefix},
        lags={
            lag: Weight(
                float(pair.period),
                1.0 - shift + float((level - content[t] - head.bias[lag]) * head.unit),
            )
            for lag, t in kept.lags.items()
        },
        origin=origin,
        inert=None,
        floor=float(pair.period) if shift == 0 else 0.0,
    )


# ---------------------------------------------------------------- both


def _offsets(pair: Pair, residue: int, length: int, lags: Sequence[int] | range) -> tuple[int, ...]:
    """Return o_r: T − Δ n_r(T) for the positions of residue r that are none of these lags."""
    found = []
    for r in range(pair.period):
        taken = sum((residue - lag) % pair.period == r for lag in lags)
        found.append(length - pair.period * (pair.positions(length, r) - taken))
    return tuple(found)


def _referred(column: list[int], heads: Sequence[PieceHead]) -> tuple[int, ...]:
    """Put that type first whose share is 1 minus the others: the one with the least weight.

    Small shares of a heavy type matter, and so they are to be coordinates.
    """

    def weight(t: int) -> tuple[float, float]:
        found = [head.types.get(t, Weight(0.0, 0.0)) for head in heads if head.inert is None]
        return sum(w.factor for w in found), -sum(w.power for w in found)

    first = min(column, key=weight)
    return (first, *(t for t in column if t != first))
