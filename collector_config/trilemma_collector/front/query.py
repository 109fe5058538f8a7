"""Own what one HTTP request to the ClickHouse port asks for, as its URL and headers tell."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from trilemma_collector.front.compression import Compressor, choose_encoding, make_compressor
from trilemma_collector.front.frames import FrameCompressor
from trilemma_collector.storage.engine import ClickHouseError, quote_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trilemma_collector.web import Scope

__all__ = ["Query", "read_query"]

# URL parameters that are not settings. https://clickhouse.com/docs/interfaces/http
NOT_SETTINGS = frozenset(
    {
        "buffer_size",
        "client_protocol_version",  # clickhouse-connect and clickhouse-go take plain Native when it is not honoured
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)
# The embedded engine stores an INSERT before it answers; there is no server-side queue to put it into.
MEANT_FOR_SERVERS = frozenset({"async_insert", "wait_for_async_insert", "async_insert_deduplicate"})
SESSION_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Query:
    """One request, read from its URL and headers; the body is read later."""

    url_text: str
    query_id: str
    database: str
    form: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    session_id: str = ""
    session_timeout_s: float = SESSION_TIMEOUT_S
    framed_body: bool = False
    framed_reply: bool = False
    body_encoding: str = ""
    reply_encoding: str = ""
    read_only: bool = False
    content_type: str = field(default="", repr=False)

    def make_compressor(self) -> Compressor:
        """Return what packs a reply as the client asked."""
        return FrameCompressor() if self.framed_reply else make_compressor(self.reply_encoding)

    def pack(self, reply: bytes) -> bytes:
        """Return a whole reply as the client asked for it."""
        compressor = self.make_compressor()
        return compressor.compress(reply) + compressor.flush()

    @property
    def settings_names(self) -> tuple[str, ...]:
        """Return the names of what :attr:`settings_sql` sets."""
        return tuple(self._all_settings)

    @property
    def settings_sql(self) -> str:
        """Return the statement that makes the request's settings hold on a connection."""
        return "SET " + ", ".join(f"{name} = {quote_text(value)}" for name, value in self._all_settings.items())

    @property
    def _all_settings(self) -> dict[str, str]:
        pairs = {"log_comment": self.query_id, **self.settings}  # by its comment a query is found again, to kill it
        if self.read_only:
            pairs["readonly"] = "2"  # reads and settings, no writes: as a ClickHouse server does for GET
        return pairs


def read_query(scope: Scope, *, database: str, read_only: bool, form_fields: Mapping[str, str] | None = None) -> Query:
    """Read a request's URL and headers; fields of a form count like parameters of the URL.

    Raises:
        ClickHouseError: a parameter has a value that cannot be.
    """
    url = {**dict(parse_qsl(scope["query_string"].decode("utf-8"), keep_blank_values=True)), **(form_fields or {})}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    settings = {
        _check_name(name, 115, "Unknown setting", "UNKNOWN_SETTING"): value
        for name, value in url.items()
        if name not in NOT_SETTINGS and name not in MEANT_FOR_SERVERS and not name.startswith("param_")
    }
    compressed = settings.pop("enable_http_compression", "0") == "1"
    form = url.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"
    return Query(
        url_text=url.get("query", ""),
        query_id=_make_query_id(url.get("query_id", "")),
        database=url.get("database") or headers.get("x-clickhouse-database") or database,
        form=_check_name(form, 73, "Unknown format", "UNKNOWN_FORMAT"),
        parameters={name.removeprefix("param_"): value for name, value in url.items() if name.startswith("param_")},
        settings=settings,
        session_id=url.get("session_id", ""),
        session_timeout_s=_read_seconds(url.get("session_timeout", "")),
        framed_body=url.get("decompress") == "1",
        framed_reply=url.get("compress") == "1",
        body_encoding=headers.get("content-encoding", "").strip().lower(),
        reply_encoding=choose_encoding(headers.get("accept-encoding", "")) if compressed else "",
        read_only=read_only or scope["method"] != "POST",
        content_type=headers.get("content-type", ""),
    )


def _check_name(name: str, code: int, complaint: str, code_name: str) -> str:
    """Return a name that stands in SQL or in a header.

    Raises:
        ClickHouseError: it is no name, so it can name nothing.
    """
    if not name.isidentifier():
        raise ClickHouseError(f"Code: {code}. DB::Exception: {complaint} {name!r}. ({code_name})")
    return name


def _make_query_id(given: str) -> str:
    """Return the client's id of the query, if it can stand in a header, else a new one."""
    return given if given and given.isprintable() and given.isascii() else str(uuid.uuid4())


def _read_seconds(text: str) -> float:
    try:
        return float(text or SESSION_TIMEOUT_S)
    except ValueError as error:
        raise ClickHouseError(
            f"Code: 36. DB::Exception: Invalid session timeout {text!r}: a number of seconds. (BAD_ARGUMENTS)"
        ) from error
