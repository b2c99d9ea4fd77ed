"""`python -m verify`: check the simulations on built-in models, or on a text of yours."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

from bounds.console import BAD_ARGUMENT, INTERRUPTED, as_command, json_text, show
from bounds.numbers import exact
from bounds.version import version
from verify import figures
from verify.certificates.window import LIMIT
from verify.checks.campaign import Campaign
from verify.checks.check import extend, new_report, standard_inputs
from verify.checks.check_softmax import check_softmax, fixed_family
from verify.checks.inputs import Given, Input, Tokens, text_tokens
from verify.checks.pairs import BUILT_IN
from verify.checks.replay import replay
from verify.checks.report import Report, summary_table
from verify.checks.slope_report import SLOPE_NOTE, SlopeReport, SlopeRow, slope_summary
from verify.checks.softmax_pairs import SOFTMAX_BUILT_IN
from verify.commands.campaign import run_campaign
from verify.commands.prove import (
    EXIT_CODES,
    HORIZON,
    TARGET,
    Proof,
    opening_pairs,
    proof_table,
    prove_files,
    prove_pairs,
    stored_pairs,
)
from verify.errors import InputError
from verify.lengths import Length, to_json
from verify.simulation import OneLayerSimulator, simulator
from verify.simulation.argmax.controls import CONTROLS
from verify.simulation.result import Simulation
from verify.simulation.softmax.controls import CONTROLS as SOFTMAX_CONTROLS

HOLDS, COUNTEREXAMPLE = 0, 1

_SECONDS_BETWEEN_LINES = 10.0
"""How often progress is reported where no terminal shows it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        Exit code: 0 nothing failed, 1 counterexample, 2 bad argument, 3 internal error, 130
        interrupted.
    """
    return as_command("python -m verify", lambda: _command(arguments))


def _command(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.replay is not None:
            return _replay(options.replay, as_json=options.json)
        if options.campaign is not None:
            return _campaign(options)
        if options.prove is not None:
            return _prove(options)
        if options.jobs is not None:
            raise InputError("--jobs", options.jobs, "nothing without --campaign FILE")
        for name in ("target", "from_length", "limit"):
            if getattr(options, name) is not None:
                option = "--" + name.replace("_", "-")
                raise InputError(option, getattr(options, name), "nothing without --prove F G")
        return _run(options)
    except InputError as error:
        parser.exit(BAD_ARGUMENT, f"{parser.prog}: error: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m verify",
        description="Shorten long inputs of built-in models and test all that is proved of the "
        "short ones. Finite precision: |z| ≤ N, and errors of f and g at most ε. Softmax: errors "
        "at most the proven one at every length n, with fitted slopes.",
        epilog="Exit code: 0 no counterexample, 1 a counterexample was found and saved, 2 bad "
        "argument, 3 internal error, 4 open (with --prove), 130 interrupted (what was done is "
        "saved). Verdicts: holds; "
        "vacuous: the proven error is at least what the error can be for any z, so nothing could "
        "have failed; not shortened: z = x; no claim: nothing is proved of this z; FAILS.",
    )
    parser.add_argument("--version", action="version", version=f"lgbounds {version()}")
    parser.add_argument(
        "--text",
        metavar="FILE",
        help="also check this text: characters as tokens, rare ones pooled",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="verify-out",
        help="folder for verify.json, verify.png and slopes.png; of a campaign",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON, no tables")
    parser.add_argument(
        "--epsilon", type=_positive, metavar="E", help="ε for every pair, e.g. 1/10"
    )
    parser.add_argument(
        "--length", type=_count, default=10**6, metavar="T", help="length of the long token inputs"
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="NAME",
        choices=[*BUILT_IN, *SOFTMAX_BUILT_IN],
        help=f"which pairs f, g; finite precision: {', '.join(BUILT_IN)}; "
        f"softmax: {', '.join(SOFTMAX_BUILT_IN)}; default: all that --control covers",
    )
    parser.add_argument("--seed", type=_seed, default=0, help="first seed of the inputs")
    parser.add_argument(
        "--control",
        choices=list(CONTROLS),
        help="run a known-wrong map, to see the check fail; softmax pairs have "
        f"{', '.join(SOFTMAX_CONTROLS)} only",
    )
    parser.add_argument("--replay", metavar="FILE", help="run saved counterexamples again")
    parser.add_argument(
        "--prove",
        nargs=2,
        metavar=("F", "G"),
        help="decide whether two saved one-layer models stay within --target on every input up to "
        "--horizon; exit code 0 proved, 1 refuted, 4 open",
    )
    parser.add_argument(
        "--target",
        type=_positive,
        metavar="E",
        help="with --prove: the error allowed; default 3/10",
    )
    parser.add_argument(
        "--horizon",
        type=_horizon,
        default=HORIZON,
        metavar="T",
        help="with --prove: longest length, such as 2**20 (default), or none for every length",
    )
    parser.add_argument(
        "--from-length",
        type=_count,
        metavar="T",
        help="with --prove: shortest length; by default as short as can be",
    )
    parser.add_argument(
        "--limit",
        type=_count,
        metavar="K",
        help=f"with --prove: the largest number of evaluations; default {LIMIT:,}",
    )
    parser.add_argument(
        "--campaign",
        metavar="FILE",
        help="answer every claim of a TOML file for every pair in it (docs/campaigns.md); run "
        "again, it goes on where it stopped; exit code 1 if a claim is refuted or fails, else 3 if "
        "a case crashed, else 2 if a pair is not covered, else 4 if a claim is open",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="with --campaign: number of worker processes; default: one for each core",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="open with the proofs for all stored models, not for six",
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    out = _folder(options.out)
    saved = [out / "verify.json"]
    campaign = Campaign(_names(options), _plain_options(options))
    interrupted = False
    try:
        if options.pairs is None and options.control is None:
            _stored_proofs(campaign, options)
            campaign.save(saved[0])
        for name in campaign.planned:
            run = _slopes if name in SOFTMAX_BUILT_IN else _errors
            run(name, campaign, options)
            campaign.save(saved[0])
            if not options.json:
                show(campaign.found[name].table(), end="\n\n")
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted; saving what was done", file=sys.stderr)
    campaign.save(saved[0])
    saved += _figures(campaign, out)
    if options.json:
        show(json_text(campaign.to_dict()))
    else:
        show(_summary(campaign, saved))
    if campaign.missing:
        print(f"not finished: {', '.join(campaign.missing)}", file=sys.stderr)
    if campaign.holds is False:
        print(
            f"counterexample found; see it again: python -m verify --replay {saved[0]}",
            file=sys.stderr,
        )
        return COUNTEREXAMPLE
    return INTERRUPTED if interrupted else HOLDS


def _stored_proofs(campaign: Campaign, options: argparse.Namespace) -> None:
    """The headline: what is proved of trained models at every length up to 2²⁰."""
    pairs = stored_pairs() if options.all else opening_pairs()
    proofs: list[Proof] = []
    for number, proof in enumerate(prove_pairs(pairs), 1):
        campaign.proofs.append(proof.to_dict())
        done = f"proofs: {number}/{len(pairs)}"
        if sys.stderr.isatty():
            print(f"\r{done}\033[K", end="", file=sys.stderr, flush=True)
        proofs.append(proof)
    if not options.json:
        show(proof_table(proofs), end="\n\n")


def _prove(options: argparse.Namespace) -> int:
    """Decide for two saved models; the verdict is saved beside the others."""
    proof = prove_files(
        options.prove,
        options.target or TARGET,
        options.horizon,
        options.from_length,
        options.limit or LIMIT,
    )
    saved = _folder(options.out) / "proof.json"
    proof.verdict.save(saved)
    certificate = None
    if proof.verdict.proof is not None:
        certificate = _folder(options.out) / "certificate.json"
        proof.verdict.certificate().save(certificate)
    if options.json:
        show(json_text(proof.to_dict()))
    else:
        files = saved if certificate is None else f"{saved}, {certificate}"
        show(f"{proof.verdict.explain()}\n\nsaved: {files}")
    return EXIT_CODES[proof.verdict.status]


def _campaign(options: argparse.Namespace) -> int:
    """Every claim of a file on every pair in it."""
    jobs = -1 if options.jobs is None else options.jobs
    return run_campaign(options.campaign, _folder(options.out), jobs, as_json=options.json)


def _names(options: argparse.Namespace) -> list[str]:
    """The pairs to run; by default all that the control, if there is one, covers."""
    covered = options.control is None or options.control in SOFTMAX_CONTROLS
    names = options.pairs or [*BUILT_IN, *(SOFTMAX_BUILT_IN if covered else ())]
    softmax = [name for name in names if name in SOFTMAX_BUILT_IN]
    if softmax and not covered:
        allowed = f"{', '.join(SOFTMAX_CONTROLS)} for softmax pairs ({', '.join(softmax)})"
        raise InputError("--control", options.control, allowed)
    # Softmax pairs last, each pair once.
    return [*dict.fromkeys([*(n for n in names if n in BUILT_IN), *softmax])]


def _plain_options(options: argparse.Namespace) -> dict[str, Any]:
    """What the run was asked for, as the report has it."""
    wanted = ("pairs", "epsilon", "length", "seed", "control", "text")
    given = {name: getattr(options, name) for name in wanted}
    return given | {"epsilon": None if options.epsilon is None else str(options.epsilon)}


def _errors(name: str, campaign: Campaign, options: argparse.Namespace) -> None:
    """Check one pair of finite precision."""
    pair = BUILT_IN[name]()
    run = simulator(
        pair.f, pair.g, epsilon=options.epsilon or pair.epsilon, control=options.control
    )
    report = new_report(run, pair.name)
    campaign.found[name] = report
    extend(report, run, _inputs(run, options), _Progress(name))


def _slopes(name: str, campaign: Campaign, options: argparse.Namespace) -> None:
    """Check one softmax pair on the default inputs and on texts."""
    pair = SOFTMAX_BUILT_IN[name]()
    texts = {
        f"text {path.name}": tokens[: options.length]
        for path, tokens in _texts(pair.f.vocabulary_size, options)
    }
    shown = _Progress(name)

    def progress(report: SlopeReport, row: SlopeRow, total: int) -> None:
        campaign.found[name] = report
        shown(report, row, total)

    campaign.found[name] = check_softmax(
        pair.f,
        pair.g,
        epsilon=options.epsilon or pair.epsilon,
        length=options.length,
        seed=options.seed,
        name=pair.name,
        progress=progress,
        control=options.control,
        more={label: fixed_family(x) for label, x in texts.items()},
    )


def _texts(vocabulary_size: int, options: argparse.Namespace) -> list[tuple[Path, Tokens]]:
    """The sample text and the one of the user, as tokens."""
    with resources.as_file(resources.files("verify") / "data" / "sample.txt") as sample:
        paths = [sample, *([Path(options.text)] if options.text else [])]
        return [(path, text_tokens(path, vocabulary_size)) for path in paths]


def _figures(campaign: Campaign, out: Path) -> list[Path]:
    """Draw what there is; return the files."""
    saved = []
    reports = [report for report in campaign.reports if report.rows]
    slopes = [report for report in campaign.slopes if report.rows]
    if reports:
        saved.append(out / "verify.png")
        figures.check_figure(reports).savefig(saved[-1], dpi=200)
    if slopes:
        saved.append(out / "slopes.png")
        figures.slopes_figure(slopes).savefig(saved[-1], dpi=200)
    return saved


def _summary(campaign: Campaign, saved: Sequence[Path]) -> str:
    """One line per pair, and where the files are."""
    parts = []
    if campaign.reports:
        parts.append(summary_table(campaign.reports))
    if campaign.slopes:
        parts += [slope_summary(campaign.slopes), SLOPE_NOTE]
    return "\n\n".join([*parts, f"saved: {', '.join(map(str, saved))}"])


def _inputs(run: OneLayerSimulator, options: argparse.Namespace) -> list[Input]:
    inputs = standard_inputs(run, length=options.length, seed=options.seed)
    for _, tokens in _texts(run.f.vocabulary_size, options):
        inputs.append(Input("text", 0, tokens.size, Given(tokens)))
        if tokens.size < options.length:
            inputs.append(Input("text repeated", 0, options.length, Given(tokens, options.length)))
    return inputs


class _Progress:
    """One line on standard error: rewritten after every row, or every ten seconds in a log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = self.last = time.monotonic()

    def __call__(self, report: Report | SlopeReport, row: object, total: int) -> None:
        done, now = len(report.rows), time.monotonic()
        line = f"{self.name}: {done}/{total} rows, {now - self.started:.0f} s"
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\r{line}\033[K", end=end, file=sys.stderr, flush=True)
        elif done == total or now - self.last >= _SECONDS_BETWEEN_LINES:
            self.last = now
            print(line, file=sys.stderr, flush=True)


def _replay(path: str, *, as_json: bool) -> int:
    simulations = replay(path)
    lines: list[dict[str, Any]] = [
        {
            "length": to_json(s.input_length),
            "short_length": to_json(s.length),
            "limit": None if s.limit is None else to_json(s.limit),
            "error_f": s.error_f,
            "error_g": s.error_g,
            "violations": list(s.violations),
        }
        | (
            {"proven_error": s.proven_error}
            if isinstance(s, Simulation)
            else {"epsilon": str(s.epsilon)}
        )
        for s in simulations
    ]
    if as_json:
        show(json_text(lines))
    else:
        for s in simulations:
            verdict = "; ".join(s.violations) or "holds now"
            show(f"T = {Length(s.input_length):,}, |z| = {Length(s.length):,}: {verdict}")
    return HOLDS if all(s.holds for s in simulations) else COUNTEREXAMPLE


def _folder(name: str) -> Path:
    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError("--out", name, f"a folder that can be written ({error})") from None
    return path


def _positive(text: str) -> Fraction:
    try:
        value: Any = exact(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: {error}") from None
    if value <= 0:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: a number > 0")
    return Fraction(value)


def _horizon(text: str) -> int | None:
    """An integer, a power such as 2**20, or none."""
    if text.lower() == "none":
        return None
    base, _, power = text.partition("**")
    number, exponent = _integer(base, 1), _integer(power, 0) if power else 1
    if number.bit_length() * exponent > 1024:  # `prove` itself allows up to 2^900
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: at most 2**900")
    return int(number**exponent)


def _count(text: str) -> int:
    return _integer(text, 1)


def _jobs(text: str) -> int:
    jobs = _integer(text, -(2**20))
    if jobs == 0:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: an integer, −1 for all cores")
    return jobs


def _seed(text: str) -> int:
    return _integer(text, 0)


def _integer(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: an integer, at least {least}")
    return value


if __name__ == "__main__":
    sys.exit(main())
