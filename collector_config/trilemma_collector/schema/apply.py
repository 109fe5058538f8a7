"""Own how migrations reach a store: which are applied, which are missing, and what must not be touched."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from trilemma.errors import MigrationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Migration", "load_migrations", "migrate"]

RECORD_TABLE = """
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (version, applied_at)
"""


@dataclass(frozen=True)
class Migration:
    """One numbered file: its name, its checksum, and its statements with `{database}` still to fill in."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def load_migrations() -> tuple[Migration, ...]:
    """Return the shipped migrations in their order."""
    folder = files("trilemma_collector") / "migrations"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(_read_migration(entry.name, entry.read_text(encoding="utf-8")) for entry in found)


def migrate(run: Callable[[str], str], database: str = "trilemma") -> tuple[Migration, ...]:
    """Bring `database` up to date and return the migrations applied now; nothing to do is fine.

    `run` sends one statement and returns its result as TabSeparated text (``""`` when there is none).

    Raises:
        MigrationError: the store holds a migration that this trilemma does not know, or another text of one it knows.
    """
    run(f"CREATE DATABASE IF NOT EXISTS {database}")
    run(RECORD_TABLE.replace("{database}", database))
    applied = _read_applied(run, database)
    shipped = load_migrations()
    _check_history(applied, shipped)
    missing = tuple(migration for migration in shipped if migration.version not in applied)
    for migration in missing:
        for statement in migration.statements:
            run(statement.replace("{database}", database))
        run(
            f"INSERT INTO {database}.schema_migrations (version, name, checksum) "  # noqa: S608 - our own file names
            f"VALUES ({migration.version}, '{migration.name}', '{migration.checksum}')"
        )
    return missing


def _read_migration(name: str, text: str) -> Migration:
    body = re.sub(r"^\s*--.*\n", "", text, flags=re.MULTILINE)
    statements = tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", body) if part.strip())
    return Migration(
        int(name[:4]), name.removesuffix(".sql"), hashlib.sha256(text.encode()).hexdigest()[:16], statements
    )


def _read_applied(run: Callable[[str], str], database: str) -> dict[int, tuple[str, str]]:
    rows = run(f"SELECT DISTINCT version, name, checksum FROM {database}.schema_migrations ORDER BY version")  # noqa: S608
    return {
        int(version): (name, checksum) for version, name, checksum in (line.split("\t") for line in rows.splitlines())
    }


def _check_history(applied: dict[int, tuple[str, str]], shipped: tuple[Migration, ...]) -> None:
    known = {migration.version: migration for migration in shipped}
    for version, (name, checksum) in applied.items():
        if version not in known:
            raise MigrationError(
                f"the store holds migration {name}, which this trilemma does not know (it knows up to "
                f"{max(known):04d}): a newer trilemma made it. Upgrade: pip install --upgrade trilemma"
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"migration {name} was applied with checksum {checksum}, but this trilemma ships it with "
                f"{known[version].checksum}. Use the trilemma version that made the store, or start with an empty one"
            )
