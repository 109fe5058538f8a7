"""Own how a recorded response is broken: seeded, at random places, as no provider should send it."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

from tests.wire_score.corpus import body_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.wire_score.corpus import Record

__all__ = ["mutate"]

ODD_VALUES: list[Any] = [
    *(None, "", "x", 0, -1, 1.5, 10**30, 1e308, True, [], {}, [None], {"a": None}, ["x"], [[]]),
    *("\udcff", "x" * 70_000, "٣", [1] * 3000, {"type": "text"}, {"index": 10**9}),
]


def mutate(record: Record, random: Random) -> Record:
    """Return the record with one to three things wrong in its response's body."""
    data = body_bytes(record)
    for _ in range(random.randint(1, 3)):
        data = _CHANGES.get(record["wire"], change_json)(data, random)
    if random.random() < 0.05:
        place = random.randrange(len(data) + 1)
        data = data[:place] + b"\xff\xfe" + data[place:]
    body = {"response_body": base64.b64encode(data).decode(), "response_body_encoding": "base64"}
    return {**record, **body, "mutation": record["id"]}


def change_json(data: bytes, random: Random) -> bytes:
    """Break one place of a JSON text, or the text itself."""
    try:
        body = json.loads(data)
    except ValueError:
        return data[: random.randrange(len(data) + 1)]
    if random.random() < 0.03:
        return random.choice([data[: len(data) // 2], b"", b"null", b"[]", b'"x"', b"NaN"])
    places = list_places(body)
    if not places:
        return json.dumps(random.choice(ODD_VALUES)).encode()
    holder, key = random.choice(places)
    if random.random() < 0.4 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = random.choice(ODD_VALUES)
    return json.dumps(body).encode()


def change_events(data: bytes, random: Random) -> bytes:
    """Break an event stream: one event's data, or its course."""

    def change(event: bytes) -> bytes:
        lines = event.split(b"\n")
        return b"\n".join(
            b"data: " + change_json(line[5:].strip(), random) if line.startswith(b"data:") else line for line in lines
        )

    return b"\n\n".join(change_course(data.split(b"\n\n"), change, b": comment", random))


def change_lines(data: bytes, random: Random) -> bytes:
    """Break a stream of one JSON object a line."""
    return b"\n".join(change_course(data.split(b"\n"), lambda line: change_json(line, random), b"", random))


def change_frames(data: bytes, random: Random) -> bytes:
    """Break a stream of AWS frames: a payload, under a right checksum or not, or its course."""
    frames, start = [], 0
    while start + 16 <= len(data):
        size = struct.unpack_from(">I", data, start)[0]
        if not 16 <= size <= len(data) - start:
            break
        frames.append(data[start : start + size])
        start += size
    if not frames:
        return data[: random.randrange(len(data) + 1)]
    return b"".join(change_course(frames, lambda frame: _change_frame(frame, random), b"\0" * 16, random))


def _change_frame(frame: bytes, random: Random) -> bytes:
    header_size = struct.unpack_from(">I", frame, 4)[0]
    if len(frame) < 16 + header_size:
        return frame
    head, payload = frame[12 : 12 + header_size], change_json(frame[12 + header_size : -4], random)
    start = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    start += struct.pack(">I", zlib.crc32(start))
    body = start + head + payload
    checksum = zlib.crc32(body) ^ (random.random() < 0.05)  # now and then a wrong one
    return body + struct.pack(">I", checksum)


def change_course(events: list[bytes], change: Callable[[bytes], bytes], noise: bytes, random: Random) -> list[bytes]:
    """Change one event, or which events come and when."""
    number = random.randrange(len(events))
    before, event, after = events[:number], events[number], events[number + 1 :]
    if random.random() < 0.6:
        return [*before, change(event), *after]
    courses: list[Callable[[], list[bytes]]] = [
        lambda: before,  # cut
        lambda: [*before, event[: len(event) // 2]],  # cut within an event
        lambda: [*before, *after],  # one lost
        lambda: [*before, event, event, *after],  # one twice
        lambda: [*before, noise, event, *after],
        lambda: random.sample(events, len(events)),  # out of order
    ]
    return random.choice(courses)()


def list_places(body: Any) -> list[tuple[Any, Any]]:
    """Return every (holder, key or index) in a body."""
    keys: list[Any] = list(body) if isinstance(body, dict) else list(range(len(body))) if isinstance(body, list) else []
    return [(body, key) for key in keys] + [place for key in keys for place in list_places(body[key])]


_CHANGES: dict[str, Callable[[bytes, Random], bytes]] = {
    "sse": change_events,
    "ndjson": change_lines,
    "aws-eventstream": change_frames,
}
