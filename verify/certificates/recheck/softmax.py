"""The checker of softmax certificates.

It reads a certificate (format and names: `verify.certificates.softmax.certificate`; mathematics:
docs/theory/certificates.md, Softmax certificates) and two models, and works every line out again:
weights as exact rationals, logarithms and exponentials as rational enclosures. Lines that state a
bound may lie further on the safe side than needed; everything else must be as it is found here.
Order: the certificate; a context; the rule "image"; the rules of two groups.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import chain, groupby, pairwise, product
from os import PathLike

from verify.certificates.recheck.arithmetic import ONE, ZERO, down, exp, log, theta, up
from verify.certificates.recheck.models import ExactHead, ExactPair, digest_of
from verify.certificates.recheck.reading import HasData, Line, read
from verify.certificates.recheck.result import Rechecked
from verify.model.weights import Weights

_FLOOR = -2000
"""Below, e^x is taken to be between 0 and e^−2000."""

_CUTS = 1 << 160
"""Cuts of the share are placed to 1/_CUTS: coarse beside the enclosures of attention."""

_MOST_GRID = 1 << 12
_FURTHEST = 40
"""Largest difference of logits for the rules of two groups."""

Enclosure = tuple[Fraction, Fraction]


def recheck_softmax(
    certificate: HasData | str | PathLike[str], f: Weights, g: Weights
) -> Rechecked:
    """Check every line of a certificate against the weights, without the code that made it.

    `claim`, `not_claimed` and `obstacle` are words for people: nothing rests on them, and they
    are not read.

    Args:
        certificate: a SoftmaxCertificate, or the path of a JSON file that holds one.
        f, g: the models: one layer, infinite precision, equal vocabularies and output dimensions.

    Raises:
        CertificateError: the first wrong line: its path, what stands there, what is right.
        InputError: the file cannot be read, or f, g are no such models.
    """
    pair = ExactPair(f, g, finite=False)
    top = Line(read(certificate), "")
    top.fields(
        "format version weights epsilon target budget horizon length cost every_length "
        "vocabulary_size period locality heads contexts deciding_context rule obstacle claim "
        "not_claimed"
    )
    top["format"].equals("lgbounds softmax certificate")
    top["version"].equals(1)
    top["weights"].equals({"f": digest_of(f), "g": digest_of(g)})
    epsilon = top["epsilon"].at_least(0)
    target = top["target"].rational()
    top["target"].must(target > epsilon, f"more than epsilon = {epsilon}")
    budget = target - epsilon
    top["budget"].must(top["budget"].rational() == budget, f"target − epsilon = {budget}")
    top["vocabulary_size"].equals(pair.vocabulary)
    top["period"].equals(pair.period)
    top["locality"].equals(pair.lags - 1)
    top["heads"].equals([{"model": h.owner, "number": h.number} for h in pair.heads])
    horizon = None if top["horizon"].value is None else top["horizon"].integer(1)
    plain = pair.period == 1 and _no_bias(pair) and horizon is None
    top["every_length"].must(type(top["every_length"].value) is bool, "true or false")
    top["every_length"].must(plain or not top["every_length"].value, "false")
    if top["length"].value is None:
        top["contexts"].equals([])
        for name in ("cost", "deciding_context", "rule"):
            top[name].equals(None)
        return Rechecked(epsilon, target, horizon, None, 0, 0, None)
    length = top["length"].integer(pair.period)
    top["obstacle"].equals(None)

    contexts = top["contexts"].entries()
    missing = set(product(range(pair.period), product(range(pair.vocabulary), repeat=pair.lags)))
    for line in contexts:
        line.fields("residue tokens short trivial cost rule image rare joint")
        key = line["residue"].integer(0), tuple(t.integer(0) for t in line["tokens"].entries())
        line.must(key in missing, "a context (residue, tokens) that exists and was not yet there")
        missing.discard(key)
    top["contexts"].must(not missing, f"all contexts; missing {sorted(missing)[:1]}")
    images = sum(_check_context(line, pair, length, horizon) for line in contexts)
    costs = [line["cost"].rational() for line in contexts]
    cost = top["cost"].at_least(max(costs))
    top["cost"].must(cost <= budget, f"at most the budget {budget}")
    decides = top["deciding_context"].integer(0)
    right = decides < len(costs) and costs[decides] == max(costs)
    top["deciding_context"].must(right, f"{costs.index(max(costs))}, where the cost is largest")
    top["rule"].equals(contexts[decides]["rule"].value)
    return Rechecked(epsilon, target, horizon, length, len(contexts), images, cost / budget)


# A context: length mod Δ and the tokens at the lags 0..τ.


@dataclass(frozen=True)
class _Context:
    """What all rules of a context share."""

    pair: ExactPair
    horizon: int | None  # T*
    residue: int
    short: int  # Z
    at_lag: list[int]  # the type at each lag; at_lag[0] is the query's
    live: list[ExactHead]  # the heads with more than one value

    def types(self, residue: int) -> range:
        size = self.pair.vocabulary
        return range(residue * size, residue * size + size)

    def signature(self, key: int) -> list[object]:
        return [(head.values[key], head.logit(key, self.at_lag[0])) for head in self.live]


def _check_context(line: Line, pair: ExactPair, length: int, horizon: int | None) -> int:
    """Check one context; return 1 if an image stands there, else 0."""
    residue, size, period = line["residue"].value, pair.vocabulary, pair.period
    at_lag = [(residue - k) % period * size + s for k, s in enumerate(line["tokens"].value)]
    short = length - (length - residue) % period
    line["short"].equals(short)
    trivial = line["trivial"].at_least(pair.trivial(at_lag[0]))
    live = [head for head in pair.heads if len(set(head.values)) > 1]
    context = _Context(pair, horizon, residue, short, at_lag, live)
    rules = {"image": "image", "rare query": "rare", "joint": "joint"}
    allowed = ["no longer input", "trivial", *rules]
    line["rule"].must(line["rule"].value in allowed, f"one of {allowed}")
    rule = rules.get(line["rule"].value)
    for name in rules.values():
        if name != rule:
            line[name].equals(None)
    if rule == "image":
        line["cost"].at_least(_check_image(line["image"], context))
        return 1
    if rule is not None:
        check = _check_rare if rule == "rare" else _check_joint
        line["cost"].at_least(check(line[rule], context))
    elif line["rule"].value == "trivial":
        line["cost"].at_least(trivial)
    else:
        longer = horizon is None or short + period <= horizon
        line["rule"].must(not longer, "another rule: there are longer inputs")
        line["cost"].at_least(0)
    return 0


def _check_constant(line: Line, head: ExactHead, context: _Context) -> Fraction:
    """Check L of a head over all types; return it."""
    by, types = line["constant_by"], range(context.pair.period * context.pair.vocabulary)
    if head not in context.live:
        by.equals("one value")
        return line["constant"].at_least(0)
    if by.value == "pairs":
        return line["constant"].at_least(head.pairs(types))
    by.equals("slope")
    others = [h for h in context.pair.heads if h.model is head.model and h is not head]
    by.must(all(h not in context.live for h in others), '"pairs": another head is live')
    slope = head.slope(types, context.at_lag[0], [(h, 0) for h in others])
    by.must(slope is not None, '"pairs": the values are on no line')
    return line["constant"].at_least(slope or ZERO)


def _no_bias(pair: ExactPair) -> bool:
    return not any(head.bias(lag) for head in pair.heads for lag in range(pair.lags))


@cache
def _weight(exponent: Fraction) -> Enclosure:
    """Enclose e^x."""
    if exponent < _FLOOR:
        return ZERO, exp(Fraction(_FLOOR))[1]
    return exp(exponent)


def _power(base: int, exponent: Fraction) -> Enclosure:
    """Enclose base^exponent, for base ≥ 1."""
    if exponent == 0 or base == 1:
        return ONE, ONE
    low, high = sorted(exponent * end for end in log(Fraction(base)))
    if high < _FLOOR:
        return _weight(high)
    return (exp(low)[0] if low >= _FLOOR else ZERO), exp(high)[1]


# The rule "image".


def _check_image(line: Line, context: _Context) -> Fraction:
    """Check an image; return Σ constant·variation."""
    line.fields("kept free atoms rounding heads")
    pair, period = context.pair, context.pair.period
    kept = line["kept"].subset(range(pair.lags))
    line.must(context.short >= pair.lags, f"another rule: short is less than {pair.lags}")
    loud = [lag for lag in range(pair.lags) if any(h.bias(lag) >= 1 for h in context.live)]
    line["kept"].must(set(loud) <= set(kept), f"with the lags {loud}, where a bias is 1 or more")
    free = [(context.short - r) // period + (r > 0) for r in range(period)]
    for lag in kept:
        free[(context.residue - lag) % period] -= 1
    line["free"].equals(free)
    line["free"].must(sum(free) >= 1, "another rule: there is no free position")

    rho = []
    for r, column in enumerate(line["atoms"].entries(period)):
        atoms = [atom.subset(context.types(r)) for atom in column.entries()]
        every = sorted(chain(*atoms)) == list(context.types(r))
        column.must(every, f"each of the types {list(context.types(r))} once")
        for atom, members in zip(column.entries(), atoms, strict=True):
            signs = [context.signature(t) for t in members]
            alike = members != [] and all(sign == signs[0] for sign in signs)
            atom.must(alike, "types of equal (value, logit)")
        a = len(atoms)
        forced = r == context.residue and 0 not in kept
        least = Fraction(a * a // 4, a - 1 if forced else a) if a > 1 else ZERO
        rho.append(line["rounding"].entries(period)[r].at_least(least))

    total = ZERO
    for entry, head in zip(line["heads"].entries(len(pair.heads)), pair.heads, strict=True):
        total += _check_head(entry, head, _Free(context, kept, free, rho))
    return total


@dataclass(frozen=True)
class _Free:
    """What the heads of an image share."""

    context: _Context
    kept: list[int]
    free: list[int]  # n_r for each residue
    rho: list[Fraction]


def _check_head(line: Line, head: ExactHead, shared: _Free) -> Fraction:
    """Check one head of an image; return constant·variation."""
    line.fields("constant constant_by largest smallest dominant step lags mild variation")
    context, kept = shared.context, shared.kept
    constant = _check_constant(line, head, context)
    if head not in context.live:
        for name in ("largest", "smallest", "step", "lags", "mild"):
            line[name].equals([])
        line["dominant"].equals(None)
        return constant * line["variation"].at_least(0)

    period, query = context.pair.period, context.at_lag[0]
    columns = [[head.logit(t, query) for t in context.types(r)] for r in range(period)]
    top = max(map(max, columns))
    alpha, beta = [], []
    largest, smallest = line["largest"].entries(period), line["smallest"].entries(period)
    for column, most, least in zip(columns, largest, smallest, strict=True):
        alpha.append(most.at_least(_weight(max(column) - top)[1]))
        beta.append(least.at_least(0))
        bound = _weight(min(column) - top)[0]
        least.must(beta[-1] <= bound, "at most the smallest e^a of the column")

    psi = max([ONE, *(head.bias(lag) for lag in kept)])
    line["dominant"].must(line["dominant"].rational() == psi, f"{psi}")
    exponents = [(head.logit(context.at_lag[k], query) - top, head.bias(k) + 1 - psi) for k in kept]
    step = _falling(line["step"], _powers(shared, [(ZERO, 1 - psi)], 0))
    lags = _falling(line["lags"], _powers(shared, exponents, 1))
    mild = [entry.rational() for entry in line["mild"].entries(2)]
    for entry, right in zip(line["mild"].entries(2), _mild(head, shared, alpha, beta), strict=True):
        entry.at_least(right)
    bound = _variation(shared, alpha, beta, step, lags) + sum(mild)
    return constant * line["variation"].at_least(min(ONE, bound))


def _powers(
    shared: _Free, terms: Iterable[tuple[Fraction, Fraction]], divided: int
) -> tuple[Fraction, Fraction]:
    """Return Σ e^a T^s, over T − |Λ| if divided: at Z from above, at T* from below."""
    context, number = shared.context, len(shared.kept)
    at_short, at_horizon = ZERO, ZERO
    for a, s in terms:
        at_short += _weight(a)[1] * _power(context.short, s)[1]
        if context.horizon is None:
            at_horizon += _weight(a)[0] * (s == divided)
        else:
            at_horizon += _weight(a)[0] * _power(context.horizon, s)[0]
    if divided:
        at_short /= context.short - number
        at_horizon /= 1 if context.horizon is None else context.horizon - number
    return at_short, at_horizon


def _falling(line: Line, right: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    """Check a number at Z, from above, and at T*, from below."""
    first, last = line.entries(2)
    above, below = first.at_least(right[0]), last.at_least(0)
    last.must(below <= right[1], "at most the value at the horizon")
    return above, below


def _variation(
    shared: _Free,
    alpha: Sequence[Fraction],
    beta: Sequence[Fraction],
    step: tuple[Fraction, Fraction],
    lags: tuple[Fraction, Fraction],
) -> Fraction:
    """Return the largest E/(E + C)."""
    m, free, rho = sum(shared.free), shared.free, shared.rho
    mean = Fraction(m, len(free))
    more = less = low = high = ZERO
    for a, b, n, r in zip(alpha, beta, free, rho, strict=True):
        more += a * (r + max(n - mean, ZERO)) / m
        less += a * (r + max(mean - n, ZERO)) / m
        low += b * max(min(Fraction(n), mean) - r, ZERO) / m
        high += a * n / m
    found = []
    for w in (low, high):
        excess = step[0] * (more + w) - w * step[1] + lags[0] - lags[1]
        found.append((excess, w * step[1] + lags[1]))
    found.append((step[0] * less, low * step[1] + lags[1]))
    return max(e / (e + c) if e else ZERO for e, c in found)


def _mild(
    head: ExactHead, shared: _Free, alpha: Sequence[Fraction], beta: Sequence[Fraction]
) -> tuple[Fraction, Fraction]:
    """Return M(Z) and M*, from above."""
    context, period = shared.context, shared.context.pair.period
    lags = [k for k in range(context.pair.lags) if k not in shared.kept and head.bias(k)]
    if not lags:
        return ZERO, ZERO
    biases = [head.bias(k) for k in lags]
    weights = [alpha[(context.residue - k) % period] for k in lags]
    tilt = max(*biases, ZERO) - min(*biases, ZERO)
    short = context.short
    at_short = [theta(tilt, Fraction(short))]
    later = [ONE if context.horizon is None else theta(tilt, Fraction(context.horizon))]

    def one_way(sizes: Sequence[Fraction]) -> Fraction:
        ups = [w * x for w, x, phi in zip(weights, sizes, biases, strict=True) if phi > 0]
        downs = [w * x for w, x, phi in zip(weights, sizes, biases, strict=True) if phi < 0]
        return max(sum(ups, ZERO), sum(downs, ZERO))

    mass = sum((b * n for b, n in zip(beta, shared.free, strict=True)), ZERO)
    if mass:
        at_short.append(one_way([_distance(_power(short, phi)) for phi in biases]) / mass)
        fewest = sum(
            (
                b * min(Fraction(n, short), Fraction(1, period))
                for b, n in zip(beta, shared.free, strict=True)
            ),
            ZERO,
        )
        later.append(one_way([_supremum(phi, short) for phi in biases]) / fewest)
    return min(at_short), min(later)


def _distance(power: Enclosure) -> Fraction:
    """Return |x − 1| from above."""
    return max(power[1] - 1, 1 - power[0])


def _supremum(phi: Fraction, short: int) -> Fraction:
    """Return the supremum of |T^φ − 1|/T over real T ≥ Z, from above, for φ < 1.

    It rises up to T^φ = 1/(1 − φ) and falls from there on, for either sign of φ.
    """
    low, high = _power(short, phi)
    if (low * (1 - phi) >= 1) if phi > 0 else (high * (1 - phi) <= 1):
        return _distance((low, high)) / short
    largest = max(end / phi for end in log(1 - phi))  # ln of (1 − φ)^(1/φ), negative
    return (
        abs(phi) / (1 - phi) * (exp(largest)[1] if largest > _FLOOR else exp(Fraction(_FLOOR))[1])
    )


# The rules of two groups: outputs depend on the share of the query's group alone.


@dataclass(frozen=True)
class _Curve:
    """One model: slopes of its outputs in its attention, between the kinks."""

    logit: Fraction  # ln k
    kinks: list[Fraction]
    slopes: list[list[Fraction]]  # for each piece, each output

    def oscillation(self, end: Fraction) -> Fraction:
        """Return the largest change of an output from attention 0 to this."""
        places = [ZERO, *(x for x in self.kinks if x < end), end]
        values = [[ZERO] * len(self.slopes[0])]
        for (a, b), slopes in zip(pairwise(places), self.slopes, strict=False):
            values.append([v + s * (b - a) for v, s in zip(values[-1], slopes, strict=True)])
        return max((max(row) - min(row) for row in zip(*values, strict=True)), default=ZERO)

    def minus(self, other: _Curve) -> _Curve:
        """Return the difference of two curves of the same attention."""
        kinks = sorted({*self.kinks, *other.kinks})
        slopes = []
        for start in [ZERO, *kinks]:
            mine = self.slopes[bisect_right(self.kinks, start)]
            its = other.slopes[bisect_right(other.kinks, start)]
            slopes.append([a - b for a, b in zip(mine, its, strict=True)])
        return _Curve(self.logit, kinks, slopes)

    def times(self, sign: int) -> _Curve:
        return _Curve(self.logit, self.kinks, [[sign * s for s in row] for row in self.slopes])

    def attention(self, share: Fraction) -> Enclosure:
        """Enclose π(s)."""
        low, high = (k * share / (k * share + 1 - share) for k in _weight(self.logit))
        return down(low), up(high)

    def rate(self, share: Fraction) -> Enclosure:
        """Enclose π′(s) = k/(ks + 1 − s)²."""
        low, high = _weight(self.logit)
        least, most = (k * share + 1 - share for k in (high, low))
        return down(low / least**2), up(high / most**2)

    def share(self, attention: Fraction) -> Enclosure:
        """Enclose the share with this attention, in steps of 1/_CUTS, with one to spare."""
        high, low = (attention / (attention + k * (1 - attention)) for k in _weight(self.logit))
        return (
            Fraction(low.numerator * _CUTS // low.denominator - 1, _CUTS),
            Fraction(1 - (-high.numerator * _CUTS // high.denominator), _CUTS),
        )


def _groups(line: Line, context: _Context) -> list[tuple[ExactHead | None, _Curve]]:
    """Check that the rules of two groups apply; return the live head and the curve of f, of g."""
    pair = context.pair
    line.must(pair.period == 1 and _no_bias(pair), "another rule: Δ is not 1, or a lag has a bias")
    own, other = (line[name].subset(context.types(0)) for name in ("own", "other"))
    line["own"].must(context.at_lag[0] in own, "the query's type, and those like it")
    both = sorted(own + other) == list(context.types(0)) and other != []
    line["other"].must(both, "all types that are not in own")
    for name, group in (("own", own), ("other", other)):
        signs = [context.signature(t) for t in group]
        line[name].must(all(s == signs[0] for s in signs), "types of equal (value, logit)")
    curves: list[tuple[ExactHead | None, _Curve]] = []
    for owner in ("f", "g"):
        heads = [head for head in pair.heads if head.owner == owner]
        live = [head for head in heads if head in context.live]
        line.must(len(live) <= 1, f"another rule: {owner} has more than one live head")
        if live:
            still = [head for head in heads if head is not live[0]]
            curves.append((live[0], _curve(live[0], still, context, own[0], other[0])))
            near = abs(curves[-1][1].logit) <= _FURTHEST
            line.must(near, f"another rule: logits differ by more than {_FURTHEST}")
        else:
            curves.append((None, _Curve(ZERO, [], [[ZERO] * len(heads[0].output[0])])))
    return curves


def _curve(
    head: ExactHead, still: Sequence[ExactHead], context: _Context, own: int, other: int
) -> _Curve:
    """Return the outputs of one model, from attention 0 on the query's group to 1."""
    query = context.at_lag[0]
    start = head.model.hidden[query] + head.hidden[other]
    for fixed in still:
        start = start + fixed.hidden[0]
    slopes = head.output[own] - head.output[other]
    units = list(zip(start, head.hidden[own] - head.hidden[other], head.model.outer.T, strict=True))
    for a, b, out in units:
        if (a, b) > (0, 0):  # active just after 0
            slopes = slopes + out * b
    rows, kinks = [list(slopes)], []
    crossing = sorted((-a / b, k) for k, (a, b, _) in enumerate(units) if b and 0 < -a / b < 1)
    for place, together in groupby(crossing, key=lambda kink: kink[0]):
        for _, k in together:
            slopes = slopes + units[k][2] * abs(units[k][1])
        kinks.append(Fraction(place))
        rows.append(list(slopes))
    logit = head.logit(own, query) - head.logit(other, query)
    return _Curve(logit, kinks, rows)


