"""Own ``trilemma up``: OTLP in, ClickHouse's HTTP out, one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trilemma.errors import ConfigurationError

from trilemma_collector.collector import Settings, run_collector
from trilemma_collector.front.access import Credentials, is_loopback

if TYPE_CHECKING:
    import argparse

    from trilemma_collector.collector import Collector

__all__ = ["configure", "run"]

logger = logging.getLogger("trilemma_collector")

PASSWORD_VARIABLE = "TRILEMMA_PASSWORD"  # noqa: S105 - the variable's name, not a password


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    defaults = Settings(data_dir=_find_default_directory())
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=defaults.data_dir,
        metavar="DIR",
        help="where everything is kept (default: $TRILEMMA_DATA_DIR, else %(default)s)",
    )
    parser.add_argument("--host", default=defaults.host, help="address to listen on (default: %(default)s)")
    ports = parser.add_argument_group("ports (0 takes a free one)")
    ports.add_argument(
        "--otlp-http-port",
        type=_read_port,
        default=defaults.otlp_http_port,
        metavar="PORT",
        help="OTLP over HTTP (default: %(default)s)",
    )
    ports.add_argument(
        "--otlp-grpc-port",
        type=_read_port,
        default=defaults.otlp_grpc_port,
        metavar="PORT",
        help="OTLP over gRPC (default: %(default)s)",
    )
    ports.add_argument(
        "--clickhouse-port",
        type=_read_port,
        default=defaults.clickhouse_port,
        metavar="PORT",
        help="ClickHouse's HTTP (default: %(default)s)",
    )
    parser.add_argument("--database", default=defaults.database, help="database to store into (default: %(default)s)")
    parser.add_argument(
        "--user", help=f"serve the ClickHouse port to this user only; the password comes from ${PASSWORD_VARIABLE}"
    )
    parser.add_argument("--read-only", action="store_true", help="refuse writes on the ClickHouse port")
    parser.add_argument(
        "--no-fsync",
        action="store_true",
        help="acknowledge before the disk has it: survives a killed process, not a power cut",
    )
    parser.add_argument(
        "--max-request-mb",
        type=_read_positive,
        default=defaults.max_request_mb,
        metavar="MB",
        help="largest OTLP request (default: %(default)s)",
    )
    parser.add_argument(
        "--max-backlog-mb",
        type=_read_positive,
        default=defaults.max_backlog_mb,
        metavar="MB",
        help="refuse requests while more waits to be stored (default: %(default)s)",
    )
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="write the addresses to this file as JSON, once they serve"
    )
    parser.add_argument("--verbose", action="store_true", help="log more")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 0 when stopped cleanly."""
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    settings = Settings(
        data_dir=args.data_dir,
        host=args.host,
        otlp_http_port=args.otlp_http_port,
        otlp_grpc_port=args.otlp_grpc_port,
        clickhouse_port=args.clickhouse_port,
        database=args.database,
        max_request_mb=args.max_request_mb,
        max_backlog_mb=args.max_backlog_mb,
        flush_to_disk=not args.no_fsync,
        read_only=args.read_only,
        credentials=_read_credentials(args.user),
    )
    _warn_if_open(settings)
    try:
        asyncio.run(_serve(settings, args.ready_file))
    finally:
        if args.ready_file is not None:
            args.ready_file.unlink(missing_ok=True)
    return 0


async def _serve(settings: Settings, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with run_collector(settings) as collector:
        ready = {
            "ready": True,
            "pid": os.getpid(),
            "data_dir": str(settings.data_dir.absolute()),
            **collector.addresses,
        }
        if ready_file is not None:
            _write_whole(ready_file, json.dumps(ready))
        _announce(ready, collector)
        await stop.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # a second one ends the process; the write-ahead file keeps what is left


def _announce(ready: dict[str, Any], collector: Collector) -> None:
    """Tell people where to send and ask, or programs, in one line of JSON."""
    if not sys.stdout.isatty():
        print(json.dumps(ready), flush=True)
        return
    addresses = collector.addresses
    print(
        f"trilemma is up, data in {ready['data_dir']}\n"
        f"  send OTLP over HTTP   OTEL_EXPORTER_OTLP_ENDPOINT={addresses['otlp_http']}\n"
        f"  send OTLP over gRPC   OTEL_EXPORTER_OTLP_ENDPOINT={addresses['otlp_grpc']} "
        f"OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n"
        f"  ask                   curl '{addresses['clickhouse']}/?query=SELECT+count()+FROM+llm_calls'\n"
        f"  report                trilemma report --store {addresses['clickhouse']}\n"
        f"Ctrl-C stops it; everything is still there at the next start.",
        flush=True,
    )


def _warn_if_open(settings: Settings) -> None:
    if not is_loopback(settings.host) and settings.credentials is None:
        logger.warning(
            "listening on %s: whoever reaches it can read and change everything, without a password. "
            "Set --user and $%s, or --read-only, or put it behind a proxy",
            settings.host,
            PASSWORD_VARIABLE,
        )


def _read_credentials(user: str | None) -> Credentials | None:
    if user is None:
        return None
    password = os.environ.get(PASSWORD_VARIABLE)
    if not password:
        raise ConfigurationError(f"--user {user} needs a password: set the environment variable {PASSWORD_VARIABLE}")
    return Credentials(user, password)


def _find_default_directory() -> Path:
    """Return $TRILEMMA_DATA_DIR, else the place that the XDG base directories name for data."""
    if chosen := os.environ.get("TRILEMMA_DATA_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "trilemma"


def _read_port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _read_positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _write_whole(path: Path, text: str) -> None:
    """Let a reader see the whole file or none."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
