"""Own the cases every provider test runs over: which SDK call, with what, and what a user reads out of its result."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOOL_PARAMETERS = {"type": "object", "properties": {"id": {"type": "integer"}}}


@dataclass(frozen=True)
class Case:
    """Be one endpoint of one SDK."""

    name: str
    sdk: str
    path: str
    arguments: Mapping[str, Any]
    request_model: str
    response_id: str
    first_content_event: int = 0  # which event is the first with content, from 0; pings do not count

    def import_sdk(self) -> Any:
        """Return the SDK."""
        return importlib.import_module(self.sdk)

    def find(self, client: Any, *, raw: str = "") -> Callable[..., Any]:
        """Return the bound method, or its variant: with_raw_response, with_streaming_response.

        What an old SDK does not know by name yet goes to it as `extra_body`, as its users would do it.
        """
        *owners, method = self.path.split(".")
        for owner in owners:
            client = getattr(client, owner)
        known = inspect.signature(getattr(client, method)).parameters
        call = getattr(getattr(client, raw) if raw else client, method)

        def send(**arguments: Any) -> Any:
            extra = {name: arguments.pop(name) for name in list(arguments) if name not in known}
            if extra:
                arguments["extra_body"] = {**extra, **arguments.get("extra_body", {})}
            return call(**arguments)

        return send

    def is_here(self) -> bool:
        """Tell whether the installed SDK has this endpoint."""
        sdk = self.import_sdk()
        client_class = {"openai": "OpenAI", "anthropic": "Anthropic"}[self.sdk]
        return hasattr(getattr(sdk, client_class)(api_key="k"), self.path.split(".")[0])


CHAT = Case(
    name="openai.chat",
    sdk="openai",
    path="chat.completions.create",
    arguments={
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is order 7?"}],
        "temperature": 0.5,
        "max_tokens": 50,
        "stop": ["END"],
        "tools": [{"type": "function", "function": {"name": "find_order", "parameters": TOOL_PARAMETERS}}],
    },
    request_model="gpt-4o-mini",
    response_id="chatcmpl-1",
    first_content_event=1,
)
RESPONSES = Case(
    name="openai.responses",
    sdk="openai",
    path="responses.create",
    arguments={
        "model": "gpt-5-mini",
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": "Where is order 7?"}],
        "max_output_tokens": 50,
        "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "find_order", "parameters": TOOL_PARAMETERS, "strict": False}],
    },
    request_model="gpt-5-mini",
    response_id="resp_1",
    first_content_event=3,
)
MESSAGES = Case(
    name="anthropic.messages",
    sdk="anthropic",
    path="messages.create",
    arguments={
        "model": "claude-sonnet-4-6",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Where is order 7?"}],
        "max_tokens": 50,
        "stop_sequences": ["END"],
    },
    request_model="claude-sonnet-4-6",
    response_id="msg_1",
    first_content_event=2,
)
EMBEDDINGS = Case(
    name="openai.embeddings",
    sdk="openai",
    path="embeddings.create",
    arguments={"model": "text-embedding-3-small", "input": ["order", "7"], "encoding_format": "float"},
    request_model="text-embedding-3-small",
    response_id="",
)
STREAMED = (CHAT, RESPONSES, MESSAGES)
ALL = (*STREAMED, EMBEDDINGS)
