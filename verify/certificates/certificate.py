"""`certify` in finite precision: a number for given weights, with all needed to recheck it.

The claim. N = length, T* = horizon, c = cost ≤ budget = target − ε. If f and g differ by at most
ε on every input of the Δ lengths N−Δ+1, …, N, they differ by at most ε + c ≤ target on every
input of the lengths N−Δ+1, …, T*. (Outputs are compared by the largest difference.)

The format: plain JSON, `Certificate.to_dict()`. Rational numbers are strings "a" or "a/b", exact;
integers that count are JSON integers. A *type* is the integer r·|Σ| + s for residue r = 0..Δ−1
and token s; Δ is the least common multiple of the models' least periods, τ the larger of their
localities (greatest lag with a bias other than 0). A *lag* is 0..τ; the type at lag l of a
context is ((residue − l) mod Δ)·|Σ| + tokens[l]; the query's type is that at lag 0. Head i has
the logit a_i(t) = y_tᵀ query_key y_query for key type t, a_i(t_l) + φ_i(l) at lag l; φ_i(l) = 0
beyond its own lags. All exact: float64 weights are rational numbers.

    format, version     "lgbounds instance certificate", 1
    weights             {"f": SHA-256, "g": SHA-256}, as `verify.certificates.digest` says
    epsilon, target, budget, horizon, length (≥ Δ; null: there is none), cost (null without length)
    vocabulary_size, period, locality
    heads               [{"model": "f" or "g", "number", "precision_bits"}]: those of f, then of g;
                        head i below is heads[i]
    contexts            one for each residue 0..Δ−1 and each choice of tokens; [] without length
    deciding_context    index in `contexts` of a largest cost; null without length
    obstacle            null, or why there is no length (see below)
    claim, not_claimed  the same in words

Each context, with n_r(Z) = number of positions i = 1..Z, i ≡ r (mod Δ), that are not kept lags:

    residue, tokens     length mod Δ; tokens at the lags 0..τ
    short               Z, the largest length ≤ N that is ≡ residue
    trivial             at least Σ over all heads of L over all types, for this query: "pairs" or
                        "slope" as below, "inert" now meaning one value of all types
    cost                at least the cost of every case; exactly the largest of them. If kept is
                        null: trivial; or 0 where Z + Δ > T*, as there is no longer input
    kept                the kept lags, ascending, or null; the others are mild
    free                [n_r(Z) for r = 0..Δ−1], all ≥ 1; and Z ≥ τ+1. [] if kept is null
    cases               one for each set U that some levels v give: v_i is a logit of head i, U =
                        {t: a_i(t) ≤ v_i for all i}; kept lags have logits ≤ v_i, types of mild
                        lags are in U, U meets every residue, each v_i is the logit of a type of
                        U or of a kept lag. [] if kept is null

Each case:

    allowed             U, ascending
    cost                Σ constant·variation over the heads; trivial where choice is null
    choice              null, or:
        moves           q₀: inert heads with no suffix and no full column
        atoms           for each residue the types of U, in lists of those with equal (value, logit)
                        or equally outside P for every head that is not inert
        rounding        ρ_r for each residue: 0 for one atom; else a/4; in the query's residue
                        with lag 0 mild ⌊a²/4⌋/(a−1); a = number of atoms
        drift           D of all residues; D of a set of residues = Σ (n_r − mean of n_r)₊
        light           [{"heads": [i, …], "delta": δ in (0, 1)}]: light heads with equal P
        error           e: the largest ρ_i + drift + |S_i| + q₀ of the light heads; "0" without
        kept_sum        S = e(Π(1 + 1/δ) − 1). Needed: min n_r ≥ q₀ + 1 without light heads; with
                        them min n_r ≥ S, and ≥ S + q₀ + 1 + max ρ_r if q₀ > 0
        heads           one for each head:
            prefix      P, ascending: the types of U with a_i(t) ≥ a cut
            suffix      S, ascending: the kept lags with logit ≥ the same cut
            kind        "inert": P and S have one value; else "suffix": P is empty; "heavy": P has
                        all of U in some residue; "light": all else
            gap         γ > 0, or null for no logit below; at most min E_in − max E_out. E_in: the
                        logits of P, of S, and a_i(t) + φ_i(l) for mild l and all t in P of its
                        residue; E_out: the same for U without P and the kept lags without S
            threshold   an integer ≥ 2^(p/γ), 1 for null; ≤ Z
            spread, prefix_spread, full_spread
                        κ, κ^P, κ⁺: at least the range of the logits of P and S, of P (0 if P is
                        empty), of E_in. κ⁺ log₂ T* < p unless inert
            excess      b ≥ 0: at least the largest logit of S less that of P; 0 without S or P
            constant    L of the values at the types of P and of the lags in S; 0 if inert
            constant_by "one value"; "slope": all other heads of the model are inert and the values
                        lie on a line; L is at least the steepest slope between them at this query
                        times their distance; "pairs": L is at least the largest, over pairs of
                        types and outputs o, of |U_o·w| + Σ_k |(UB)_ok| |A_k·w|, w = V(y_t − y_u)
            columns, full
                        residues that meet P; those of them with all types of U in P
            rounding, drift
                        ρ_i: sum of ρ_r over columns; D of columns
            mild        φ_i at the mild lags whose residue is in columns, by ascending lag
            delta       δ_i. Heavy without light heads: (ρ_i + D + |S| + q₀)/v, v = the sum of n_r
                        over columns if they all are full, else |full|·min of n_r over columns;
                        heavy with light heads: (S + ρ_i + drift of all + |S| + q₀)/
                        (|full|·min n_r); light: that of its group; 0 for inert and suffix
            variation   TV: at least the least of 1, the plain bound and the split bound; 0: inert
                        plain: θ(κ, T*/Z) + ω̂(Z^κ, δ) + M
                        split (heavy with S, and κ^P + b ≤ Z/(Z+Δ−1)): θ(κ^P, T*/Z) +
                          ω̂(Z^κ^P, δ − |S|/v) + |S| Z^(κ^P+b)/C + M, with v as in delta
                        θ(k, ρ) = tanh(k ln(ρ)/4), ω̂(k, d) = kd/(1 + (k−1)d), 1 for d ≥ 1
                        C = Σ n_r over full; M = 0 if no φ of mild differs from 0, else
                        M = M(Z) + M*: F(T) = tanh(β ln T/4), β = max(0, φ…) − min(0, φ…);
                        B(T) = max{Σ_{φ>0}(T^φ − 1), Σ_{φ<0}(1 − T^φ)}; G = B(Z) Z^κ^P/C;
                        M(Z) = min(F(Z), G), F(Z) if C = 0; M* = the least of F(T*);
                        G, if C > 0 and κ^P + max|φ| + 1/ln Z ≤ Z/(Z+Δ−1); and
                        B(T*) Z^κ^P/C, if C > 0 and κ^P ≤ Z/(Z+Δ−1)

Where rounding was needed, numbers are rounded to the safe side: "at least" and "at most" above.

The obstacle: context {residue, tokens} and its cost at N = T* − Δ; `allowed`, types of inputs of
which some head has no valid cut (all lags kept); `heads`, those heads with all their cuts {model,
number, precision_bits, spread, gap, inert}; `holds_up_to` {horizon, length}: the largest power of
two up to which a length was found, or null. It explains; nothing is claimed by it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from verify.certificates.choices import HeadChoice
from verify.certificates.digest import digest
from verify.certificates.instance import CaseCost, ContextCost, Instance, instance_of, least_length
from verify.certificates.obstacle import Obstacle, find_obstacle
from verify.certificates.saved import SavedCertificate, read_errors, short
from verify.errors import InputError
from verify.model.transformer import LimitTransformer

FORMAT = "lgbounds instance certificate"
VERSION = 1
NOT_CLAIMED = (
    "That f and g agree on the window is a hypothesis: it is not checked here.",
    "Nothing is said about inputs longer than the horizon, nor about inputs shorter than the "
    "window.",
    "It speaks of the limit transformers with exactly these weights, in exact arithmetic with "
    "relative weights of at most 2^-p dropped; not of a float implementation of them, nor of other "
    "weights.",
    "It is an upper bound: a shorter window may do.",
)


class Certificate(SavedCertificate):
    """A length N for given weights in finite precision; the format is in this module's text."""

    FORMAT = FORMAT
    VERSION = VERSION

    def _no_length(self) -> list[str]:
        return _obstacle_lines(self.data)

    def _decision(self) -> list[str]:
        context = self.context
        assert context is not None
        lines = [
            f"Cost {short(self.data['cost'])} of at most {self.data['budget']}, decided by the "
            f"context: length ≡ {context['residue']} (mod {self.period}), tokens at the lags "
            f"0, 1, …: {context['tokens']}; there |z| = {context['short']}."
        ]
        if context["kept"] is None:
            return [*lines, "It is the trivial cost: the constants over all types."]
        mild = [lag for lag in range(len(context["tokens"])) if lag not in context["kept"]]
        lines.append(f"Kept lags {context['kept']}, mild lags {mild}.")
        case = max(context["cases"], key=lambda case: Fraction(case["cost"]))
        lines.append(f"Types that occur (residue·|Σ| + token): among {case['allowed']}.")
        if case["choice"] is None:
            return [*lines, "No valid choice: the trivial cost."]
        for head, of in zip(self.data["heads"], case["choice"]["heads"], strict=True):
            lines.append(f"  {head['model']}, head {head['number']}: {_head_line(of)}")
        return lines


