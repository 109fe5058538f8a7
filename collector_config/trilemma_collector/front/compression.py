"""Own the compression of requests and replies on the ClickHouse port, as HTTP names it or in ClickHouse's frames."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Any, Protocol

import lz4.frame

from trilemma_collector.front.frames import FrameDecompressor
from trilemma_collector.storage.engine import ClickHouseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Compressor", "Decompressor", "choose_encoding", "make_compressor", "make_decompressor"]

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


class _Frames:
    """Read one frame (or gzip member) after another, as a client writes one for each piece that it sends."""

    def __init__(self, encoding: str, open_frame: Callable[[], Any]) -> None:
        self._encoding = encoding
        self._open_frame = open_frame
        self._frame = open_frame()

    def decompress(self, data: bytes, /) -> bytes:
        plain: list[bytes] = []
        try:
            while data:
                if self._frame.eof:
                    self._frame = self._open_frame()
                plain.append(self._frame.decompress(data))
                data = self._frame.unused_data or b""
        except (RuntimeError, ValueError, zlib.error, zstd.ZstdError) as error:
            raise ClickHouseError(
                f"Code: 271. DB::Exception: Cannot decompress the body as {self._encoding}: {error}. "
                f"(CANNOT_DECOMPRESS)"
            ) from error
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
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(ANY_ZLIB_WINDOW),
    "deflate": lambda: zlib.decompressobj(ANY_ZLIB_WINDOW),
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
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
        return FrameDecompressor()
    if encoding in {"", "identity"}:
        return _Identity()
    if encoding not in DECOMPRESSORS:
        known = ", ".join(DECOMPRESSORS)
        raise ClickHouseError(f"Code: 48. DB::Exception: Unknown Content-Encoding {encoding!r}; use one of {known}.")
    return _Frames(encoding, DECOMPRESSORS[encoding])
