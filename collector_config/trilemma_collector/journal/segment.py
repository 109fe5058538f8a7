"""Own the format of a write-ahead segment: what is written before an acknowledgement, and what is read after a crash.

A segment is a plain ``FORMAT Protobuf`` file: requests one after another, each with its length before it. So ClickHouse
reads the segment itself, and recovery is the same INSERT as every other. The checksum hides where a Protobuf reader
skips it: as a field that the message does not know, appended to the message (appending to a message is merging).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Record", "Scan", "Segment", "encode_record", "measure_record", "scan_segment", "write_segment"]

# Field 1000, wire type 5 (four bytes), as a varint tag. OTLP's messages end far below field 1000.
CHECKSUM_TAG = b"\xc5\x3e"
CHECKSUM = struct.Struct("<I")
TRAILER_BYTES = len(CHECKSUM_TAG) + CHECKSUM.size
LONGEST_VARINT_BYTES = 5


@dataclass
class Segment:
    """One write-ahead file: its path, the kind of requests in it, and how much it holds."""

    path: Path
    kind: str
    size_bytes: int = 0
    record_count: int = 0
    opened_at: float = 0.0

    @property
    def token(self) -> str:
        """Return the name under which ClickHouse remembers that it has this segment; unique for ever."""
        return self.path.stem


class Record(NamedTuple):
    """One request in a segment: where it begins, and its bytes without length and checksum."""

    offset: int
    body: bytes


@dataclass(frozen=True)
class Scan:
    """What a reading of a segment found: whole records, and where the first broken byte is."""

    records: list[Record] = field(default_factory=list)
    valid_bytes: int = 0
    total_bytes: int = 0
    problem: str = ""


def encode_record(body: bytes) -> list[bytes]:
    """Return the parts to write for one request: length, body, checksum. The body is not copied."""
    return [_encode_varint(len(body) + TRAILER_BYTES), body, CHECKSUM_TAG + CHECKSUM.pack(zlib.crc32(body))]


def measure_record(body: bytes) -> int:
    """Return how many bytes a request takes in a segment."""
    return len(_encode_varint(len(body) + TRAILER_BYTES)) + len(body) + TRAILER_BYTES


def write_segment(path: Path, bodies: Iterable[bytes]) -> None:
    """Write a whole segment at once."""
    path.write_bytes(b"".join(part for body in bodies for part in encode_record(body)))


def scan_segment(path: Path) -> Scan:
    """Read a segment up to its last whole record."""
    data = path.read_bytes()
    records: list[Record] = []
    offset = 0
    while offset < len(data):
        length, start = _decode_varint(data, offset)
        end = start + length
        problem = _find_problem(data, length, start, end)
        if problem:
            return Scan(records, offset, len(data), f"{problem} at byte {offset}")
        records.append(Record(offset, data[start : end - TRAILER_BYTES]))
        offset = end
    return Scan(records, offset, len(data))


def _find_problem(data: bytes, length: int, start: int, end: int) -> str:
    if length < TRAILER_BYTES:
        return "no record length"
    if end > len(data):
        return "a record cut short"
    body_end = end - TRAILER_BYTES
    if data[body_end : body_end + len(CHECKSUM_TAG)] != CHECKSUM_TAG:
        return "a record without checksum"
    if zlib.crc32(memoryview(data)[start:body_end]) != CHECKSUM.unpack(data[end - CHECKSUM.size : end])[0]:
        return "a record whose checksum does not match"
    return ""


def _encode_varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _decode_varint(data: bytes, offset: int) -> tuple[int, int]:
    """Return the number at an offset and where it ends; (0, offset) when there is none."""
    number = 0
    for index, byte in enumerate(data[offset : offset + LONGEST_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, offset + index + 1
    return 0, offset
