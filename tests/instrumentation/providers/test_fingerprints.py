"""Hold that calls carry the hashes by which their requests can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.instrumentation.providers.cases import CHAT
from tests.instrumentation.providers.wire import reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced


def test_turns_of_a_long_conversation(traced: Traced) -> None:
    """Two turns that begin alike share the hashes of their beginnings and of their tools, and differ as a whole."""
    client = traced.client(CHAT, reply_whole(CHAT.name))
    long = {"role": "system", "content": "Be brief. " * 2000}
    for turn in ("Where is order 7?", "And order 8?"):
        arguments = {**CHAT.arguments, "messages": [long, {"role": "user", "content": turn}]}
        CHAT.find(client)(**arguments)
    first, second = (dict(span.attributes or {}) for span in traced.spans())
    prefixes = "trilemma.request.prefix_hashes"
    assert first[prefixes] == second[prefixes]
    assert len(first[prefixes]) == 2  # of 4 and of 16 KiB
    assert first["trilemma.request.tools_hash"] == second["trilemma.request.tools_hash"]
    assert first["trilemma.request.hash"] != second["trilemma.request.hash"]


def test_short_request(traced: Traced) -> None:
    """A short request has no hash of its beginning."""
    CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)))(**CHAT.arguments)
    assert traced.record()["prefix_hashes"] is None
