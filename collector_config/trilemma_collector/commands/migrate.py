"""Own ``trilemma migrate``: bring a store's schema up to date, or say what that would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError
from trilemma.errors import ConfigurationError, StoreError
from trilemma_analysis.client import Address, connect

from trilemma_collector.schema import list_missing, load_migrations, migrate, render, run_on_client

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.client import Store

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--store",
        metavar="ADDRESS",
        help="http://[user:password@]host:8123 or chdb:///directory; ?database= names another database than trilemma "
        "(TRILEMMA_STORE; default http://127.0.0.1:8123)",
    )
    parser.add_argument(
        "--database", metavar="NAME", help="database to migrate (default: the address's, else trilemma)"
    )
    parser.add_argument(
        "--cluster",
        metavar="NAME",
        help="make replicated and distributed tables ON CLUSTER NAME, as the server's remote_servers call it",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="print the whole schema's SQL and connect to nothing")
    what.add_argument("--status", action="store_true", help="list the migrations and which of them are applied")


def run(args: argparse.Namespace) -> int:
    """Migrate, or print what was asked for instead."""
    if args.dry_run:
        database = args.database or (Address.parse(args.store).database if args.store else "trilemma")
        print(render(database, cluster=args.cluster), end="")
        return 0
    with connect(args.store, require_schema=False, create=not args.status) as store:
        database = args.database or store.database
        try:
            return _print_status(store, database) if args.status else _migrate(store, database, args.cluster)
        except ClickHouseError as error:
            raise _explain(error, store, args.cluster) from error


def _migrate(store: Store, database: str, cluster: str | None) -> int:
    applied = migrate(run_on_client(store.client), database, cluster=cluster)
    for migration in applied:
        print(f"applied {migration.name}")
    print(
        f"{store.address}: the schema is up to date ({len(load_migrations())} migrations, {len(applied)} applied now)"
    )
    return 0


def _print_status(store: Store, database: str) -> int:
    missing = {migration.version for migration in list_missing(run_on_client(store.client), database)}
    for migration in load_migrations():
        print(f"{'missing' if migration.version in missing else 'applied'}  {migration.name}")
    return 0


def _explain(error: ClickHouseError, store: Store, cluster: str | None) -> ConfigurationError | StoreError:
    said = str(error).strip().splitlines()[0][:500]
    if "Code: 497" in said or "ACCESS_DENIED" in said:  # https://clickhouse.com/docs/operations/access-rights
        return StoreError(
            f"the user of {store.address} may not change the schema: give it CREATE, ALTER, INSERT and SELECT on the "
            f"database, or name another in --store http://user:password@host:8123. The store said: {said}"
        )
    if cluster and ("Code: 170" in said or "Code: 701" in said or "CLUSTER_DOESNT_EXIST" in said):
        return ConfigurationError(
            f"the store {store.address} knows no cluster {cluster!r}: its table system.clusters "
            f"lists those that --cluster can name. The store said: {said}"
        )
    return StoreError(
        f"migrating {store.address} stopped: {said}. What was applied stays; run `trilemma migrate` again when mended"
    )
