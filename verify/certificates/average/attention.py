"""Attention without near ties, as the average ladder needs it: groups of heads and their levels.

Fix the last tokens (and the length mod Δ). In a head whose lower logits have the weight 0,
attention is uniform on the positions with the largest logit. A *level* of a head is a logit that
can be the largest of an input. Heads with the same levels have the same attention, whatever their
values, and form a *group*; its values are what its attention adds to the pre-activations of f and
of g, and to f − g directly.

Let z be the last n symbols of x, |x| = T ≡ n mod Δ, under a law that makes the tokens before the
last ones exchangeable, and let u be what a group adds. Given the counts of x, E[u(z)|x] − u(x) is
a difference of two averages of attended values, times a number whose mean is at most κ_n − κ_T,
where κ is the expectation of

    the number of levels above the largest one that is present, plus the *bias* of the latter.

The bias of a level with M prefix positions is a'/(M + a') if they lie in one column and a' last
positions join; TV((k_r, a')/(Σk_r + a'), uniform on its columns) if it consists of whole columns of
k_r positions; 0 if its values are equal. Other levels are not *covered*.
[docs/theory/certificates.md, average ladder]
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.average.laws import DirichletLaw, FixedLaw
from verify.certificates.contexts import Context, HeadLogits
from verify.certificates.input_class import PairInputs
from verify.errors import InputError
from verify.lengths import show_integer
from verify.model.precision import is_dropped

Integers = npt.NDArray[np.intp]
Exact = npt.NDArray[np.object_]
"""Fractions."""


@dataclass(frozen=True)
class Level:
    """One level of a group.

    Attributes:
        columns: its prefix types of positive probability, by column, as tokens.
        whole: the columns that consist of such types only, if no higher level is present.
        joined: a', how many last positions belong to it.
        varied: whether its values differ.
    """

    columns: dict[int, tuple[int, ...]]
    whole: tuple[int, ...]
    joined: int
    varied: bool

    @property
    def covered(self) -> bool:
        """Whether the theorem covers it."""
        return not self.varied or len(self.columns) <= 1 or set(self.columns) == set(self.whole)

    @property
    def last(self) -> bool:
        """Whether it is present in every input, so that lower levels do not matter."""
        return bool(self.joined or self.whole)


@dataclass(frozen=True)
class Group:
    """Heads with the same attention.

    Attributes:
        period: Δ.
        prefix: rank of each prefix type, 0 the highest level; −1 where it is never attended.
        suffix: the same for the lags 0, 1, ….
        levels: from the highest one to one that is always present.
        values: (types + lags, columns) what attention on a key adds.
        names: the heads, for messages.
        loose: of heads whose logits within a level differ, their own values, and by how much.
    """

    period: int
    prefix: Integers
    suffix: Integers
    levels: tuple[Level, ...]
    values: Exact
    names: tuple[str, ...]
    loose: tuple[tuple[Exact, Fraction], ...]

    @cached_property
    def attended(self) -> Integers:
        """The keys that can be attended: types of positive probability, then lags."""
        tokens = len(self.prefix) // self.period
        types = [
            column * tokens + token
            for level in self.levels
            for column, of_column in level.columns.items()
            for token in of_column
        ]
        lags = [
            len(self.prefix) + lag
            for lag in np.flatnonzero((self.suffix >= 0) & (self.suffix < len(self.levels)))
        ]
        return np.array(sorted(types) + lags, dtype=np.intp)

    @property
    def constant(self) -> Exact | None:
        """What it adds, if that is the same for every input."""
        first = self.levels[0]
        if first.last and not first.columns:
            lags = len(self.prefix) + np.flatnonzero(self.suffix == 0)
            total: Exact = self.values[lags].sum(axis=0) / Fraction(len(lags))
            return total
        rows = self.values[self.attended]
        if (rows == rows[0]).all():
            row: Exact = rows[0]
            return row
        return None

    def bias(self, level: Level, sizes: Sequence[int]) -> Fraction | None:
        """Return the bias of a level where it is a constant; None if it is a'/(M + a').

        Args:
            level: one of `levels`.
            sizes: the number of prefix positions of each column.
        """
        if not level.varied or not (level.joined or level.whole):
            return Fraction(0)
        if not level.columns:
            return Fraction(0)
        if not level.whole:
            return None
        total = sum(sizes[r] for r in level.whole) + level.joined
        share = Fraction(1, len(level.whole))
        return sum(
            (max(share - Fraction(sizes[r], total), Fraction(0)) for r in level.whole),
            Fraction(0),
        )


@dataclass(frozen=True)
class Hardness:
    """From which length on a head has no near ties.

    Attributes:
        gap: the least difference of logits that must be dropped; None: there is none; 0: it
            cannot be.
        precision_bits: p.
        head: its name.
    """

    gap: Fraction | None
    precision_bits: int
    head: str

    def holds(self, length: int) -> bool:
        """Whether only the largest logits have a weight at this length, and at all longer ones."""
        return self.gap is None or (
            self.precision_bits > 0 and is_dropped(length, self.gap, self.precision_bits)
        )


def hardness(
    inputs: PairInputs, context: Context, law: DirichletLaw | FixedLaw, horizon: int | None
) -> list[Hardness]:
    """Return for each head what keeps it from attending to the largest logits only.

    Args:
        inputs: of the two models.
        context: the last tokens.
        law: of the inputs.
        horizon: logits that are not dropped for each other up to this length count as equal; None:
            only equal ones do.
    """
    found = []
    for head in inputs.pair.heads:
        prefix, suffix, forced = _logits(inputs, head, context, law)
        logits = [*(a for a in prefix if a is not None), *suffix]
        clusters = _clusters(head, logits, horizon)
        gaps = []
        for above, below in itertools.pairwise([*clusters, None]):
            assert above is not None
            if above[0] < forced:
                break
            gaps += [] if below is None else [above[-1] - below[0]]
            if above[0] > above[-1] and _apart(head, above[0] - above[-1], horizon):
                gaps.append(0)  # neither equal nor apart
        if not head.precision_bits and any(head.bias):
            gaps.append(max(head.bias) - min(0, *head.bias) or 1)
        gap = min(gaps) * head.unit if gaps else None
        found.append(Hardness(gap, head.precision_bits, _name(head)))
    return found


def groups_of(
    inputs: PairInputs, context: Context, law: DirichletLaw | FixedLaw, horizon: int | None
) -> list[Group]:
    """Return the groups of heads in a context; attention is on the largest logits only.

    Columns of the values: the hidden units of f, those of g, the outputs of f − g.

    Args:
        inputs, context, law, horizon: as in `hardness`.

    Raises:
        InputError: the theorem does not cover a level.
    """
    heads: dict[tuple[tuple[int, ...], tuple[int, ...]], list[tuple[HeadLogits, Fraction]]]
    heads = defaultdict(list)
    for head in inputs.pair.heads:
        possible, suffix, forced = _logits(inputs, head, context, law)
        every = [*(a for a in possible if a is not None), *suffix]
        place: dict[int, int] = {}
        spread = 0
        for rank, cluster in enumerate(_clusters(head, every, horizon)):
            if cluster[0] < forced:
                break
            place |= dict.fromkeys(cluster, rank)
            spread = max(spread, cluster[0] - cluster[-1])
        ranks = tuple(place.get(a, -1) if a is not None else -1 for a in possible)
        key = ranks, tuple(place.get(a, -1) for a in suffix)
        heads[key].append((head, spread * head.unit))
    types = np.array([*inputs.pair.types, *inputs.pair.lag_types(context)], dtype=np.intp)
    return [
        _group(inputs, law, np.array(prefix), np.array(suffix), members, types)
        for (prefix, suffix), members in heads.items()
    ]


def _clusters(head: HeadLogits, logits: Sequence[int], horizon: int | None) -> list[list[int]]:
    """Return the distinct logits in descending order, cut where one is dropped for the other."""
    found: list[list[int]] = []
    for logit in sorted(set(logits), reverse=True):
        if found and not _apart(head, found[-1][-1] - logit, horizon):
            found[-1].append(logit)
        else:
            found.append([logit])
    return found


def _apart(head: HeadLogits, difference: int, horizon: int | None) -> bool:
    """Whether a positive difference of logits is dropped at the horizon."""
    return horizon is None or is_dropped(horizon, difference * head.unit, head.precision_bits)


def own_values(inputs: PairInputs, context: Context) -> Exact:
    """Return what the query adds by itself, columns as those of groups."""
    query = inputs.pair.lag_types(context)[0]
    f, g = inputs.outputs
    of_f, of_g = _fractions(f.own[query]), _fractions(g.own[query])
    m, k = f.gains.shape[1], g.gains.shape[1]
    return np.concatenate([of_f[:m], of_g[:k], of_f[m:] - of_g[k:]])


def likely_tokens(law: DirichletLaw | FixedLaw) -> list[int]:
    """Return the tokens of positive probability."""
    if isinstance(law, DirichletLaw):
        return list(range(law.vocabulary_size))
    return [t for t, p in enumerate(law.probabilities) if p]


def _logits(
    inputs: PairInputs,
    head: HeadLogits,
    context: Context,
    law: DirichletLaw | FixedLaw,
) -> tuple[list[int | None], list[int], int]:
    """Return the logits of prefix types and lags, and the least largest logit of an input.

    Types of probability 0 have None.
    """
    pair = inputs.pair
    types = pair.lag_types(context)
    content = head.content[types[0]]
    likely = likely_tokens(law)
    suffix = [content[t] + head.bias[lag] for lag, t in enumerate(types)]
    least = [min(content[pair.column(r)[t]] for t in likely) for r in range(pair.period)]
    tokens = pair.vocabulary_size
    prefix: list[int | None] = [content[t] if t % tokens in likely else None for t in pair.types]
    return prefix, suffix, max(*suffix, *least)


def _group(
    inputs: PairInputs,
    law: DirichletLaw | FixedLaw,
    prefix: Integers,
    suffix: Integers,
    members: list[tuple[HeadLogits, Fraction]],
    types: Integers,
) -> Group:
    heads = [head for head, _ in members]
    values = _values(inputs, heads, types)
    tokens, likely = inputs.vocabulary_size, likely_tokens(law)
    found: list[Level] = []
    ranks: dict[int, int] = {}
    higher = [0] * inputs.period
    for rank in range(int(max(prefix.max(), suffix.max())) + 1):
        columns: dict[int, tuple[int, ...]] = {}
        for r in range(inputs.period):
            own = tuple(t for t in likely if prefix[r * tokens + t] == rank)
            if own:
                columns[r] = own
        lags = np.flatnonzero(suffix == rank)
        if not columns and not lags.size:
            continue
        keys = [r * tokens + t for r, own in columns.items() for t in own]
        rows = values[[*keys, *(len(prefix) + lags)]]
        whole = tuple(r for r, own in columns.items() if len(own) + higher[r] == len(likely))
        for r, own in columns.items():
            higher[r] += len(own)
        level = Level(columns, whole, int(lags.size), bool((rows != rows[0]).any()))
        ranks[rank] = len(found)
        found.append(level)
        if level.last:
            break
    names = tuple(_name(head) for head in heads)
    group = Group(
        inputs.period,
        np.array([ranks.get(r, -1) for r in prefix.tolist()], dtype=np.intp),
        np.array([ranks.get(r, -1) for r in suffix.tolist()], dtype=np.intp),
        tuple(found),
        values,
        names,
        tuple((_values(inputs, [head], types), spread) for head, spread in members if spread),
    )
    if group.constant is None and not all(level.covered for level in found):
        allowed = (
            "for the average at every length: attention whose prefix types of one logit lie in "
            "one residue mod Δ, or make up whole residues; these lie in several residues, with "
            "part of the tokens of some (verify.agreement(..., law=law) gives the average at "
            "given lengths)"
        )
        raise InputError("attention of head", ", ".join(names), allowed)
    return group


def _values(inputs: PairInputs, heads: list[HeadLogits], types: Integers) -> Exact:
    """Return the sum of the heads' values, (keys, columns)."""
    f, g = inputs.outputs
    m, k, o = f.gains.shape[1], g.gains.shape[1], f.gains.shape[0]
    total: Exact = np.full((len(types), m + k + o), Fraction(0), dtype=object)
    for head in heads:
        table = (f if head.model == "f" else g).values[head.number][types]
        exact = _fractions(table)
        if head.model == "f":
            total[:, :m] += exact[:, :m]
            total[:, m + k :] += exact[:, m:]
        else:
            total[:, m : m + k] += exact[:, :k]
            total[:, m + k :] -= exact[:, k:]
    return total


def _fractions(table: npt.NDArray[np.float64]) -> Exact:
    result: Any = np.empty(table.size, dtype=object)
    result[:] = [Fraction(v) for v in table.ravel().tolist()]
    exact: Exact = result.reshape(table.shape)
    return exact


def _name(head: HeadLogits) -> str:
    return f"{head.number + 1} of {head.model}"


def near_tie(found: Hardness, length: int) -> str:
    """Say that a head has nearly equal logits at a length."""
    if not found.precision_bits:
        return f"head {found.head} has logits that differ, in infinite precision"
    if not found.gap:
        return (
            f"head {found.head} has logits that are neither nearly equal nor far apart up to the "
            "horizon"
        )
    return (
        f"head {found.head} has logits that differ by {float(found.gap):.3g}, nearly equal below "
        f"length 2^{found.precision_bits / float(found.gap):.4g} (here {show_integer(length)})"
    )
