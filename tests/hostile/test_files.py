"""Files that are none, that never end, or that say what is not so: one clear error, at once.

What any reader of files must refuse is tried on all of them; bytes at random are in `tests.fuzz`.
"""

from __future__ import annotations

import ast
import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import verify
import verify.__main__
from tests.fuzz.targets import certificates, safetensors, tiny
from tests.hostile import SIZE
from verify import InputError, LimitTransformer
from verify.certificates.direct.certificate import EnclosureCertificate
from verify.certificates.saved import SavedCertificate
from verify.checks.inputs import text_tokens
from verify.errors import CertificateError, WeightsError
from verify.files import MOST_JSON, MOST_TEXT, MOST_WEIGHTS
from verify.model.foreign.state import read_state
from verify.training import store

ROOT = Path(__file__).parents[2]
PAIR = tiny(1.0, 2), tiny(0.75, 2)
JSON = {
    "certificate": SavedCertificate.load,
    "enclosure": EnclosureCertificate.load,
    "recheck": lambda path: verify.recheck(path, *PAIR),
    "replay": verify.replay,
}
READERS = JSON | {
    "weights": LimitTransformer.load,
    "state": read_state,
    "rows": store.read_rows,
    "stored weights": store.read_weights,
    "text": lambda path: text_tokens(path, 3),
}


def refused(reader, path) -> str:
    with pytest.raises((InputError, CertificateError, WeightsError)) as caught:
        READERS[reader](path)
    assert len(str(caught.value)) < 2000
    return str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_plain_file(reader, tmp_path):
    pipe, loop, gone, folder = (tmp_path / name for name in ("pipe", "loop", "gone", "folder"))
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    gone.symlink_to(tmp_path / "nowhere")
    zero = tmp_path / "zero"
    zero.symlink_to("/dev/zero")
    for path in (pipe, folder, zero, Path("/dev/zero"), Path("/dev/null"), Path("/dev/stdin")):
        if path.exists() and not path.is_file():
            assert "no plain file" in refused(reader, path)
    for path in (loop, gone, tmp_path / "n" / "m", tmp_path / ("n" * 300)):
        refused(reader, path)
    for text in ("a\0b", "\ud800"):
        assert "no path" in refused(reader, Path(text))


@pytest.mark.skipif(os.name != "posix", reason="files with holes")
@pytest.mark.parametrize("reader", READERS)
def test_what_is_too_large_is_not_read(reader, tmp_path):
    path = tmp_path / "large"
    limit = (
        MOST_JSON if reader in JSON else MOST_TEXT if reader in ("rows", "text") else MOST_WEIGHTS
    )
    with path.open("wb") as file:
        file.truncate(limit + 1)  # a hole: it takes no room
    assert f"{limit + 1:,} bytes; at most {limit:,} are read" in refused(reader, path)


