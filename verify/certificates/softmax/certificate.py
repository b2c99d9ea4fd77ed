"""`certify` in infinite precision: a number for given softmax weights, with all to recheck it.

The claim. N = length, T* = horizon (null: no end), c = cost ≤ budget = target − ε. If f and g
differ by at most ε on every input of the Δ lengths N−Δ+1, …, N, they differ by at most ε + c ≤
target on every input of the lengths N−Δ+1, …, T*; and of every length, if every_length is true.

The format: plain JSON, `SoftmaxCertificate.to_dict()`. Rational numbers are strings "a" or "a/b",
exact; integers that count are JSON integers. *Types*, *lags*, contexts and heads are those of
`verify.certificates.certificate`. Head i has the logit a_i(t) = y_tᵀ query_key y_query for key type
t, and gives the position at lag l the weight e^(a_i(t_l)) T^(φ_i(l)). A head is *live* if its
values are not all equal. Numbers called *at least* or *at most* something are rounded to that side.

    format, version     "lgbounds softmax certificate", 1
    weights             {"f": SHA-256, "g": SHA-256}, as `verify.certificates.digest` says
    epsilon, target, budget, horizon (null: every length), length (≥ Δ; null: there is none),
    cost (null without length)
    every_length        true only if Δ = 1, no lag has a bias, and horizon is null
    vocabulary_size, period, locality
    heads               [{"model": "f" or "g", "number"}]: those of f, then of g
    contexts            one for each residue 0..Δ−1 and each choice of tokens; [] without length
    deciding_context    index in `contexts` of a largest cost; null without length
    rule                that of the deciding context; null without length
    obstacle            null, or in words why there is no length
    claim, not_claimed  the same in words

Each context, with n_r(T) = number of positions i = 1..T, i ≡ r (mod Δ), that are not kept lags:

    residue, tokens     length mod Δ; tokens at the lags 0..τ
    short               Z, the largest length ≤ N that is ≡ residue
    trivial             at least Σ of the constants over the live heads
    cost                at least what the rule says
    rule                "no longer input": cost 0, where Z + Δ > T*; "trivial": cost = trivial;
                        "image", "rare query", "joint": see below
    image, rare, joint  what the rule rests on; the others are null

constant, constant_by of a live head: L of all types, for this query. "slope": all other heads of
the model are not live and the values lie on a line; L is at least the steepest slope between them
times their distance; "pairs": at least the largest, over pairs of types and outputs o, of
|U_o·w| + Σ_k |(UB)_ok| |A_k·w|, w = V(y_t − y_u). Of others: "0", "one value".

The rule "image" (cost at least Σ constant·variation), for Z ≥ τ+1:

    kept                the kept lags Λ, ascending; the others are mild. A lag at which φ ≥ 1 for a
                        live head is kept
    free                [n_r(Z) for r = 0..Δ−1], with a sum m ≥ 1; n̄ = m/Δ
    atoms               for each residue its types, in lists of those with equal (value, logit) for
                        every live head
    rounding            ρ_r for each residue: 0 for one atom; else at least ⌊a²/4⌋/a; in the query's
                        residue with lag 0 mild ⌊a²/4⌋/(a−1); a = number of atoms
    heads               one for each head; [] and null for one that is not live (variation "0"):
        constant, constant_by
        largest         α_r for each residue: at least max e^a(t) over its types; from here on a is
                        the logit less the largest of all types
        smallest        β_r for each residue: at most min e^a(t) over its types
        dominant        ψ = max(1, φ at the kept lags)
        step            [at least Z^(1−ψ), at most T*^(1−ψ)], without horizon 1 or 0
        lags            [at least B(Z), at most B(T*)], B(T) = Σ_Λ e^a(t_l) T^(φ(l)+1−ψ)/(T − |Λ|),
                        without horizon the sum of e^a(t_l) over φ(l) = ψ
        mild            [at least M(Z), at least M*]; "0" unless a mild lag has φ ≠ 0, else
                        F(T) = tanh(β ln T/4), β = max(0, φ…) − min(0, φ…) over the mild lags;
                        M(Z) = min{F(Z), S(|Z^φ − 1|)/Σ β_r n_r}, S(x) = the larger of the sums of
                        α_(residue−l)·x over φ > 0 and over φ < 0 (r mod Δ); M* = min{F(T*),
                        S(sup over T > Z of |T^φ − 1|/T)/Σ β_r min(n_r/Z, 1/Δ)}; F(∞) = 1
        variation       TV: at least min{1, V + M(Z) + M*}; V = the largest of E/(E + C):
                        E = h ε₊ + w(h − h*) + b − b*, C = w h* + b*, for w = κ and w = K; and
                        E = h ε₋, C = κ h* + b*. [h, h*] = step, [b, b*] = lags,
                        ε_± = Σ α_r(ρ_r + (n_r − n̄)_±)/m, κ = Σ β_r(min(n_r, n̄) − ρ_r)₊/m,
                        K = Σ α_r n_r/m

The rules "rare query" and "joint", where Δ = 1, no lag has a bias, the types fall into two groups
(atoms, as above), and each model has at most one live head. π(s) = ks/(ks + 1 − s), ln k = logit of
the query's group less that of the other; F, G = outputs of f, g as functions of π.

    own, other          the types of the query's group, and the others
    rare: models        one for f, one for g (a model without live head: head null, numbers "0"):
        head, constant, constant_by
        ratio           at least max(k, 1/k)
        variation       at least ratio/(2Z − 1 + ratio)
        share           at least π(1/Z), at most 1
        oscillation     at least the largest change of an output over 0 ≤ π ≤ share
                        The cost is at least Σ constant·variation and Σ oscillation.
    joint: grid         n ≥ 1. [0, 1] is cut where s, π_f(s) or π_g(s) is j/n, and at the kinks of F
                        and G; where k_f = k_g, F − G counts as one function. On each piece h′ lies
                        in F′·[π_f′] − G′·[π_g′]; [π′]: between its values at the ends
    slope               L^h, at least the largest |h′| by this
    rare                at least ∫ |h′| ds from 0 to 1/Z by this, for each output (a piece that
                        holds 1/Z is cut there)
                        The cost is at least slope/(2Z) and rare.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from verify.certificates.digest import digest
from verify.certificates.saved import SavedCertificate, read_errors, short
from verify.certificates.softmax.image import HeadImage, HeadOfContext, Image
from verify.certificates.softmax.instance import LONGEST, ContextCost, SoftmaxInstance
from verify.certificates.softmax.two_values import GRID, Joint, Rare, TwoValues
from verify.certificates.values import Constant
from verify.errors import InputError
from verify.lengths import show_integer
from verify.model.transformer import LimitTransformer

NOT_CLAIMED = (
    "That f and g agree on the window is a hypothesis: it is not checked here.",
    "It speaks of the limit transformers with exactly these weights, in exact arithmetic, lag "
    "biases times the logarithm of the length; not of a float implementation of them, nor of other "
    "weights.",
    "It is an upper bound: a shorter window may do.",
)


class SoftmaxCertificate(SavedCertificate):
    """A length N for given weights in infinite precision; the format is in this module's text."""

    FORMAT = "lgbounds softmax certificate"
    VERSION = 1

    @property
    def rule(self) -> str | None:
        """Which rule decided: "image", "rare query", "joint", or "trivial"; None: no length."""
        rule: str | None = self.data["rule"]
        return rule

    @property
    def every_length(self) -> bool:
        """Whether the claim holds for inputs shorter than the window too."""
        return bool(self.data["every_length"])

    def _decision(self) -> list[str]:
        context = self.context
        assert context is not None
        lines = [
            f"Cost {short(self.data['cost'])} of at most {self.data['budget']}, decided by the "
            f"context: length ≡ {context['residue']} (mod {self.period}), tokens at the lags "
            f"0, 1, …: {context['tokens']}; there |z| = {show_integer(context['short'])}. "
            f"Rule: {self.rule}."
        ]
        if context["rule"] == "image":
            return lines + _image_lines(self.data, context)
        if context["rule"] == "rare query":
            for name, of in zip("fg", context["rare"]["models"], strict=True):
                lines.append(
                    f"  {name}: L = {short(of['constant'])} ({of['constant_by']}), e^R = "
                    f"{short(of['ratio'])}, attention within TV ≤ {short(of['variation'])}; a lone "
                    f"query has at most the share {short(of['share'])}, and up to there outputs "
                    f"move by at most {short(of['oscillation'])}."
                )
        if context["rule"] == "joint":
            joint = context["joint"]
            lines.append(
                f"  f − g moves by at most {short(joint['slope'])} per unit of the query's share, "
                f"and by at most {short(joint['rare'])} over shares up to 1/N."
            )
        if context["rule"] == "trivial":
            lines.append("  It is the sum of the constants over all types.")
        return lines

    def _no_length(self) -> list[str]:
        return [self.data["obstacle"]]


