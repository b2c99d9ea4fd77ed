"""Average errors of models over a law of inputs: by samples, or exactly for short inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.average.estimate import Estimate, estimate
from verify.average.laws import Law, Tokens
from verify.errors import InputError
from verify.model.summary import summarise
from verify.model.transformer import LimitTransformer
from verify.model.validation import as_sequence

_LARGEST_ENUMERATION = 2_000_000


def simulate_last(x: Any, n: int, *, period: int = 1, keep_first: int = 0) -> Tokens:
    """Return z: the first `keep_first` and the last n − keep_first symbols of x.

    For inputs drawn from a law whose n-sample is a part of its T-sample, z is an input of length
    n of that law. Source: [derived, Theorem A1] (keep_first = 0), [derived, Theorem C8] (τ).

    Args:
        x: (T,) tokens.
        n: length of z, 1 ≤ n ≤ T, n ≡ T (mod period).
        period: Δ of the models that shall read z.
        keep_first: how many symbols to keep at the start, 0 ≤ keep_first < n.

    Raises:
        InputError: x or n is not such.
    """
    tokens = as_sequence(x)
    whole = isinstance(n, (int, np.integer)) and not isinstance(n, bool)
    if not whole or not 1 <= n <= tokens.size or (tokens.size - n) % period:
        allowed = f"an integer 1..{tokens.size}, ≡ {tokens.size} (mod {period})"
        raise InputError("n", n, allowed)
    if not 0 <= keep_first < n:
        raise InputError("keep_first", keep_first, f"0..{n - 1}")
    end = tokens[tokens.size - n + keep_first :]
    return np.concatenate([tokens[:keep_first], end]).astype(np.int64)


def average_error(
    f: LimitTransformer,
    g: LimitTransformer,
    length: int,
    *,
    law: Law,
    samples: int = 1000,
    confidence: float = 0.99,
    largest: float | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate ‖f − g‖ = E|f(x) − g(x)| over inputs of one length, |·| the largest output.

    Args:
        f, g: models with the same number of outputs.
        length: T ≥ 1; for one-layer models and tokens that are i.i.d. given their distribution
            the cost does not depend on it.
        law: e.g. DirichletLaw(["1/2", "1/2"]).
        samples: how many inputs, at least 2.
        confidence: of the interval.
        largest: a bound on |f − g|, if known: the interval then holds for every number of
            samples (empirical Bernstein); else it is Student's t.
        seed: of the random numbers.

    Raises:
        InputError: an argument is not usable, or a model's |Σ| is not that of the law.
    """
    _check_vocabulary(law, f=f, g=g)
    values = [
        _distance(of_f[0], of_g[0])
        for of_f, of_g in _outputs((f, g), (length,), law, samples, seed, 0)
    ]
    return estimate(values, confidence=confidence, largest=largest)


