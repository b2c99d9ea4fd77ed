"""One version wherever it stands, and no number of a release that changes in silence."""

import re
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import bounds
import verify

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## (\S+) - \d{4}-\d{2}-\d{2}$", CHANGELOG, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def released():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import released
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return released


def named_since(version):
    """What stands in code marks under "Numbers that changed" in the releases after a version."""
    newer = CHANGELOG.split(f"\n## {version} - ")[0]
    parts = re.findall(r"^### Numbers that changed$(.*?)(?=^##|\Z)", newer, re.M | re.S)
    return {name for part in parts for name in re.findall(r"`([\w.]+)`", part)}


def is_named(key, version):
    return key.removeprefix("derived.") in named_since(version)


def unnamed(released, version, before, now):
    keys = {key for key, *_ in released.changed(before, now)}
    return {key for key in keys if not is_named(key, version)}


def test_the_version_is_one():
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    version = settings["metadata"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", citation, flags=re.MULTILINE) == [version]
    assert RELEASES[0] == version
    assert bounds.__version__ == verify.__version__ == version
    theorem = bounds.theorem("derived.one_layer_linf")
    assert f"version = {{{version}}}," in theorem.source.bibtex


def test_releases_stand_in_order_newest_first():
    numbers = [tuple(map(int, release.split("."))) for release in RELEASES]
    assert numbers == sorted(set(numbers), reverse=True)


@pytest.mark.slow
def test_every_number_that_changed_since_the_last_release_is_in_the_changelog(released):
    last = released.latest()
    before, now = released.read(last), released.answers()
    said = f"CHANGELOG.md: python docs/released.py --against {last}"
    assert unnamed(released, last, before, now) == set(), said
    same = {asked for asked in before if before[asked] == now.get(asked)}
    key, question = min(asked for asked in same if not is_named(asked[0], last))
    in_silence = before | {(key, question): ("1", "0")}
    assert unnamed(released, last, in_silence, now) == {key}
    renamed = {("derived.no_such_theorem", "base"): ("1", "0")}
    assert unnamed(released, last, before | renamed, now) == {"derived.no_such_theorem"}
