"""Average error: the constant in total variation against the Euclidean one.

Claims: (a) from the weights, L ≤ Λ: for every value difference w, |U_o w| + Σ_k |(UB)_ok||A_k w|
is at most ‖U‖(1 + ‖B‖‖A‖)‖w‖; (b) a length of the fixed-law theorem, (1 + √(1 + 8Cs/Λ))²Λ²/(8s²)
periods for q* = 1, does not simulate within s if L stands for Λ and the vocabulary is large, and does with Λ.
"""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.covers("attack", "derived.one_layer_average_fixed")


def test_total_variation_constant_is_at_most_the_euclidean_one():
    rng = np.random.default_rng(0)
    largest = 0.0
    for _ in range(400):
        outputs, width, hidden = rng.integers(1, 6, size=3)
        scale = 10.0 ** rng.integers(-2, 3, size=3)
        read = scale[0] * rng.normal(size=(outputs, width))
        out = scale[1] * rng.normal(size=(width, hidden))
        into = scale[2] * rng.normal(size=(hidden, width))
        if rng.integers(2):  # towards equality: one direction only
            out, into = out[:, :1], into[:1]
        w = rng.normal(size=width)
        by_neuron = np.abs(read @ w) + np.abs(read @ out) @ np.abs(into @ w)
        norm = np.linalg.norm(read, 2) * (1 + np.linalg.norm(out, 2) * np.linalg.norm(into, 2))
        largest = max(largest, by_neuron.max() / (norm * np.linalg.norm(w)))
    assert 0.9 < largest <= 1 + 1e-12


def simulation_error(rng, letters, short, long, draws):
    """E|f(x) − f(z)|, z the last `short` of `long` uniform letters, f = Σ relu(share − 1/|Σ|)."""
    law = np.full(letters, 1 / letters)
    z = rng.multinomial(short, law, size=draws)
    x = z + rng.multinomial(long - short, law, size=draws)

    def f(counts, length):
        return np.maximum(counts / length - 1 / letters, 0).sum(axis=1)

    return np.abs(f(x, long) - f(z, short)).mean()


@pytest.mark.parametrize("letters", [4, 64, 1024])
def test_length_of_the_fixed_law_theorem(letters):
    s, c = 0.1, 3 + math.sqrt(2) + 2 / math.sqrt(3 + math.sqrt(2))
    # Values are the one-hot letters: diameter √2; |Σ| neurons of slope 1, read with weight 1.
    in_variation = 2.0  # from the weights: two letters, one neuron each
    euclidean = math.sqrt(letters) * math.sqrt(2)
    rng = np.random.default_rng(letters)

    def error(constant):
        share = s / constant
        length = math.ceil((1 + math.sqrt(1 + 8 * c * share)) ** 2 / (8 * share**2)) + 1
        return simulation_error(rng, letters, length, 16 * length, 200)

    assert error(euclidean) <= s
    assert (error(in_variation) > s) == (letters > 4)
