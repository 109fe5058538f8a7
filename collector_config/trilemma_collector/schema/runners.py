"""Own how a statement reaches a store: one callable that takes SQL and returns TabSeparated text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_on_chdb", "run_on_client"]


def run_on_chdb(session: Any) -> Callable[[str], str]:
    """Return the runner for an open chDB session or connection (the embedded engine)."""

    def run(statement: str) -> str:
        result = session.query(statement, "TabSeparated")
        return result.bytes().decode() if result is not None else ""

    return run


def run_on_client(client: Any) -> Callable[[str], str]:
    """Return the runner for a clickhouse-connect client."""

    def run(statement: str) -> str:
        if statement.startswith(("INSERT", "SYSTEM")):  # neither takes a FORMAT at its end
            client.command(statement)
            return ""
        return str(client.raw_query(statement, fmt="TabSeparated").decode())

    return run
