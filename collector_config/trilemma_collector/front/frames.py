"""Own ClickHouse's compressed frames (``compress=1`` and ``decompress=1``), the default of clickhouse-go over HTTP.

A frame is: checksum (CityHash128 of all that follows, 16 bytes), method, size with these nine bytes, plain size, data.
https://clickhouse.com/docs/native-protocol/compression
"""

from __future__ import annotations

import struct
import sys

import lz4.block
from clickhouse_cityhash.cityhash import CityHash128

from trilemma_collector.storage.engine import ClickHouseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["FrameCompressor", "FrameDecompressor"]

CHECKSUM = struct.Struct("<QQ")
HEADER = struct.Struct("<BII")
LZ4, ZSTD, PLAIN = 0x82, 0x90, 0x02
LARGEST_FRAME_BYTES = 1 << 30
# As ClickHouse's server cuts them (max_compress_block_size).
PLAIN_BYTES_PER_FRAME = 1 << 20


class FrameCompressor:
    """Write a reply as LZ4 frames."""

    def compress(self, data: bytes, /) -> bytes:
        """Return all of the data as frames."""
        cuts = range(0, len(data), PLAIN_BYTES_PER_FRAME)
        return b"".join(_write_frame(data[cut : cut + PLAIN_BYTES_PER_FRAME]) for cut in cuts)

    def flush(self) -> bytes:
        """Return nothing: a frame is whole."""
        return b""


class FrameDecompressor:
    """Read the frames of a request's body."""

    def __init__(self) -> None:
        self._rest = b""

    def decompress(self, data: bytes, /) -> bytes:
        """Return the plain data of the frames that are complete so far.

        Raises:
            ClickHouseError: the data is not in frames, or was damaged on its way.
        """
        self._rest += data
        plain: list[bytes] = []
        while len(self._rest) >= CHECKSUM.size + HEADER.size:
            method, size, plain_size = HEADER.unpack_from(self._rest, CHECKSUM.size)
            if not HEADER.size <= size <= LARGEST_FRAME_BYTES or plain_size > LARGEST_FRAME_BYTES:
                raise ClickHouseError("Code: 271. DB::Exception: The body is not in ClickHouse's compressed frames.")
            end = CHECKSUM.size + size
            if len(self._rest) < end:
                break
            content = self._rest[CHECKSUM.size : end]
            if self._rest[: CHECKSUM.size] != _hash(content):
                raise ClickHouseError("Code: 40. DB::Exception: Checksum doesn't match: corrupted data in the body.")
            plain.append(_read_frame(method, content[HEADER.size :], plain_size))
            self._rest = self._rest[end:]
        return b"".join(plain)


def _write_frame(data: bytes) -> bytes:
    packed: bytes = lz4.block.compress(data, store_size=False)
    content = HEADER.pack(LZ4, len(packed) + HEADER.size, len(data)) + packed
    return _hash(content) + content


def _read_frame(method: int, data: bytes, plain_size: int) -> bytes:
    if method == LZ4:
        return bytes(lz4.block.decompress(data, uncompressed_size=plain_size))
    if method == ZSTD:
        return bytes(zstd.decompress(data))
    if method == PLAIN:
        return data
    raise ClickHouseError(f"Code: 89. DB::Exception: Unknown compression method 0x{method:02x} in the body.")


def _hash(content: bytes) -> bytes:
    number: int = CityHash128(content)
    return CHECKSUM.pack(number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF)
