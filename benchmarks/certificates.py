"""Proofs about stored models: seconds, growth with the horizon, against windows and rechecks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import verify
from benchmarks.growth import grow
from benchmarks.rows import Row, growth_row, ratio_row, seconds_row
from benchmarks.timing import alternate, times
from verify.tasks.trained import TrainedPair, all_trained, trained_pair


def each(call: Callable[[TrainedPair], Any], pairs: list[TrainedPair]) -> list[float]:
    """Seconds of one call for every pair, the shorter of two runs."""
    programs = {pair.name: lambda pair=pair: call(pair) for pair in pairs}
    return [min(found) for found in times(programs, 2).values()]


def _certified(pair: TrainedPair) -> Any:
    horizon = None if pair.model.attention == "softmax" else 2**20
    return verify.certify(pair.model, pair.target, epsilon="1/10", horizon=horizon)


def _proved(pair: TrainedPair) -> Any:
    horizon = None if pair.model.attention == "softmax" else 2**20
    return verify.prove(pair.model, pair.target, target="3/10", horizon=horizon)


def _enclosed(pair: TrainedPair) -> Any:
    horizon = None if pair.model.attention == "softmax" else 2**20
    start = 1 if horizon is None else 24
    return verify.enclose(pair.model, pair.target, from_length=start, horizon=horizon)


def _refused_to_none(call: Callable[[TrainedPair], Any]) -> Callable[[TrainedPair], Any]:
    """Some pairs have no certificate: that answer takes its time too."""

    def answer(pair: TrainedPair) -> Any:
        try:
            return call(pair)
        except verify.CertificateError:
            return None

    return answer


def certificates(quick: bool) -> Iterator[Row]:
    """`certify`, `prove` and `enclose` on the stored models."""
    for task in ("mod_p", "simple", "simple_plain"):
        pairs = all_trained(task)[:: 10 if quick else 3]
        calls = {"certify": _certified, "prove": _proved, "enclose": _enclosed}
        for name, call in calls.items():
            goal = "< 2 s" if name == "enclose" else ""
            what = f"`verify.{name}`, stored {task} models"
            yield seconds_row(what, each(_refused_to_none(call), pairs), goal=goal)
    pair = trained_pair("mod_p", period=2, training_length=32)
    f, g = pair.model, pair.target

    def proving(horizon: int) -> Callable[[], Any]:
        return lambda: verify.prove(f, g, target=Fraction(3, 10), horizon=horizon)

    sizes = [2**10, 2**15, 2**20] if quick else [2**10, 2**12, 2**14, 2**16, 2**18, 2**20]
    yield growth_row(f"`verify.prove`, {pair.name}", "horizon", grow(proving, sizes, 2))
    rounds = 2 if quick else 5
    windows = verify.ladder(f, g, length=512, horizon=2**16)
    start = windows.from_length
    programs = {
        "windows": lambda: verify.ladder(f, g, length=512, horizon=2**16),
        "cells": lambda: verify.enclose(f, g, from_length=start, horizon=2**16),
    }
    what = f"`verify.enclose`, {pair.name}, 512 … 2^16"
    yield ratio_row("`verify.ladder` (windows)", what, alternate(programs, rounds))
    certificate = verify.prove(f, g, target="3/10", horizon=2**20).certificate()
    programs = {
        "recheck": lambda: verify.recheck(certificate, f, g),
        "prove": lambda: verify.prove(f, g, target="3/10", horizon=2**20),
    }
    yield ratio_row("`verify.recheck`", f"`verify.prove`, {pair.name}", alternate(programs, rounds))
