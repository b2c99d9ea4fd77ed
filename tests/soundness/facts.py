"""What is true of one-layer argmax weights and `measure` does not say: laminar top classes.

Read off the table of logits, which is exact: the weights are small dyadic numbers.
"""

from __future__ import annotations

import itertools
import math

from verify import LimitTransformer

from .counts import OneLayer


def laminar_classes(f: LimitTransformer, g: LimitTransformer) -> bool:
    """Whether Δ = 1 and the top classes of all heads are nested or disjoint, for each query."""
    if math.lcm(f.period, g.period) != 1:
        return False
    models = [OneLayer(m, 1, max(f.locality, g.locality)) for m in (f, g)]
    return all(
        a <= b or b <= a or not a & b
        for query in range(f.vocabulary_size)
        for a, b in itertools.combinations(_top_classes(models, query), 2)
    )


def _top_classes(models: list[OneLayer], query: int) -> list[frozenset[int]]:
    """Return the prefix types with the largest logit, of every head of f and g."""
    found = []
    for model in models:
        for head in model.f.layers[0].heads:
            logits = (model.types @ (head.query_key @ model.types[query])).tolist()
            top = max(logits)
            found.append(frozenset(t for t, logit in enumerate(logits) if logit == top))
    return found
