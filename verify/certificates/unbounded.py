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
variation of at most r_h = (S_h + Δ)/M_h, where M_h positions of x are attended, S_h of them in the
suffix; r_h = 0 if all of them are. Hence |f − g|(x_s) ≥ |f − g|(x) − Σ_h L_h r_h for all s: if that
is above the target, the claim fails at lengths beyond every bound.

[docs/theory/certificates.md, Every length]
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
    loss = Fraction(0)
    for head, constant in zip(pair.heads, constants, strict=True):
        prefix, suffix = _attended(inputs, head, summary)
        if prefix:
            loss += constant.least * Fraction(suffix + pair.period, prefix + suffix)
    return loss


def _exponent(head: HeadLogits) -> int:
    least: int | None = None
    for logits in head.content:
        # Wherever a bias can sit, its logit differs from those of all types by something.
        found = sorted({a + b for a in logits for b in (0, *head.bias)})
        for below, above in itertools.pairwise(found):
            least = above - below if least is None else min(least, above - below)
    return 0 if least is None else math.ceil(head.precision_bits / (least * head.unit))


def _attended(inputs: PairInputs, head: HeadLogits, summary: Summary) -> tuple[int, int]:
    """Return how many positions of prefix and suffix have the largest logit of the input."""
    pair = inputs.pair
    context = Context(summary.length % pair.period, tuple(summary.suffix.tolist()[::-1]))
    types = pair.lag_types(context)
    content = head.content[types[0]]
    prefix = [(content[t], int(c)) for t, c in enumerate(summary.counts.ravel().tolist()) if c]
    suffix = [(content[t] + head.bias[lag], 1) for lag, t in enumerate(types)]
    largest = max(logit for logit, _ in prefix + suffix)
    before, after = (
        sum(count for logit, count in part if logit == largest) for part in (prefix, suffix)
    )
    return before, after
