"""Two pairs of one-layer models that are related, and what the package says of each, compared.

A route is a public call. Of one true number two routes give two enclosures, which must meet; what
is exact must be equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

import verify
from tests.second_routes import exact_forward
from tests.second_routes.cases import FACTOR, strings
from verify import ProofStatus

HORIZON = {"argmax": 2**8, "softmax": None}
SHORT = range(1, 5)
LIMIT = 1500
"""Evaluations for each enclosure and proof: 30 cells. A wide enclosure is one as well."""


def same(x: Any) -> Any:
    """The input itself."""
    return x


@dataclass(frozen=True)
class Relation:
    """f₂(φ(x)) − g₂(φ(x)) = factor·(f(x) − g(x)) for every input x, φ = `string` onto all inputs.

    shift: f₂(φ(x)) − factor·f(x), one number for all x, or one for each output.
    back: the inverse of φ.
    """

    pair: tuple[Any, Any]
    other: tuple[Any, Any]
    string: Callable[[Any], Any] = same
    back: Callable[[Any], Any] = same
    factor: Fraction = Fraction(1)
    shift: Any = 0.0
    seed: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def horizon(self):
        return HORIZON[self.pair[0].attention]


def outputs(r, tally):
    """f₂(φ(x)) = factor·f(x) + shift in floats, and in balls around the exact values."""
    rng = np.random.default_rng(r.seed)
    for x in strings(rng, r.pair[0].vocabulary_size, 4):
        for one, two in zip(r.pair, r.other, strict=True):
            expected = float(r.factor) * one(x) + r.shift
            size = max(1.0, float(np.abs(expected).max()))
            assert np.abs(two(r.string(x)) - expected).max() <= 1e-13 * size, (r.seed, x)
            tally["outputs"] += 1
    x = strings(rng, r.pair[0].vocabulary_size, 1, most=7)[0]
    first = exact_forward.difference(*r.pair, x) * exact(r.factor)
    assert first.overlaps(exact_forward.difference(*r.other, r.string(x))), (r.seed, x)
    tally["exact outputs"] += 1


def agreements(r, tally, lengths=SHORT):
    """The largest |f − g| at short lengths: two enclosures of one number meet."""
    one, two = (verify.agreement(*p, lengths).by_length for p in (r.pair, r.other))
    for length in lengths:
        a, b = one[length], two[length]
        meet((a.low * r.factor, a.high * r.factor), (b.low, b.high), (r.seed, length))
        tally["agreements"] += 1
        # The worst input of one is, related, no better than the worst of the other.
        x = r.string(a.worst.tokens())
        value = Fraction(float(np.abs(r.other[0](x) - r.other[1](x)).max()))
        assert value >= a.low * r.factor - Fraction(1, 10**12), (r.seed, length)
        tally["worst inputs"] += 1


def enclosures(r, tally):
    """sup |f − g| over all lengths: two enclosures of one number meet."""
    one, two = (enclosed(p, r.horizon) for p in (r.pair, r.other))
    meet((one.low * r.factor, one.high * r.factor), (two.low, two.high), r.seed)
    tally["enclosures"] += 1
    return one, two


def proofs(r, tally):
    """No target is proved for one pair and refuted for the other."""
    one, _ = enclosures(r, tally)
    found = set()
    for target in targets(one)[r.seed % 2 :][:1]:
        verdicts = [
            verify.prove(
                *p, target=target * by, horizon=r.horizon, from_length=1, limit=LIMIT
            ).status
            for p, by in ((r.pair, 1), (r.other, r.factor))
        ]
        contradict_not(*verdicts, (r.seed, target))
        found |= set(verdicts)
        # What is known of the one decides for the other.
        if target < one.low:
            assert verdicts[1] is not ProofStatus.PROVED, (r.seed, target)
        if target >= one.high:
            assert verdicts[1] is not ProofStatus.REFUTED, (r.seed, target)
        tally["proofs"] += 1
    return found


def certificates(r, tally, compare=None):
    """The certified lengths for ε and the target, scaled, are equal (or as `compare` says)."""
    horizon = None if r.horizon is None else 2**10
    for target in (Fraction(1, 2), Fraction(2), Fraction(4))[r.seed % 3 :][:1]:
        one, two = (
            verify.certify(*p, epsilon=by * target / 5, target=by * target, horizon=horizon).length
            for p, by in ((r.pair, Fraction(1)), (r.other, r.factor))
        )
        if compare is None:
            assert one == two, (r.seed, target, one, two)
        else:
            compare(one, two, (r.seed, target))
        tally["certificates" if one is not None else "no certificate"] += 1


def shortest(r, tally, compare=None):
    """The least |z| that simulates x, within s·factor: bounds of one number meet."""
    rng = np.random.default_rng(r.seed)
    x = rng.integers(0, r.pair[0].vocabulary_size, size=24)
    for epsilon in (Fraction(1, 64), Fraction(1, 4)):
        one = verify.shortest(x, *r.pair, epsilon=epsilon, limit=2000)
        two = verify.shortest(r.string(x), *r.other, epsilon=epsilon * r.factor, limit=2000)
        ends = [(z.lower_bound, int(z.length)) for z in (one, two)]
        (compare or meet)(*ends, (r.seed, epsilon))
        tally["shortest"] += 1
        # z of the one, taken back, does it for the other.
        z = r.back(two.short)
        errors = [abs(exact_difference(m, x, z)) for m in r.pair]
        assert sum(errors) <= float(2 * epsilon) + 1e-12, (r.seed, epsilon)
        tally["z taken back"] += 1


def simulations(r, tally):
    """The proven lengths are equal, and z of the one, taken back, does it for the other."""
    rng = np.random.default_rng(r.seed)
    x = rng.integers(0, r.pair[0].vocabulary_size, size=5000)
    shortened = 0
    for epsilon in (Fraction(1, 2), Fraction(4)):
        try:
            one = verify.simulate(x, *r.pair, epsilon=epsilon)
        except verify.VerifyError:
            continue  # softmax with positions
        two = verify.simulate(r.string(x), *r.other, epsilon=epsilon * r.factor)
        assert one.limit == two.limit, (r.seed, epsilon)
        z = r.back(two.short)
        for m in r.pair:
            assert exact_difference(m, x, z) <= float(epsilon) + 1e-12, (r.seed, epsilon)
        tally["simulations"] += 1
        shortened += len(z) < len(x)
    tally["shortened"] += shortened
    return shortened


ALL = (outputs, agreements, proofs, certificates, shortest, simulations)
DEAR = (proofs, certificates, simulations)


def every_route(r, tally, thorough, routes=ALL):
    """Compare by these routes; by the dear ones for one kind of attention, unless cases abound."""
    for route in routes:
        if FACTOR > 1 or r.pair[0].attention == thorough or route not in DEAR:
            route(r, tally)


def enclosed(p, horizon):
    return verify.enclose(*p, horizon=horizon, tolerance="1/50", limit=LIMIT)


def targets(found):
    """Targets on both sides of what is known."""
    return (found.low * Fraction(9, 10), found.high)


def meet(one, two, note):
    """Assert that two intervals have a point in common."""
    assert one[0] <= two[1], (note, one, two)
    assert two[0] <= one[1], (note, one, two)


def at_most(one, two, note):
    """Assert that of two numbers in intervals the first may be at most the second."""
    assert one[0] <= two[1], (note, one, two)


def contradict_not(one, two, note):
    assert {one, two} != {ProofStatus.PROVED, ProofStatus.REFUTED}, (note, one, two)


def implies(first, second, note):
    """Where `first` is proved, `second` is not refuted."""
    assert not (first is ProofStatus.PROVED and second is ProofStatus.REFUTED), note


def exact_difference(f, x, z):
    return float(np.abs(f(x) - f(z)).max())


def exact(value):
    from flint import fmpq

    return fmpq(value.numerator, value.denominator)
