"""Hold what the guard does with an error of ours."""

from __future__ import annotations

import logging

import pytest
from trilemma import guard


@guard.guarded
def divide(by: int) -> float:
    """Fail for 0."""
    return 1 / by


def test_guarded(caplog: pytest.LogCaptureFixture) -> None:
    """A guarded function returns its value, or None and one line in the log."""
    guard.raise_errors(False)
    with caplog.at_level(logging.ERROR, logger="trilemma"):
        assert (divide(2), divide(0), divide(0)) == (0.5, None, None)
    [entry] = caplog.records
    assert "ZeroDivisionError" in entry.getMessage()


def test_raising() -> None:
    """With the switch on, our errors are raised, for tests."""
    guard.raise_errors(True)
    try:
        with pytest.raises(ZeroDivisionError):
            divide(0)
    finally:
        guard.raise_errors(False)


def test_interrupt_passes() -> None:
    """What is no error, such as Ctrl-C, passes the guard."""

    @guard.guarded
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
