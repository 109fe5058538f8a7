"""Own the store's schema: the migrations, how they are applied, and how registry entries become columns."""

from trilemma_collector.schema.apply import Migration, load_migrations, migrate
from trilemma_collector.schema.runners import run_on_chdb, run_on_client

__all__ = ["Migration", "load_migrations", "migrate", "run_on_chdb", "run_on_client"]