def certify_finite(
    f: LimitTransformer, g: LimitTransformer, *, epsilon: Any, target: Any, horizon: Any
) -> Certificate:
    """Return the least length found from which agreement within ε carries to the horizon.

    Args:
        f, g: one-layer models in finite precision, with the same |Σ| and number of outputs.
        epsilon: ε ≥ 0, the error on the window of Δ lengths.
        target: the error wanted up to the horizon, > ε. None: 3ε.
        horizon: T* ≥ 2Δ, the longest length of interest.

    Raises:
        InputError: an argument cannot be used (all problems of the models at once).
    """
    budget_from, budget_to = read_errors(epsilon, target)
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)):
        allowed = (
            "an integer, the longest length of interest: in finite precision there must be one"
        )
        raise InputError("horizon", horizon, allowed)
    longest, budget = int(horizon), budget_to - budget_from
    length, cost = least_length(f, g, budget, longest)
    instance = instance_of(f, g, longest)
    contexts: list[ContextCost] = []
    obstacle = None
    if length is None:
        obstacle = find_obstacle(f, g, budget, instance)
    else:
        contexts = [instance.context_cost(context, length) for context in instance.contexts()]
    period = instance.pair.period
    data = {
        "format": FORMAT,
        "version": VERSION,
        "claim": _claim(length, cost.value, budget_from, budget_to, longest, period),
        "not_claimed": list(NOT_CLAIMED),
        "weights": {"f": digest(f), "g": digest(g)},
        "epsilon": str(budget_from),
        "target": str(budget_to),
        "budget": str(budget),
        "horizon": longest,
        "length": length,
        "cost": None if length is None else str(cost.value),
        "vocabulary_size": instance.pair.vocabulary_size,
        "period": period,
        "locality": instance.pair.locality,
        "heads": [
            {"model": h.model, "number": h.number, "precision_bits": h.precision_bits}
            for h in instance.pair.heads
        ],
        "deciding_context": next(
            (k for k, found in enumerate(contexts) if found.context == cost.context), None
        ),
        "contexts": [_context_data(instance, found) for found in contexts],
        "obstacle": None if obstacle is None else _obstacle_data(obstacle),
    }
    return Certificate(data)


