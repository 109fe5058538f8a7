"""Hold collector_config/embedded.md to what the collector does: examples run, the list of options is the real one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.collector_config.embedded.servers import RunningCollector

PAGE = Path(__file__).resolve().parents[3] / "collector_config" / "embedded.md"
HELP = r"```\n(usage: trilemma up .*?)\n```"


def read_blocks(language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_options_are_those_of_the_command() -> None:
    """The page lists the options as `trilemma up --help` does; on a difference, copy that output into the page."""
    environment = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1", "XDG_DATA_HOME": "~/.local/share"}
    environment.pop("TRILEMMA_DATA_DIR", None)
    command = [sys.executable, "-m", "trilemma.cli", "up", "--help"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    (listed,) = re.findall(HELP, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert listed == printed.strip()


def test_the_python_examples_run(collector: RunningCollector) -> None:
    """Every Python example of the page runs against a collector."""
    blocks = read_blocks("python")
    assert blocks
    for block in blocks:
        exec(block.replace("http://127.0.0.1:8123", collector.clickhouse), {})


def test_the_curl_examples_run(collector: RunningCollector) -> None:
    """Every curl example of the page gets an answer, not an error."""
    examples = [block for block in read_blocks("sh") if block.startswith("curl")]
    assert examples
    if subprocess.run(["sh", "-c", "command -v curl"], capture_output=True, check=False).returncode:
        pytest.skip("curl is not installed; install it to run the page's curl examples")
    for block in examples:
        script = block.replace("http://127.0.0.1:8123", collector.clickhouse).replace("curl ", "curl -fsS ")
        subprocess.run(["sh", "-ec", script], check=True, capture_output=True)
