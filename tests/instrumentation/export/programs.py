"""Own running small programs for the export's tests, each in a Python of its own: providers can be set once only."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from typing import NamedTuple


class Done(NamedTuple):
    """What a program printed, and how long it took."""

    stdout: str
    stderr: str
    duration_s: float


def run_program(code: str, environment: dict[str, str], **more: str) -> Done:
    """Run `code` with an environment and `more` variables; fail where it fails. An empty variable is unset."""
    variables = {key: value for key, value in {**environment, **more}.items() if value}
    started_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=variables, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Done(done.stdout.strip(), done.stderr, time.monotonic() - started_s)
