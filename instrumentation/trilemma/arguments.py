"""Own the checks of what a user passes to the API: an argument that cannot be meant raises, at once and by name."""

from __future__ import annotations

import math

from trilemma.errors import ArgumentError

__all__ = ["MARKS", "OUTCOMES", "SOURCES", "check_number", "check_text", "check_word", "to_text"]

OUTCOMES = ("success", "failure", "unknown")
MARKS = ("right", "wrong", "used", "unused")
SOURCES = ("system", "human", "judge", "import")


def check_text(function: str, argument: str, value: object) -> str:
    """Return `value` if it is a text with something in it."""
    if isinstance(value, str) and value.strip():
        return value
    raise ArgumentError(f"{function}({argument}={value!r}): give a text that is not empty")


def check_number(function: str, argument: str, value: object) -> float | None:
    """Return `value` as a float, None for none; NaN and infinity, which a computation may give, count as none."""
    if value is None:
        return None
    try:
        number = None if isinstance(value, (bool, str, bytes)) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        raise ArgumentError(f"{function}({argument}={value!r}): give a number")
    return number if math.isfinite(number) else None


def check_word(function: str, argument: str, value: object, words: tuple[str, ...]) -> str:
    """Return `value` if it is one of `words`."""
    if value in words:
        return str(value)
    raise ArgumentError(f"{function}({argument}={value!r}): it must be one of {', '.join(words)}")


def to_text(value: object) -> str:
    """Write `value` so that it comes through a header as it is: no surrounding space, no lone surrogates."""
    text = str(value).strip()
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
