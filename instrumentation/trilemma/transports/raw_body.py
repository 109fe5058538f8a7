"""Own the reading of a body by its bytes, where no parser of an SDK gives its parts: JSON, events, or JSON lines."""

from io import BytesIO
from typing import Any

from trilemma import guard
from trilemma.engine import Call
from trilemma.record import read_json

__all__ = ["RawBody"]

_JSON_LINES = frozenset({"application/x-ndjson", "application/stream+json", "application/jsonl", "application/x-jsonl"})
_DONE = b"[DONE]"
_MAX_BYTES = 32 * 1024 * 1024  # a larger body is not kept: its span lacks what only the body says


class RawBody:
    """Collect the bytes of a body as the user reads them, and give its call what they say."""

    def __init__(self, response: Any, call: Call) -> None:
        headers = response.headers
        self._call = call
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._events = content_type == "text/event-stream"
        self._media = content_type.startswith(("audio/", "image/", "video/"))
        self._lines = content_type in _JSON_LINES
        deferred = call.target.endpoint.spec.deferred
        self._results = deferred is not None and deferred.lines  # unless it turns out to be another file
        # Bytes come here before they are decompressed; a compressed body is read whole, at its end.
        self._encoded = headers.get("content-encoding", "identity") != "identity"
        self._decode = type(response), [pair for pair in headers.raw if pair[0].lower() == b"content-encoding"]
        self._parts: list[bytes] = []
        self._size = 0
        self._rest = b""
        self._seen = False

    @guard.guarded
    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._media:
            return
        if self._results and not self._encoded and not self._rest and not self._are_results(chunk):
            return
        if (self._events or self._lines or self._results) and not self._encoded:
            self._feed(chunk)
            return
        self._size += len(chunk)
        if self._size <= _MAX_BYTES:
            self._parts.append(chunk)

    def finish(self) -> None:
        """Read what is left, and end the call."""
        self._read_rest()
        self._call.end("exhausted")

    def read_all(self, content: bytes) -> None:
        """Take a body that was read before it came here, decompressed."""
        self._encoded = False
        if self._results and not self._rest:
            if self._are_results(content):
                for line in BytesIO(content):  # of what may be hundreds of MB, one at a time
                    self._note(line)
        elif self._media:
            return
        elif self._events or self._lines or self._results:
            self._feed(content + b"\n\n")
        else:
            self._call.body = read_json(content)

    def _are_results(self, content: bytes) -> bool:
        """Tell whether a file is one of results, by its first byte; take nothing of another one."""
        self._media = not self._seen and not content.startswith(b"{")
        self._seen = self._seen or bool(content)
        return not self._media

    @guard.guarded
    def _read_rest(self) -> None:
        content = b"".join(self._parts) if self._size <= _MAX_BYTES else b""
        if self._encoded and content:
            response_class, headers = self._decode
            content = response_class(200, headers=headers, content=content).content
        self.read_all(content)

    def _feed(self, chunk: bytes) -> None:
        if self._lines or self._results:
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._note(line)
            return
        # A chunk may end within "\r\n": the "\r" stays for the next one.
        *events, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            self._note(b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")))

    def _note(self, text: bytes) -> None:
        if text == _DONE and self._events:
            self._call.end("exhausted")  # SDKs stop here, and some never ask for what follows: nothing
            return
        if not text.strip() or not (body := read_json(text)):
            return
        if self._results:
            from trilemma.deferred import note_line

            note_line(self._call, body)
        elif self._call.chunks is not None:
            self._call.chunks.note(body)
        else:  # a line of a stream nobody asked for: an error in its place, or the only answer
            self._call.body = body