def certify_softmax(
    f: LimitTransformer, g: LimitTransformer, *, epsilon: Any, target: Any, horizon: Any
) -> SoftmaxCertificate:
    """Return the least length found from which agreement within ε carries on.

    Args:
        f, g: one-layer models in infinite precision, with the same |Σ| and number of outputs.
        epsilon: ε ≥ 0, the error on the window of Δ lengths.
        target: the error wanted, > ε. None: 3ε.
        horizon: T* ≥ 2Δ, the longest length of interest. None: every length.

    Raises:
        InputError: an argument cannot be used (all problems of the models at once).
    """
    low, high = read_errors(epsilon, target)
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer, type(None))):
        allowed = "an integer, the longest length of interest, or None: every length"
        raise InputError("horizon", horizon, allowed)
    instance = SoftmaxInstance(f, g, None if horizon is None else int(horizon))
    length = instance.least_length(high - low)
    return _certificate(instance, low, high, length)


def _certificate(
    instance: SoftmaxInstance, epsilon: Fraction, target: Fraction, length: int | None
) -> SoftmaxCertificate:
    pair, contexts = instance.pair, []
    deciding, cost, obstacle = None, None, None
    if length is None:
        obstacle = _obstacle(instance, target - epsilon)
    else:
        contexts = [instance.context_cost(context, length) for context in instance.contexts()]
        cost = max(found.value for found in contexts)
        deciding = next(k for k, found in enumerate(contexts) if found.value == cost)
    data = {
        "format": SoftmaxCertificate.FORMAT,
        "version": SoftmaxCertificate.VERSION,
        "claim": _claim(instance, length, cost, epsilon, target),
        "not_claimed": _not_claimed(instance),
        "weights": {"f": digest(pair.f), "g": digest(pair.g)},
        "epsilon": str(epsilon),
        "target": str(target),
        "budget": str(target - epsilon),
        "horizon": instance.horizon,
        "length": length,
        "cost": None if cost is None else str(cost),
        "every_length": instance.every_length,
        "vocabulary_size": pair.vocabulary_size,
        "period": pair.period,
        "locality": pair.locality,
        "heads": [{"model": h.model, "number": h.number} for h in pair.heads],
        "deciding_context": deciding,
        "rule": None if deciding is None else contexts[deciding].rule,
        "contexts": [_context_data(instance, found) for found in contexts],
        "obstacle": obstacle,
    }
    return SoftmaxCertificate(data)


