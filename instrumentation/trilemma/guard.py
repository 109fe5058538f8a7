"""Own the one place where an error of ours ends: logged once, and never raised into the user's call."""

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["ODD_SHAPE", "caught", "guarded", "raise_errors"]

ODD_SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a body raises that is not of the shape its provider documents: no bug of ours, and no news."""

_P = ParamSpec("_P")
_R = TypeVar("_R")

_log = logging.getLogger("trilemma")
_seen: set[tuple[str, str]] = set()
_raising = os.environ.get("TRILEMMA_RAISE_ERRORS", "").lower() in {"1", "true"}


def raise_errors(on: bool) -> None:
    """Raise our own errors instead of logging them: for our tests, or set TRILEMMA_RAISE_ERRORS=1."""
    global _raising  # noqa: PLW0603  # one switch for the process
    _raising = on
    _seen.clear()


def caught(where: str) -> None:
    """Report the exception being handled, once for each place and type. Call it in an ``except`` block."""
    error = sys.exc_info()[1]
    if _raising and error is not None:
        raise error
    key = (where, type(error).__name__)
    if key in _seen or sys.is_finalizing():
        return
    _seen.add(key)
    _log.error(
        "trilemma: %s failed in %s; the call goes on and its span lacks this part. Logged once. Please report it.",
        key[1],
        where,
        exc_info=error,
    )


def guarded(function: Callable[_P, _R]) -> Callable[_P, _R | None]:
    """Make `function` return None where it would raise."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return function(*args, **kwargs)
        except Exception:  # noqa: BLE001  # this is the guard
            caught(function.__qualname__)
            return None

    return call
