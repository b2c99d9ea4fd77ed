"""One layer seen as counts: inputs as counts per type, exact rounding of columns, images.

A type is (token, residue), residues being those of positions 1, 2, ... modulo the period. Weights
T^(−gap) are enclosed with 160 bits; what is dropped is decided in integers. Written from the
definitions, beside `verify`.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cache

from flint import arb, ctx, fmpq

ctx.prec = 160


def ball(value):
    """A rational as an interval."""
    value = F(value)
    return arb(fmpq(value.numerator, value.denominator))


def theta(kappa, ratio):
    """θ(κ, ρ) = tanh(κ ln(ρ)/4)."""
    return (ball(kappa) * ball(ratio).log() / 4).tanh()


def hat(kappa, length, delta):
    """ω̂(N^κ, δ) = kδ/(1 + (k−1)δ), k = N^κ."""
    k, delta = ball(length) ** ball(kappa), ball(delta)
    return k * delta / (1 + (k - 1) * delta)


@cache
def falls(length, gap, bits):
    """Whether a weight length^(−gap) is at most 2^(−bits), in integers."""
    if gap <= 0:
        return False
    n, d = F(gap).as_integer_ratio()
    return length**n >= 2 ** (bits * d)


def least_threshold(gap, bits):
    """The least T ≥ 1 with T ≥ 2^(bits/gap)."""
    high = 1
    while not falls(high, gap, bits):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if falls(middle, gap, bits) else (middle, high)
    return high


@dataclass(frozen=True)
class Head:
    """Logits of the prefix types, biases of the lags 0..τ, bits; values by type (else all differ)."""

    logits: dict
    bias: tuple
    bits: int
    values: dict | None = None

    def logit(self, kind):
        """The logit of a class: a type, or (lag, type)."""
        if isinstance(kind[1], tuple):
            return self.logits[kind[1]] + self.bias[kind[0]]
        return self.logits[kind]

    def value(self, kind):
        """What the image tells apart."""
        if self.values is None:
            return kind
        return self.values[kind[1] if isinstance(kind[1], tuple) else kind]


@dataclass(frozen=True)
class Input:
    """Counts of the prefix types; types at the lags 0, 1, ..., τ."""

    prefix: dict
    lags: tuple

    @property
    def length(self):
        """The number of tokens."""
        return sum(self.prefix.values()) + len(self.lags)

    def classes(self):
        """Every class that occurs, with its number of positions."""
        found = {t: n for t, n in self.prefix.items() if n}
        found.update({(lag, t): 1 for lag, t in enumerate(self.lags)})
        return found


def image(head, given):
    """The law that attention puts on values, from the definition."""
    logits = {kind: head.logit(kind) for kind in given.classes()}
    top, log = max(logits.values()), ball(given.length).log()
    law = Counter()
    for kind, number in given.classes().items():
        gap = top - logits[kind]
        if not falls(given.length, gap, head.bits):
            law[head.value(kind)] += number * (-ball(gap) * log).exp()
    total = sum(law.values(), arb(0))
    return {value: weight / total for value, weight in law.items()}


def variation(left, right):
    """TV of two laws."""
    rest = (left.get(v, arb(0)) - right.get(v, arb(0)) for v in {**left, **right})
    return sum((part.max(arb(0)) for part in rest), arb(0))


def columns_of(length, period):
    """How many of the positions 1..length have each residue."""
    full, rest = divmod(length, period)
    numbers = [full] * period
    for position in range(1, rest + 1):
        numbers[position % period] += 1
    return numbers


def largest_remainder(targets, forced=None):
    """Lemma 2; with `forced`, that entry becomes at least 1 (Lemma 2′)."""
    floors = {t: e.numerator // e.denominator for t, e in targets.items()}
    left = sum(targets.values()) - sum(floors.values())
    order = sorted(targets, key=lambda t: floors[t] - targets[t])
    ups = set(order[: int(left)])
    if forced is not None and floors[forced] == 0 and forced not in ups:
        others = [t for t in order if t != forced]
        ups = {forced, *others[: int(left) - 1]}
    return {t: floors[t] + (t in ups) for t in targets}


def targets(counts, long, short, groups, error):
    """Theorem S's real targets, and the low types; light groups are (set, least suffix, δ)."""
    mass = {k: sum(counts.get(t, 0) for t in g[0]) + g[1] for k, g in enumerate(groups)}
    order = sorted(mass, key=lambda k: groups[k][2] * mass[k])
    scale, kept, share = [], F(0), F(sum(short), sum(long))
    for k in order:
        room = (kept + error) / F(groups[k][2])
        kept += room
        scale.append(min(scale[-1] if scale else F(1), room / mass[k]))
    low = {}
    for k, mu in zip(order, scale, strict=True):
        if mu <= share:
            break
        for t in groups[k][0]:
            low.setdefault(t, mu)
    found = {t: low[t] * n for t, n in counts.items() if n and t in low}
    for r, (m, n) in enumerate(zip(long, short, strict=True)):
        rest = {t: c for t, c in counts.items() if c and t[1] == r and t not in low}
        left = n - sum(e for t, e in found.items() if t[1] == r)
        assert sum(c for t, c in counts.items() if t[1] == r) == m
        assert left >= 0
        assert rest or left == 0
        found.update({t: left * c / F(sum(rest.values())) for t, c in rest.items()})
    return found, frozenset(low)


def by_columns(counts, period):
    """The entries of each residue."""
    return [{t: e for t, e in counts.items() if t[1] == r} for r in range(period)]


def joined(parts):
    """Columns put together again."""
    return {t: n for part in parts for t, n in part.items()}
