"""Own what the tests of the notebooks share: a store with two tasks, and a real browser."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from trilemma_analysis.client import connect
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects
from trilemma_collector.schema import migrate, run_on_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAPPING = """
name = "planted"
[rows]
key = ["{task}", "{model}", "{input}"]
[task]
task_name = "{task}"
input_id = "{input}"
outcome = "{ok}"
[call]
request_model = "{model}"
started_at = { from = "2026-11-02", offset_s = { product = ["{input}", 3600] } }
duration_s = "{s}"
cost = "{usd}"
"""
INPUTS = 80


@pytest.fixture(scope="session")
def planted_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store with two tasks, each done by a large model and one that costs a tenth.

    On support.refund both fail on 4 of 80 inputs, but on others: at a margin of 5 points too few inputs to call the
    small one safe, at 15 points enough. On support.chat there are fewer runs, and the small one fails on half of them.
    """
    folder = tmp_path_factory.mktemp("planted")
    lines = ["task,model,input,ok,s,usd"]
    for number in range(INPUTS):
        lines.append(f"support.refund,large,{number},{number % 20 != 0},{1 + number % 7 / 10},0.02")
        lines.append(f"support.refund,small,{number},{number % 20 != 1},{0.5 + number % 5 / 10},0.002")
    for number in range(INPUTS - 10):
        lines.append(f"support.chat,large,{number},true,2,0.02")
        lines.append(f"support.chat,small,{number},{number % 2 == 0},1,0.002")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "planted.toml").write_text(MAPPING)
    address = f"chdb://{folder / 'store'}"
    with connect(address, require_schema=False, create=True) as store:
        migrate(run_on_client(store.client))
    with connect(address) as store, Rejects(None) as rejects:
        counts = import_files(load_mapping(str(folder / "planted.toml")), [folder / "log.csv"], store, rejects)
    assert counts.loaded == len(lines) - 1
    return address


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Return headless Chromium; skip where it is missing, except in CI, where that is a failure."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "Chromium or its driver is missing; get them with: apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", "window-size=1280,2400",
        f"user-data-dir={tmp_path / 'chromium'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield opened
    finally:
        opened.quit()