def _claim(
    length: int | None,
    cost: Fraction,
    epsilon: Fraction,
    target: Fraction,
    horizon: int,
    period: int,
) -> str:
    if length is None:
        return (
            f"No length below the horizon {horizon} was found for ε = {epsilon} and target "
            f"{target}: nothing is claimed."
        )
    first = length - period + 1
    window = f"length {length}" if period == 1 else f"the lengths {first} to {length}"
    return (
        f"If f and g differ by at most {epsilon} on every input of {window}, they differ by at "
        f"most {short(epsilon + cost)} ≤ {target} on every input of the lengths {first} to "
        f"{horizon}."
    )


def _context_data(instance: Instance, found: ContextCost) -> dict[str, Any]:
    return {
        "residue": found.context.residue,
        "tokens": list(found.context.tokens),
        "short": found.short,
        "trivial": str(found.trivial),
        "cost": str(found.value),
        "kept": None if found.kept is None else list(found.kept.kept),
        "free": list(found.free),
        "cases": [_case_data(instance, case) for case in found.cases],
    }


def _case_data(instance: Instance, found: CaseCost) -> dict[str, Any]:
    data: dict[str, Any] = {
        "allowed": sorted(found.case.allowed),
        "cost": str(found.value),
        "choice": None,
    }
    choice, reached = found.choice, found.accuracies
    if choice is None or reached is None:
        return data
    data["choice"] = {
        "moves": choice.moves,
        "atoms": [[list(atom) for atom in column] for column in choice.atoms],
        "rounding": list(map(str, choice.rounding)),
        "drift": str(choice.drift),
        "light": [
            {"heads": list(group), "delta": str(delta)}
            for group, delta in zip(choice.groups, reached.light, strict=True)
        ],
        "error": str(choice.error),
        "kept_sum": str(reached.kept),
        "heads": [
            _head_data(head) | {"delta": str(delta), "variation": str(variation)}
            for head, delta, variation in zip(
                choice.heads, reached.heads, found.variation, strict=True
            )
        ],
    }
    return data


