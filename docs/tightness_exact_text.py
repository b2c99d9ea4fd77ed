"""What docs/tightness_exact.md says around its tables."""

PAGE = r"""<a id="tightness-exact"></a>
# The exact worst case

How much do the proved lengths give away? For small alphabets and fixed attention the worst case over
*all* pairs of models can be computed, so the least sufficient N is known exactly there. This page is
written by `python docs/tightness_exact.py`; the functions are in `verify.tightness`. What is exact, is
so for the family of models that stands above the table, not for the whole class of a theorem: a
necessary length of the class may be larger, a sufficient one is.

<a id="tightness-exact-worst"></a>
## Every input: shortest paths

**Two families.** Δ = 1, one head each, hardmax from length 2; the query is the token o. g attends to
all positions. f attends to the tokens of A and, if there are none, to the query.

- *free*: |Σ| = 3, A = {{s₁, s₂}}, no lag bias.
- *tied*: |Σ| = 2, A = {{s₁}}, and a lag bias ties the query's own position with A.

f and g are any functions that are L-Lipschitz in the total variation of the law of the tokens that
they attend to. (One-hidden-layer ReLU networks come as close as one likes, with true constant L:
Lemma 5, after [duality](theory/one_layer_argmax.md#one-layer-duality).)

**What is computed.** By [duality](theory/one_layer_argmax.md#one-layer-duality) the largest
|f − g| at x is a shortest path from g_x to f_x. Write an input with tokens of A as (θ, ν): θ the share of
s₁ among what f sees, ν the share of A among all tokens. The path's length D is continuous in (θ, ν),
so the supremum over all x is the maximum over the closure, ν = 0 included.

1. *ν = 0, free.* g_x is what the input "o" shows. One run of Dijkstra's algorithm gives D at all θ that
   short inputs show; between two neighbours it is min(D₁ + L·(θ − θ₁), D₂ + L·(θ₂ − θ)), with its maximum
   (D₁ + D₂ + L(θ₂ − θ₁))/2. No grid is needed. *Tied:* f sees w tokens s₁ and one o; w → ∞.
2. *0 < ν ≤ 1/N is no worse than ν = 0.* Let z be the first short input of a shortest path for (θ, 0). If z
   has tokens of A, then ν_z ≥ 1/N ≥ ν, and the total variation for g between (θ, ν) and z is the sum of
   the positive parts of (law of z) − (law of x) on A, at most ν_z, which it is at ν = 0. If z has none,
   what f sees of z is at distance 1 from all laws on A (free), and the path is at least ε + L long, or
   goes back at a loss (so this is used only where the worst value is below ε + L); tied, a path through z with w tokens of A and N tokens in all is no longer,
   as w/N ≤ w/(w + 1).
3. *ν ≥ 1/N*: branch and bound over boxes (θ, ν), as D changes by at most L(|Δθ| + |Δν| + ν|Δθ|). Tied: w ≥ N
   is no worse than w → ∞, since every short input shows f a larger share of o; for w < N f sees
   what a short input shows, and x is longer than N only if w > νN.

Paths are found in float64 (error below 10⁻⁹ε for L ≤ 10ε, in proportion above) and measured in exact
arithmetic; "N is enough" rests on the exact lengths and on 3, "N − 1 is not" on a difference larger
than the rounding. `verify.tightness.worst_pair` returns the two models of the duality as exact
tables; that they are L-Lipschitz, agree within ε on every short input and are D apart at x is checked in whole
numbers. A linear program over all functions on all strings (tests) gives the same.

**Least N**, exact; "one z": least N for which *one* short input serves both models. Necessary and
sufficient are `bounds.bracket` for the same |Σ|, with `true_lipschitz` (free: and without lag bias).

| f attends | target | L/ε | least N, exact | one z | necessary | sufficient |
|---|---|---|---|---|---|---|
{worst_case}

![Left: the exact worst case against N for L = 12ε. Right: the exact least N against L/ε, between what is necessary and what suffices.](tightness_exact.png)

- The 12, 20, 42 (target 3ε) and 4, 6, 12, 19, 24, 30 (target 5ε) that an earlier grid of θ had given
  are exact. At many of them the worst case *equals* the target, so that floats alone cannot decide.
- At target 3ε, tied: the exact least N is the necessary length of
  [nested levels](theory/one_layer_argmax.md#derived-lower_linf_c3), in all rows. No pair with this attention does better
  than the pair of that theorem. The sufficient length is larger by a factor that falls from
  {first_ratio} to {last_ratio}.
- At target 5ε both families grow linearly in L/ε as far as computed, while one z needs the square: the
  chain of [Theorem 2](theory/one_layer_argmax.md#derived-one_layer_linf_chain) has the power 3/2, which is known to be right for many
  tokens only. The numbers are no proof for few.

<a id="tightness-exact-average"></a>
## On average: linear programs

**Family.** Δ = 1, |Σ| = 2, uniform attention, a Dirichlet prior; f and g are functions of the share of token 1,
and f − g has the Lipschitz constant *slope*: Λ if g = 0, up to 2Λ for all pairs.

**What is computed.** sup E_T|f − g| over all pairs with E_n|f − g| ≤ ε for n ≤ N.

1. *h = |f − g| ≥ 0 is all that matters*: |h| is no steeper than h and has the same averages; and f = h, g = 0 is a pair.
2. *Finite T* is a linear program in the values of h at the shares j/n, n ≤ N, and k/T, as a Lipschitz function on
   finitely many points extends, and its positive part is no steeper. Its solution is made Lipschitz and
   scaled in rational arithmetic: the lower side is attained by a true pair.
3. *Upper side.* For y_n ≥ 0 and a measure ρ ≥ 0 such that μ = P_T − Σ y_n P_n + ρ has total mass 0,
   E_T h = ∫h dμ + Σ y_n E_n h − ∫h dρ ≤ slope·∫|μ[0, v]|dv + ε Σ y_n for every h of the class (summation by
   parts). It is evaluated in rational arithmetic from the program's dual solution.
4. *T → ∞*: the prior replaces P_T. Its distribution function is monotone, so ∫|μ[0, v]|dv is bounded exactly;
   below, h is extended as high as the slope allows. The two sides are 10⁻³ to 1 % apart.
5. *Every T* (Dir(1, 1)): beyond some T the limit decides, since |E_T h − ∫h| ≤ slope·(2T + 1)/(6T(T + 1)): the k-th of T + 1
   equal parts of [0, 1] contains k/T.

| slope/ε | N | prior | T | sup E_T/ε | A8's tents | T → ∞ |
|---|---|---|---|---|---|---|
{average}

One number: both sides agree to four digits (they are exact rational bounds at most 10⁻⁶ apart).
"A8's tents": [the pair of A8](theory/average.md#derived-lower_average_one_column) at this T, where it is prime and above N. The supremum is
much larger at primes just above N than in the limit, where it is near 3ε at all these N: a theorem about
T → ∞ alone would be about other lengths.

**Least N for target 3ε**, Dir(1, 1): exact for g = 0 (slope Λ; where N − 1 fails), exact for all pairs of Λ-Lipschitz functions
(slope 2Λ), and what is proved for Λ: necessary by A8, sufficient by
[A6](theory/average.md#derived-one_layer_average_common_order) and [A3](theory/average.md#derived-one_layer_average_nested).

| Λ/ε | exact, g = 0 | N − 1 fails at | exact, all pairs | necessary (A8) | sufficient (A6) | sufficient (A3) |
|---|---|---|---|---|---|---|
{average_length}

![Left: the worst average error against T; primes stand out. Right: the exact least N against Λ/ε.](tightness_average.png)

The exact lengths are 1 + Λ/(10ε) in all rows, for g = 0: linear, as A8 and A3 say. A8's constant 1/9 is
nearly right; what A3 and A6 lose is a constant.
"""
