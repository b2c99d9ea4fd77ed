"""Pieces as arrays, so that cells of many pieces can be bounded at once.

Keys: the types 0..D−1, then the lags 0..τ as D + lag. Coordinates of a piece: the shares of all
representatives but the first of each column, padded to a common number J.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verify.certificates.contexts import Pair
from verify.certificates.direct.pieces import Piece
from verify.certificates.outputs import Outputs

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        heads: the numbers of its heads among those of the pair.
        base: (P, m + o), what the query and the inert heads add to hidden units and outputs.
        values: (H, D, m + o), what attention on a type adds.
        gains: (o, m).
        scale: (m + o,), at least the size of every entry of base plus values.
    """

    heads: slice
    base: Floats
    values: Floats
    gains: Floats
    scale: Floats

    @property
    def hidden(self) -> int:
        """m, the number of hidden units."""
        return int(self.gains.shape[1])


@dataclass(frozen=True)
class Table:
    """P pieces, I heads of both models, D types, K = D + τ + 1 keys, J coordinates, Q functions.

    Attributes:
        pieces: the pieces.
        models: f and g.
        factor, power: (P, I, K), C and e; C = 0 for keys that are not attended to.
        key_offset: (P, K), o of each key; origin: (P, I), o_i.
        attends: (P, I), False for inert heads.
        floor: (P, I).
        lag_type: (P, τ+1).
        present: (P, D), whether a type is a representative.
        coordinate: (P, J), the type of each coordinate, D for padding.
        reference: (P, Δ), the first representative of each column.
        column: (P, J), the residue of each coordinate.
        offset: (P, Δ), o_r.
        residue: (P,), T mod Δ.
        presence: (P, S, D), sets of which some token is there; valid: (P, S).
        function: (P, I, K, Q), 1 where a key's weight is C times this function of v.
        function_power, function_offset, function_origin: (P, Q).
        constant: (P,), whether the formula does not depend on T.
    """

    pair: Pair
    pieces: tuple[Piece, ...]
    models: tuple[Model, Model]
    factor: Floats
    power: Floats
    key_offset: Floats
    origin: Floats
    attends: npt.NDArray[np.bool_]
    floor: Floats
    lag_type: Integers
    present: npt.NDArray[np.bool_]
    coordinate: Integers
    reference: Integers
    column: Integers
    offset: Floats
    residue: Floats
    presence: npt.NDArray[np.bool_]
    valid: npt.NDArray[np.bool_]
    function: Floats
    function_power: Floats
    function_offset: Floats
    function_origin: Floats
    constant: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, pair: Pair, pieces: Sequence[Piece]) -> Table:
        """Stack the pieces of a pair."""
        number, heads, types = len(pieces), len(pair.heads), len(pair.types)
        lags, period = pair.locality + 1, pair.period
        keys = types + lags
        coordinates = max(sum(len(c) - 1 for c in piece.columns) for piece in pieces)
        sets = max(len(piece.presences) for piece in pieces)
        functions = [_functions(pair, piece) for piece in pieces]
        size = max(len(known) for known in functions)
        factor, power = np.zeros((2, number, heads, keys))
        key_offset, origin = np.zeros((number, keys)), np.zeros((number, heads))
        attends = np.zeros((number, heads), dtype=bool)
        floor = np.zeros((number, heads))
        lag_type = np.zeros((number, lags), dtype=np.intp)
        present = np.zeros((number, types), dtype=bool)
        coordinate = np.full((number, coordinates), types, dtype=np.intp)
        reference = np.zeros((number, period), dtype=np.intp)
        column = np.zeros((number, coordinates), dtype=np.intp)
        offset, residue = np.zeros((number, period)), np.zeros(number)
        presence = np.zeros((number, sets, types), dtype=bool)
        valid = np.zeros((number, sets), dtype=bool)
        function = np.zeros((number, heads, keys, size))
        parameters = np.zeros((3, number, size))
        for p, piece in enumerate(pieces):
            offset[p], residue[p] = piece.offsets, piece.residue
            key_offset[p, :types] = np.repeat(piece.offsets, pair.vocabulary_size)
            for lag, kind in piece.lags.items():
                lag_type[p, lag] = kind
            place = 0
            for r, representatives in enumerate(piece.columns):
                present[p, list(representatives)] = True
                reference[p, r] = representatives[0]
                for kind in representatives[1:]:
                    coordinate[p, place], column[p, place] = kind, r
                    place += 1
            for s, members in enumerate(piece.presences):
                presence[p, s, list(members)] = valid[p, s] = True
            for q, parameter in enumerate(functions[p]):
                parameters[:, p, q] = parameter
            for i, head in enumerate(piece.heads):
                attends[p, i] = head.inert is None
                origin[p, i], floor[p, i] = head.origin, head.floor
                weights = head.types | {types + lag: w for lag, w in head.lags.items()}
                for key, weight in weights.items():
                    factor[p, i, key], power[p, i, key] = weight.factor, weight.power
                    triple = (weight.power, key_offset[p, key], float(head.origin))
                    if weight.factor:
                        function[p, i, key, functions[p][triple]] = 1.0
        return cls(
            pair=pair,
            pieces=tuple(pieces),
            models=_models(pair, pieces),
            factor=factor,
            power=power,
            key_offset=key_offset,
            origin=origin,
            attends=attends,
            floor=floor,
            lag_type=lag_type,
            present=present,
            coordinate=coordinate,
            reference=reference,
            column=column,
            offset=offset,
            residue=residue,
            presence=presence,
            valid=valid,
            function=function,
            function_power=parameters[0],
            function_offset=parameters[1],
            function_origin=parameters[2],
            constant=np.array([piece.constant_in_length for piece in pieces]),
        )


def _functions(pair: Pair, piece: Piece) -> dict[tuple[float, float, float], int]:
    """Number the distinct functions v^e (1 − o v)/(1 − o_i v) of a piece."""
    known: dict[tuple[float, float, float], int] = {}
    for head in piece.heads:
        for t, weight in head.types.items():
            offset = float(piece.offsets[pair.residue_of(t)])
            known.setdefault((weight.power, offset, float(head.origin)), len(known))
        for weight in head.lags.values():
            known.setdefault((weight.power, 0.0, float(head.origin)), len(known))
    return known or {(0.0, 0.0, 0.0): 0}


def _models(pair: Pair, pieces: Sequence[Piece]) -> tuple[Model, Model]:
    found, first = [], 0
    for model in (pair.f, pair.g):
        outputs = Outputs.of(model, pair.period)
        number = len(outputs.values)
        base = outputs.own[[piece.query for piece in pieces]]
        for p, piece in enumerate(pieces):
            for h, head in enumerate(piece.heads[first : first + number]):
                if head.inert is not None:
                    base[p] += outputs.values[h, head.inert]
        scale = np.abs(outputs.own).max(axis=0) + np.abs(outputs.values).max(axis=1).sum(axis=0)
        heads = slice(first, first + number)
        found.append(Model(heads, base, outputs.values, outputs.gains, scale))
        first += number
    return found[0], found[1]
