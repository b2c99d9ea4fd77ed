"""The probabilities of the count vectors of a class of inputs, under a law of inputs.

Let the last tokens be fixed. *Fixed law:* the columns (positions of one residue) are independent,
and the counts of a column of N positions are multinomial, N!·Πp_i^{c_i}/c_i!.

*Dirichlet prior:* given the last tokens the prior is Dir(θ), θ = α + their counts, and the tokens
before them are exchangeable. With one column that matters the counts are Dirichlet-multinomial,
N!/(θ)_N·Π(θ_i)_{c_i}/c_i!, θ_i summed over the tokens of the i-th atom. With several columns they
are coupled, by the totals C_i = Σ_r c_{r,i}:

    Π_r (N_r!/Π_i c_{r,i}!) · Π_i (θ_i)_{C_i} / (θ)_{ΣN_r},

which asks for the same atoms in all of them: where they differ, atoms are split until they do not.
Columns that are one atom do not matter, and drop out.

**Rounding.** A probability is a product of k table entries and one constant, hence within
(257k + 3)u of the truth, relatively; a product below 2^−1022 is off by at most 2^−1074 instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import flint
import numpy as np
import numpy.typing as npt

from verify.average.laws import DirichletLaw, FixedLaw, Law
from verify.certificates.average.tables import (
    ERROR,
    UNIT,
    Table,
    binomial,
    inverse_factorials,
    of_logarithm,
    powers,
    rising,
)
from verify.certificates.counts import CountVectors
from verify.certificates.input_class import InputClass
from verify.errors import InputError

Floats = npt.NDArray[np.float64]

_EXTREME = 2**300
"""Parameters of priors lie between 1/_EXTREME and _EXTREME: floats hold them and what is made."""


class WeightedVectors:
    """The count vectors of one class of inputs with their probabilities, given the last tokens.

    Attributes:
        vectors: the count vectors that are enumerated; their probabilities add up to 1.
    """

    def __init__(self, one_class: InputClass, law: DirichletLaw | FixedLaw) -> None:
        """Find what is to be enumerated; no probability is computed yet."""
        self._law, self._suffix = law, one_class.suffix
        tokens = law.vocabulary_size
        columns = [[[t % tokens for t in atom] for atom in column] for column in one_class.atoms]
        self._matter = [k for k, column in enumerate(columns) if len(column) > 1]
        self._parts = columns
        if isinstance(law, DirichletLaw):
            self._parts = _split(columns, self._matter, tokens)
        sizes = one_class.vectors.totals
        self.vectors = CountVectors(sizes, [len(column) for column in self._parts])
        # Row: enumerated atom, column: atom of the class that contains it.
        self._merge = _containing(self._parts, columns) if self._parts is not columns else None

    @property
    def error(self) -> float:
        """Bound on the relative error of probabilities."""
        return len(self._factors) * (ERROR + UNIT) + 4 * UNIT

    @cached_property
    def _factors(self) -> list[tuple[list[int], Table]]:
        """Tables, each with the atoms whose counts are added up to its argument."""
        law, parts, sizes, matter = self._law, self._parts, self.vectors.totals, self._matter
        place = np.cumsum([0, *(len(column) for column in parts)]).tolist()
        if isinstance(law, FixedLaw):
            return [
                ([index], powers(sum((law.probabilities[t] for t in atom), Fraction(0)), sizes[k]))
                for k in matter
                for index, atom in enumerate(parts[k], place[k])
            ]
        if not matter:
            return []
        total = sum(sizes[k] for k in matter)
        table = binomial if len(matter) == 1 else rising
        seen = [a + self._suffix.count(t) for t, a in enumerate(law.alpha)]
        found = [
            (
                [place[k] + i for k in matter],
                table(sum((seen[t] for t in atom), Fraction(0)), total),
            )
            for i, atom in enumerate(parts[matter[0]])
        ]
        if len(matter) > 1:
            for k in matter:
                own = range(place[k], place[k] + len(parts[k]))
                found += [([index], inverse_factorials(sizes[k])) for index in own]
        return found

    @cached_property
    def _constant(self) -> tuple[float, int]:
        """ΠN_r!, for a Dirichlet prior divided by (θ)_{ΣN_r}, as m·2^e."""
        law, sizes = self._law, [self.vectors.totals[k] for k in self._matter]

        def logarithm() -> flint.arb:
            result = flint.arb(0)
            for size in sizes:
                result += flint.arb(size + 1).lgamma()
            if isinstance(law, DirichletLaw) and sizes:
                exact = sum(law.alpha, Fraction(0)) + len(self._suffix)
                theta = flint.arb(flint.fmpq(exact.numerator, exact.denominator))
                result += theta.lgamma() - (theta + sum(sizes)).lgamma()
            return result

        return of_logarithm(logarithm)

    def rows(self, start: int, stop: int) -> tuple[Floats, Floats]:
        """Return the counts of the class's atoms, and the probabilities, of some vectors.

        Two vectors may have the same counts of atoms, where atoms had to be split.
        """
        counts = self.vectors.rows(start, stop)
        first, power = self._constant
        mantissa = np.full(stop - start, first)
        exponent = np.full(stop - start, power, dtype=np.int64)
        if self._factors:
            whole = counts.astype(np.intp)
            for columns, table in self._factors:
                place = whole[:, columns[0]]
                for column in columns[1:]:
                    place = place + whole[:, column]
                mantissa *= table.mantissa[place]
                exponent += table.exponent[place]
        # ldexp takes C ints; beyond these exponents the result is 0 or was no probability.
        weights = np.ldexp(mantissa, np.clip(exponent, -(2**20), 2**10).astype(np.int32))
        return (counts if self._merge is None else counts @ self._merge), weights


def check_law(law: Law, tokens: int, instead: str) -> DirichletLaw | FixedLaw:
    """Return the law, if its counts have the probabilities that this module knows.

    Args:
        law: what was given.
        tokens: |Σ| of the models.
        instead: what may be done under another law.

    Raises:
        InputError: it is another law, of another |Σ|, or of extreme parameters.
    """
    if not isinstance(law, DirichletLaw | FixedLaw):
        raise InputError("law", law, f"a DirichletLaw or a FixedLaw; {instead}")
    if law.vocabulary_size != tokens:
        raise InputError("law", law, f"a law of |Σ| = {tokens} tokens, as in f")
    numbers = law.alpha if isinstance(law, DirichletLaw) else law.probabilities
    if any(number and not 1 / Fraction(_EXTREME) <= number <= _EXTREME for number in numbers):
        raise InputError("law", law, "numbers between 2^-300 and 2^300, or 0")
    return law


def _split(
    columns: list[list[list[int]]], matter: Sequence[int], tokens: int
) -> list[list[list[int]]]:
    """Return the columns with the same atoms in all that matter; the coarsest such atoms."""
    signatures: dict[tuple[int, ...], list[int]] = {}
    for token in range(tokens):
        where = tuple(_index(columns[k], token) for k in matter)
        signatures.setdefault(where, []).append(token)
    common = list(signatures.values())
    if all(columns[k] == columns[matter[0]] for k in matter):
        return columns
    return [common if k in set(matter) else column for k, column in enumerate(columns)]


def _containing(
    parts: list[list[list[int]]], columns: list[list[list[int]]]
) -> npt.NDArray[np.float64]:
    """Return the 0/1 matrix that sums counts of parts to counts of the atoms that contain them."""
    table = np.zeros((sum(map(len, parts)), sum(map(len, columns))))
    row = left = 0
    for fine, coarse in zip(parts, columns, strict=True):
        for atom in fine:
            table[row, left + _index(coarse, atom[0])] = 1.0
            row += 1
        left += len(coarse)
    return table


def _index(column: list[list[int]], token: int) -> int:
    return next(index for index, atom in enumerate(column) if token in atom)
