"""Own how migrations reach a store: which are applied, which are missing, and what must not be touched."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError, MigrationError

from trilemma_collector.schema.cluster import Statement, spread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Migration", "list_missing", "load_migrations", "migrate", "render"]

_PREPARE = (
    Statement("CREATE DATABASE IF NOT EXISTS {database}"),
    Statement(
        """\
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (version, applied_at)"""
    ),
)
_MARK = re.compile(r"^-- (shard by|settle): *(.*)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One numbered file: its name, its checksum, and its statements with ``{database}`` still to fill in."""

    version: int
    name: str
    checksum: str
    statements: tuple[Statement, ...]

    def render(self, database: str, cluster: str | None = None) -> tuple[str, ...]:
        """Return the SQL of each statement for `database`, on one node or on a cluster."""
        return tuple(sql for statement in self.statements for sql in _render(statement, database, cluster))


def load_migrations() -> tuple[Migration, ...]:
    """Return the shipped migrations in their order."""
    folder = files("trilemma_collector") / "migrations"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(_read_migration(entry.name, entry.read_text(encoding="utf-8")) for entry in found)


def migrate(
    run: Callable[[str], str], database: str = "trilemma", *, cluster: str | None = None
) -> tuple[Migration, ...]:
    """Bring `database` up to date and return the migrations applied now; nothing to do is fine.

    `run` sends one statement and returns its result as TabSeparated text (``""`` when there is none). With a `cluster`,
    the same schema is made on all its nodes. Each statement may be repeated, so that a migration that was interrupted
    is completed by the next run.

    Raises:
        MigrationError: the store holds a migration that this trilemma does not know, or another text of one it knows.
        ConfigurationError: `database` or `cluster` cannot be a name.
    """
    _check_name(database)
    for statement in _PREPARE:
        for sql in _render(statement, database, cluster):
            run(sql)
    missing = list_missing(run, database)
    for migration in missing:
        for sql in migration.render(database, cluster):
            run(sql)
        run(_write_record(migration, database))
    return missing


def render(database: str = "trilemma", *, cluster: str | None = None) -> str:
    """Return the whole schema as SQL, as `migrate` would run it on an empty store.

    Raises:
        ConfigurationError: as `migrate`.
    """
    _check_name(database)
    parts = [sql for statement in _PREPARE for sql in _render(statement, database, cluster)]
    for migration in load_migrations():
        first, *others = (*migration.render(database, cluster), _write_record(migration, database))
        parts += [f"-- {migration.name}\n{first}", *others]
    return ";\n\n".join(parts) + ";\n"


def list_missing(run: Callable[[str], str], database: str = "trilemma") -> tuple[Migration, ...]:
    """Return the migrations that `database` does not have yet, and change nothing.

    Raises:
        MigrationError: as `migrate`.
    """
    exists = run(f"EXISTS TABLE {database}.schema_migrations").strip() == "1"
    applied = _read_applied(run, database) if exists else []
    shipped = load_migrations()
    _check_history(applied, shipped)
    done = {version for version, _, _ in applied}
    return tuple(migration for migration in shipped if migration.version not in done)


def _read_migration(name: str, text: str) -> Migration:
    parts = (_read_statement(part) for part in re.split(r";\s*(?:\n|$)", text))
    statements = tuple(statement for statement in parts if statement.text)
    return Migration(
        int(name[:4]), name.removesuffix(".sql"), hashlib.sha256(text.encode()).hexdigest()[:16], statements
    )


def _read_statement(text: str) -> Statement:
    marks = dict(_MARK.findall(text))
    return Statement(_COMMENT.sub("", text).strip(), marks.get("shard by"), on_one_node="settle" in marks)


def _render(statement: Statement, database: str, cluster: str | None) -> tuple[str, ...]:
    parts = (statement.text,) if cluster is None else spread(statement, cluster)
    return tuple(part.replace("{database}", database) for part in parts)


def _write_record(migration: Migration, database: str) -> str:
    return (
        f"INSERT INTO {database}.schema_migrations (version, name, checksum) "  # noqa: S608 - our own file names
        f"VALUES ({migration.version}, '{migration.name}', '{migration.checksum}')"
    )


def _check_name(database: str) -> None:
    if not re.fullmatch(r"[A-Za-z_]\w*", database):
        raise ConfigurationError(
            f"{database!r} cannot be the name of a database here; use letters, digits and underscores (--database)"
        )


def _read_applied(run: Callable[[str], str], database: str) -> list[tuple[int, str, str]]:
    rows = run(f"SELECT DISTINCT version, name, checksum FROM {database}.schema_migrations ORDER BY version")  # noqa: S608
    return [(int(version), name, checksum) for version, name, checksum in map(str.split, rows.splitlines())]


def _check_history(applied: list[tuple[int, str, str]], shipped: tuple[Migration, ...]) -> None:
    known = {migration.version: migration for migration in shipped}
    for version, name, checksum in applied:
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