def average_simulation_error(
    f: LimitTransformer,
    length: int,
    short: int,
    *,
    law: Law,
    keep_first: int = 0,
    samples: int = 1000,
    confidence: float = 0.99,
    largest: float | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate E|f(x) − f(z)|, x of length T and z = `simulate_last(x, short)`.

    Args:
        f: a model.
        length: T.
        short: n ≤ T, n ≡ T (mod Δ).
        law: of x.
        keep_first: as in `simulate_last`.
        samples, confidence, largest, seed: as in `average_error`.

    Raises:
        InputError: an argument is not usable.
    """
    _check_vocabulary(law, f=f)
    if short > length:
        raise InputError("short", short, f"at most the length, {length}")
    values = [
        _distance(*of_f)
        for (of_f,) in _outputs((f,), (length, short), law, samples, seed, keep_first)
    ]
    return estimate(values, confidence=confidence, largest=largest)


def exact_expectation(law: Law, length: int, function: Callable[[tuple[int, ...]], float]) -> float:
    """Return E function(x) by going through all |Σ|^T inputs with their exact probabilities.

    Raises:
        InputError: there are more than two million inputs.
    """
    if law.vocabulary_size**length > _LARGEST_ENUMERATION:
        allowed = f"|Σ|^T ≤ {_LARGEST_ENUMERATION} inputs to enumerate"
        raise InputError("length", length, allowed)
    total = 0.0
    mass = Fraction(0)
    for x in itertools.product(range(law.vocabulary_size), repeat=length):
        probability = law.probability(x)
        mass += probability
        if probability:
            total += float(probability) * function(x)
    assert mass == 1, "the probabilities of a law add up to 1"
    return total


def exact_average_error(
    f: LimitTransformer, g: LimitTransformer, length: int, *, law: Law
) -> Estimate:
    """Return ‖f − g‖ at one length exactly (up to float rounding), by enumeration."""
    _check_vocabulary(law, f=f, g=g)
    of_f, of_g = cached(f), cached(g)
    value = exact_expectation(law, length, lambda x: _distance(of_f(x), of_g(x)))
    return Estimate(value, value, value, 0, 1.0, "exact")


def exact_simulation_error(
    f: LimitTransformer, length: int, short: int, *, law: Law, keep_first: int = 0
) -> Estimate:
    """Return E|f(x) − f(z)| exactly (up to float rounding), by enumeration."""
    _check_vocabulary(law, f=f)
    of_f = cached(f)

    def distance(x: tuple[int, ...]) -> float:
        z = simulate_last(x, short, period=f.period, keep_first=keep_first)
        return _distance(of_f(x), of_f(tuple(z.tolist())))

    value = exact_expectation(law, length, distance)
    return Estimate(value, value, value, 0, 1.0, "exact")


def cached(f: LimitTransformer) -> Callable[[tuple[int, ...]], npt.NDArray[np.float64]]:
    """Return f with a memory: a one-layer model is asked once per Summary."""
    known: dict[Any, npt.NDArray[np.float64]] = {}
    one_layer = len(f.layers) == 1

    def value(x: tuple[int, ...]) -> npt.NDArray[np.float64]:
        key: Any = (
            summarise(np.array(x), f.vocabulary_size, f.period, f.locality) if one_layer else x
        )
        if key not in known:
            known[key] = f.of_summary(key) if one_layer else f(x)
        return known[key]

    return value


def _outputs(
    models: tuple[LimitTransformer, ...],
    lengths: tuple[int, ...],
    law: Law,
    samples: int,
    seed: int,
    keep_first: int,
) -> Iterator[tuple[list[npt.NDArray[np.float64]], ...]]:
    """For each sample: the outputs of each model on the ends of one input, through `lengths`."""
    if isinstance(samples, bool) or samples < 2:
        raise InputError("samples", samples, "an integer ≥ 2")
    first = models[0]
    same = all((m.period, m.locality) == (first.period, first.locality) for m in models)
    by_counts = all(len(m.layers) == 1 for m in models) and same and keep_first == 0
    rng = np.random.default_rng(seed)
    for _ in range(samples):
        if by_counts:
            found = law.summaries(rng, lengths, first.period, first.locality)
            yield tuple([m.of_summary(s) for s in found] for m in models)
        else:
            x = law.tokens(rng, max(lengths))
            yield tuple(
                [m(simulate_last(x, n, period=m.period, keep_first=keep_first)) for n in lengths]
                if len(lengths) > 1
                else [m(x)]
                for m in models
            )


def _distance(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    return float(np.abs(a - b).max())


def _check_vocabulary(law: Law, **models: LimitTransformer) -> None:
    for name, model in models.items():
        if model.vocabulary_size != law.vocabulary_size:
            allowed = f"|Σ| = {law.vocabulary_size} tokens, as in the law"
            raise InputError(name, model, allowed)
    sizes = {m.output_dimension for m in models.values()}
    if len(sizes) > 1:
        raise InputError("g", models["g"], "the number of outputs of f")
