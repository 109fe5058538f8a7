"""Own a provider on loopback that leads an agent through two tools: chat, responses, messages, embeddings and the rest.

It asks for `lookup`, then for `refund`, then says "Refunded."; without tools it says so at once. Every request is in
the ledger with the tokens that it was told, which are different each time: the truth that spans are compared with.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOOLS: tuple[tuple[str, dict[str, Any]], ...] = (("lookup", {"order": "7"}), ("refund", {"amount": 5}))
TEXT = ("Refun", "ded.")


@dataclass(frozen=True)
class Entry:
    """One request, and the tokens that its response states."""

    path: str
    body: dict[str, Any]
    status: int
    input_tokens: int = 0
    output_tokens: int = 0


class FakeProvider:
    """Answer over real HTTP, whole or as a stream of events."""

    def __init__(self) -> None:
        self.ledger: list[Entry] = []
        self.refusals = 0  # of the next requests, with status 429
        self.seed: int | None = None  # of the mutations of what is answered
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                status, content_type, parts = fake.answer(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("x-request-id", f"req-{len(fake.ledger)}")
                if len(parts) == 1:
                    self.send_header("Content-Length", str(len(parts[0])))
                self.send_header("Connection", "close")  # frameworks close their clients late or never
                self.close_connection = True
                self.end_headers()
                for part in parts:
                    self.wfile.write(part)
                    self.wfile.flush()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        """Return the base URL; OpenAI's clients want ``/v1`` behind it."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def tokens(self) -> tuple[int, int]:
        """Return the input and output tokens of all that was answered."""
        return sum(entry.input_tokens for entry in self.ledger), sum(entry.output_tokens for entry in self.ledger)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str, list[bytes]]:
        """Return status, content type and body of the response."""
        with self._lock:
            number = len(self.ledger) + 1
            status = 404 if "missing" in str(body.get("model", path)) else 429 if self.refusals else 200
            if status != 200:
                self.refusals = max(0, self.refusals - 1)
                self.ledger.append(Entry(path, body, status))
                error = {"type": "not_found_error" if status == 404 else "rate_limit_error", "message": "no"}
                return status, "application/json", [json.dumps({"type": "error", "error": error}).encode()]
            tokens = 1000 + number, 10 + number
            self.ledger.append(Entry(path, body, 200, *tokens))
        if len(json.dumps(body.get("messages") or body.get("input") or "")) > 1:
            time.sleep(0.005)  # so that runs at once overlap
        write = next((write for end, write in _WRITERS.items() if end in path), _write_empty)
        whole, events = write(body, number, *tokens)
        if self.seed is not None:
            chance = random.Random(self.seed)
            whole, events = _mutate(chance, whole), [_mutate(chance, event) for event in events]
        if body.get("stream"):
            names = [f"event: {event['type']}\n" if type(event.get("type")) is str else "" for event in events]
            parts = [f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True)]
            if "/chat/completions" in path:
                parts.append("data: [DONE]\n\n")
            return 200, "text/event-stream", [part.encode() for part in parts]
        return 200, "application/json", [json.dumps(whole).encode()]


def _mutate(chance: random.Random, value: Any) -> Any:
    """Return a body with some of its keys dropped, items lost, and values of another type."""
    if isinstance(value, dict):
        value = {key: _mutate(chance, item) for key, item in value.items()}
        if value and chance.random() < 0.15:
            key = chance.choice(list(value))
            value[key] = chance.choice([None, 1, "x", [], {}, True, -3, 2**70])
            if chance.random() < 0.4:
                del value[key]
        return value
    if isinstance(value, list):
        value = [_mutate(chance, item) for item in value]
        if value and chance.random() < 0.1:
            del value[chance.randrange(len(value))]
    return value


def _choose_tool(body: dict[str, Any], done: int) -> tuple[str, str] | None:
    if not body.get("tools") or done >= len(TOOLS):
        return None
    name, arguments = TOOLS[done]
    return name, json.dumps(arguments)


