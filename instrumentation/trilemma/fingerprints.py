"""Own hashes by which requests are compared without content: of their beginnings, and of the tools they offer."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any

__all__ = ["PREFIX_BYTES", "hash_body", "hash_tools"]

PREFIX_BYTES = (4096, 16_384, 65_536, 262_144)
"""How much of a request's body each prefix hash is of: the longer one is there only where the body is longer."""


def hash_body(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the hash of a request's body, and those of its first 4, 16, 64 and 256 KiB where it is longer.

    Requests that share a hash of a prefix begin with the same bytes: the conversation so far, the documents, the
    system prompt, in the order in which the SDK writes them.
    """
    if len(content) <= PREFIX_BYTES[0]:
        return sha256(content, usedforsecurity=False).hexdigest()[:32], ()
    digest, done, prefixes = sha256(usedforsecurity=False), 0, []
    view = memoryview(content)
    for size in PREFIX_BYTES:
        if len(content) <= size:
            break
        digest.update(view[done:size])
        done = size
        prefixes.append(digest.copy().hexdigest()[:16])
    digest.update(view[done:])
    return digest.hexdigest()[:32], tuple(prefixes)


def hash_tools(request: dict[str, Any]) -> str | None:
    """Return a hash of the names of the tools that a request offers, in any order; None where it offers none."""
    tools = request.get("tools")
    if tools is None and type(config := request.get("toolConfig")) is dict:  # Bedrock's Converse
        tools = config.get("tools")
    names = tuple(sorted(set(_list_names(tools)))) if type(tools) is list else ()
    return _hash_names(names) if names else None


@lru_cache(maxsize=1024)
def _hash_names(names: tuple[str, ...]) -> str:
    return sha256("\n".join(names).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]


def _list_names(tools: list[Any]) -> Iterator[str]:
    """Yield the names of tools as the providers write them; of one without a name, its type or its only key."""
    for tool in tools:
        if type(tool) is not dict:
            continue
        inner = tool.get("function") or tool.get("toolSpec") or tool
        declared = tool.get("functionDeclarations")
        if type(declared) is list:
            yield from _list_names(declared)
        elif type(inner) is dict:
            yield str(inner.get("name") or tool.get("type") or next(iter(tool), ""))
