"""Own the times that commands of the loop take: --at, and lengths like 14d."""

from __future__ import annotations

from datetime import UTC, datetime

from trilemma.errors import ConfigurationError

from trilemma_analysis.scope import parse_duration

__all__ = ["read_length_s", "read_time"]


def read_time(text: str | None, option: str) -> datetime:
    """Return the time an option names, or now; a text without a zone is UTC."""
    if text is None:
        return datetime.now(UTC)
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"--{option} {text!r} is not a time: write one like 2026-11-01, 2026-11-01T12:00:00Z"
        ) from error
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def read_length_s(text: str, option: str) -> int:
    """Return the seconds of a length like 14d."""
    length = parse_duration(text)
    if length is None or not 1 <= length.total_seconds() < 2**32:
        raise ConfigurationError(f"--{option} {text!r} is not a length: write one like 14d, 12h, 2w")
    return int(length.total_seconds())