def _write_chat(body: dict[str, Any], number: int, sent: int, received: int) -> tuple[Any, list[Any]]:
    done = sum(message["role"] == "tool" for message in body["messages"])
    tool = _choose_tool(body, done)
    usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
    head = {"id": f"chatcmpl-{number}", "created": 1_790_000_000, "model": body["model"]}
    call = tool and {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": tool[0], "arguments": tool[1]},
    }
    message = {
        "role": "assistant",
        "content": None if call else "".join(TEXT),
        **({"tool_calls": [call]} if call else {}),
    }
    finish = "tool_calls" if call else "stop"
    whole = {
        **head,
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": usage,
    }
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"tool_calls": [{"index": 0, **call}]}] if call else [{"content": text} for text in TEXT]
    chunk = {**head, "object": "chat.completion.chunk"}
    events = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append({**chunk, "choices": [], "usage": usage})
    return whole, events


def _write_response(body: dict[str, Any], number: int, sent: int, received: int) -> tuple[Any, list[Any]]:
    items = body["input"] if isinstance(body["input"], list) else []
    tool = _choose_tool(body, sum(item.get("type") == "function_call_output" for item in items))
    usage = {
        "input_tokens": sent,
        "output_tokens": received,
        "total_tokens": sent + received,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    item: dict[str, Any] = {
        "type": "message",
        "id": f"msg_{number}",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "".join(TEXT), "annotations": []}],
    }
    if tool:
        item = {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number}",
            "name": tool[0],
            "arguments": tool[1],
            "status": "completed",
        }
    whole = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_790_000_000,
        "model": body["model"],
        "status": "completed",
        "output": [item],
        "usage": usage,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    empty = {"status": "in_progress", **({"arguments": ""} if tool else {"content": []})}
    place = {"item_id": item["id"], "output_index": 0}
    texts: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", **place, "content_index": 0, "delta": text, "logprobs": []}
        for text in TEXT
    ]
    if tool:
        texts = [{"type": "response.function_call_arguments.delta", **place, "delta": tool[1]}]
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, **empty}},
        *texts,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [{**event, "sequence_number": index} for index, event in enumerate(events)]


def _write_message(body: dict[str, Any], number: int, sent: int, received: int) -> tuple[Any, list[Any]]:
    parts = [
        part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    tool = _choose_tool(body, sum(part.get("type") == "tool_result" for part in parts))
    block = {"type": "text", "text": "".join(TEXT)}
    deltas = [{"type": "text_delta", "text": text} for text in TEXT]
    if tool:
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": tool[0], "input": json.loads(tool[1])}
        deltas = [{"type": "input_json_delta", "partial_json": tool[1]}]
    stop = "tool_use" if tool else "end_turn"
    whole = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [block],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": sent, "output_tokens": received},
    }
    begun = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": sent, "output_tokens": 1}}
    empty = {**block, **({"input": {}} if tool else {"text": ""})}
    events = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": received}},
        {"type": "message_stop"},
    ]
    return whole, events


def _write_embeddings(body: dict[str, Any], _: int, sent: int, __: int) -> tuple[Any, list[Any]]:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": i, "embedding": [0.1 * i, 1.0]} for i in range(len(inputs))]
    usage = {"prompt_tokens": sent, "total_tokens": sent}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}, []


def _write_rerank(_: dict[str, Any], number: int, sent: int, __: int) -> tuple[Any, list[Any]]:
    meta = {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": sent, "output_tokens": 0}}
    return {"id": f"rerank-{number}", "results": [{"index": 0, "relevance_score": 0.9}], "meta": meta}, []


def _write_image(_: dict[str, Any], __: int, sent: int, received: int) -> tuple[Any, list[Any]]:
    usage = {"input_tokens": sent, "output_tokens": received, "total_tokens": sent + received}
    return {"created": 1_790_000_000, "data": [{"b64_json": "aGk="}], "usage": usage}, []


def _write_empty(*_: Any) -> tuple[Any, list[Any]]:
    return {}, []


_WRITERS = {
    "/chat/completions": _write_chat,
    "/responses": _write_response,
    "/messages": _write_message,
    "/embeddings": _write_embeddings,
    "/rerank": _write_rerank,
    "/images/": _write_image,
}
