""".ci/run with stand-ins for its tools: whatever fails in it fails it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
INSTALL = " && .venv/bin/pip install -q -e '.[test]'"
COMMAND = f"python3 -m venv .venv{INSTALL} && .venv/bin/python -m pytest\n"
TOOL = """\
#!/bin/bash
case "NAME $*" in
    *"$BREAK"*) exit 7 ;;
    *"-m venv"*) exec python3 "$@" ;;
    "pip install"*) cd "$(dirname "$0")" && for t in ruff mypy lint-imports; do cp pip "$t" && sed -i "s/pip/$t/" "$t"; done ;;
    *"-m pytest"*) echo "1 passed" ;;
esac
"""
PYTHON = """\
#!/bin/bash
dir=${!#}
mkdir -p "$dir/bin" "$dir/lib/python3/site-packages"
for name in pip python; do sed "s/NAME/$name/" "$TOOL" >"$dir/bin/$name" && chmod +x "$dir/bin/$name"; done
"""


def run(folder, broken="nothing", command=COMMAND):
    (folder / ".ci").mkdir()
    (folder / "bin").mkdir()
    shutil.copy(RUN, folder / ".ci" / "run")
    (folder / "README.md").write_text(command)
    (folder / "tool").write_text(TOOL)
    (folder / "bin" / "python3").write_text(PYTHON)
    (folder / "bin" / "python3").chmod(0o755)
    places = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TOOL": str(folder / "tool")}
    return subprocess.run(
        ["bash", folder / ".ci" / "run"],
        env=os.environ | places | {"BREAK": broken},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_where_nothing_fails(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    "broken",
    [
        *("install -q -e .[test]", "ruff check", "ruff format", "lint-imports", "mypy"),
        *("-m pytest", "install -q -e .[docs]", "-m sphinx"),
    ],
)
def test_every_step_can_fail_it(tmp_path, broken):
    done = run(tmp_path, broken)
    assert done.returncode != 0
    assert ("1 passed" in done.stdout) == (broken in ("mypy", "-m sphinx", "install -q -e .[docs]"))


@pytest.mark.parametrize("command", [COMMAND.replace(INSTALL, ""), "no command\n"])
def test_a_missing_install_step_fails_it(tmp_path, command):
    done = run(tmp_path, command=command)
    assert done.returncode != 0
    assert "1 passed" not in done.stdout
