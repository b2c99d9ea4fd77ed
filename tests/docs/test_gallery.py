"""The gallery: the page is the one that its script writes, in few lines and small pictures."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes(gallery):
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert page == gallery.page()


def test_every_picture_is_small_and_takes_few_lines(gallery):
    kept = {path.stem for path in (DOCS / "gallery").iterdir()}
    assert kept == set(gallery.PICTURES)
    for name, (_, lines) in gallery.PICTURES.items():
        assert len(lines.splitlines()) <= 8
        assert (DOCS / "gallery" / f"{name}.png").stat().st_size < gallery.LARGEST


def test_a_picture_is_drawn_by_its_lines(gallery, tmp_path):
    gallery.draw(gallery.PICTURES["sensitivities"][1], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
