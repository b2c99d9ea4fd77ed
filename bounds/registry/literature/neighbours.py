"""Results of others on neighbouring questions, so that a user can compare.

Their models and their measures of size differ from ours and from one another; each statement
says which. docs/theory.md says of each entry how far it was checked: an entry with constants
"proved" has its proof there, whatever its source; one marked second-hand is known from an
abstract, a note or a review.
"""

from __future__ import annotations

from sympy import Integer, exp, floor, log

from bounds.parameters import symbols
from bounds.scope import Hypothesis
from bounds.theorem import Direction, Formula, Source, Theorem

_N, _T = symbols.automaton_states, symbols.coefficient


def _paper(
    key: str,
    authors: str,
    title: str,
    arxiv: str,
    year: int,
    locator: str,
    second_hand: bool = True,
) -> Source:
    """The source of the entry `key`, at the anchor of the same name in docs/theory.md."""
    bibkey = key.split(".")[0]
    bibtex = (
        f"@misc{{{bibkey},\n  author = {{{authors}}},\n  title  = {{{title}}},\n"
        f"  year   = {{{year}}},\n  note   = {{arXiv:{arxiv}; {locator}}}\n}}"
    )
    others = " et al." if " and " in authors else ""
    label = f"{authors.split(',')[0]}{others} {year}, arXiv {arxiv}"
    return Source(bibkey, label, locator, bibtex, key.replace(".", "-"), second_hand)


def _chen(key: str, locator: str) -> Source:
    return _paper(
        key,
        "Chen, Thomas and Ma, Tengyu and Li, Zhiyuan",
        "Non-Asymptotic Length Generalization",
        "2506.03085",
        2025,
        locator,
    )


def _yang(key: str, locator: str) -> Source:
    return _paper(
        key,
        "Yang, Andy and Bergsträßer, Pascal and Zetzsche, Georg and Chiang, David and "
        "Lin, Anthony W.",
        "Length Generalization Bounds for Transformers",
        "2603.02238",
        2026,
        locator,
    )


def _zetzsche(key: str, locator: str) -> Source:
    return _paper(
        key,
        "Zetzsche, Georg and Jiang, Hongjian and Yang, Andy and Bergsträßer, Pascal and "
        "Sälzer, Marco and Chiang, David and Lin, Anthony W.",
        "Length Generalization for Transformers via Compression",
        "2609.08851",
        2026,
        locator,
    )


def _bohbot(key: str, locator: str) -> Source:
    return _paper(
        key,
        "Bohbot, Léa and Letrouit, Cyril and Peyré, Gabriel and Vialard, François-Xavier",
        "Token Sample Complexity of Attention",
        "2512.10656",
        2025,
        locator,
    )


CHEN_DFA = Theorem(
    key="chen2025.dfa",
    title="Finite automata: 2n − 2",
    source=_chen("chen2025.dfa", "length complexity of DFAs"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "Two complete deterministic automata with at most n states each that agree on all strings "
        "up to length 2n − 2 accept the same language (Moore). Size measure: states."
    ),
    conclusion="the languages are equal",
    parameters=("automaton_states",),
    hypotheses=(Hypothesis("exact fit on all strings up to N, the empty string included"),),
    formula=lambda: Formula(terms={"states": 2 * _N - 2}),
    exponents={"automaton_states": 1},
)

CHEN_CFG = Theorem(
    key="chen2025.cfg",
    title="Context-free grammars: no computable bound",
    source=_chen("chen2025.cfg", "equivalence of context-free grammars"),
    setting=None,
    direction=Direction.NECESSARY,
    constants="stated",
    statement="A computable length would decide the equivalence of context-free grammars.",
    conclusion="no computable training length suffices",
    no_bound=True,
)