def _claim(
    instance: SoftmaxInstance,
    length: int | None,
    cost: Fraction | None,
    epsilon: Fraction,
    target: Fraction,
) -> str:
    if length is None or cost is None:
        return f"No length was found for ε = {epsilon} and target {target}: nothing is claimed."
    first, horizon = length - instance.pair.period + 1, instance.horizon
    window = f"length {show_integer(length)}"
    if first < length:
        window = f"the lengths {show_integer(first)} to {show_integer(length)}"
    reach = f"of length {show_integer(first)} or more"
    if horizon is not None:
        reach = f"of the lengths {show_integer(first)} to {show_integer(horizon)}"
    if instance.every_length:
        reach = "of every length"
    return (
        f"If f and g differ by at most {epsilon} on every input of {window}, they differ by at "
        f"most {short(epsilon + cost)} ≤ {target} on every input {reach}."
    )


def _not_claimed(instance: SoftmaxInstance) -> list[str]:
    limits = []
    if not instance.every_length:
        limits = ["Nothing is said about inputs shorter than the window."]
    if instance.horizon is not None:
        limits = ["Nothing is said about inputs longer than the horizon.", *limits]
    return [NOT_CLAIMED[0], *limits, *NOT_CLAIMED[1:]]


def _obstacle(instance: SoftmaxInstance, budget: Fraction) -> str:
    longest = LONGEST
    if instance.horizon is not None:
        longest = instance.horizon - instance.pair.period
    worst = instance.cost(longest)
    return (
        f"Even N = {show_integer(longest)}, the longest window that is looked at, costs "
        f"{short(worst.value)}, and {budget} is allowed. It is decided by the context: "
        f"{worst.context}; rule: {worst.rule}."
    )


