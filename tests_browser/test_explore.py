"""`bounds.explore()` in JupyterLab, in a headless Chromium: what a user sees and types.

Run by .ci/browser, which installs JupyterLab and Playwright; not part of the ordinary suite.
The browser is Playwright's own, or the one that the variable CHROMIUM names.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect, sync_playwright

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "explore",
            "metadata": {},
            "outputs": [],
            "source": "from bounds.explore import explore\nexplore()",
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}
PATIENCE = 120_000
"""Milliseconds; a kernel starts slowly on a busy machine."""


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that serves one notebook."""
    (tmp_path / "explore.ipynb").write_text(json.dumps(NOTEBOOK))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def page():
    """A page of a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
        )
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def test_a_number_typed_changes_the_answer(lab, page, tmp_path):
    page.goto(f"{lab}/lab/tree/explore.ipynb", timeout=PATIENCE)
    page.locator(".jp-CodeCell").first.click(timeout=PATIENCE)
    page.keyboard.press("Shift+Enter")
    answer = page.locator(".jp-OutputArea-output").first
    expect(answer).to_contain_text("Required training length", timeout=PATIENCE)
    row = page.locator("tr", has_text="sufficient").first
    expect(row).to_contain_text("48", timeout=PATIENCE)
    curve = answer.locator("svg")
    expect(curve).to_be_visible(timeout=PATIENCE)
    before = curve.inner_html()

    period = page.locator(".widget-text", has_text="period").locator("input")
    period.fill("7")
    period.press("Enter")
    expect(row).to_contain_text("112", timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE / 1000
    while curve.inner_html() == before and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert curve.inner_html() != before

    page.locator(".widget-dropdown", has_text="start from").locator("select").select_option(
        "SIMPLE_PLAIN_TRAINED"
    )
    expect(row).to_contain_text("41", timeout=PATIENCE)
    expect(page.locator("tr", has_text="necessary").first).to_contain_text("41")

    period.fill("seven")
    period.press("Enter")
    expect(answer).to_contain_text("allowed: an integer ≥ 1", timeout=PATIENCE)
    picture = os.environ.get("SCREENSHOT", str(tmp_path / "explore.png"))
    period.fill("1")
    period.press("Enter")
    expect(row).to_contain_text("41", timeout=PATIENCE)
    page.screenshot(path=picture, full_page=True)
