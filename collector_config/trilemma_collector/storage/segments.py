"""Own the INSERT of one write-ahead segment, and what to do with a segment that ClickHouse refuses."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trilemma_collector.journal import scan_segment, write_segment
from trilemma_collector.storage.decoding import SIGNALS, read_schema
from trilemma_collector.storage.engine import ClickHouseError, quote_text, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chdb.state.sqlitelike import Connection

    from trilemma_collector.journal import Record, Segment
    from trilemma_collector.storage.directory import DataDirectory
    from trilemma_collector.storage.engine import Engine

__all__ = ["NOT_THE_DATA", "SegmentStore"]

logger = logging.getLogger(__name__)

# What ClickHouse says of bytes that it cannot decode as OTLP: trying again is of no use.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
BAD_DATA = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF: a length inside the message points past its end
        33,  # CANNOT_READ_ALL_DATA
        53,  # TYPE_MISMATCH
        117,  # INCORRECT_DATA
        436,  # PROTOBUF_BAD_CAST
        444,  # UNKNOWN_PROTOBUF_FORMAT: a field's wire type is not the schema's
        800,  # a Python function failed: a nested value is no such message
    }
)
# Never the data's fault, so worth waiting for, however long it takes.
NOT_THE_DATA = frozenset(
    {
        16,  # NO_SUCH_COLUMN_IN_TABLE
        60,  # UNKNOWN_TABLE
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
        76,  # CANNOT_OPEN_FILE
        77,  # CANNOT_CLOSE_FILE
        81,  # UNKNOWN_DATABASE
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        394,  # QUERY_WAS_CANCELLED
        439,  # CANNOT_SCHEDULE_TASK
    }
)


class SegmentStore:
    """Store segments through one connection; used by one thread."""

    def __init__(self, engine: Engine, directory: DataDirectory, database: str) -> None:
        self.quarantined = 0
        self._engine = engine
        self._directory = directory
        self._database = database
        self._schema = directory.write_ahead / "otlp.proto"

    def open(self) -> None:
        """Connect to the engine."""
        self._connection: Connection = self._engine.connect(self._database)
        self._schema.write_text(read_schema(), encoding="utf-8")

    def store(self, segment: Segment) -> None:
        """Insert a segment exactly once: asked again, also after a crash, ClickHouse drops what it has.

        Raises:
            ClickHouseError: something other than the data is wrong; the segment is as before.
        """
        try:
            self._insert(segment.kind, segment.path, segment.token)
        except ClickHouseError as error:
            if error.code not in BAD_DATA:
                raise
            self.store_in_parts(segment)

    def store_in_parts(self, segment: Segment, *, blame_data: bool = False) -> None:
        """Insert the requests of a segment that ClickHouse can take, and keep the others aside.

        Args:
            segment: what to store.
            blame_data: keep a request aside for any error that is not known to be the machine's or the store's.

        Raises:
            ClickHouseError: as :meth:`store`.
        """
        self._store_records(segment, scan_segment(segment.path).records, blame_data=blame_data)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _store_records(self, segment: Segment, records: Sequence[Record], *, blame_data: bool) -> None:
        """Halve until what is left is one bad request: log2(n) INSERTs for each, instead of n."""
        part = segment.path.with_suffix(".part")
        write_segment(part, [record.body for record in records])
        token = f"{segment.token}-{records[0].offset}-{records[-1].offset}"
        try:
            self._insert(segment.kind, part, token)
        except ClickHouseError as error:
            if error.code not in BAD_DATA and (error.code in NOT_THE_DATA or not blame_data):
                raise
            if len(records) == 1:
                self._set_aside(segment, records[0], error)
            else:
                middle = len(records) // 2
                self._store_records(segment, records[:middle], blame_data=blame_data)
                self._store_records(segment, records[middle:], blame_data=blame_data)
        finally:
            part.unlink(missing_ok=True)

    def _set_aside(self, segment: Segment, record: Record, error: ClickHouseError) -> None:
        path = self._directory.quarantine / f"{segment.token}-{record.offset}.pb"
        path.write_bytes(record.body)
        self.quarantined += 1
        reason = str(error).splitlines()[0]
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "file": path.name,
            "kind": segment.kind,
            "bytes": len(record.body),
            "reason": reason,
        }
        with (self._directory.quarantine / "reasons.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        logger.error(
            "ClickHouse cannot read a %s request of %d bytes: %s. It is kept in %s; all others are stored",
            segment.kind,
            len(record.body),
            reason,
            path,
        )

    def _insert(self, kind: str, path: Path, token: str) -> None:
        signal = SIGNALS[kind]
        # One thread and one block: the same segment is cut in the same way each time, so its token holds for all of it.
        settings = {
            "format_schema": f"{self._schema}:{signal.message}",
            "insert_deduplication_token": token,
            "deduplicate_insert_select": "force_enable",
            "max_threads": "1",
            "max_insert_threads": "1",
            "input_format_parallel_parsing": "0",
            # Tables replace duplicates when they merge, views when they read: a pass over each INSERT is superfluous.
            "optimize_on_insert": "0",
            # Lets rare values (arrays, maps) call Python, and only those.
            "short_circuit_function_evaluation": "force_enable",
        }
        clause = ", ".join(f"{name} = {quote_text(value)}" for name, value in settings.items())
        parameters = {"segment": str(path), "columns": signal.columns}
        run(self._connection, f"{signal.insert_sql}\nSETTINGS {clause}", "Null", parameters)
