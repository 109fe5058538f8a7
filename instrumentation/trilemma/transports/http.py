"""Own the reading of a response of httpx or httpx2 that an SDK's choke point gives: whole, or as it is read."""

from http import HTTPStatus
from typing import Any

from trilemma import guard
from trilemma.engine import Call
from trilemma.transports.raw_body import RawBody
from trilemma.transports.streams import tap

__all__ = ["note_http_response"]


@guard.guarded
def note_http_response(call: Call, response: Any) -> None:
    """Take status, headers and request hash; read a body that is there, and follow one that is still to be read."""
    call.note_response(response)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        call.chunks = None  # a refusal is no stream
    if response.is_closed:
        RawBody(response, call).read_all(response.content)
    else:
        call.is_unread = True
        tap(response, call, read_bytes=True)
