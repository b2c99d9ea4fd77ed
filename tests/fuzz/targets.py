"""What is read from outside, and the errors that it may raise: anything else is a finding.

A target takes bytes. It passes if the reader takes them or refuses them with its documented
error, in one message of a readable length.
"""

from __future__ import annotations

import atexit
import contextlib
import gzip
import io
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import bounds
import bounds.__main__
import verify
import verify.__main__
from bounds.depth_constants import DepthConstants
from bounds.parameters import PARAMETERS
from tests.fuzz.draw import HOSTILE, NUMBERS, TEXTS, Draw, as_bytes, damaged, mutated
from tests.helpers.calls import argmax_pair
from verify.certificates.direct.certificate import EnclosureCertificate
from verify.certificates.saved import SavedCertificate
from verify.checks.inputs import text_tokens
from verify.checks.pairs import nested_pair
from verify.checks.replay import replay
from verify.checks.slopes import measure_slopes
from verify.errors import CertificateError, InputError, VerifyError, WeightsError
from verify.model.foreign.state import read_state
from verify.training import store

LONGEST_MESSAGE = 20_000
FOLDER = Path(
    tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
)
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


@contextlib.contextmanager
def refuses(*allowed: type[Exception]) -> Iterator[None]:
    """Let these errors pass, if a person could read their message."""
    try:
        yield
    except allowed as error:
        length = len(str(error))
        assert 0 < length < LONGEST_MESSAGE, f"a message of {length} characters"


def file_of(content: bytes, name: str = "file") -> Path:
    path = FOLDER / name
    path.write_bytes(content)
    return path


# Weights.


@cache
def weights() -> bytes:
    path = FOLDER / "valid.safetensors"
    argmax_pair()[0].save(path)
    return path.read_bytes()


