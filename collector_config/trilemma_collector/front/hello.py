"""Own the answer to clickhouse-go's first question, which the collector's exporter and Grafana ask on each connection.

They read this one reply with the block header of protocol 54460, and all later ones as the revision in it says.
Revision 0 means plain Native, without a header: what the embedded engine writes.
https://github.com/ClickHouse/clickhouse-go/blob/v2.47.0/conn_http.go#L220
"""

from __future__ import annotations

__all__ = ["is_hello", "write_hello"]

QUESTION = b"SELECT displayName(), version(), revision(), timezone()"
# Field 1, is_overflows: no; field 2, bucket number: none; no more fields.
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
DEFAULT_SERIALIZATION = b"\x00"


def is_hello(statement: bytes, form: str) -> bool:
    """Tell whether a statement is clickhouse-go's first question."""
    return form == "Native" and statement.strip() == QUESTION


def write_hello(version: str) -> bytes:
    """Write the reply: one row of name, version, revision and time zone."""
    columns = [
        (b"displayName()", b"String", _write_text(b"trilemma")),
        (b"version()", b"String", _write_text(version.encode())),
        (b"revision()", b"UInt32", bytes(4)),
        (b"timezone()", b"String", _write_text(b"UTC")),
    ]
    body = b"".join(
        _write_text(name) + _write_text(kind) + DEFAULT_SERIALIZATION + value for name, kind, value in columns
    )
    return BLOCK_INFO + bytes([len(columns), 1]) + body


def _write_text(text: bytes) -> bytes:
    """Write a string of less than 128 bytes: its length takes one byte then."""
    return bytes([len(text)]) + text
