"""Own the collector that the tests of this folder share, and a client to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import clickhouse_connect
import pytest

from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

    from tests.collector_config.embedded.servers import RunningCollector


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """Run one collector for all tests that neither stop nor break it; each uses names of its own."""
    with running_collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.fixture
def client(collector: RunningCollector) -> Iterator[Client]:
    """Return a clickhouse-connect client of the shared collector."""
    client = clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma")
    yield client
    client.close()