HOSTILE_JSON = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "many": b"[" + b"1," * 31_000_000 + b"1]",
    "digits": b'{"format": ' + b"9" * 10**6 + b"}",
    "NaN": b'{"format": NaN}',
    "infinity": b'{"format": [1, -Infinity]}',
    "beyond": b'{"format": 1e999}',
    "twice": b'{"format": 1, "format": 1}',
    "twice inside": b'{"format": {"a": 1, "b": 2, "a": 1}}',
    "utf-16": '{"format": 1}'.encode("utf-16"),
    "surrogate": b'{"format": "\xed\xa0\x80"}',
    "open": b'{"format": [1, 2',
    "two": b"{} {}",
    "nothing": b"",
    "zeros": bytes(1000),
    "number": b"17",
    "text": b'"lgbounds"',
    "list": b"[]",
    "empty": b"{}",
    "null": b"null",
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_json_that_is_none(name, tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(HOSTILE_JSON[name])
    for reader in JSON:
        refused(reader, path)


def test_numbers_that_would_fill_the_memory(tmp_path):
    path = tmp_path / "file.json"
    for data, _ in certificates():
        for name in ("epsilon", "target", "cost", "low", "high"):
            if name in data:
                for text in ("1e999999999", "1/1e9", "1_0", "١", " 1", "1/0", "0x1"):
                    path.write_text(json.dumps(data | {name: text}))
                    reader = "certificate" if "epsilon" in data else "enclosure"
                    assert name in refused(reader, path)


def test_a_saved_certificate_is_read_and_explained_or_refused(tmp_path):
    path = tmp_path / "file.json"
    for data, _ in certificates():
        reader = "certificate" if "epsilon" in data else "enclosure"
        path.write_text(json.dumps(data))
        assert READERS[reader](path).to_dict() == data
        for name in ("claim", "contexts" if "epsilon" in data else "pieces"):
            path.write_text(json.dumps({k: v for k, v in data.items() if k != name}))
            assert name in refused(reader, path)
    data = certificates()[0][0]
    path.write_text(json.dumps(data | {"contexts": [{}] * len(data["contexts"])}))
    with pytest.raises(CertificateError, match="not as save wrote it"):
        SavedCertificate.load(path).explain()
    path.write_text(json.dumps(data | {"deciding_context": 10**6}))
    assert "deciding_context" in refused("certificate", path)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), "T", [], None, True, "1/2", {}, 10**4000], ids=repr
)
def test_a_search_is_not_taken_up_from_hostile_cells(value):
    data, pair = certificates()[1]
    pieces = [{**piece, "tree": [[value, value], None, None]} for piece in data["pieces"]]
    for tree in ([[0, value], None, None], [["T", value], None, None], [value], value):
        hostile = EnclosureCertificate(data | {"pieces": [{**p, "tree": tree} for p in pieces]})
        try:
            found = verify.enclose(*pair, horizon=data["horizon"], limit=100, resume=hostile)
        except InputError:
            continue
        assert found.high >= EnclosureCertificate(data).low  # whatever the cells: a true bound