def _check_rare(line: Line, context: _Context) -> Fraction:
    """Check the rule for a rare query; return its cost."""
    line.fields("own other models")
    plain, lone = ZERO, ZERO
    curves = _groups(line, context)
    for entry, (head, curve) in zip(line["models"].entries(2), curves, strict=True):
        entry.fields("head constant constant_by ratio variation share oscillation")
        entry["head"].equals(None if head is None else head.number)
        if head is None:
            entry["constant_by"].equals("one value")
            for name in ("constant", "ratio", "variation", "share", "oscillation"):
                entry[name].at_least(0)
            constant = entry["constant"].rational()
        else:
            constant = _check_constant(entry, head, context)
            ratio = entry["ratio"].at_least(_weight(abs(curve.logit))[1])
            entry["variation"].at_least(ratio / (2 * context.short - 1 + ratio))
            share = entry["share"].at_least(curve.attention(Fraction(1, context.short))[1])
            entry["share"].must(share <= 1, "at most 1")
            entry["oscillation"].at_least(curve.oscillation(share))
        plain += constant * entry["variation"].rational()
        lone += entry["oscillation"].rational()
    return max(plain, lone)


def _check_joint(line: Line, context: _Context) -> Fraction:
    """Check the rule for both models at once; return its cost."""
    line.fields("own other grid slope rare")
    grid = line["grid"].integer(1)
    line["grid"].must(grid <= _MOST_GRID, f"at most {_MOST_GRID}")
    (first, f), (second, g) = _groups(line, context)
    if first is not None and second is not None and f.logit == g.logit:
        curves = [f.minus(g)]
    else:
        curves = [c for c, head in ((f, first), (g.times(-1), second)) if head is not None]

    cuts = {Fraction(j, grid) for j in range(grid + 1)} | {Fraction(1, context.short)}
    for curve in curves:
        for place in [*curve.kinks, *(Fraction(j, grid) for j in range(1, grid))]:
            cuts |= {min(max(cut, ZERO), ONE) for cut in curve.share(place)}
    outputs = range(len(f.slopes[0]))
    steepest, integrals = ZERO, [ZERO for _ in outputs]
    ends = [(cut, [(c.attention(cut), c.rate(cut)) for c in curves]) for cut in sorted(cuts)]
    for (start, at_start), (end, at_end) in pairwise(ends):
        rates = [ZERO for _ in outputs], [ZERO for _ in outputs]
        for curve, (here, slow), (there, fast) in zip(curves, at_start, at_end, strict=True):
            # Pieces that meet the attention between the two ends, in more than a point.
            pieces = range(
                bisect_right(curve.kinks, here[0]), bisect_left(curve.kinks, there[1]) + 1
            )
            least, most = min(slow[0], fast[0]), max(slow[1], fast[1])
            for o in outputs:
                slopes = [curve.slopes[k][o] for k in pieces]
                low, high = min(slopes), max(slopes)
                rates[0][o] += low * (most if low < 0 else least)
                rates[1][o] += high * (least if high < 0 else most)
        for o in outputs:
            bound = up(max(-rates[0][o], rates[1][o], ZERO))
            steepest = max(steepest, bound)
            if end * context.short <= 1:
                integrals[o] += (end - start) * bound
    slope = line["slope"].at_least(steepest)
    rare = line["rare"].at_least(max(integrals))
    return max(slope / (2 * context.short), rare)
