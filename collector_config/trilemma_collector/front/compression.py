"""Own the compression of requests and replies on the ClickHouse port: what HTTP names, and ClickHouse's own frames."""

from __future__ import annotations

import struct
import sys
import zlib
from typing import TYPE_CHECKING, Protocol

import lz4.block
import lz4.frame

from trilemma_collector.storage.engine import ClickHouseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Compressor", "Decompressor", "choose_encoding", "make_compressor", "make_decompressor"]

# A frame: checksum (16 bytes), method, compressed size with these nine bytes, plain size; then the data.
# https://clickhouse.com/docs/native-protocol/compression
FRAME = struct.Struct("<16xBII")
FRAME_FIXED_BYTES = 9
LZ4_FRAME, ZSTD_FRAME, PLAIN_FRAME = 0x82, 0x90, 0x02
LARGEST_FRAME_BYTES = 1 << 30
GZIP_WINDOW, ANY_ZLIB_WINDOW = 16 + zlib.MAX_WBITS, 32 + zlib.MAX_WBITS


class Compressor(Protocol):
    """What turns a reply into fewer bytes, piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what can be sent so far."""

    def flush(self) -> bytes:
        """Return the rest."""


class Decompressor(Protocol):
    """What turns a request's body back, piece by piece."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return what is known so far."""


class _Lz4Compressor:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes, /) -> bytes:
        start = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(start + self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


class _FrameDecompressor:
    """Read ClickHouse's own frames (``decompress=1``), as clickhouse-go sends them with ``compress: lz4``."""

    def __init__(self) -> None:
        self._rest = b""

    def decompress(self, data: bytes, /) -> bytes:
        self._rest += data
        plain: list[bytes] = []
        while len(self._rest) >= FRAME.size:
            method, size, plain_size = FRAME.unpack_from(self._rest)
            end = FRAME.size - FRAME_FIXED_BYTES + size
            if not FRAME_FIXED_BYTES <= size <= LARGEST_FRAME_BYTES or plain_size > LARGEST_FRAME_BYTES:
                raise ClickHouseError("Code: 271. DB::Exception: the body is not in ClickHouse's compressed frames")
            if len(self._rest) < end:
                break
            plain.append(_read_frame(method, self._rest[FRAME.size : end], plain_size))
            self._rest = self._rest[end:]
        return b"".join(plain)


class _Identity:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def decompress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "gzip": lambda: zlib.compressobj(3, zlib.DEFLATED, GZIP_WINDOW),
    "deflate": lambda: zlib.compressobj(3),
    "lz4": _Lz4Compressor,
    "zstd": lambda: zstd.ZstdCompressor(1),
    "": _Identity,
}
DECOMPRESSORS: dict[str, Callable[[], Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(ANY_ZLIB_WINDOW),
    "deflate": lambda: zlib.decompressobj(ANY_ZLIB_WINDOW),
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "identity": _Identity,
    "": _Identity,
}


def choose_encoding(accepted: str) -> str:
    """Return the first encoding of an Accept-Encoding header that is known here, or "" for none."""
    names = (part.partition(";")[0].strip().lower() for part in accepted.split(","))
    return next((name for name in names if name in COMPRESSORS), "")


def make_compressor(encoding: str) -> Compressor:
    """Return the compressor for an encoding that :func:`choose_encoding` gave."""
    return COMPRESSORS[encoding]()


def make_decompressor(encoding: str, *, framed: bool) -> Decompressor:
    """Return the decompressor for a Content-Encoding, or for ClickHouse's own frames.

    Raises:
        ClickHouseError: the encoding is not known.
    """
    if framed:
        return _FrameDecompressor()
    if encoding not in DECOMPRESSORS:
        known = ", ".join(name for name in DECOMPRESSORS if name)
        raise ClickHouseError(
            f"Code: 48. DB::Exception: Content-Encoding {encoding!r} is not known; use one of {known}"
        )
    return DECOMPRESSORS[encoding]()


def _read_frame(method: int, data: bytes, plain_size: int) -> bytes:
    if method == LZ4_FRAME:
        return bytes(lz4.block.decompress(data, uncompressed_size=plain_size))
    if method == ZSTD_FRAME:
        return zstd.decompress(data)
    if method == PLAIN_FRAME:
        return data
    raise ClickHouseError(f"Code: 89. DB::Exception: unknown compression method 0x{method:02x} in the body")
