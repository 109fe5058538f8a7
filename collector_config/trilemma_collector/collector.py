"""Own the embedded collector: its parts, and the order in which they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma.version import VERSION

from trilemma_collector.front.access import is_loopback
from trilemma_collector.front.app import ClickHouseHttp
from trilemma_collector.journal import Journal, recover_segments
from trilemma_collector.receiver.intake import Intake
from trilemma_collector.receiver.over_grpc import OtlpGrpc
from trilemma_collector.receiver.over_http import OtlpHttp
from trilemma_collector.schema import migrate
from trilemma_collector.storage import DataDirectory, Engine, Inserter, SegmentStore
from trilemma_collector.storage.engine import run
from trilemma_collector.web import HttpServer, bind, name_address

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from trilemma_collector.front.access import Credentials

__all__ = ["Collector", "Settings", "run_collector"]

logger = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
ROWS_BY_TABLE = """
SELECT table, sum(rows)
FROM system.parts
WHERE active AND database = {database:String}
GROUP BY table
ORDER BY table
"""


@dataclass(frozen=True)
class Settings:
    """What ``trilemma up`` is told."""

    data_dir: Path
    host: str = "127.0.0.1"
    otlp_http_port: int = 4318
    otlp_grpc_port: int = 4317
    clickhouse_port: int = 8123
    database: str = "trilemma"
    max_request_mb: int = 64
    max_backlog_mb: int = 1024
    flush_to_disk: bool = True
    read_only: bool = False
    credentials: Credentials | None = None


class Collector:
    """A running collector: where it listens, and how it is."""

    def __init__(self, engine: Engine, journal: Journal, intake: Intake, inserter: Inserter, database: str) -> None:
        self.addresses: dict[str, str] = {}
        self._intake = intake
        self._engine = engine
        self._journal = journal
        self._inserter = inserter
        self._database = database
        self._started_at = time.monotonic()

    async def describe_health(self) -> dict[str, Any]:
        """Return what /health says; its status is ``ok``, or ``degraded`` when something cannot be stored."""
        progress = self._inserter.progress
        rows = await asyncio.to_thread(self._engine.read, ROWS_BY_TABLE, {"database": self._database})
        return {
            "status": "degraded" if progress.problem else "ok",
            "version": VERSION,
            "clickhouse_version": self._engine.version,
            "cpu_s": round(time.process_time(), 3),
            "uptime_s": round(time.monotonic() - self._started_at, 3),
            "requests": {"accepted": dict(self._intake.accepted), "refused": dict(self._intake.refused)},
            "rows": {table: int(count) for table, count in (line.split("\t") for line in rows.splitlines())},
            "backlog_bytes": self._journal.backlog_bytes,
            "quarantined_requests": progress.quarantined,
            "problem": progress.problem,
        }


@contextlib.asynccontextmanager
async def run_collector(settings: Settings) -> AsyncIterator[Collector]:
    """Run a collector for as long as the block lasts; its end stores what is left and stops it.

    Raises:
        DataDirectoryError: another process has the directory, or it cannot be used.
        PortInUseError: another process has an address.
        MigrationError: a newer trilemma made the store.
    """
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory.open(settings.data_dir))
        otlp_listener = stack.enter_context(bind(settings.host, settings.otlp_http_port, "--otlp-http-port"))
        clickhouse_listener = stack.enter_context(bind(settings.host, settings.clickhouse_port, "--clickhouse-port"))
        limit_bytes, largest_bytes = settings.max_backlog_mb * MEGABYTE, settings.max_request_mb * MEGABYTE
        journal = Journal(directory.write_ahead, limit_bytes=limit_bytes, flush_to_disk=settings.flush_to_disk)
        intake = Intake(journal)
        receiver = OtlpGrpc(intake, largest_request_bytes=largest_bytes)
        grpc_port = receiver.bind(settings.host, settings.otlp_grpc_port)

        engine = stack.enter_context(_open_engine(directory, settings.database))
        for segment in recover_segments(directory.write_ahead, directory.quarantine):
            journal.adopt(segment)
        store = SegmentStore(engine, directory, settings.database)
        inserter = Inserter(journal, store, directory, flush_to_disk=settings.flush_to_disk)
        collector = Collector(engine, journal, intake, inserter, settings.database)

        # Stopped in the opposite order: no more OTLP in, what is acknowledged is stored, then no more queries.
        front = ClickHouseHttp(
            engine,
            inserter,
            database=settings.database,
            health=collector.describe_health,
            credentials=settings.credentials,
            read_only=settings.read_only,
            loopback_only=is_loopback(settings.host),
        )
        stack.push_async_callback(asyncio.to_thread, front.close)
        await _serve(stack, front, clickhouse_listener)
        stack.push_async_callback(asyncio.to_thread, front.stop_statements)
        inserter.start()
        stack.push_async_callback(asyncio.to_thread, inserter.close)
        journal.start()
        stack.push_async_callback(asyncio.to_thread, journal.close)
        otlp = OtlpHttp(intake, largest_request_bytes=largest_bytes, health=collector.describe_health)
        await _serve(stack, otlp, otlp_listener)
        receiver.start()
        stack.push_async_callback(asyncio.to_thread, receiver.stop)
        collector.addresses = {
            "otlp_http": name_address(otlp_listener),
            "otlp_grpc": name_address(otlp_listener, grpc_port),
            "clickhouse": name_address(clickhouse_listener),
        }
        directory.note_owner(collector.addresses)
        yield collector


@contextlib.contextmanager
def _open_engine(directory: DataDirectory, database: str) -> Iterator[Engine]:
    engine = Engine(directory.path)
    try:
        with engine.connect() as connection:
            migrate(lambda sql: str(run(connection, sql).bytes().decode()), database)
        yield engine
    finally:
        engine.close()


async def _serve(stack: contextlib.AsyncExitStack, app: ClickHouseHttp | OtlpHttp, listener: socket.socket) -> None:
    server = HttpServer(app, listener)
    stack.push_async_callback(server.stop)
    await server.start()
