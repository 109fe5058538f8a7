"""Own what happens to write-ahead files that an earlier process left: whole records are kept, broken ends set aside."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from trilemma_collector.journal.segment import Segment, scan_segment
from trilemma_collector.journal.writer import SEGMENT_SUFFIX

__all__ = ["STORED_SUFFIX", "forget_stored_segments", "keep_stored_segment", "recover_segments"]

logger = logging.getLogger(__name__)

STORED_SUFFIX = ".stored"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def recover_segments(directory: Path, aside: Path) -> list[Segment]:
    """Return the segments to store, oldest first; what cannot be read is moved to the folder `aside`, with a warning.

    A segment that is stored already but whose rows may not have reached the disk before a power cut comes too: its
    token makes ClickHouse drop what it has.
    """
    if not _lost_memory_since_last_start(directory):
        forget_stored_segments(directory)
    for path in directory.glob("*.part"):
        path.unlink()
    for path in directory.glob(f"*{STORED_SUFFIX}"):
        path.rename(path.with_suffix(SEGMENT_SUFFIX))
    paths = sorted(directory.glob(f"*{SEGMENT_SUFFIX}"), key=lambda path: path.name.partition("-")[2])
    return [segment for path in paths if (segment := _recover_segment(path, aside)) is not None]


def keep_stored_segment(segment: Segment) -> None:
    """Mark a segment as stored; the file goes once the rows are known to be on disk."""
    segment.path.rename(segment.path.with_suffix(STORED_SUFFIX))


def forget_stored_segments(directory: Path) -> None:
    """Delete the segments whose rows are on disk."""
    for path in directory.glob(f"*{STORED_SUFFIX}"):
        path.unlink(missing_ok=True)


def _recover_segment(path: Path, aside: Path) -> Segment | None:
    scan = scan_segment(path)
    if scan.problem:
        remainder = aside / f"{path.stem}-from-byte-{scan.valid_bytes}.broken"
        with path.open("rb") as file:
            file.seek(scan.valid_bytes)
            remainder.write_bytes(file.read())
        os.truncate(path, scan.valid_bytes)
        logger.warning(
            "write-ahead file %s holds %s: the %d whole requests before it are stored, the %d bytes from there on are "
            "kept in %s. A request cut short by a crash was never acknowledged, so its sender sends it again",
            path.name,
            scan.problem,
            len(scan.records),
            scan.total_bytes - scan.valid_bytes,
            remainder,
        )
    if not scan.records:
        path.unlink()
        return None
    return Segment(path, path.name.partition("-")[0], scan.valid_bytes, len(scan.records))


def _lost_memory_since_last_start(directory: Path) -> bool:
    """Say whether the machine was restarted: then what was not flushed to disk is gone."""
    note = directory / "boot_id"
    now = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    before = note.read_text().strip() if note.exists() else ""
    note.write_text(now)
    return not now or now != before
