"""Own the embedded ClickHouse: its directory, its connections, and how write-ahead segments become rows."""

from trilemma_collector.storage.directory import DataDirectory
from trilemma_collector.storage.engine import ClickHouseError, Engine
from trilemma_collector.storage.inserter import Inserter
from trilemma_collector.storage.segments import SegmentStore

__all__ = ["ClickHouseError", "DataDirectory", "Engine", "Inserter", "SegmentStore"]
