"""Own how a refusal by ClickHouse is told over HTTP: status, header and text, as its own server does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trilemma_collector.storage.engine import ClickHouseError

__all__ = ["find_http_status", "format_error"]

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp
STATUS_BY_CODE = {
    400: {
        6,
        26,
        27,
        36,
        38,
        41,
        43,
        44,
        53,
        62,
        69,
        72,
        117,
        125,
        130,
        131,
        167,
        168,
        170,
        271,
        321,
        427,
        457,
        467,
        468,
    },
    401: {194},
    403: {192, 193, 497, 516},
    404: {45, 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 139, 322},
    408: {159, 209},
    413: {158, 307, 396},
    501: {48},
    503: {202, 236, 241, 745},
}
_STATUS = {code: status for status, codes in STATUS_BY_CODE.items() for code in codes}


def find_http_status(code: int) -> int:
    """Return the HTTP status for a ClickHouse error code."""
    return _STATUS.get(code, 500)


def format_error(error: ClickHouseError, version: str) -> str:
    """Return the text that ClickHouse's server would send."""
    text = str(error).strip()
    if not text.startswith("Code: "):
        text = f"Code: {error.code}. DB::Exception: {text}"
    return text if "(version " in text else f"{text} (version {version})"
