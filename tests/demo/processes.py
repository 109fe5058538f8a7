"""Own the processes of the demo: they are started, waited for and stopped here, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["DemoError", "run_program", "running", "stop_on_signals"]

STOP_S = 20.0


class _Interrupts:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt, but not while a process is being started or stopped."""

    def __init__(self) -> None:
        self.held = self.pending = False

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def release(self) -> None:
        self.held = False
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def _receive(self, _number: int, _frame: object) -> None:
        self.pending = True
        if not self.held:
            self.release()


_interrupts = _Interrupts()
stop_on_signals = _interrupts.listen


class DemoError(Exception):
    """Say which part of the demo failed, and where its last words are."""


@contextlib.contextmanager
def running(name: str, command: Sequence[str], folder: Path, *, wait_s: float = 60.0) -> Iterator[dict[str, Any]]:
    """Keep a server running that takes `--ready-file FILE`; yields what it wrote there once it served.

    It gets a session of its own: Ctrl-C reaches the demo alone, which then stops its servers in order.
    """
    log, ready = folder / f"{name}.log", folder / f"{name}.ready"
    with log.open("wb") as output:
        process = _start([*command, "--ready-file", str(ready)], stdout=output, stderr=subprocess.STDOUT)
        try:
            _interrupts.release()
            yield _wait_for(process, name, ready, log, wait_s)
        finally:
            _stop(process)


def run_program(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed; raises DemoError when it fails."""
    log, full = folder / f"{name}.log", {**os.environ, **(environment or {})}
    with log.open("wb") as errors:
        process = _start(command, stdout=subprocess.PIPE, stderr=errors, env=full)
        try:
            _interrupts.release()
            output, _ = process.communicate()
        finally:
            _stop(process)
            if process.stdout:
                process.stdout.close()
    if process.returncode:
        raise DemoError(f"{name} ended with exit code {process.returncode}. {_last_words(log)}")
    return output.decode()


def _start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, with interrupts held until the caller can stop it."""
    _interrupts.held = True
    try:
        return subprocess.Popen(command, start_new_session=True, **options)
    except BaseException:
        _interrupts.held = False
        raise


def _wait_for(process: subprocess.Popen[bytes], name: str, ready: Path, log: Path, wait_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + wait_s
    while True:
        with contextlib.suppress(OSError, ValueError):  # not there yet, or not yet whole
            return dict(json.loads(ready.read_text(encoding="utf-8")))
        if process.poll() is not None:
            raise DemoError(f"the {name} ended with exit code {process.returncode} at its start. {_last_words(log)}")
        if time.monotonic() > deadline:
            raise DemoError(f"the {name} was not ready within {wait_s:.0f} s. {_last_words(log)}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, wait, and kill its group if it does not."""
    _interrupts.held = True
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    _interrupts.held = False


def _last_words(log: Path) -> str:
    words = log.read_text(encoding="utf-8", errors="replace").strip()
    return f"Its last words, from {log}:\n{words[-2000:]}" if words else f"It left no words in {log}."
