"""Claims about more inputs, or of less error, are harder.

Theorem. With S(n, T) = sup |f − g| over the lengths n … T: S grows with T and falls with n. So
(i) low(n, T₁) ≤ high(n', T₂) for T₁ ≤ T₂ and n' ≤ n (enclosures: inequality; `low` itself is what a search
met, and need not be monotone); (ii) what is PROVED from n up to T₂ at a target t is not REFUTED from n up
to T₁ ≤ T₂, or from n' ≥ n, or at t' ≥ t; (iii) a certificate of length N for (budget b, horizon T₂) is one for
(b', T₁), b' ≥ b, T₁ ≤ T₂: costs are those of the same choices, and each bound of a cost grows with T*. So
certified lengths grow with the horizon and with ε at a fixed target, and fall with the target (the least
length is searched for: tested as an inequality).
"""

from fractions import Fraction

import verify
from tests.second_routes.cases import both_kinds, fails, pair, seeds
from tests.second_routes.relation import LIMIT, implies

HORIZONS = {"argmax": (2**6, 2**9), "softmax": (2**6, None)}


def enclosures(f, g, easy, hard, tally):
    """`easy`, `hard`: (first length, horizon), the second with all the lengths of the first."""
    one, two = (
        verify.enclose(f, g, from_length=n, horizon=to, tolerance="1/50", limit=LIMIT)
        for n, to in (easy, hard)
    )
    assert one.low <= two.high
    tally["enclosures"] += 1
    return one, two


def proofs(f, g, horizons, target, tally):
    short, long = horizons
    asked = {
        "hard": (target, long, 2),
        "shorter": (target, short, 2),
        "later": (target, long, 5),
        "larger": (target * 3 / 2, long, 2),
    }
    found = {
        name: verify.prove(f, g, target=t, horizon=to, from_length=n, limit=LIMIT).status
        for name, (t, to, n) in asked.items()
    }
    for name in ("shorter", "later", "larger"):
        implies(found["hard"], found[name], name)
        tally[f"{found['hard'].name.lower()}, then {found[name].name.lower()}"] += 1


@both_kinds
def test_verdicts_and_enclosures(attention, tally):
    short, long = HORIZONS[attention]
    for seed in seeds(1):
        f, g = pair(seed + 1, attention)
        one, two = enclosures(f, g, (5, short), (2, long), tally)
        proofs(f, g, HORIZONS[attention], (two.high, one.low)[seed % 2], tally)


def certified(f, g, epsilon, target, horizon):
    found = verify.certify(f, g, epsilon=epsilon, target=target, horizon=horizon).length
    return float("inf") if found is None else found


def certificates(f, g, horizons, tally, change=1):
    """`change`: what multiplies the budget of the claim that should be the easier one."""
    short, long = horizons
    epsilon, target = Fraction(1, 4), Fraction(8)
    least = certified(f, g, epsilon, target * change, short)
    for name, harder in {
        "horizon": (epsilon, target, long),
        "epsilon": (Fraction(2), target, short),
        "target": (epsilon, target / 2, short),
    }.items():
        length = certified(f, g, *harder)
        assert least <= length, (name, least, length)
        tally[f"certificates: {name}"] += least < float("inf")


@both_kinds
def test_certified_lengths(attention, tally):
    for seed in seeds(1):
        certificates(*pair(seed, attention), HORIZONS[attention], tally)
    assert tally["certificates: horizon"]


def test_control_the_claims_change_places(tally):
    def sups(seed):
        """Length 1 is not among the lengths of the second."""
        f, g = pair(seed, "softmax", vocabulary_size=2, period=2, locality=0)
        enclosures(f, g, (1, 12), (12, 12), tally)

    fails(sups, range(6))
    for attention in ("argmax", "softmax"):
        fails(
            lambda s, a=attention: certificates(
                *pair(s, a), HORIZONS[a], tally, change=Fraction(1, 8)
            ),
            range(6),
        )

    def verdicts(seed):
        f, g = pair(seed, "softmax", vocabulary_size=2, period=1, locality=0)
        high = verify.enclose(f, g, horizon=None, tolerance="1/50", limit=LIMIT).high
        hard, easy = (
            verify.prove(f, g, target=t, horizon=None, from_length=2, limit=LIMIT).status
            for t in (high / 8, high * 2)
        )
        implies(easy, hard, seed)  # the wrong way round

    fails(verdicts, range(6))
