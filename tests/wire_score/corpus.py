"""Own the format of the recordings: one HTTP exchange with a provider per line, and what its bodies say."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "Address",
    "Form",
    "Record",
    "body_bytes",
    "cut_body",
    "find_address",
    "load_records",
    "parse_form",
    "reply_headers",
]

Record: TypeAlias = dict[str, Any]

_CONTENT_TYPES = {
    "json": "application/json",
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "aws-eventstream": "application/vnd.amazon.eventstream",
}
_PIECE_BYTES = 97  # cuts fall inside lines and characters, as on a network
_MAX_PIECES = 400
_VERSION = re.compile(r"^(.*/v\d+[a-z0-9-]*)(/.*)$")


def load_records(path: Path) -> Iterator[Record]:
    """Yield every record of a file (.jsonl or .jsonl.gz), a line that is none as one that only has an id."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="surrogatepass") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parse(line, number)


def _parse(line: str, number: int) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or "url" not in record:
        return {"id": f"line {number}"}
    record["expected"] = record.get("expected") or {}
    return record


def body_bytes(record: Record, key: str = "response_body") -> bytes:
    """Return a recorded body as it went over the wire."""
    body = record[key]
    if body is None:
        return b""
    if not isinstance(body, str):
        return json.dumps(body).encode()
    if record.get(f"{key}_encoding") == "base64":
        return base64.b64decode(body)
    return body.encode("utf-8", "surrogatepass")


def cut_body(record: Record) -> list[bytes]:
    """Return the response's body in the pieces it arrives in: several for a stream, cut anywhere."""
    data = body_bytes(record)
    if not record["stream"]:
        return [data]
    size = max(_PIECE_BYTES, len(data) // _MAX_PIECES)
    return [data[start : start + size] for start in range(0, len(data), size)]


def reply_headers(record: Record) -> dict[str, str]:
    """Return the response's headers for a body that is no longer compressed."""
    headers = {
        name.lower(): str(value).encode("ascii", "replace").decode()
        for name, value in (record.get("response_headers") or {}).items()
        if name.lower() not in {"content-length", "content-encoding", "transfer-encoding"}
    }
    headers.setdefault("content-type", _CONTENT_TYPES.get(record["wire"], "application/json"))
    return headers


@dataclass(frozen=True)
class Address:
    """Be a URL as an SDK has it: the base URL of its client, the path of the request, and the query."""

    base: str
    path: str
    query: dict[str, str]


def find_address(record: Record, tails: tuple[str, ...] = (), *, prefix: str | None = None) -> Address:
    """Split a record's URL before the first of `tails` that it ends with, else after its API version.

    With a `prefix`, the version is part of the path, and so is the prefix where it stands before the version.
    """
    url = urlsplit(record["url"])
    origin = f"{url.scheme}://{url.netloc}"
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    full = re.sub("/{2,}", "/", url.path)
    for tail in tails:
        if full.endswith(tail):
            return Address(origin + full.removesuffix(tail), tail, query)
    if found := _VERSION.match(full):
        base, path = found.groups()
        if prefix is not None:
            base, _, version = base.rpartition("/")
            base, path = base.removesuffix(prefix), f"{prefix if base.endswith(prefix) else ''}/{version}{path}"
        return Address(origin + base, path, query)
    return Address(origin, full or "/", query)


@dataclass(frozen=True)
class Form:
    """Be a multipart request body: its plain fields, and its files as (field, (file name, content, type))."""

    fields: dict[str, Any]
    files: list[tuple[str, tuple[str, bytes, str]]]


def parse_form(record: Record) -> Form | None:
    """Return the multipart form that was sent, or None for another kind of body."""
    if not isinstance(record["request_body"], str):
        return None
    data = body_bytes(record, "request_body")
    if data.startswith(b"LS"):  # "--" in base64: some recorders encoded it and did not say so
        data = base64.b64decode(data)
    boundary = data[:200].partition(b"\n")[0].rstrip(b"\r")
    if not boundary.startswith(b"--"):
        return None
    form = Form({}, [])
    for part in data.split(boundary)[1:]:
        head, found, content = part.replace(b"\r\n", b"\n", 8).lstrip(b"\n").partition(b"\n\n")
        if not found:
            continue
        text = head.decode("utf-8", "replace")
        name = re.search(r'\bname="?([^";\n]*)', text)
        file_name = re.search(r'filename="?([^";\n]*)', text)
        kind = re.search(r"(?i)content-type:\s*(\S+)", text)
        content = content.removesuffix(b"\n").removesuffix(b"\r")
        if name is None:
            continue
        if file_name is None:
            form.fields[name[1]] = content.decode("utf-8", "replace")
        else:
            form.files.append((name[1], (file_name[1] or "file", content, kind[1] if kind else "text/plain")))
    return form
