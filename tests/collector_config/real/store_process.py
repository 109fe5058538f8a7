"""Own a running embedded collector (`trilemma up`) as these tests use it: OTLP in, SQL out, on ports that stay."""

from __future__ import annotations

import json
import sys
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.collector_config.real.server_process import ServerProcess, find_free_port

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (sys.executable, "-m", "trilemma.cli", "up")


class StoreProcess(ServerProcess):
    """Run `trilemma up` with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        clickhouse, http, grpc = (find_free_port() for _ in range(3))
        self.url, self.otlp_url = f"http://127.0.0.1:{clickhouse}", f"http://127.0.0.1:{http}"
        options = {
            "--data-dir": folder / "data", "--clickhouse-port": clickhouse,
            "--otlp-http-port": http, "--otlp-grpc-port": grpc,
        }  # fmt: skip
        words = [str(word) for option in options.items() for word in option]
        super().__init__([*COMMAND, *words], {}, folder / "store.log", f"{self.url}/ping")

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Run a SELECT over ClickHouse's HTTP and return its rows."""
        settings = urllib.parse.urlencode({"database": "trilemma", "default_format": "JSONEachRow"})
        with urllib.request.urlopen(f"{self.url}/?{settings}", sql.encode(), timeout=60) as reply:
            return [json.loads(line) for line in reply.read().splitlines()]
