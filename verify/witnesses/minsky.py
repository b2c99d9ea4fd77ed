"""Two-counter machines inside two argmax layers: no computable length bound.

For every machine there is a model that is 1 on (an encoding of) the machine's halting run and
0 on every other input. Agreement with the zero model up to any computable length would decide
whether the machine halts. Source: [derived,
docs/theory/two_layer_argmax.md#derived-no_bound_two_layer_argmax].

Tokens: 0 begin, 1 start, 2 halt, 3 + k the k-th instruction. The accepted inputs are
begin … begin start t_1 … t_r halt, with t_1 … t_r a halting run from empty counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from verify.errors import InputError
from verify.model.transformer import LimitTransformer
from verify.model.weights import Head, Layer

BEGIN, START, HALT, FIRST_INSTRUCTION = 0, 1, 2, 3

Operation = Literal["increment", "decrement", "zero"]


@dataclass(frozen=True)
class Instruction:
    """In `state`, do `operation` on `counter` (0 or 1) if it is possible, go to `next_state`.

    "decrement" is possible on a positive counter, "zero" (a test) on an empty one.
    """

    state: str
    operation: Operation
    counter: int
    next_state: str


@dataclass(frozen=True)
class CounterMachine:
    """Instructions with a first state and a halting state; both counters start empty."""

    instructions: tuple[Instruction, ...]
    first: str
    halting: str

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens: the instructions, begin, start and halt."""
        return len(self.instructions) + FIRST_INSTRUCTION

    def accepts(self, x: Sequence[int]) -> bool:
        """Whether x is begin…begin start, a halting run, halt: by running the machine."""
        after = next((k for k, token in enumerate(x) if token != BEGIN), len(x))
        if after == 0 or after == len(x) or x[after] != START or x[-1] != HALT:
            return False
        state, counters = self.first, [0, 0]
        for token in x[after + 1 : -1]:
            if token < FIRST_INSTRUCTION:
                return False
            step = self.instructions[token - FIRST_INSTRUCTION]
            if step.state != state or not _possible(step, counters):
                return False
            counters[step.counter] += {"increment": 1, "decrement": -1, "zero": 0}[step.operation]
            state = step.next_state
        return state == self.halting

    def run(self, limit: int) -> tuple[int, ...] | None:
        """The halting run of a deterministic machine as an input; None beyond `limit` steps.

        Raises:
            InputError: two instructions are possible at once, or none before halting.
        """
        state, counters, tokens = self.first, [0, 0], [BEGIN, START]
        while state != self.halting:
            if len(tokens) - 2 >= limit:
                return None
            steps = [
                k
                for k, step in enumerate(self.instructions)
                if step.state == state and _possible(step, counters)
            ]
            if len(steps) != 1:
                raise InputError("instructions", self.instructions, f"one step from {state}")
            step = self.instructions[steps[0]]
            counters[step.counter] += {"increment": 1, "decrement": -1, "zero": 0}[step.operation]
            state = step.next_state
            tokens.append(FIRST_INSTRUCTION + steps[0])
        return (*tokens, HALT)

    def may_follow(self, before: int, token: int) -> bool:
        """Whether the encoding allows `token` right after `before` (counters aside)."""
        if before == BEGIN:
            return token in (BEGIN, START)
        if before == HALT or token in (BEGIN, START):
            return False
        state = self.first if before == START else self._step(before).next_state
        if token == HALT:
            return state == self.halting
        return self._step(token).state == state

    def _step(self, token: int) -> Instruction:
        return self.instructions[token - FIRST_INSTRUCTION]


def doubling(stages: int) -> CounterMachine:
    """The machine that counts to 1 and doubles it `stages` times; |Σ| = 7·stages + 4.

    Its only halting run, encoded, has 7·2^stages + 2·stages − 3 tokens.
    """
    if stages < 1:
        raise InputError("stages", stages, "an integer ≥ 1")
    steps = [Instruction("start", "increment", 0, "A0")]
    for k in range(stages):
        a, b, c, d, e = (f"{letter}{k}" for letter in "ABCDE")
        steps += [
            Instruction(a, "decrement", 0, b),
            Instruction(b, "increment", 1, c),
            Instruction(c, "increment", 1, a),
            Instruction(a, "zero", 0, d),
            Instruction(d, "decrement", 1, e),
            Instruction(e, "increment", 0, d),
            Instruction(d, "zero", 1, f"A{k + 1}"),
        ]
    return CounterMachine(tuple(steps), "start", f"A{stages}")


