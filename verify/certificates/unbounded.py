"""Inputs of unbounded length: from which length on nothing new happens.

Let κ be the least positive difference of two logits that one query can meet, in any head of f and
g, and T ≥ 2^(p/κ). From T on every head attends to the largest logit present and to nothing else,
ties exactly shared. Hence:

*Certificates.* A choice of the window theorem that is valid up to such a horizon has κ_i⁺ = 0 in
every head that matters, so all its terms that depend on the horizon vanish: it is valid, with the
same cost, for every horizon.

*Counterexamples.* Let x be an input of such a length and n the least number of prefix positions of
a column. For s = 1, 2, … let x_s have the suffix of x; one token of each column with n + 1
positions is put aside, all other counts are multiplied by s, and the tokens put aside are added.
x_s exists (its length is ≡ |x| mod Δ, and the longer columns are the same), has the same types as
x, hence the same largest logits, and counts that are s times those of x less at most (s−1) times
the suffix and the tokens put aside. So the attention of head h differs from that at x by a total
variation of at most r_h = (τ + 1 + Δ)/M_h, M_h the number of attended positions of x, and
|f − g|(x_s) ≥ |f − g|(x) − Σ_h L_h r_h, for all s: if that is above the target, the claim fails at
lengths beyond every bound.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from verify.certificates.contexts import Context, HeadLogits
from verify.certificates.input_class import PairInputs
from verify.measure.lipschitz import head_lipschitz
from verify.model.summary import Summary


def settled_exponent(inputs: PairInputs) -> int:
    """Return the least e with 2^e ≥ 2^(p/κ) for every head; 0 if no logits differ."""
    return max(_exponent(head) for head in inputs.pair.heads)


def carried_loss(inputs: PairInputs, summary: Summary) -> Fraction:
    """Return Σ_h L_h r_h, what |f − g| can lose from x to any x_s, for x of a settled length."""
    pair = inputs.pair
    constants = [*head_lipschitz(pair.f), *head_lipschitz(pair.g)]
    leaving = pair.locality + 1 + pair.period
    return sum(
        (
            constant.least * Fraction(leaving, _attended(inputs, head, summary))
            for head, constant in zip(pair.heads, constants, strict=True)
        ),
        Fraction(0),
    )


def _exponent(head: HeadLogits) -> int:
    least: int | None = None
    for logits in head.content:
        # Wherever a bias can sit, its logit differs from those of all types by something.
        found = sorted({a + b for a in logits for b in (0, *head.bias)})
        for below, above in itertools.pairwise(found):
            least = above - below if least is None else min(least, above - below)
    return 0 if least is None else math.ceil(head.precision_bits / (least * head.unit))


def _attended(inputs: PairInputs, head: HeadLogits, summary: Summary) -> int:
    """Return the number of positions whose logit is the largest of the input."""
    pair = inputs.pair
    context = Context(summary.length % pair.period, tuple(summary.suffix.tolist()[::-1]))
    suffix = pair.lag_types(context)
    content = head.content[suffix[0]]
    masses = [(content[t], int(c)) for t, c in enumerate(summary.counts.ravel().tolist()) if c]
    masses += [(content[t] + head.bias[lag], 1) for lag, t in enumerate(suffix)]
    largest = max(logit for logit, _ in masses)
    return sum(mass for logit, mass in masses if logit == largest)
