"""All inputs of one length with one suffix: how many look different, and |f − g| on each.

A one-layer model sees of such an input only the counts of the prefix types, column by column (a
column: the prefix positions of one residue). Types of one column may be exchanged if in every head
of f and g they have the same weight and the same value, or certainly the weight 0. Such types form
an *atom*, and inputs are count vectors of atoms. A column that is one atom, such as one that no
head can see, adds nothing to enumerate.

*Finite precision.* Let M_h be the least possible maximum of the logits of head h: the largest
logit of the suffix, or, if that is more, the largest over columns of the column's smallest logit,
since every column has some token. A type whose logit lies p/log₂T below M_h has weight 0 in head h
whatever the input. Which types are dropped depends on the largest logit that is present, and is
decided exactly.

*Infinite precision.* A prefix type has the weight e^a, the position at lag ℓ the weight e^a·T^φ(ℓ),
and nothing is dropped. Weights are taken relative to the largest one present.

**Rounding.** Let u = 2^−53, γ_n = nu/(1 − nu); K keys take part in a head, H heads, m hidden
units. Every number that enters has a relative error ≤ u (counts above 2^53 ≤ 2u; weights ≤ 2u:
they are computed to 2^−80, relative to a class that is present and whose weight is 1, and rounded
once); no weight exceeds 1 + 2^−79, and one of weight 1 has a count ≥ 1. Products N_tW_t, their sum
D and the quotients π_t then have relative errors ≤ γ_{K+8}, all terms being ≥ 0, so that each
entry of (hidden, direct) = own + Σ_hΣ_t π_h(t)v_h(t) has an error ≤ γ_{HK+K+10}·S, S = |own| +
Σ_h max_t|v_h(t)|, in whatever order a matrix product adds up. relu changes no error, and the m + 1
terms of direct + G relu(hidden) give in all

    |computed − true| ≤ γ_{HK+K+m+14} (S_direct + |G| S_hidden)

for each model. The difference of the two adds a relative u. Underflow: a weight below 2^−1022, for
which the relative error is no longer said, is off by at most 2^−1074, so its product with a count
by at most T·2^−1074 ≤ 2^−174 for the T allowed (2^900). As D ≥ 1, all of them move each π_t, and
Σ_t|π_t − true|, by at most 2^−170·K, and (hidden, direct) by 2^−170·K·S: nothing beside the u·S
that γ has to spare. (In infinite precision weights may be as small as weights come, e^−800 or
T^−900: they are kept as far as float64 has numbers, and the rest is what this bound says.) The
underflow of other operations, fewer than 2^50, adds less than 2^−1000·(1 + Σ|G|). What is used is
twice the sum, which also covers the rounding of the bound itself.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from verify.certificates.contexts import Context, Pair, pair_of
from verify.certificates.counts import CountVectors
from verify.certificates.levels import UNIT, HardLevels, Levels, SoftLevels
from verify.certificates.outputs import Outputs
from verify.errors import WeightsError
from verify.model.summary import Summary
from verify.model.transformer import LimitTransformer
from verify.model.validation import in_range

Floats = npt.NDArray[np.float64]

LONGEST = 2**900
"""Longest inputs whose counts float64 can hold with room to spare."""

_BLOCK_ENTRIES = 1 << 16
"""Entries of the largest array of a block: it stays in the processor's cache, and the linear
algebra library starts no threads."""


class PairInputs:
    """The inputs of two one-layer models, class by class; both in the same kind of precision.

    Attributes:
        pair: the models, with exact logits.
        period: Δ, locality: τ, vocabulary_size: |Σ|.
        outputs: the tables of f and g.
        heads: the exact logits of the heads of f and of g.
    """

    def __init__(
        self, f: LimitTransformer, g: LimitTransformer, finite: bool | None = None
    ) -> None:
        """Check that the models match, and read their weights.

        Args:
            f, g: the models.
            finite: the precision that is covered: finite, infinite (False), or both (None).

        Raises:
            InputError: a model is none of one layer in this precision, or they do not match.
            WeightsError: products of weights are beyond the range of float64.
        """
        self.pair: Pair = pair_of(f, g, finite)
        self.period, self.locality = self.pair.period, self.pair.locality
        self.vocabulary_size = self.pair.vocabulary_size
        self.outputs = tuple(Outputs.of(model, self.pair.period) for model in (f, g))
        self.heads = tuple(
            tuple(head for head in self.pair.heads if head.model == name) for name in ("f", "g")
        )
        self._settings: dict[tuple[Context, tuple[int, ...]], _Setting] = {}

    def number_of_suffixes(self, length: int) -> int:
        """Return how many suffixes inputs of this length have."""
        number: int = self.vocabulary_size ** min(length, self.locality + 1)
        return number

    def classes(self, length: int) -> Iterator[InputClass]:
        """Yield the classes of all inputs of this length."""
        tokens, size = range(self.vocabulary_size), min(length, self.locality + 1)
        for suffix in itertools.product(tokens, repeat=size):
            yield InputClass(self, length, suffix)

    def column_sizes(self, length: int) -> list[int]:
        """Return the number of prefix positions i ≡ r (mod Δ) for r = 0..Δ−1."""
        prefix = max(length - self.locality - 1, 0)
        return [self.pair.positions(prefix, r) if prefix >= r else 0 for r in range(self.period)]

    def setting(self, length: int, suffix: tuple[int, ...]) -> _Setting:
        """Return what does not depend on the length beyond its residue."""
        columns = tuple(r for r, size in enumerate(self.column_sizes(length)) if size)
        context = Context(length % self.period, suffix[::-1])
        if (context, columns) not in self._settings:
            self._settings[context, columns] = _Setting(self, context, columns)
        return self._settings[context, columns]


class _Setting:
    """A context and the columns that are not empty: the keys that inputs can have.

    Attributes:
        query: the query's type.
        columns: residues of the columns that are not empty.
        prefix: the types of these columns; suffix: the types of the lags 0, 1, ….
    """

    def __init__(self, inputs: PairInputs, context: Context, columns: tuple[int, ...]) -> None:
        self._pair, self._heads = inputs.pair, inputs.heads
        self.columns = columns
        self.prefix = [t for r in columns for t in inputs.pair.column(r)]
        self.suffix = inputs.pair.lag_types(context)
        self.query = self.suffix[0]

    def levels(self, length: int) -> list[list[Levels]]:
        """Return, for f and g, the levels of each head at one length."""
        tokens = self._pair.vocabulary_size
        if not self._pair.finite:
            return [
                [SoftLevels.of(head, length, self.prefix, self.suffix, tokens) for head in heads]
                for heads in self._heads
            ]
        return [
            [
                levels.at(length, head.precision_bits)
                for head, levels in zip(heads, of_model, strict=True)
            ]
            for heads, of_model in zip(self._heads, self._hard, strict=True)
        ]

    @cached_property
    def _hard(self) -> list[list[HardLevels]]:
        tokens = self._pair.vocabulary_size
        return [
            [HardLevels.of(head, self.prefix, self.suffix, tokens) for head in heads]
            for heads in self._heads
        ]


class InputClass:
    """All inputs of one length with one suffix.

    Attributes:
        length: T.
        suffix: the last min(T, τ+1) tokens, oldest first.
        atoms: for each column that is not empty, its atoms, each a list of types.
        vectors: the count vectors of the atoms.
    """

    def __init__(self, inputs: PairInputs, length: int, suffix: tuple[int, ...]) -> None:
        """Find the atoms; nothing is evaluated yet."""
        self._inputs, self.length, self.suffix = inputs, length, suffix
        self._setting = inputs.setting(length, suffix)
        self._levels = self._setting.levels(length)
        self.atoms = self._find_atoms()
        sizes = inputs.column_sizes(length)
        self.vectors: CountVectors = CountVectors(
            [sizes[r] for r in self._setting.columns], [len(atoms) for atoms in self.atoms]
        )

    @property
    def number(self) -> int:
        """How many inputs look different to f and g."""
        return self.vectors.number

    def errors(self, counts: Floats) -> Floats:
        """Return |f − g|, largest output, of each row of `counts`, shape (n,).

        Args:
            counts: (n, atoms) numbers of tokens, atoms in the order of `atoms`.
        """
        f, g = self.outputs(counts)
        result: Floats = np.abs(f - g).max(axis=1)
        if not np.isfinite(result).all():
            allowed = "weights whose results float64 can hold; this result is not"
            raise WeightsError("unembedding", result[~np.isfinite(result)][0].item(), allowed)
        return result

    def outputs(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the outputs of f and of g on each row of `counts`, both of shape (n, o).

        Each is within `roundings` of the exact one. Arguments as for `errors`.
        """
        f, g = (model(counts) for model in self._models)
        return f, g

    @property
    def roundings(self) -> tuple[float, float]:
        """Bounds on the error of every output of f and of g; the module says why."""
        f, g = (model.rounding for model in self._models)
        return f, g

    @property
    def rounding(self) -> float:
        """Bound on the error of every number that `errors` returns; the module says why."""
        return sum(model.rounding for model in self._models)

    @property
    def step(self) -> int:
        """How many rows are best evaluated at once."""
        return max(_BLOCK_ENTRIES // max(model.width for model in self._models), 64)

    def summary(self, counts: Sequence[Sequence[int]]) -> Summary:
        """Return an input with these counts of atoms, given by column."""
        tokens = self._inputs.vocabulary_size
        table = np.zeros((self._inputs.period, tokens), dtype=object)
        for atoms, numbers in zip(self.atoms, counts, strict=True):
            for atom, number in zip(atoms, numbers, strict=True):
                table[divmod(atom[0], tokens)] = int(number)
        return Summary(table, np.array(self.suffix), self.length)

    def _find_atoms(self) -> list[list[list[int]]]:
        setting, tokens = self._setting, self._inputs.vocabulary_size
        heads = [
            (head, levels, levels.dropped[levels.forced])
            for of_f, of_model in zip(self._inputs.heads, self._levels, strict=True)
            for head, levels in zip(of_f, of_model, strict=True)
        ]
        columns = []
        for first in range(0, len(setting.prefix), tokens):
            groups: dict[tuple[tuple[int, int] | None, ...], list[int]] = defaultdict(list)
            for index in range(first, first + tokens):
                signature = tuple(
                    None
                    if drop[levels.prefix[index]]
                    else (int(levels.prefix[index]), head.values[setting.prefix[index]])
                    for head, levels, drop in heads
                )
                groups[signature].append(setting.prefix[index])
            columns.append(list(groups.values()))
        return columns

    @cached_property
    def _models(self) -> list[_Evaluation]:
        place = {t: index for index, t in enumerate(self._setting.prefix)}
        atoms = np.array(
            [place[atom[0]] for column in self.atoms for atom in column], dtype=np.intp
        )
        return [
            _Evaluation(model, self._setting, levels, atoms)
            for model, levels in zip(self._inputs.outputs, self._levels, strict=True)
        ]


class _Evaluation:
    """One model on the inputs of a class, from counts of atoms to outputs."""

    def __init__(
        self,
        model: Outputs,
        setting: _Setting,
        levels: list[Levels],
        atoms: npt.NDArray[np.intp],
    ) -> None:
        self._heads = [_Attention(of_head, atoms) for of_head in levels]
        types = np.array([*(setting.prefix[a] for a in atoms), *setting.suffix], dtype=np.intp)
        values = [
            of_head[types[attention.keys]]
            for of_head, attention in zip(model.values, self._heads, strict=True)
        ]
        self._values = np.concatenate(values)
        self._own = model.own[setting.query]
        self._gains = model.gains
        self.width = int(self._own.size)
        with np.errstate(over="ignore"):
            size = np.abs(self._own) + sum(np.abs(v).max(axis=0) for v in values)
        hidden, direct = size[: model.gains.shape[1]], size[model.gains.shape[1] :]
        keys = max(len(v) for v in values)
        operations = len(values) * keys + keys + hidden.size + 16
        gains = np.abs(model.gains)
        with np.errstate(over="ignore", invalid="ignore"):
            in_range("outputs", direct + gains @ hidden)
        bound = operations * UNIT * (direct + gains @ hidden).max()
        self.rounding = 2 * float(bound + 2.0**-1000 * (1 + gains.sum()))

    def __call__(self, counts: Floats) -> Floats:
        """Return the outputs, shape (n, o)."""
        attention = np.concatenate([head(counts) for head in self._heads], axis=1)
        sums = attention @ self._values
        sums += self._own
        hidden = self._gains.shape[1]
        relu = np.maximum(sums[:, :hidden], 0.0)
        outputs: Floats = sums[:, hidden:] + relu @ self._gains.T
        return outputs


class _Attention:
    """One head on the inputs of a class.

    Attributes:
        keys: the keys that can have a weight: numbers of atoms, then suffix positions.
    """

    def __init__(self, levels: Levels, atoms: npt.NDArray[np.intp]) -> None:
        of_key = np.concatenate([levels.prefix[atoms], levels.suffix])
        visible = ~levels.dropped[levels.forced, of_key]
        self.keys = np.flatnonzero(visible)
        self._atoms = np.flatnonzero(visible[: atoms.size])
        self._levels = of_key[self.keys]
        self._suffix = int(levels.suffix.min())
        # Rows: the largest level present; columns: the keys.
        self._weights = levels.weights()[:, self._levels]

    def __call__(self, counts: Floats) -> Floats:
        """Return the attention on each key, shape (n, keys)."""
        number = self._atoms.size
        attention = np.ones((len(counts), self.keys.size))
        attention[:, :number] = counts[:, self._atoms]
        top = np.full(len(counts), self._suffix)
        for column, level in enumerate(self._levels[:number]):
            if level < self._suffix:
                np.minimum(top, np.where(attention[:, column] > 0, level, self._suffix), out=top)
        attention *= self._weights[top]
        attention /= attention.sum(axis=1, keepdims=True)
        return attention