def test_headers_of_safetensors_that_lie(tmp_path):
    path = tmp_path / "f.safetensors"
    entry = {"dtype": "F64", "shape": [1, 1], "data_offsets": [0, 8]}
    meta = {"format": "lgbounds limit transformer", "version": "1", "precision_bits": "8"}
    headers = (
        {"embedding": entry | {"shape": [2**62, 4]}},
        {"embedding": entry | {"shape": [2**63, 2**63]}},
        {"embedding": entry | {"data_offsets": [0, 2**40]}},
        {"embedding": entry | {"data_offsets": [8, 0]}},
        {"embedding": entry | {"data_offsets": [-8, 0]}},
        {"embedding": entry, "positions": entry},  # both in the same place
        {"../../embedding": entry},
        {"embedding": entry | {"dtype": "O"}},
        {"embedding": entry, "__metadata__": meta | {"heads": "1," * 10**6 + "1"}},
        {"embedding": entry, "__metadata__": meta | {"heads": "9" * 5000}},
        {"embedding": entry, "__metadata__": meta | {"heads": "999999999"}},
        {"embedding": entry, "__metadata__": meta | {"heads": "１"}},
        {"embedding": entry, "__metadata__": meta | {"heads": "1", "precision_bits": "٨"}},
        {"embedding": entry, "__metadata__": {"format": "x" * 10**6}},
        {f"array {k}": entry | {"shape": [0], "data_offsets": [0, 0]} for k in range(10**4)},
    )
    for header in headers:
        path.write_bytes(safetensors(json.dumps(header).encode(), bytes(8)))
        refused("weights", path)
    for length in (0, 1, 7, 2**40, 2**63, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        for reader in ("weights", "state", "stored weights"):
            refused(reader, path)
    path.write_bytes(safetensors(b"[" * 10**5, b""))
    refused("weights", path)


def test_pickles_are_not_read(tmp_path):
    """Neither by content nor by name, nor does any code of ours import what could read one."""
    for name in ("model.pt", "model.pkl", "f.safetensors"):
        path = tmp_path / name
        path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
        for reader in READERS:
            if reader != "text":
                refused(reader, path)
    assert not (tmp_path / "run").exists()
    readers = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
    for folder in ("bounds", "verify"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    assert not readers & {alias.name.split(".")[0] for alias in node.names}, path
                elif isinstance(node, ast.ImportFrom):
                    assert (node.module or "").split(".")[0] not in readers, path
                    assert node.module != "joblib" or "load" not in {a.name for a in node.names}
                elif isinstance(node, ast.Call):
                    name = ast.unparse(node.func)
                    assert name not in (
                        "eval",
                        "exec",
                        "np.load",
                        "numpy.load",
                        "torch.load",
                        "joblib.load",
                    ), path


def test_a_small_archive_of_a_large_table_is_not_unpacked(tmp_path):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(bytes(MOST_TEXT + 2), compresslevel=1))
    assert path.stat().st_size < MOST_TEXT / 100
    assert "once unpacked" in refused("rows", path)
    for content in (
        b"a,a\n1,2\n",
        b"a,b\n1\n",
        b"a,b\n1,2,3\n",
        b"",
        b'a\n"',
        b"a\n\xff",
        b"a\n" + b"x" * 200_000,
    ):
        path.write_bytes(gzip.compress(content))
        refused("rows", path)
    for content in (b"", b"\x1f\x8b", gzip.compress(b"a,b\n1,2\n")[:-5], b"a,b\n1,2\n"):
        path.write_bytes(content)
        refused("rows", path)


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
@pytest.mark.slow
def test_command_lines_refuse_hostile_files_with_exit_code_2(tmp_path, capsys):
    pipe, deep, taken = tmp_path / "pipe", tmp_path / "deep.json", tmp_path / "taken"
    os.mkfifo(pipe)
    deep.write_bytes(HOSTILE_JSON["deep"])
    f, g = tmp_path / "f.safetensors", tmp_path / "g.safetensors"
    PAIR[0].save(f)
    PAIR[1].save(g)
    (taken / "proof.json").mkdir(parents=True)
    prove = ["--prove", f, g, "--horizon", "9"]
    lines = (
        *(["--replay", path] for path in (pipe, deep, tmp_path, "/dev/zero", f)),
        *(["--prove", f, path] for path in (pipe, deep, tmp_path, "/dev/zero")),
        [*prove, "--out", taken],
        [*prove, "--out", f],
        [*prove, "--out", "a\0b"],
        ["--text", pipe, "--pairs", "nested", "--length", "9", "--out", tmp_path / "out"],
        ["--text", "/dev/zero", "--pairs", "runs", "--length", "9", "--out", tmp_path / "out"],
    )
    for line in lines:
        with pytest.raises(SystemExit) as end:
            verify.__main__.main([str(word) for word in line])
        shown = capsys.readouterr().err
        assert end.value.code == 2, (line, shown)
        assert "error: " in shown
        assert "Traceback" not in shown


MEASURED = """
import resource, sys
from tests.hostile.test_files import READERS, refused
for reader, path in zip(sys.argv[1::2], sys.argv[2::2]):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(reader, path)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(SIZE < 100 or os.name != "posix", reason="LGBOUNDS_HOSTILE=100: .ci/kills")
def test_refusals_need_little_memory(tmp_path):
    """Megabytes that each needs more than those before, in a process of its own."""
    many, heads, bomb = tmp_path / "many", tmp_path / "heads", tmp_path / "bomb"
    many.write_bytes(HOSTILE_JSON["many"])
    meta = {"format": "lgbounds limit transformer", "version": "1", "precision_bits": "8"}
    header = {"__metadata__": meta | {"heads": "1," * (20 * 2**20) + "1"}}
    heads.write_bytes(safetensors(json.dumps(header).encode(), b""))
    bomb.write_bytes(gzip.compress(bytes(MOST_TEXT + 2), compresslevel=1))
    cases = ("replay", many, "weights", heads, "rows", bomb)
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, cases)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert all(int(megabytes) < 400 for megabytes in run.stdout.split()), run.stdout
