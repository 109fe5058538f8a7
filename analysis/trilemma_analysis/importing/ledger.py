"""Own the store's memory of imported rows: what is written there is safely in the store, spans and events first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from trilemma_collector.schema.settling import settle

from trilemma_analysis.importing.identity import SeenRows

if TYPE_CHECKING:
    from trilemma_analysis.client import Store
    from trilemma_analysis.importing.identity import RowIds

__all__ = ["Ledger"]

_INSERT_ROWS = 200_000
_SETTLE_FROM_ROWS = 10_000  # fewer are as fast to query as they are to settle


class Ledger:
    """Write batches of rows so that each is in the store once, however often an import is interrupted and run again.

    A row's id is written after its spans. A batch that was cut short therefore comes again, whole, and with the same
    ids and times, which the store knows as the same spans.
    """

    def __init__(self, store: Store | None, mapping_id: str) -> None:
        self._store = store
        self._mapping_id = mapping_id
        self._written = 0
        self.seen = SeenRows()
        if store is not None:
            rows = store.ask("imported_rows", mapping=mapping_id)
            self.seen.add(rows["row_id"].to_numpy(), rows["content_id"].to_numpy())

    def write(self, ids: RowIds, file_name: str, traces: pa.Table, logs: pa.Table) -> None:
        """Put spans and events into the store, then the ids of their rows.

        Raises:
            StoreError: the store refused or went away; run the import again.
        """
        self.seen.add(ids.row, ids.content)
        if self._store is None or len(ids.row) == 0:
            return
        _insert(self._store, "otel_traces", traces)
        _insert(self._store, "otel_logs", logs)
        size = len(ids.row)
        rows = {
            "mapping": pa.repeat(pa.scalar(self._mapping_id), size),
            "row_id": pa.array(ids.row),
            "content_id": pa.array(ids.content),
            "file": pa.repeat(pa.scalar(file_name), size),
        }
        self._store.insert_arrow("imported_rows", pa.table(rows))
        self._written += size

    def close(self) -> None:
        """Settle what was written, where no server does so every minute: it makes later queries fast."""
        store = self._store
        if store is not None and store.address.scheme == "chdb" and self._written >= _SETTLE_FROM_ROWS:
            settle(lambda sql: str(store.command(sql)), store.database)


def _insert(store: Store, table: str, rows: pa.Table) -> None:
    for start in range(0, rows.num_rows, _INSERT_ROWS):
        store.insert_arrow(table, rows.slice(start, _INSERT_ROWS))
