"""Two-counter machines inside two argmax layers where only small weights are dropped.

As `minsky`, with one more token #: a halting run counts once enough # follow it, because then the
relative weights of everything but "start" are dropped, or vanish. One set of weights serves every
precision. Source: [derived,
docs/theory/two_layer_argmax.md#derived-no_bound_two_layer_argmax, Theorem C6′].

Tokens: those of `minsky`, and # = |instructions| + 3. The model is positive on begin^k start
t_1 … t_r halt #^M only, with t_1 … t_r a halting run from empty counters, and tends to 1 there.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer
from verify.witnesses.minsky import (
    BEGIN,
    FIRST_INSTRUCTION,
    HALT,
    START,
    CounterMachine,
    doubling,
)
from verify.witnesses.run_lengths import Runs, as_runs
from verify.witnesses.witness import Tokens, Witness, require, zero_output


def padding(machine: CounterMachine) -> int:
    """The token #, the last of |instructions| + 4."""
    return machine.vocabulary_size


def padded_run(machine: CounterMachine, length: int, *, steps: int) -> Runs:
    """The machine's halting run, one "begin" before it, with # up to `length` tokens, as runs.

    Args:
        machine: deterministic, halting within `steps` steps.
        length: total number of tokens, any integer above that of the run.
        steps: how long the machine is run to find out.

    Raises:
        InputError: it does not halt in that time, or does not fit.
    """
    run = machine.run(steps)
    require(run is not None, "machine", machine, f"one that halts within {steps} steps")
    assert run is not None
    require(length > len(run), "length", length, f"at least {len(run) + 1}")
    return [*as_runs(run), (padding(machine), length - len(run))]


def padded_machine_model(machine: CounterMachine, precision_bits: int = 1) -> LimitTransformer:
    """The two-layer model of a machine, positive on padded halting runs only.

    Weights are 0, ±½, ±1, −3/2, ±2, 3 or ±10, the same for all p; logit margin 3 in the first
    layer and 0 in the second. Call the model, or `RunLengths(model, p)` for exact signs, inputs
    of any length and any p. A call computes in floats: at a length where a weight is exactly
    2^−p (2^(2pj), j a position) it may keep what is to be dropped.
    """
    size, pad = machine.vocabulary_size + 1, padding(machine)
    # Coordinates: own token, frequencies, previous token, logit, value, attention output,
    # result, the constant 1.
    own, share, before = (k * size + np.arange(size) for k in range(3))
    logit, value, seen, result, one = 3 * size + np.arange(5)
    width = 3 * size + 5
    steps = list(enumerate(machine.instructions, start=FIRST_INSTRUCTION))
    instructions = [k for k, _ in steps]

    embedding = np.zeros((size, width))
    embedding[own, own] = 1
    embedding[:, one] = 1
    nothing, average, previous = (np.zeros((width, width)) for _ in range(3))
    average[share, own] = 1
    previous[before, own] = 1

    rows, biases, to_logit, to_value = [], [], [], []

    def unit(row: np.ndarray, bias: float, *, into_logit: float, into_value: float) -> None:
        rows.append(row)
        biases.append(bias)
        to_logit.append(into_logit)
        to_value.append(into_value)

    def may_follow(other: int, token: int) -> bool:
        if token == pad:
            return other in (HALT, pad)
        return other != pad and machine.may_follow(other, token)

    for token in range(size):  # a local violation: a token that may not follow its predecessor
        row = np.zeros(width)
        row[token] = 1
        row[before] = [not may_follow(other, token) for other in range(size)]
        unit(row, -1.5, into_logit=10, into_value=-10)
    for counter in (0, 1):  # a count violation: below zero, or a zero test that should fail
        mine = [(k, s.operation) for k, s in steps if s.counter == counter]
        drift, down, zero = np.zeros(width), np.zeros(width), np.zeros(width)
        for k, operation in mine:
            drift[share[k]] = {"increment": -1, "decrement": 1, "zero": 0}[operation]
            down[k], zero[k] = operation == "decrement", operation == "zero"
        for row in (drift + down, drift + zero, zero - drift):
            unit(row, -1, into_logit=1, into_value=0)
    row = np.zeros(width)
    row[instructions] = row[share[START]] = 1
    unit(row, -1, into_logit=-0.5, into_value=0)
    row = np.zeros(width)
    row[START] = row[before[BEGIN]] = 1
    unit(row, -1.5, into_logit=0, into_value=2)
    writes = np.zeros((width, len(rows)))
    writes[logit], writes[value] = to_logit, to_value
    first = Layer(
        heads=(Head(nothing, average, np.zeros(2)), Head(nothing, previous, np.array([0.0, 3.0]))),
        mlp_in=np.array(rows),
        mlp_bias=np.array(biases),
        mlp_out=writes,
    )

    keys, read, ends = nothing.copy(), nothing.copy(), np.zeros((1, width))
    keys[logit, one] = read[seen, value] = 1
    keys[[BEGIN, HALT, pad], one] = -2
    read[seen, instructions] = -1
    ends[0, seen] = ends[0, pad] = 1
    last = Layer(
        heads=(Head(keys, read, np.zeros(1)),),
        mlp_in=ends,
        mlp_bias=np.array([-1.0]),
        mlp_out=np.eye(width)[:, [result]],
    )
    return LimitTransformer(
        embedding, np.zeros((1, width)), (first, last), np.eye(width)[[result]], precision_bits
    )


def padded_doubling(stages: int, precision_bits: int = 1) -> Witness:
    """A padded machine that counts to 2^stages, against the zero model: 2-fold exponential in it.

    With r = 7·2^stages + 2·stages − 6 steps and |Σ| = 7·stages + 5 the two agree exactly up to
    length 2^(2p(r + 3 − 2^p)) − 1. For p = 1 that is 4^(r+1) − 1, and from the next length on f
    exceeds 3/10; in general it is 1 from length 2^(2p(r+2)) on.

    Args:
        stages: at least 1, and so large that r ≥ 2^p.
        precision_bits: p.

    Raises:
        InputError: stages is too small; `long_input`: more tokens than 10⁹ (`padded_run` gives
            such an input as runs).
    """
    machine = doubling(stages)
    steps = 7 * 2**stages + 2 * stages - 6
    enough = f"so many that the machine takes 2^p = {2**precision_bits} steps"
    require(2**precision_bits <= steps, "stages", stages, enough)
    agree = 2 ** (2 * precision_bits * (steps + 3 - 2**precision_bits)) - 1
    reached = 2 ** (2 * precision_bits * (steps + 2))
    first_long = agree + 1 if precision_bits == 1 else reached
    f = padded_machine_model(machine, precision_bits)

    def long_input(size: int) -> Tokens:
        allowed = f"{first_long} to 10⁹ (longer ones: verify.witnesses.padded_run)"
        require(first_long <= size <= 10**9, "length", size, allowed)
        runs = padded_run(machine, size, steps=steps)
        return np.repeat([token for token, _ in runs], [times for _, times in runs])

    return Witness(
        key="derived.no_bound_two_layer_argmax",
        parameters={
            "vocabulary_size": f.vocabulary_size,
            "period": 1,
            "locality": 1,
            "heads": 2,
            "precision_bits": precision_bits,
        },
        f=f,
        g=zero_output(f),
        epsilon=Fraction(0),
        agree_up_to=agree,
        gap=Fraction(3, 10) if precision_bits == 1 else Fraction(1),
        first_long=first_long,
        long_input=long_input,
    )