def _head_data(head: HeadChoice) -> dict[str, Any]:
    kind = "heavy"
    if head.inert:
        kind = "inert"
    elif not head.prefix:
        kind = "suffix"
    elif head.light:
        kind = "light"
    return {
        "prefix": sorted(head.prefix),
        "suffix": list(head.suffix),
        "kind": kind,
        "gap": None if head.gap is None else str(head.gap),
        "threshold": head.threshold,
        "spread": str(head.spread),
        "prefix_spread": str(head.prefix_spread),
        "full_spread": str(head.full_spread),
        "excess": str(head.excess),
        "constant": str(head.constant),
        "constant_by": "one value" if head.inert else "slope" if head.on_line else "pairs",
        "columns": list(head.columns),
        "full": list(head.full),
        "rounding": str(head.rounding),
        "drift": str(head.drift),
        "mild": list(map(str, head.mild)),
    }


def _obstacle_data(found: Obstacle) -> dict[str, Any]:
    holds = None
    if found.horizon is not None:
        holds = {"horizon": found.horizon, "length": found.length}
    return {
        "context": {"residue": found.context.residue, "tokens": list(found.context.tokens)},
        "cost": str(found.cost),
        "allowed": list(found.allowed),
        "heads": [
            [
                {
                    "model": cut.model,
                    "number": cut.number,
                    "precision_bits": cut.precision_bits,
                    "spread": str(cut.spread),
                    "gap": None if cut.gap is None else str(cut.gap),
                    "inert": cut.inert,
                }
                for cut in of_head
            ]
            for of_head in found.heads
        ],
        "holds_up_to": holds,
    }


def _head_line(of: dict[str, Any]) -> str:
    where = f"attends to types {of['prefix']} and lags {of['suffix']}"
    if of["kind"] == "inert":
        return f"{where}, all of one value: no cost."
    gap = "no logit below" if of["gap"] is None else f"gap γ = {short(of['gap'])} below"
    return (
        f"{where} ({of['kind']}), near ties κ = {short(of['spread'])}, {gap} (hardmax from length "
        f"{of['threshold']} on), L = {short(of['constant'])} ({of['constant_by']}), counts within "
        f"δ = {short(of['delta'])}, attention within TV ≤ {short(of['variation'])}."
    )


def _obstacle_lines(data: dict[str, Any]) -> list[str]:
    obstacle = data["obstacle"]
    context = obstacle["context"]
    lines = [
        f"Worst context: length ≡ {context['residue']} (mod {data['period']}), tokens at the lags "
        f"0, 1, …: {context['tokens']}; cost {short(obstacle['cost'])}, allowed {data['budget']}."
    ]
    if not obstacle["heads"]:
        lines.append("Every head has valid cuts there; the cost they give is too large.")
    for cuts in obstacle["heads"]:
        first = cuts[0]
        scale = first["precision_bits"] / math.log2(data["horizon"])
        lines.append(
            f"Spoilt by {first['model']}, head {first['number']}, on inputs with types among "
            f"{obstacle['allowed']}: up to this horizon a gap of logits is clean only from about "
            f"{short(scale)} on, near ties stay only below that, and no cut does both:"
        )
        lines += [
            f"  near ties within {short(cut['spread'])}, then "
            + ("nothing below." if cut["gap"] is None else f"a gap of {short(cut['gap'])}.")
            for cut in cuts
        ]
    holds = obstacle["holds_up_to"]
    if holds is None:
        lines.append("No smaller horizon was found for which there is a length.")
    else:
        lines.append(
            f"Up to the horizon {holds['horizon']} it would hold, with N = {holds['length']}."
        )
    return lines