CHEN_ONE_LAYER = Theorem(
    key="chen2025.crasp1",
    title="One-layer C-RASP: O(T²)",
    source=_chen("chen2025.crasp1", "one-layer C-RASP"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "Length complexity O(T²). Size measure: T, the largest magnitude of an integer or rational "
        "coefficient; not the input length, not bits."
    ),
    conclusion="the programs are equal",
    parameters=("coefficient", "constant"),
    defaults={"constant": 1},
    formula=lambda: Formula(terms={"coefficients": symbols.constant * _T**2}),
    exponents={"coefficient": 2},
)

CHEN_TWO_LAYERS = Theorem(
    key="chen2025.crasp2",
    title="Two-layer C-RASP, a restricted subclass: O(T^O(K))",
    source=_chen("chen2025.crasp2", "two-layer C-RASP"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "Length complexity O(T^O(K)) for a restricted subclass. Size measure: T, the largest "
        "magnitude of a coefficient, and K, the first-layer heads."
    ),
    conclusion="the programs are equal",
    parameters=("coefficient", "heads", "constant"),
    defaults={"constant": 1},
    formula=lambda: Formula(terms={"coefficients": _T ** (symbols.constant * symbols.heads)}),
    exponents={"coefficient": symbols.constant * symbols.heads},
    uncertain=(
        "The restrictions on the subclass.",
        "The constant in the exponent: C stands for it.",
    ),
)

YANG_NONE = Theorem(
    key="yang2026.none",
    title="C-RASP with two or more layers: no computable bound",
    source=_yang("yang2026.none", "C-RASP with two layers"),
    setting=None,
    direction=Direction.NECESSARY,
    constants="stated",
    statement=(
        "No computable function of the program size bounds the training length for exact learning "
        "of two-layer C-RASP, hence of transformers that round everywhere except inside attention."
    ),
    conclusion="no computable training length suffices",
    no_bound=True,
)

YANG_POSITIVE = Theorem(
    key="yang2026.positive",
    title="Positive C-RASP, fixed precision inside attention: 2^poly(size), optimal",
    source=_yang("yang2026.positive", "positive fragment"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "For the positive fragment, equivalently for transformers with fixed precision also inside "
        "attention, the length complexity is 2^poly(size), and this is optimal. Size measure: "
        "program size with constants in binary."
    ),
    conclusion="the programs are equal",
    uncertain=("The degree of the polynomial.",),
)


def _witness() -> Formula:
    d, update = symbols.counters, symbols.update
    lengths = 2 * d * log(4 * d * _N * update) / log(2)
    steps = (d + 1) * d ** (d / 2) * (_N * (_N + 1) * update) ** d
    return Formula(terms={"witness": symbols.letters * (_N * (_N + 1) + _N * lengths * steps)})