def machine_model(machine: CounterMachine, rule: Literal["hardmax", "rounded"]) -> LimitTransformer:
    """The two-layer model of a machine: 1 on accepted inputs, 0 on all others.

    Weights are 0, ±½, ±1, ±2 or ±4. Evaluate it with `ExactTwoLayer(model, rule)` and the same
    rule: "hardmax" is exact argmax attention in both layers, "rounded" (p = 1) also rounds the
    outputs of the heads. `LimitTransformer` itself rounds relative weights only, so calling the
    model gives something else.
    """
    size = machine.vocabulary_size
    # Coordinates: own token, previous token, four counter drifts ±(decrements − increments),
    # share of "start", the constant 1, violations, value, attention output, result.
    own, before = np.arange(size), size + np.arange(size)
    drift = 2 * size + np.arange(4)
    started, one, violation, value, seen, result = 2 * size + 4 + np.arange(6)
    width = 2 * size + 10

    embedding = np.zeros((size, width))
    embedding[own, own] = 1
    embedding[:, one] = 1

    average = np.zeros((width, width))
    average[started, START] = 1
    if rule == "rounded":
        average[drift, one] = 0.5
    for k, step in enumerate(machine.instructions):
        sign = {"increment": -1, "decrement": 1, "zero": 0}[step.operation]
        up, down = drift[2 * step.counter : 2 * step.counter + 2]
        average[up, FIRST_INSTRUCTION + k] = sign
        average[down, FIRST_INSTRUCTION + k] = -sign
    previous = np.zeros((width, width))
    previous[before, own] = 1

    rows, biases = [], []
    for token in range(size):  # a local violation: a token that may not follow its predecessor
        row = np.zeros(width)
        row[token] = 1
        row[before] = [not machine.may_follow(other, token) for other in range(size)]
        rows.append(row)
        biases.append(-1.0)
    for counter in (0, 1):
        up, down = drift[2 * counter : 2 * counter + 2]
        tests = [
            FIRST_INSTRUCTION + k
            for k, step in enumerate(machine.instructions)
            if step.operation == "zero" and step.counter == counter
        ]
        rows.append(np.eye(width)[up])  # more decrements than increments
        biases.append(0.0)
        for side in (up, down):  # a zero test of a counter that is not empty
            row = np.eye(width)[side]
            row[tests] = 2
            rows.append(row)
            biases.append(-2.0)
    row = np.zeros(width)
    row[BEGIN] = row[before[BEGIN]] = 1
    rows.append(row)
    biases.append(-1.0)
    writes = np.zeros((width, len(rows)))
    writes[violation, :-1] = 1
    writes[value, -1] = 1

    zero = np.zeros((width, width))
    first = Layer(
        heads=(Head(zero, average, np.zeros(2)), Head(zero, previous, np.array([0.0, 1.0]))),
        mlp_in=np.array(rows),
        mlp_bias=np.array(biases),
        mlp_out=writes,
    )
    logits, read = zero.copy(), zero.copy()
    if rule == "hardmax":
        logits[violation, one], logits[started, one] = 1, -0.5
    else:
        logits[violation, one], logits[value, one] = 4, 1
    read[seen, value] = 1
    ends = np.zeros((1, width))
    ends[0, seen] = ends[0, HALT] = 1
    last = Layer(
        heads=(Head(logits, read, np.zeros(2)),),
        mlp_in=ends,
        mlp_bias=np.array([-1.0]),
        mlp_out=np.eye(width)[:, [result]],
    )
    return LimitTransformer(
        embedding, np.zeros((1, width)), (first, last), np.eye(width)[[result]], precision_bits=1
    )


def _possible(step: Instruction, counters: Sequence[int]) -> bool:
    if step.operation == "decrement":
        return counters[step.counter] > 0
    return step.operation == "increment" or counters[step.counter] == 0
