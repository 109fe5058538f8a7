"""Hold the notebook `tradeoffs`: it runs without a browser, and in one it answers to its controls."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from trilemma.cli import main
from trilemma_analysis.client import connect
from trilemma_analysis.commands.notebook import find_notebook, list_notebooks
from trilemma_analysis.report import build_report
from trilemma_collector.schema import migrate, run_on_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium import webdriver
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0  # CI shares two cores among everything


def test_runs_without_a_browser(planted_address: str, tmp_path: Path) -> None:
    """`trilemma notebook --html` runs it headless, and the page holds the figures of the report."""
    page = tmp_path / "page.html"
    words = ["notebook", "tradeoffs", "--store", planted_address, "--task", "support.chat", "--html", str(page)]
    assert main(words) == 0
    text = page.read_text(encoding="utf-8")
    with connect(planted_address) as store:
        (task,) = build_report(store, task="support.chat").tasks
    assert [gate.verdict for gate in task.gates] == ["worse"]
    for expected in ("support.chat", "0 / 1 / 0", f"{task.runs}", "Success against cost"):
        assert expected in text
    assert "Traceback" not in text


def test_runs_as_a_script(planted_address: str) -> None:
    """The notebook is a plain Python file, which runs as a script, and fails on a store that is away."""
    command = [sys.executable, str(find_notebook("tradeoffs")), "--store"]
    subprocess.run([*command, planted_address], check=True, timeout=PATIENCE_S, capture_output=True)
    failed = subprocess.run([*command, "http://127.0.0.1:9"], check=False, timeout=PATIENCE_S, capture_output=True)
    assert failed.returncode == 1
    assert b"no ClickHouse store answers at http://127.0.0.1:9" in failed.stderr


@pytest.mark.shared
def test_runs_on_real_data(shared: Path, tmp_path: Path) -> None:
    """On a published log, loaded by its shipped mapping, the page shows the figures that were published."""
    address = f"chdb://{tmp_path / 'store'}"
    with connect(address, require_schema=False, create=True) as store:
        migrate(run_on_client(store.client))
    log = shared / "data" / "published" / "llmdrift" / "data.parquet"
    assert main(["import", "llmdrift", str(log), "--store", address]) == 0
    page = tmp_path / "page.html"
    assert main(["notebook", "--store", address, "--task", "llmdrift.prime", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    published = {"gpt-4-0314": "84.0 %", "gpt-4-0613": "51.1 %", "gpt-3.5-turbo-0301": "49.6 %"}
    for model, success in published.items():
        assert model in text
        assert success in text
    assert "Traceback" not in text


def test_store_that_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a store that does not answer no page is written and no server started: an error, and exit code 1."""
    page = tmp_path / "page.html"
    assert main(["notebook", "--store", "http://127.0.0.1:9", "--html", str(page)]) == 1
    assert "no ClickHouse store answers at http://127.0.0.1:9" in capsys.readouterr().err
    assert not page.exists()


def test_unknown_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is no notebook is an error that lists those there are."""
    assert main(["notebook", "tradeofs"]) == 1
    assert f"there is no notebook 'tradeofs'; there are: {', '.join(list_notebooks())}" in capsys.readouterr().err


@pytest.mark.browser
def test_answers_to_its_controls(planted_address: str, browser: webdriver.Chrome) -> None:
    """In a browser, a wider margin turns the verdict from not enough data to safe, and another task changes it all."""
    with serve_notebook(planted_address) as url:
        browser.get(url)
        wait_for_text(browser, "0 / 0 / 1", "margin 5 points, 95 % confidence", "Success against cost")
        slider = find_in_shadow(browser, "marimo-slider", "[role=slider]")
        slider.send_keys(Keys.ARROW_RIGHT * 20)
        wait_for_text(browser, "1 / 0 / 0", "margin 15 points, 95 % confidence")
        tasks = Select(find_in_shadow(browser, "marimo-dropdown", "select"))
        tasks.select_by_visible_text("support.chat (140 runs)")
        wait_for_text(browser, "0 / 1 / 0", "support.chat", "Do not route support.chat to small")
        assert "Traceback" not in browser.find_element(By.TAG_NAME, "body").text
        store = find_in_shadow(browser, "marimo-text", "input")
        store.send_keys(Keys.CONTROL, "a", Keys.NULL, "http://127.0.0.1:9", Keys.ENTER, Keys.TAB)
        wait_for_text(browser, "no ClickHouse store answers at http://127.0.0.1:9")


@contextmanager
def serve_notebook(address: str) -> Iterator[str]:
    """Serve the notebook on a free port and return its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "trilemma.cli",
        "notebook",
        "--store",
        address,
        "--no-browser",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for_health(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
            server.wait(PATIENCE_S)
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", port)) != 0, "the notebook's server outlives its command"


def wait_for_health(url: str) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert time.monotonic() < end, f"{url} did not answer"
            time.sleep(0.2)


def wait_for_text(browser: webdriver.Chrome, *texts: str) -> None:
    """Wait until the page shows all texts."""

    def shows(_: object) -> bool:
        shown = browser.find_element(By.TAG_NAME, "body").text + browser.page_source
        return all(text in shown for text in texts)

    WebDriverWait(browser, PATIENCE_S, ignored_exceptions=None).until(shows, f"the page does not show {texts}")


def find_in_shadow(browser: webdriver.Chrome, host: str, selector: str) -> WebElement:
    """Return an element inside a marimo control."""
    return browser.find_element(By.CSS_SELECTOR, host).shadow_root.find_element(By.CSS_SELECTOR, selector)
