"""Hold the hashes by which requests are compared: equal beginnings and tools are equal, and nothing else is told."""

from __future__ import annotations

from hashlib import sha256

import pytest
from trilemma.fingerprints import PREFIX_BYTES, hash_body, hash_tools


@pytest.mark.parametrize("size", [0, 10, *PREFIX_BYTES, PREFIX_BYTES[1] + 1, 300_000])
def test_body(size: int) -> None:
    """The hash is SHA-256 of the whole, and there is one of each beginning that is shorter than the body."""
    content = bytes(number % 251 for number in range(size))
    whole, prefixes = hash_body(content)
    assert whole == sha256(content).hexdigest()[:32]
    shorter = [length for length in PREFIX_BYTES if length < size]
    assert prefixes == tuple(sha256(content[:length]).hexdigest()[:16] for length in shorter)


def test_conversation_that_goes_on() -> None:
    """A later turn shares the beginnings of the earlier one and is another request."""
    first = b'{"messages": [' + b"x" * 20_000
    second = first + b"more" * 2000
    assert hash_body(first)[1] == hash_body(second)[1]
    assert hash_body(first)[0] != hash_body(second)[0]


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "function": {"name": "a"}}, {"type": "function", "function": {"name": "b"}}],
        [{"type": "function", "name": "b"}, {"type": "function", "name": "a"}],
        [{"name": "a", "input_schema": {}}, {"name": "b"}],
        [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}],
        [{"toolSpec": {"name": "a"}}, {"toolSpec": {"name": "b"}}],
    ],
)
def test_tools(tools: list[dict[str, object]]) -> None:
    """The same names are the same set, in any order and in the words of any provider."""
    assert hash_tools({"tools": tools}) == sha256(b"a\nb").hexdigest()[:16]


@pytest.mark.parametrize("tools", [None, [], "a", [None, 1], {}])
def test_no_tools(tools: object) -> None:
    """Without tools there is no hash, however odd what is there."""
    assert hash_tools({"tools": tools}) is None
    assert hash_tools({"toolConfig": {"tools": tools}}) is None


def test_tools_without_names() -> None:
    """A built-in tool counts by its type, or by its only key."""
    assert hash_tools({"tools": [{"type": "web_search"}]}) == sha256(b"web_search").hexdigest()[:16]
    assert hash_tools({"tools": [{"googleSearch": {}}]}) == sha256(b"googleSearch").hexdigest()[:16]
