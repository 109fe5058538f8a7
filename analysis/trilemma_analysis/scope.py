"""Own what a report looks at: tasks, service and period, and the parameters that every question takes for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from trilemma.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.client import Store

__all__ = ["Scope", "add_period_options", "find_scope", "parse_duration"]

DEFAULT_SINCE = "30d"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_START_OF_TIME = datetime(1970, 1, 2, tzinfo=UTC)
_END_OF_TIME = datetime(2200, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Scope:
    """Tasks (none: all), a service ('': all), a period whose end is excluded, and the newest run's start."""

    tasks: tuple[str, ...]
    service: str
    since: datetime
    until: datetime
    as_of: datetime
    runs: int = 0
    """Of these tasks and this service in the store, up to the end of the period."""

    @classmethod
    def ever(cls, tasks: tuple[str, ...], service: str) -> Scope:
        """Return all of time, for a store in which nothing was found."""
        return cls(tasks, service, _START_OF_TIME, _END_OF_TIME, _START_OF_TIME)

    @property
    def before(self) -> datetime:
        """Return when the period before this one started: of equal length, as far as time goes back."""
        room = max(self.since - _START_OF_TIME, timedelta())
        return self.since - min(self.until - self.since, room)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of a question over this scope."""
        return {"tasks": list(self.tasks), "service": self.service, "since": self.since, "until": self.until}


def find_scope(
    store: Store,
    *,
    tasks: tuple[str, ...] = (),
    service: str | None = None,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
) -> Scope | None:
    """Resolve a period against the data, not against the clock; None when nothing lies before its end.

    Args:
        store: the store.
        tasks: task names; none means all.
        service: a service name; None means all.
        since: a time, or a length like ``30d``, ``12h``, ``2w`` back from the end; None means 30 days.
        until: a time, which is excluded; None means up to the end of the newest run.

    Raises:
        ConfigurationError: a time cannot be read, the period is empty by its own terms, or a task is not in the store.
    """
    end = None if until is None else _read_time(until, "until")
    row = store.ask("period", tasks=list(tasks), service=service or "", until=end or _END_OF_TIME).to_pylist()[0]
    if tasks:
        _check_tasks(store, tasks)
    if not row["runs"]:
        return None
    as_of = row["last_at"].astimezone(UTC)
    stop = end or row["end_at"].astimezone(UTC) + _TICK  # with what the newest run did after its start
    start = _read_start(since or DEFAULT_SINCE, stop)
    if start >= stop:
        raise ConfigurationError(
            f"the period is empty: since {start.isoformat()} is not before until {stop.isoformat()}; "
            f"the newest run started at {as_of.isoformat()}"
        )
    return Scope(tasks, service or "", start, stop, as_of, row["runs"])


def add_period_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add a command's --since and --until, as find_scope takes them."""
    parser.add_argument(
        "--since",
        default=DEFAULT_SINCE,
        metavar="TIME",
        help=f"a time, or a length back from the end (default {DEFAULT_SINCE})",
    )
    parser.add_argument("--until", metavar="TIME", help="a time, excluded (default: with the newest run)")


def parse_duration(text: str) -> timedelta | None:
    """Return the length that ``30d``, ``12h``, ``90m``, ``45s`` or ``2w`` means, or None for another text."""
    found = _DURATION.fullmatch(text.strip().lower())
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]]) if found else None


def _read_start(since: str | datetime, stop: datetime) -> datetime:
    length = parse_duration(since) if isinstance(since, str) else None
    return stop - length if length is not None else _read_time(since, "since")


def _read_time(value: str | datetime, name: str) -> datetime:
    """Return an aware time in UTC; a text without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ConfigurationError(
                f"--{name} {value!r} is not a time: write one like 2026-11-01, 2026-11-01T12:00:00Z"
                + (" or a length like 30d, 12h, 2w" if name == "since" else "")
            ) from error
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _check_tasks(store: Store, tasks: tuple[str, ...]) -> None:
    known = store.ask("task_names")["task_name"].to_pylist()
    if missing := [task for task in tasks if task not in known]:
        shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        raise ConfigurationError(
            f"the store holds no task {missing[0]!r}; it holds: {shown or 'no tasks at all'}. Name one with --task"
        )
