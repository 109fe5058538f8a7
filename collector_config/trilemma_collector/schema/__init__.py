"""Own the store's schema: the migrations, how they are applied, and how registry entries become columns."""

from trilemma_collector.schema.apply import Migration, list_missing, load_migrations, migrate, render
from trilemma_collector.schema.runners import run_on_chdb, run_on_client
from trilemma_collector.schema.settling import SETTLE_STEPS, settle

__all__ = [
    "SETTLE_STEPS",
    "Migration",
    "list_missing",
    "load_migrations",
    "migrate",
    "render",
    "run_on_chdb",
    "run_on_client",
    "settle",
]