ZETZSCHE_WITNESS = Theorem(
    key="zetzsche2026.witness",
    title="Shortest accepted words of ℤ-VASS",
    source=_zetzsche("zetzsche2026.witness", "appendix"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="stated",
    statement=(
        "A vector addition system over the integers with n states, d counters, updates ≤ U and at "
        "most w letters per transition that accepts some word accepts one of length at most "
        "w(n(n+1) + n·ℓ·y), ℓ = 2d·log₂(4dnU), y = (d+1)·d^(d/2)·(n(n+1)U)^d."
    ),
    conclusion="a shorter word is accepted if any is",
    parameters=("automaton_states", "counters", "update", "letters"),
    defaults={"letters": 1},
    formula=_witness,
    exponents={"letters": 1, "update": symbols.counters},
    uncertain=("The explicit form is our reading of the appendix, not checked against a proof.",),
)

ZETZSCHE_COMPRESSION = Theorem(
    key="zetzsche2026.compression",
    title="Fragments C-RASP₊ and C-RASP₁: polynomial in compressed strings",
    source=_zetzsche("zetzsche2026.compression", "abstract"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "For transformers as captured by the fragments C-RASP₊ and C-RASP₁, a bound polynomial in "
        "size suffices if training strings are measured in compressed form (power words); the "
        "bounds before asked for doubly exponentially many samples. Size measure: compressed "
        "strings, not lengths."
    ),
    conclusion="the programs are equal",
    uncertain=("The polynomial, and what the size is.", "What the compression of a string is."),
)

BOHBOT_UNIFORM = Theorem(
    key="bohbot2026.uniform",
    title="Attention on n tokens is within C(R)/√n of infinitely many",
    source=_bohbot("bohbot2026.uniform", "abstract"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "For tokens drawn from a compactly supported (or sub-Gaussian) law, the attention map on n "
        "tokens converges uniformly on a ball of radius R to its limit at rate C(R)/√n, with C(R) "
        "exponential in R. Size measure: tokens drawn, not a training length."
    ),
    conclusion="attention on n drawn tokens is close to that on infinitely many",
    uncertain=("The constant C(R), and in which sense the rate holds: in the mean or likely.",),
)

BOHBOT_MOMENTS = Theorem(
    key="bohbot2026.moments",
    title="Moments of the tokens after attention: C′(R)/n^β, β < 1/2",
    source=_bohbot("bohbot2026.moments", "abstract"),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="implicit",
    statement=(
        "The moments of the law of the tokens after one attention layer converge at rate C′(R)/n^β "
        "with β < 1/2 and C′(R) polynomial in the size of the support; β depends on the attention "
        "and on the spectrum of the law. Size measure: tokens drawn, not a training length."
    ),
    conclusion="the moments for n drawn tokens are close to those for infinitely many",
    uncertain=("The exponent β and the polynomial.",),
)

BERGSTRAESSER = Theorem(
    key="bergstraesser2026",
    title="Unique hard attention counts to 2^(2^N) with weights of size poly(N)",
    source=_paper(
        "bergstraesser2026",
        "Bergsträßer, Pascal and Cotterell, Ryan and Lin, Anthony W.",
        "Transformers are Inherently Succinct",
        "2510.19315",
        2026,
        "succinctness",
        second_hand=False,
    ),
    setting=None,
    direction=Direction.NECESSARY,
    constants="implicit",
    statement=(
        "Transformers with unique hard attention and size poly(N) count to 2^(2^N), so a length "
        "bound in terms of weight size is at least doubly exponential. Size measure: size of the "
        "weights, not to be mixed with the others."
    ),
    conclusion="shorter lengths do not suffice",
    uncertain=("The inference from counting to training length is ours.",),
)

ZSAMBOKI = Theorem(
    key="zsamboki2025",
    title="Set complement: lengths 1 and 2",
    source=_paper(
        "zsamboki2025",
        "Zsámboki, Pál and Levi, Benjamin and others",
        "Learning What's Missing: Attention Dispersion and EMA Stabilization in Length "
        "Generalization",
        "2510.08341",
        2025,
        "set complement task",
    ),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="stated",
    statement=(
        "One attention-only layer with balanced logit displacement at lengths 1 and 2 solves the "
        "set complement task at greater lengths, with precision that decays like 2/T at length T."
    ),
    conclusion="the set complement is right at every length, with decaying precision",
    hypotheses=(Hypothesis("set complement task; one attention-only layer; balanced logits"),),
    formula=lambda: Formula(terms={"lengths 1 and 2": Integer(2)}),
)

VELICKOVIC = Theorem(
    key="velickovic2024",
    title="Softmax disperses: no attention weight stays sharp",
    source=_paper(
        "velickovic2024",
        "Veličković, Petar and Perivolaropoulos, Christos and Barbero, Federico "
        "and Pascanu, Razvan",
        "softmax is not enough (for sharp out-of-distribution)",
        "2410.01104",
        2024,
        "dispersion",
    ),
    setting=None,
    direction=Direction.FAILURE,
    constants="proved",
    statement=(
        "With logits within δ of one another, temperature θ and no scaling by length, a weight of "
        "at least c on one key is impossible beyond n = e^(δ/θ)/c keys."
    ),
    conclusion="no key has attention weight c or more",
    parameters=("logit_spread", "temperature", "attention_weight"),
    defaults={"temperature": 1},
    hypotheses=(Hypothesis("logits are not scaled with the length"),),
    formula=lambda: Formula(
        terms={
            "dispersion": exp(symbols.logit_spread / symbols.temperature) / symbols.attention_weight
        }
    ),
    exponents={"attention_weight": -1},
)

CHEN_LOGSCALE = Theorem(
    key="chen2025.logscale",
    title="Logits scaled by γ log n: transition at γ = 1/(1 − ρ)",
    source=_paper(
        "chen2025.logscale",
        "Chen, Shi and Lin, Zhengjiang and Polyanskiy, Yury and Rigollet, Philippe",
        "Critical attention scaling in long-context transformers",
        "2510.05554",
        2025,
        "phase transition",
    ),
    setting=None,
    direction=Direction.FAILURE,
    constants="stated",
    statement=(
        "With logits γ·log n·⟨y_i, y_j⟩ and cosine ρ between tokens, attention averages for "
        "γ < 1/(1 − ρ) and concentrates above: a threshold in the scale, not a length."
    ),
    conclusion="below the threshold attention averages over all tokens",
)


def _alibi() -> Formula:
    largest = Integer(2) ** (symbols.precision_bits - 1 - symbols.fraction_bits)
    far = (largest + symbols.fraction_bits * log(2)) / symbols.slope
    return Formula(terms={"locality": floor(far) + 1})


ALIBI = Theorem(
    key="alibi.locality",
    title="Effective locality of ALiBi in fixed point",
    source=_paper(
        "alibi.locality",
        "(authors not recorded)",
        "(title not recorded)",
        "2506.16055",
        2025,
        "Appendix E",
        second_hand=False,
    ),
    setting=None,
    direction=Direction.SUFFICIENT,
    constants="proved",
    statement=(
        "With p bits of fixed point, s of them fractional, and a bias −a per lag, the weight of "
        "every key is 0 from lag ⌊(M + s·ln 2)/a⌋ + 1 on, M = 2^(p−1)/2^s."
    ),
    conclusion="attention does not reach beyond this lag",
    parameters=("precision_bits", "fraction_bits", "slope"),
    hypotheses=(
        Hypothesis("scores without bias are at most M; exponentials are cut to s fractional bits"),
        Hypothesis("s < p", check=lambda v: v["fraction_bits"] < v["precision_bits"]),
        Hypothesis("logits are not scaled with the length"),
    ),
    formula=_alibi,
    exponents={"slope": -1},
    quantity="locality",
)

MEN_ROPE = Theorem(
    key="men2024.rope",
    title="RoPE: the base bounds the length of retrieval",
    source=_paper(
        "men2024.rope",
        "Men, Xin and Xu, Mingyu and Wang, Bingning and Zhang, Qingyu and "
        "Lin, Hongyu and Han, Xianpei and Chen, Weipeng",
        "Base of RoPE Bounds Context Length",
        "2405.14591",
        2024,
        "table of bases",
        second_hand=False,
    ),
    setting=None,
    direction=Direction.FAILURE,
    constants="stated",
    statement=(
        "Base b keeps retrieval up to the greatest L with Σ_i cos(m·b^(−2i/d)) ≥ 0 for all m ≤ L; "
        "docs/theory.md has the table of bases."
    ),
    conclusion="similar tokens get no more attention than random ones beyond this distance",
)

THEOREMS = (
    CHEN_DFA,
    CHEN_CFG,
    CHEN_ONE_LAYER,
    CHEN_TWO_LAYERS,
    YANG_NONE,
    YANG_POSITIVE,
    ZETZSCHE_WITNESS,
    ZETZSCHE_COMPRESSION,
    BOHBOT_UNIFORM,
    BOHBOT_MOMENTS,
    BERGSTRAESSER,
    ZSAMBOKI,
    VELICKOVIC,
    CHEN_LOGSCALE,
    ALIBI,
    MEN_ROPE,
)