def safetensors(header: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def load_weights(content: bytes) -> None:
    path = file_of(content)
    with refuses(InputError, WeightsError):
        verify.LimitTransformer.load(path)([0, 1, 0])
    with refuses(InputError):
        read_state(path)
    with refuses(InputError):
        store.read_weights(path)


def weights_bytes(data: bytes) -> None:
    """A file of weights, its bytes damaged; or any bytes at all."""
    draw = Draw(data)
    load_weights(draw.rest() if draw.number(4) == 0 else damaged(weights(), draw))


def weights_header(data: bytes) -> None:
    """A file of weights whose header says something else."""
    draw = Draw(data)
    size = struct.unpack("<Q", weights()[:8])[0]
    header = json.loads(weights()[8 : 8 + size])
    if draw.number(2):
        names = ("heads", "precision_bits", "format", "version")
        texts = (*TEXTS, "1," * 5000, "1,1", "2", "8", "9" * 900, "1" * 5000, "１", "8 ", "-8")
        header["__metadata__"][draw.one_of(names)] = draw.one_of(texts)
    else:
        header = mutated(header, draw)
    load_weights(safetensors(as_bytes(header), weights()[8 + size :]))


# Certificates.


def tiny(slope: float, precision_bits: int | None) -> verify.LimitTransformer:
    """Two tokens, one head: the share of token 1, or half of it."""
    head = verify.Head([[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, slope]], [0.0])
    layer = verify.Layer((head,))
    return verify.LimitTransformer([[1, 0], [1, 1]], [[0, 0]], (layer,), [[0, 1]], precision_bits)


@cache
def certificates() -> tuple[tuple[Any, Any], ...]:
    """Certificates of the three formats, each with its pair."""
    found: list[tuple[Any, Any]] = []
    for bits, horizon in ((2, 40), (None, None)):
        pair = tiny(1.0, bits), tiny(0.75, bits)
        found.append((verify.certify(*pair, epsilon="1/10", horizon=horizon), pair))
        proof = verify.prove(*pair, target="3/10", horizon=horizon)
        found.append((proof.certificate(), pair))
    return tuple((certificate.to_dict(), pair) for certificate, pair in found)


def read_certificate(content: bytes, pair: Any) -> None:
    path = file_of(content)
    for kind in (SavedCertificate, EnclosureCertificate):
        with refuses(InputError):
            found = kind.load(path)
            assert len(repr(found)) > 0
            assert isinstance(found.to_dict(), dict)
            if isinstance(found, SavedCertificate):
                _look_at(found)
            else:
                assert isinstance(found.high, Fraction)
                assert found.cells >= 0
                with refuses(InputError):
                    verify.enclose(
                        *pair, horizon=found.data.get("horizon"), limit=2000, resume=found
                    )
    with refuses(InputError, CertificateError):
        verify.recheck(path, *pair)


def _look_at(found: SavedCertificate) -> None:
    assert (found.length is None) == (found.window is None)
    assert isinstance(found.epsilon, Fraction)
    assert isinstance(found.target, Fraction)
    assert found.cost is None or isinstance(found.cost, Fraction)
    assert found.horizon is None or found.horizon >= 1
    assert found.context is None or isinstance(found.context, dict)
    with refuses(CertificateError):
        found.explain()


def certificate_bytes(data: bytes) -> None:
    """A certificate, its bytes damaged; or any bytes at all."""
    draw = Draw(data)
    valid, pair = draw.one_of(certificates())
    content = draw.rest() if draw.number(4) == 0 else damaged(as_bytes(valid), draw)
    read_certificate(content, pair)


def certificate_fields(data: bytes) -> None:
    """A certificate in which some values are others."""
    draw = Draw(data)
    valid, pair = draw.one_of(certificates())
    read_certificate(as_bytes(mutated(valid, draw)), pair)


# Reports.


@cache
def reports() -> tuple[Any, ...]:
    """Reports with counterexamples of both kinds, and both in one file."""
    pair = nested_pair()
    x = verify.inputs.make("counts_even", 0, 10**7, vocabulary_size=3)
    report = verify.check(pair.f, pair.g, epsilon=pair.epsilon, inputs=[x], control="truncated")
    x = np.array([0, 1] * 100 + [0] * 50)
    slopes = measure_slopes(
        tiny(1.0, None), lengths=[50], control="truncated", families={"late": lambda n: x}
    )
    both = report.to_dict(), slopes.to_dict()
    assert all(found["counterexamples"] for found in both)
    return (*both, {"reports": [both[0]], "slopes": [both[1]]})


def read_report(content: bytes) -> None:
    with refuses(InputError):
        for found in replay(file_of(content)):
            assert isinstance(found.holds, bool)
            repr(found)


def report_bytes(data: bytes) -> None:
    """A report, its bytes damaged; or any bytes at all."""
    draw = Draw(data)
    valid = draw.one_of(reports())
    read_report(draw.rest() if draw.number(4) == 0 else damaged(as_bytes(valid), draw))


def report_fields(data: bytes) -> None:
    """A report in which some values are others."""
    draw = Draw(data)
    read_report(as_bytes(mutated(draw.one_of(reports()), draw)))


# Tables of experiments, and texts.


def rows_bytes(data: bytes) -> None:
    """A gzipped table: its bytes, or what is in it."""
    draw = Draw(data)
    table = b"experiment,loss,config_digest\ntiny,0.5,abc\ntiny,1e-300,abc\n"
    kind = draw.number(3)
    if kind == 0:
        content = draw.rest()
    elif kind == 1:
        content = damaged(gzip.compress(table, mtime=0), draw)
    else:
        content = gzip.compress(damaged(table, draw), mtime=0)
    with refuses(InputError):
        for row in store.read_rows(file_of(content)):
            assert all(isinstance(name, str) for name in row)


def text_bytes(data: bytes) -> None:
    """A text whose characters are tokens."""
    with refuses(InputError):
        x = text_tokens(file_of(data), 3)
        assert 0 <= x.min() <= x.max() < 3


# What `bounds` reads.

CONSTANTS = {
    "f": [
        {"lipschitz": "2", "locality": 1, "heads": [{"logit_range": "1", "value_diameter": "1/2"}]},
        {
            "lipschitz": "3/2",
            "locality": 0,
            "heads": [
                {"logit_range": "1/3", "value_diameter": "1", "value_rank": 2, "lag_bias": "none"}
            ],
        },
    ]
}


def depth_constants(data: bytes) -> None:
    """Constants of every layer as JSON text."""
    draw = Draw(data)
    kind = draw.number(3)
    if kind == 0:
        text = draw.rest().decode("utf-8", "replace")
    elif kind == 1:
        text = damaged(as_bytes(CONSTANTS), draw).decode("utf-8", "replace")
    else:
        text = as_bytes(mutated(CONSTANTS, draw)).decode("utf-8", "surrogatepass")
    with refuses(ValueError):
        DepthConstants.read(text).brief()
    with refuses(bounds.BoundsError):
        given = {"epsilon": "1/10", "vocabulary_size": 3, "positional_margin": 1, "locality": 1}
        answer = bounds.required_length(
            error="linf", attention="softmax", layers=2, depth_constants=text, **given
        )
        json.dumps(answer.to_dict())


VALUES = (
    *("1/10", "0.1", "1e-3", "1", "2", "3", "8", "1/3", "7/5", "100", "1e30", "1e-30", "1e-5000"),
    *("1e9999", "5e-324", "1e308", "10**5", "--", "-1", "0", "1/0", "1,2", "1e10000", "999999999"),
    *(text for text in TEXTS if "\0" not in text),
)


def run_line(main: Callable[[list[str]], int], arguments: list[str], codes: set[int]) -> None:
    """Run a command line; it answers with one of these exit codes, never with a traceback."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = main(arguments)
        except SystemExit as end:
            code = end.code
    assert code in codes, (code, arguments, err.getvalue()[-3000:])
    assert "Traceback" not in err.getvalue(), err.getvalue()[-3000:]
    assert (code in (0, 1, 4)) or err.getvalue()
    assert len(err.getvalue()) < LONGEST_MESSAGE


def bounds_line(data: bytes) -> None:
    """A command line of `python -m bounds`."""
    draw = Draw(data)
    keywords = [row.keyword for row in PARAMETERS]
    arguments: list[str] = []
    if draw.number(3):  # one that would be answered, before more is added to it
        arguments = [
            "--epsilon",
            "1/10",
            "--lipschitz",
            "1",
            "--vocabulary-size",
            "3",
            "--period",
            "2",
            "--locality",
            "1",
        ]
        arguments += ["--precision-bits", "8", "--margin", "1"]
    while not draw.empty and len(arguments) < 30:
        name = draw.one_of(keywords)
        option = f"--{name.replace('_', '-')}"
        kind = draw.number(12)
        if kind < 6:
            arguments += [option, draw.one_of(VALUES)]
        elif kind == 6:
            values = ",".join(draw.one_of(VALUES) for _ in range(1 + draw.number(3)))
            arguments += ["--sweep", f"{name}={values}"]
        elif kind == 7:
            arguments += [
                "--solve",
                name,
                "--length",
                draw.one_of(("1", "4096", "-1", "x", "9" * 4000)),
            ]
        elif kind == 8:
            arguments += [
                draw.one_of(("--json", "--bracket", "--list", "--assume", "--theorem", "-h"))
            ]
        elif kind == 9:
            settings = (
                "argmax",
                "softmax",
                "linf",
                "average",
                "1",
                "2",
                "3",
                "0",
                "10**9",
                "1000000",
            )
            arguments += [
                draw.one_of(("--attention", "--error", "--layers")),
                draw.one_of(settings),
            ]
        elif kind == 10:
            arguments += ["--theorem", draw.one_of([t.key for t in bounds.theorems()])]
        else:
            arguments += [
                draw.one_of((*VALUES, option + "=1", option[:-1], "\ud800", "@/dev/zero"))
            ]
    run_line(bounds.__main__.main, arguments, {0, 1, 2})


def verify_line(data: bytes) -> None:
    """A command line of `python -m verify` with `--prove` or `--replay`."""
    draw = Draw(data)
    good = [str(file_of(weights(), "f.safetensors")), str(_target())]
    files = (
        *good,
        *good,
        str(FOLDER),
        "/dev/zero",
        "",
        "nowhere",
        "../" * 40 + "etc/passwd",
        "a\0b",
        "\ud800",
    )
    arguments = ["--out", str(FOLDER / "out")]
    if draw.number(4):
        arguments += ["--prove", draw.one_of(files), draw.one_of(files), "--limit", "300"]
    else:
        arguments += ["--replay", draw.one_of(files)]
    options = (
        "--target",
        "--horizon",
        "--from-length",
        "--limit",
        "--epsilon",
        "--length",
        "--seed",
    )
    while not draw.empty and len(arguments) < 20:
        values = ("none", "2**20", "2**900", "2**1000000", "9**9**9", "2**-1", "1e3", *VALUES)
        arguments += [draw.one_of((*options, "--json", "--out")), draw.one_of(values)]
        if arguments[-2] == "--json":
            arguments.pop()
        if arguments[-2] == "--out":
            arguments[-1] = draw.one_of((good[0], str(FOLDER / "out"), "a\0b", "/dev/null/x"))
    run_line(verify.__main__.main, arguments, {0, 1, 2, 4})


@cache
def _target() -> Path:
    path = FOLDER / "g.safetensors"
    argmax_pair()[1].save(path)
    return path


# Numbers.


def numbers(data: bytes) -> None:
    """Values of every type for the parameters of a length."""
    draw = Draw(data)
    given: dict[str, Any] = {
        **{"epsilon": "1/10", "lipschitz": 1, "vocabulary_size": 3, "period": 2},
        **{
            "locality": 1,
            "precision_bits": 8,
            "margin": 1,
            "positional_margin": 1,
            "logit_range": 1,
        },
    }
    keywords = [row.keyword for row in PARAMETERS]
    for _ in range(1 + draw.number(3)):
        given[draw.one_of(keywords)] = draw.one_of((*HOSTILE, *NUMBERS, *VALUES))
    cell = {
        "error": draw.one_of(("linf", "average")),
        "attention": draw.one_of(("argmax", "softmax")),
        "layers": draw.one_of((1, 2, 3)),
    }
    with refuses(bounds.BoundsError):
        answer = bounds.required_length(**cell, **given)
        json.dumps(answer.to_dict(), allow_nan=False)
        answer.explain()
    with refuses(bounds.BoundsError):
        bounds.bracket(**cell, **given).to_dict()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        *(weights_bytes, weights_header, certificate_bytes, certificate_fields),
        *(report_bytes, report_fields, rows_bytes, text_bytes),
        *(depth_constants, bounds_line, verify_line, numbers),
    )
}
ALLOWED = (bounds.BoundsError, VerifyError)