def _context_data(instance: SoftmaxInstance, found: ContextCost) -> dict[str, Any]:
    image, line = None, None
    if found.image is not None:
        images = instance.images(found.context)
        image = _image_data(found.image, images.heads, images.atoms)
    if found.rare is not None or found.joint is not None:
        line = instance.two_values(found.context)
    return {
        "residue": found.context.residue,
        "tokens": list(found.context.tokens),
        "short": found.short,
        "trivial": str(found.trivial),
        "cost": str(found.value),
        "rule": found.rule,
        "image": image,
        "rare": None if found.rare is None or line is None else _rare_data(found.rare, line),
        "joint": None if found.joint is None or line is None else _joint_data(found.joint, line),
    }


def _image_data(
    image: Image,
    heads: tuple[HeadOfContext, ...],
    atoms: tuple[tuple[tuple[int, ...], ...], ...],
) -> dict[str, Any]:
    return {
        "kept": list(image.kept),
        "free": list(image.free),
        "atoms": [[list(atom) for atom in column] for column in atoms],
        "rounding": list(map(str, image.rounding)),
        "heads": [_head_data(head, found) for head, found in zip(heads, image.heads, strict=True)],
    }


def _head_data(head: HeadOfContext, found: HeadImage | None) -> dict[str, Any]:
    data: dict[str, Any] = _constant_data(head.constant if head.live else None)
    if found is None:
        empty: dict[str, Any] = {name: [] for name in ("largest", "smallest", "step", "lags")}
        return data | empty | {"dominant": None, "mild": [], "variation": "0"}
    return data | {
        "largest": list(map(str, head.largest)),
        "smallest": list(map(str, head.smallest)),
        "dominant": str(found.dominant),
        "step": list(map(str, found.step)),
        "lags": list(map(str, found.lags)),
        "mild": list(map(str, found.mild)),
        "variation": str(found.variation),
    }


def _constant_data(constant: Constant | None) -> dict[str, Any]:
    if constant is None:
        return {"constant": "0", "constant_by": "one value"}
    by = "slope" if constant.on_line else "pairs"
    return {"constant": str(constant.value), "constant_by": by}


def _rare_data(rare: Rare, line: TwoValues) -> dict[str, Any]:
    models = [
        {"head": response.head}
        | _constant_data(None if response.head is None else constant)
        | {
            "ratio": str(of.ratio),
            "variation": str(of.variation),
            "share": str(of.share),
            "oscillation": str(of.oscillation),
        }
        for of, response, constant in zip(rare.models, line.responses, line.constants, strict=True)
    ]
    return {"own": list(line.own), "other": list(line.other), "models": models}


def _joint_data(joint: Joint, line: TwoValues) -> dict[str, Any]:
    return {
        "own": list(line.own),
        "other": list(line.other),
        "grid": GRID,
        "slope": str(joint.slope),
        "rare": str(joint.rare),
    }


def _image_lines(data: dict[str, Any], context: dict[str, Any]) -> list[str]:
    image = context["image"]
    mild = [lag for lag in range(len(context["tokens"])) if lag not in image["kept"]]
    lines = [f"Kept lags {image['kept']}, mild lags {mild}."]
    for head, of in zip(data["heads"], image["heads"], strict=True):
        name = f"  {head['model']}, head {head['number']}"
        if of["constant_by"] == "one value":
            lines.append(f"{name}: all types have one value: no cost.")
            continue
        lines.append(
            f"{name}: L = {short(of['constant'])} ({of['constant_by']}), largest lag bias "
            f"{short(of['dominant'])} or less, attention within TV ≤ {short(of['variation'])}."
        )
    return lines
