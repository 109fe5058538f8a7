"""Own the write-ahead files: a request is acknowledged once it stands here, and leaves once ClickHouse has it."""

from trilemma_collector.journal.recovery import recover_segments
from trilemma_collector.journal.segment import Record, Scan, Segment, encode_record, scan_segment, write_segment
from trilemma_collector.journal.writer import Journal, JournalFullError, Waiting

__all__ = [
    "Journal",
    "JournalFullError",
    "Record",
    "Scan",
    "Segment",
    "Waiting",
    "encode_record",
    "recover_segments",
    "scan_segment",
    "write_segment",
]
