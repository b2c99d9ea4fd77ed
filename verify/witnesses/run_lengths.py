"""Two-layer models on inputs of any length, given as runs of equal tokens; enclosed outputs.

The rule is that of finite precision, nothing else: at total length T relative attention weights
T^−gap ≤ 2^−p become 0, in both layers. The first layer is computed in rationals, from the weights;
the second in intervals (python-flint), until the sign of every hidden unit is known.

A long run costs as much as a short one where the second layer's logit and value are constant from
its position τ + 2 on, as on the padding of `padded_machine` and on the a and b of `alternation`.
This is shown from both ends of the run, or refused: what a head yields there is a quotient
(u + t·v)/(m + t·w) in the number t of tokens, so every linear function of it is monotone; a hidden
unit whose range over all heads does not contain both signs is linear; and a monotone function
with equal ends is constant. Source: [derived,
docs/theory/two_layer_argmax.md#derived-no_bound_two_layer_argmax].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import flint

from bounds.precision import FLINT
from verify.errors import CertificateError, InputError, WeightsError
from verify.model.precision import is_dropped
from verify.model.transformer import LimitTransformer
from verify.witnesses.exact import ExactTwoLayer, Vector, add, apply, dot

Runs = Sequence[tuple[int, int]]
"""An input as (token, how often in a row), each at least once."""

_DIGITS = (64, 256, 1024, 4096)


class RunLengths(ExactTwoLayer):
    """A two-layer model with one output; call it on runs.

    Args:
        model: two layers, the second without lag bias, finite precision, period 1, one output.
        precision_bits: p, any positive number, or None for no dropping at all ("p = ∞");
            default: the model's.

    Raises:
        WeightsError: the model is none of these.
        InputError: precision_bits is not positive.
    """

    def __init__(
        self, model: LimitTransformer, precision_bits: Fraction | int | str | None = "model's"
    ) -> None:
        super().__init__(model, "dropped")
        if model.period != 1 or model.output_dimension != 1:
            raise WeightsError("model", model, "a model with period 1 and one output")
        if any(head.lag_bias.any() for head in model.layers[1].heads):
            raise WeightsError("model", model, "a second layer without lag bias")
        if precision_bits == "model's":
            precision_bits = model.precision_bits
        self.precision_bits = None if precision_bits is None else Fraction(precision_bits)
        if self.precision_bits is not None and self.precision_bits <= 0:
            raise InputError("precision_bits", precision_bits, "a positive number or None")

    def __call__(self, x: Runs) -> flint.arb:  # type: ignore[override]
        """The output at the last position: a ball that holds it; exactly 0 where a ReLU is off.

        Raises:
            InputError: x is empty, has a token outside 0..|Σ|−1 or an empty run.
            CertificateError: a run of more than τ + 2 tokens is not shown to be constant in the
                second layer (give it token by token), a first-layer weight is irrational, or 4096
                bits leave the sign of a hidden unit open.
        """
        size = self.model.vocabulary_size
        if not x or not all(0 <= token < size and times >= 1 for token, times in x):
            raise InputError("x", x, f"at least one run (token, times), tokens in 0..{size - 1}")
        length = sum(times for _, times in x)
        positions = list(self._positions(x, length))
        for digits in _DIGITS:
            with FLINT, flint.ctx.workprec(digits):
                output = self._output(positions, length)
            if output is not None:
                return output
        raise CertificateError("the sign of a hidden unit is not decided by 4096 bits")

    def _positions(self, x: Runs, length: int) -> Iterable[tuple[Vector, int]]:
        """The first layer's outputs that matter, with the number of positions of each."""
        reach = self.model.locality + 1
        counts = [0] * self.model.vocabulary_size  # of the tokens beyond the window
        window: tuple[int, ...] = ()

        def step(token: int) -> Vector:
            nonlocal window
            window = (*window, token)
            if len(window) > reach:
                counts[window[0]] += 1
                window = window[1:]
            return self._first_output(window, counts, length)

        for token, times in x:
            near = min(times, reach + 1)
            ends = [step(token) for _ in range(near)]
            rest = times - near
            if not rest:
                yield from ((y, 1) for y in ends)
                continue
            yield from ((y, 1) for y in ends[:-1])
            before = self._attended(window, counts, length)
            counts[token] += rest - 1  # the window is full of this token
            after = step(token)
            if not self._constant(token, before, self._attended(window, counts, length)):
                raise CertificateError(f"{times} times token {token}: not constant in layer 2")
            yield ends[-1], rest
            yield after, 1

    def _constant(self, token: int, before: Sequence[Vector], after: Sequence[Vector]) -> bool:
        """Whether logits and values are shown to be constant between these yields of the heads."""
        first, zero = self._layers[0], Fraction(0)
        own = first.hidden(self._start[token])
        ends = [(first.hidden(a), first.hidden(b)) for a, b in zip(before, after, strict=True)]
        writes_of: dict[int, Sequence[tuple[int, Fraction]]] = {}
        for unit, (bias, _, writes) in enumerate(first.units()):
            values = [(a.get(unit, zero), b.get(unit, zero)) for a, b in ends]
            least, most = (bias + own.get(unit, zero) + sum(map(f, values)) for f in (min, max))
            if least < 0 < most:
                return False
            if most > 0:
                writes_of[unit] = writes
        for a, b in zip(before, after, strict=True):
            move = add([b, {k: -v for k, v in a.items()}])
            hidden = first.hidden(move)
            moved = add(
                [
                    move,
                    *(
                        {k: w * hidden[n] for k, w in writes_of[n]}
                        for n in hidden
                        if n in writes_of
                    ),
                ]
            )
            if any(h.rows & moved.keys() or apply(h.value, moved) for h in self._layers[1].heads):
                return False
        return True

    def _output(self, positions: Sequence[tuple[Vector, int]], length: int) -> flint.arb | None:
        """The output, or None if more digits are needed."""
        last, final = self._layers[1], positions[-1][0]
        after: dict[int, flint.arb] = {k: _ball(v) for k, v in final.items()}
        for head in last.heads:
            query = apply(head.query_key, final)
            keys = [(dot(y, query), times, apply(head.value, y)) for y, times in positions]
            for k, v in self._mean(keys, length).items():
                after[k] = after.get(k, flint.arb(0)) + v
        before = dict(after)
        for bias, reads, writes in last.units():
            hidden = sum((_ball(w) * before[k] for k, w in reads if k in before), _ball(bias))
            if hidden.contains(0) and hidden != 0:
                return None
            if hidden > 0:
                for k, w in writes:
                    after[k] = after.get(k, flint.arb(0)) + _ball(w) * hidden
        readout = [(k, column[0][1]) for k, column in enumerate(self._unembedding) if column]
        return sum((_ball(w) * after[k] for k, w in readout if k in after), flint.arb(0))

    def _mean(
        self, keys: Sequence[tuple[Fraction, int, Vector]], length: int
    ) -> dict[int, flint.arb]:
        top = max(logit for logit, _, _ in keys)
        logarithm = flint.arb(length).log()
        mass, sums = flint.arb(0), dict[int, flint.arb]()
        for logit, times, value in keys:
            if self._dropped(top - logit, length):
                continue
            weight = times * (-_ball(top - logit) * logarithm).exp()
            mass += weight
            for k, v in value.items():
                sums[k] = sums.get(k, flint.arb(0)) + weight * _ball(v)
        return {k: v / mass for k, v in sums.items()}

    def _dropped(self, gap: Fraction, length: int) -> bool:
        bits = self.precision_bits
        if bits is None:
            return False
        return is_dropped(length, gap * bits.denominator, bits.numerator)


def as_runs(x: Sequence[int]) -> list[tuple[int, int]]:
    """A sequence of tokens as runs."""
    runs: list[tuple[int, int]] = []
    for token in x:
        if runs and runs[-1][0] == token:
            runs[-1] = (token, runs[-1][1] + 1)
        else:
            runs.append((token, 1))
    return runs


def _ball(number: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(number.numerator, number.denominator))
