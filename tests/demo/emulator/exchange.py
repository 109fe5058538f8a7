"""Own one request to the emulated provider, read into a form that both APIs share, and what goes back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Answer", "Exchange", "Usage", "count_tokens", "draw"]


def draw(*parts: object) -> float:
    """Return a number in [0, 1) that depends on `parts` alone: the same request gets the same fate in every run."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def count_tokens(text: str) -> int:
    """Return about as many tokens as a real tokenizer would give: one per four characters."""
    return -(-len(text) // 4)


@dataclass(frozen=True)
class Answer:
    """What the pretend model says: text, a call of one of the tools it was offered, or both."""

    text: str = ""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)

    def cut(self, step: int) -> tuple[list[str], list[str]]:
        """Return the text and the tool's arguments as a stream sends them, in pieces of `step` characters."""
        arguments = json.dumps(self.arguments) if self.tool else ""
        return [self.text[i : i + step] for i in range(0, len(self.text), step)], [
            arguments[i : i + step] for i in range(0, len(arguments), step)
        ]


@dataclass
class Usage:
    """Token counts of one exchange; ``input`` excludes what was read from or written to the cache."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass
class Exchange:
    """One request, and all that its response is made of."""

    body: dict[str, Any]
    model: str
    system: str
    user: str
    tool_results: list[str]
    tools: list[str]
    schema: str
    at: datetime
    attempt: int
    seen_before: int  # how often this very body was sent before
    body_hash: str = ""
    response_id: str = ""
    answer: Answer = field(default_factory=Answer)
    usage: Usage = field(default_factory=Usage)

    @property
    def stream(self) -> bool:
        """Say whether the client asked for server-sent events."""
        return bool(self.body.get("stream"))

    @property
    def created(self) -> int:
        """Return the response's time in seconds since the epoch."""
        return int(self.at.timestamp())

    def chance(self, *parts: object) -> Random:
        """Return the generator for whatever varies from one sending of the same request to the next."""
        return Random(f"{self.model}/{self.user}/{self.system}/{self.attempt}/{self.seen_before}/{parts}")
