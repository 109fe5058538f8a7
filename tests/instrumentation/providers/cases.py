"""Own the cases every provider test runs over: which SDK call, with what, and what a user reads out of its result."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.instrumentation.providers.sdks import SDKS, Sdk

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
    stream_path: str = ""  # the method that streams, where that is another one
    client: Mapping[str, Any] = field(default_factory=dict)  # options of the client

    @property
    def traits(self) -> Sdk:
        """Return what is peculiar to the SDK."""
        return SDKS[self.sdk]

    def import_sdk(self) -> Any:
        """Return the SDK."""
        return importlib.import_module(self.sdk)

    def find(self, client: Any, *, raw: str = "") -> Callable[..., Any]:
        """Return what calls the method, or its variant: with_raw_response, with_streaming_response.

        `stream=True` asks the method that streams, where that is another one. What an old SDK does not know by name yet
        goes to it as `extra_body`, as its users would do it.
        """
        _find_method(client, self.path, raw)

        def send(**arguments: Any) -> Any:
            path = self.path
            if self.stream_path and arguments.pop("stream", False):
                path = self.stream_path
            call, known = _find_method(client, path, raw)
            extra = {name: arguments.pop(name) for name in list(arguments) if name not in known}
            if extra and "extra_body" in known:
                arguments["extra_body"] = {**extra, **arguments.get("extra_body", {})}
            result = call(**arguments)
            return _wait(result) if inspect.isasyncgen(result) else result

        return send

    def is_here(self) -> bool:
        """Tell whether the installed SDK has this endpoint."""
        try:
            _find_method(self.make_client(self.traits.find_http().Client(trust_env=False)), self.path, "")
        except AttributeError:
            return False
        return True

    def make_client(self, http_client: Any, *, is_async: bool = False, **options: Any) -> Any:
        """Return a client of the SDK that sends by `http_client`."""
        return self.traits.make(http_client, is_async=is_async, **{**self.client, **options})


async def _wait(stream: Any) -> Any:
    return stream


def _find_method(client: Any, path: str, raw: str) -> tuple[Any, Mapping[str, Any]]:
    *owners, method = path.split(".")
    method += "_async" if getattr(client, "asks_async", False) else ""
    for owner in owners:
        client = getattr(client, owner)
    call = getattr(client, method)
    known = inspect.signature(getattr(type(client), method, call)).parameters
    return getattr(getattr(client, raw), method) if raw else call, known


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
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is order 7?"}]
TOOLS = CHAT.arguments["tools"]


def _chat(sdk: str, path: str, model: str, **more: Any) -> Case:
    name = f"{sdk}.chat"
    arguments = {"model": model, "messages": QUESTION, "temperature": 0.5, "max_tokens": 50, "tools": TOOLS}
    return Case(
        **{
            "name": name,
            "sdk": sdk,
            "path": path,
            "arguments": arguments,
            "request_model": model,
            "response_id": "chatcmpl-1",
            "first_content_event": 1,
            **more,
        }
    )


GROQ = _chat("groq", "chat.completions.create", "llama-3.3-70b-versatile")
TOGETHER = _chat("together", "chat.completions.create", "meta-llama/Llama-3.3-70B-Instruct-Turbo")
MISTRAL = _chat(
    "mistralai",
    "chat.complete",
    "mistral-small-latest",
    arguments={
        "model": "mistral-small-latest",
        "messages": QUESTION,
        "temperature": 0.5,
        "top_p": 1.0,  # which old ones send by default
        "max_tokens": 50,
        "tools": TOOLS,
    },
    stream_path="chat.stream",
)
HUB = _chat("huggingface_hub", "chat_completion", "meta-llama/llama-3.1-8b-instruct")
COHERE = _chat(
    "cohere",
    "chat",
    "command-a-03-2025",
    name="cohere.chat_v2",
    response_id="chat_1",
    stream_path="chat_stream",
    client={"version": "V2"},
)
OLLAMA = _chat(
    "ollama",
    "chat",
    "llama3.2",
    arguments={
        "model": "llama3.2",
        "messages": QUESTION,
        "options": {"temperature": 0.5, "num_predict": 50},
    },
    response_id="",
    first_content_event=0,
)
COHERE_V1 = Case(
    name="cohere.chat_v1",
    sdk="cohere",
    path="chat",
    stream_path="chat_stream",
    arguments={"model": "command", "preamble": "Be brief.", "message": "Where is order 7?", "temperature": 0.5},
    request_model="command",
    response_id="chat_1",
    first_content_event=1,
)
OLLAMA_GENERATE = Case(
    name="ollama.generate",
    sdk="ollama",
    path="generate",
    arguments={"model": "llama3.2", "system": "Be brief.", "prompt": "Where is order 7?"},
    request_model="llama3.2",
    response_id="",
)
HUB_TEXT = Case(
    name="huggingface_hub.text",
    sdk="huggingface_hub",
    path="text_generation",
    arguments={"prompt": "Where is order 7?", "details": True, "max_new_tokens": 50},
    request_model="",
    response_id="",
    client={"model": "https://abc.endpoints.huggingface.cloud"},
)
MISTRAL_EMBEDDINGS = Case(
    name="mistralai.embeddings",
    sdk="mistralai",
    path="embeddings.create",
    arguments={"model": "mistral-embed", "inputs": ["order", "7"]},
    request_model="mistral-embed",
    response_id="emb_1",
)
COHERE_EMBED = Case(
    name="cohere.embed",
    sdk="cohere",
    path="embed",
    arguments={
        "model": "embed-v4.0",
        "texts": ["order", "7"],
        "input_type": "search_document",
        "embedding_types": ["float"],
    },
    request_model="embed-v4.0",
    response_id="emb_1",
    client={"version": "V2"},
)
COHERE_RERANK = Case(
    name="cohere.rerank",
    sdk="cohere",
    path="rerank",
    arguments={"model": "rerank-v3.5", "query": "order", "documents": ["shoes", "order 7"]},
    request_model="rerank-v3.5",
    response_id="rerank_1",
    client={"version": "V2"},
)
OLLAMA_EMBED = Case(
    name="ollama.embed",
    sdk="ollama",
    path="embed",
    arguments={"model": "all-minilm", "input": ["order", "7"]},
    request_model="all-minilm",
    response_id="",
)
GOOGLE = Case(
    name="google_genai.content",
    sdk="google.genai",
    path="models.generate_content",
    stream_path="models.generate_content_stream",
    arguments={
        "model": "gemini-2.5-flash",
        "contents": "Where is order 7?",
        "config": {
            "system_instruction": "Be brief.",
            "temperature": 0.5,
            "max_output_tokens": 50,
            "stop_sequences": ["END"],
            "thinking_config": {"include_thoughts": True},
            "tools": [
                {
                    "function_declarations": [
                        {
                            "name": "find_order",
                            "parameters": {"type": "OBJECT", "properties": {"id": {"type": "INTEGER"}}},
                        }
                    ]
                }
            ],
        },
    },
    request_model="gemini-2.5-flash",
    response_id="resp_1",
)
GOOGLE_EMBEDDINGS = Case(
    name="google_genai.embeddings",
    sdk="google.genai",
    path="models.embed_content",
    arguments={"model": "gemini-embedding-001", "contents": ["order", "7"]},
    request_model="gemini-embedding-001",
    response_id="",
)
STAINLESS_STREAMED = (CHAT, RESPONSES, MESSAGES, GROQ, TOGETHER)
STAINLESS = (*STAINLESS_STREAMED, EMBEDDINGS)
STREAMED = (*STAINLESS_STREAMED, MISTRAL, COHERE, COHERE_V1, OLLAMA, OLLAMA_GENERATE, HUB, HUB_TEXT, GOOGLE)
ALL = (*STREAMED, EMBEDDINGS, MISTRAL_EMBEDDINGS, COHERE_EMBED, COHERE_RERANK, OLLAMA_EMBED, GOOGLE_EMBEDDINGS)
