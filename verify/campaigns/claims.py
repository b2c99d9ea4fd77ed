"""The claims that come with the package: prove, certify, check; each is a frozen dataclass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

from bounds.numbers import exact
from verify.average.laws import DirichletLaw, FixedLaw
from verify.campaigns.work import Answer, Claim
from verify.certificates import ProofStatus, Verdict, certify, prove
from verify.certificates.ladder import read_length
from verify.certificates.saved import read_errors
from verify.certificates.target import read_target
from verify.certificates.window import LIMIT, float_down, float_up
from verify.checks.check import check
from verify.checks.inputs import COUNT_FAMILIES, TOKEN_FAMILIES, Input, make
from verify.checks.report import Report
from verify.errors import InputError
from verify.lengths import show_long
from verify.measure.value_types import minimal_locality, minimal_period
from verify.model.transformer import LimitTransformer
from verify.simulation.argmax.summaries import LONGEST_INPUT
from verify.tables import show_fraction

LENGTH = 10**6
_MOST_RANDOM, _MOST_PARTS = 10**9, 10**6


@dataclass(frozen=True, kw_only=True)
class Prove(Claim):
    """Is |f − g| ≤ target on every input of length from_length … horizon? See `verify.prove`.

    Statuses: PROVED, REFUTED, OPEN.

    Attributes:
        target: the error allowed, ≥ 0, exact.
        horizon: the longest length of the claim; None: every length.
        from_length: the shortest length of the claim; None: as short as can be.
        error: "linf", every input, or "average".
        law: of the inputs, for the average: a DirichletLaw or a FixedLaw.
        limit: the largest number of evaluations.
        route: "cells", "windows" or None, as in `verify.prove`.
        certificate: keep the certificate of each proof, for `verify.recheck`.

    Raises:
        InputError: an argument is not usable for any pair.
    """

    NAME: ClassVar[str] = "prove"

    target: Any
    horizon: int | None
    from_length: int | None = None
    error: Literal["linf", "average"] = "linf"
    law: DirichletLaw | FixedLaw | None = None
    limit: int = LIMIT
    route: Literal["cells", "windows"] | None = None
    certificate: bool = False

    def __post_init__(self) -> None:
        """Read the arguments as exact numbers."""
        _set(self, target=read_target(self.target))
        if self.horizon is not None:
            _set(self, horizon=read_length("horizon", self.horizon, 1, or_none=True))
        if self.from_length is not None:
            _set(self, from_length=read_length("from_length", self.from_length, 1))
            if self.horizon is not None and self.from_length > self.horizon:
                raise InputError("from_length", self.from_length, f"at most {self.horizon}")
        _one_of("error", self.error, ("linf", "average"))
        _one_of("route", self.route, (None, "cells", "windows"))
        _integer("limit", self.limit, 1, None)
        _one_of("certificate", self.certificate, (False, True))
        if (self.error == "average") != isinstance(self.law, DirichletLaw | FixedLaw):
            allowed = 'a DirichletLaw or a FixedLaw with error="average", else None'
            raise InputError("law", self.law, allowed)
        if self.error == "average" and (self.route is not None or self.certificate):
            name = "route" if self.route is not None else "certificate"
            raise InputError(name, getattr(self, name), 'nothing with error="average"')

    def run(self, f: LimitTransformer, g: LimitTransformer, part: int, seed: int) -> Answer | None:
        """Return the verdict on a pair; arguments as in `Claim.run`."""
        lengths: dict[str, Any] = {"horizon": self.horizon, "from_length": self.from_length}
        how: dict[str, Any] = {"target": self.target, "limit": self.limit}
        if self.error == "average":
            how |= {"error": "average", "law": self.law}
        else:
            how |= {"route": self.route}
        verdict = prove(f, g, **lengths, **how)
        if not verdict.finished:
            return None
        low, high = verdict.enclosure
        proved = self.horizon if verdict.status is ProofStatus.PROVED else None
        length, certificate = None, None
        if isinstance(verdict, Verdict):
            length = verdict.length
            if verdict.status is not ProofStatus.PROVED:
                proved = verdict.proved_horizon
            if self.certificate and verdict.proof is not None:
                certificate = verdict.certificate().to_dict()
        return Answer(
            status=verdict.status.name,
            length=length,
            from_length=verdict.from_length,
            proved_horizon=proved,
            low=float_down(low),
            high=None if high is None else float_up(high),
            detail=verdict.to_dict(),
            certificate=certificate,
        )

    def __str__(self) -> str:
        """Return the claim in a few words."""
        what = "average |f − g|" if self.error == "average" else "|f − g|"
        start = "" if self.from_length is None else f" from {show_long(self.from_length)}"
        claim = f"{what} ≤ {show_fraction(self.target)}{start}{_to(self.horizon)}"
        law = "" if self.law is None else _law(self.law)
        limit = "" if self.limit == LIMIT else f"limit {self.limit:,}"
        return ", ".join(filter(None, [claim, law, self.route, limit]))


@dataclass(frozen=True, kw_only=True)
class Certify(Claim):
    """From which length on does agreement within ε carry to the horizon? See `verify.certify`.

    Statuses: CERTIFIED, NO LENGTH. Column `high`: ε and what longer inputs add.

    Attributes:
        epsilon: ε ≥ 0, the error on the window, exact.
        target: the error wanted up to the horizon, > ε; given as None it is 3ε.
        horizon: the longest length of interest; None: every length (infinite precision only).
        certificate: keep the certificate, for `verify.recheck`.

    Raises:
        InputError: an argument is not usable for any pair.
    """

    NAME: ClassVar[str] = "certify"

    epsilon: Any
    target: Any = None
    horizon: int | None = None
    certificate: bool = False

    def __post_init__(self) -> None:
        """Read the arguments as exact numbers."""
        epsilon, target = read_errors(self.epsilon, self.target)
        _set(self, epsilon=epsilon, target=target)
        if self.horizon is not None:
            _set(self, horizon=read_length("horizon", self.horizon, 1, or_none=True))
        _one_of("certificate", self.certificate, (False, True))

    def run(self, f: LimitTransformer, g: LimitTransformer, part: int, seed: int) -> Answer | None:
        """Return the length for a pair; arguments as in `Claim.run`."""
        found = certify(f, g, epsilon=self.epsilon, target=self.target, horizon=self.horizon)
        data = found.to_dict()
        detail = {k: v for k, v in data.items() if k not in ("contexts", "not_claimed")}
        if found.length is None or found.cost is None or found.window is None:
            return Answer("NO LENGTH", detail=detail)
        return Answer(
            status="CERTIFIED",
            length=found.length,
            from_length=found.window.start,
            proved_horizon=self.horizon,
            high=float_up(self.epsilon + found.cost),
            detail=detail,
            certificate=data if self.certificate else None,
        )

    def __str__(self) -> str:
        """Return the claim in a few words."""
        errors = f"{show_fraction(self.epsilon)} carries within {show_fraction(self.target)}"
        return f"agreement within {errors}{_to(self.horizon)}"


@dataclass(frozen=True, kw_only=True)
class Check(Claim):
    """Do the simulation theorem's conclusions hold on many inputs? See `verify.check`.

    Statuses: those of reports: holds, vacuous, not shortened, no claim, FAILS. Column `length`:
    the proven N; `low`: the largest error measured; `high`: the error proved (finite precision).

    Attributes:
        epsilon: ε > 0, the error allowed for each of f and g, exact.
        random: how many random inputs in all, from `families` in turn; None: the default inputs
            of `verify.check`.
        families: names of families of `verify.inputs`; () is all families of tokens. Families of
            counts are for finite precision.
        length: T of the long default inputs; of the random ones.
        parts: into how many cases the random inputs are divided.
        theorem, control: as in `verify.check`.
        seed: another one gives other random inputs.

    Raises:
        InputError: an argument is not usable for any pair.
    """

    NAME: ClassVar[str] = "check"

    epsilon: Any
    random: int | None = None
    families: Sequence[str] = ()
    length: int = LENGTH
    parts: int = 1
    theorem: str | None = None
    control: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Read the arguments as exact numbers."""
        allowed = 'a rational number > 0: an int, float, Fraction or text such as "1/10"'
        try:
            epsilon = exact(self.epsilon)
        except ValueError as problem:
            raise InputError("epsilon", self.epsilon, f"{allowed}; {problem}") from None
        if not isinstance(epsilon, Fraction) or epsilon <= 0:
            raise InputError("epsilon", self.epsilon, allowed)
        names = [self.families] if isinstance(self.families, str) else list(self.families)
        for name in names:
            _one_of("families", name, (*TOKEN_FAMILIES, *COUNT_FAMILIES))
        _set(self, epsilon=epsilon, families=tuple(names))
        _integer("length", self.length, 1, LONGEST_INPUT)
        _integer("seed", self.seed, 0, 2**62)
        if self.random is None:
            _integer("parts", self.parts, 1, 1)
            if names:
                raise InputError("families", self.families, "nothing without random=")
        else:
            _integer("random", self.random, 1, _MOST_RANDOM)
            _integer("parts", self.parts, 1, min(self.random, _MOST_PARTS))

    def run(self, f: LimitTransformer, g: LimitTransformer, part: int, seed: int) -> Answer | None:
        """Return what the inputs of one part showed; arguments as in `Claim.run`."""
        inputs = None if self.random is None else self._inputs(f, g, part, seed)
        report = check(
            f,
            g,
            epsilon=self.epsilon,
            inputs=inputs,
            theorem=self.theorem,
            length=self.length,
            seed=seed,
            control=self.control,
        )
        if isinstance(report, Report):
            errors = [row.error for row in report.rows]
        else:  # softmax: errors at every length of z, with a proven error for each
            errors = [row.worst for row in report.rows]
        return Answer(
            status=str(report.verdict),
            length=report.limit,
            low=max(errors, default=None),
            high=float_up(self.epsilon) if isinstance(report, Report) else None,
            detail=report.to_dict(),
        )

    def _inputs(
        self, f: LimitTransformer, g: LimitTransformer, part: int, seed: int
    ) -> list[Input]:
        """Return the random inputs of one part: families in turn, each with a seed of its own."""
        assert self.random is not None
        each, more = divmod(self.random, self.parts)
        first = part * each + min(part, more)  # its place among all of them
        families = self.families or tuple(TOKEN_FAMILIES)
        sizes = {
            "vocabulary_size": f.vocabulary_size,
            "period": math.lcm(minimal_period(f), minimal_period(g)),
            "locality": max(minimal_locality(f), minimal_locality(g)),
        }
        return [
            make(families[(first + k) % len(families)], seed + k, self.length, **sizes)
            for k in range(each + (part < more))
        ]

    def __str__(self) -> str:
        """Return the claim in a few words."""
        inputs = "default inputs"
        if self.random is not None:
            inputs = f"{self.random:,} random inputs, T = {self.length:,}"
        more = [
            ", ".join(self.families),
            "" if self.random is not None or self.length == LENGTH else f"T = {self.length:,}",
            "" if self.theorem is None else self.theorem,
            "" if self.control is None else f"known-wrong map: {self.control}",
            f"seed {self.seed}" if self.seed else "",
            "" if self.parts == 1 else f"{self.parts:,} parts",
        ]
        claim = f"shortening within {show_fraction(self.epsilon)}: {inputs}"
        return ", ".join(filter(None, [claim, *more]))


def _to(horizon: int | None) -> str:
    return ", every length" if horizon is None else f" up to {show_long(horizon)}"


def _law(law: DirichletLaw | FixedLaw) -> str:
    """Such as "Dirichlet(1, 1/2)"."""
    kind, numbers = (
        ("Dirichlet", law.alpha) if isinstance(law, DirichletLaw) else ("fixed", law.probabilities)
    )
    return f"{kind}({', '.join(map(str, numbers))})"


def _set(claim: Claim, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(claim, name, value)


def _one_of(name: str, value: Any, allowed: Sequence[Any]) -> None:
    if not any(value is one or (type(value) is str and value == one) for one in allowed):
        raise InputError(name, value, "one of " + ", ".join(map(repr, allowed)))


def _integer(name: str, value: Any, least: int, most: int | None) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not good or (most is not None and value > most):
        to = f"at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(name, value, f"an integer, {to}")
