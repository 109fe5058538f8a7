"""Own the floor of the overhead benchmark: a minimal wrapper that writes one span of about twenty attributes per call.

It does what nobody could leave out, and no more: no price, no hash, no headers, no retries, no guard.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Span, Tracer

__all__ = ["BareSpan"]


class BareSpan:
    """Wrap the methods that the workloads call, and put them back."""

    def __init__(self, *, content: bool) -> None:
        self.content = content
        self.originals: list[tuple[Any, str, Any]] = []

    def patch(self, provider: Any) -> None:
        """Wrap the methods; spans go to `provider`."""
        from anthropic.resources.messages import Messages
        from openai.resources.chat.completions import AsyncCompletions, Completions
        from openai.resources.embeddings import Embeddings
        from openai.resources.responses import Responses

        self.tracer: Tracer = provider.get_tracer("bare")
        self._replace(Completions, "create", self._wrap("chat", "openai"))
        self._replace(Embeddings, "create", self._wrap("embeddings", "openai"))
        self._replace(Responses, "create", self._wrap("chat", "openai"))
        self._replace(Messages, "create", self._wrap("chat", "anthropic"))
        self._replace(AsyncCompletions, "create", self._wrap_async("chat", "openai"))
        self._replace(Messages, "stream", self._wrap_helper())

    def restore(self) -> None:
        """Put the SDKs' own methods back."""
        while self.originals:
            setattr(*self.originals.pop())

    def _replace(self, resource: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self.originals.append((resource, name, getattr(resource, name)))
        setattr(resource, name, wrap(getattr(resource, name)))

    def _wrap(self, operation: str, provider: str) -> Callable[[Any], Any]:
        def wrap(create: Any) -> Any:
            def wrapper(this: Any, **request: Any) -> Any:
                span = self.start(operation, provider, request)
                response = create(this, **request)
                if request.get("stream"):
                    return _Stream(self, span, response)
                self.end(span, response)
                return response

            return wrapper

        return wrap

    def _wrap_async(self, operation: str, provider: str) -> Callable[[Any], Any]:
        def wrap(create: Any) -> Any:
            async def wrapper(this: Any, **request: Any) -> Any:
                span = self.start(operation, provider, request)
                response = await create(this, **request)
                self.end(span, response)
                return response

            return wrapper

        return wrap

    def _wrap_helper(self) -> Callable[[Any], Any]:
        def wrap(stream: Any) -> Any:
            def wrapper(this: Any, **request: Any) -> Any:
                span = self.start("chat", "anthropic", {**request, "stream": True})
                return _Manager(self, span, stream(this, **request))

            return wrapper

        return wrap

    def start(self, operation: str, provider: str, request: dict[str, Any]) -> Span:
        """Start the span with what the request tells."""
        said = request.get("messages") or request.get("input") or ()
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": request["model"],
            "server.address": "api.example.com",
            "server.port": 443,
            "message_count": len(said),
            "tool_count": len(request.get("tools") or ()),
            "user.id": "user",
        }
        for name in ("temperature", "max_tokens", "stream"):
            if name in request:
                attributes[f"gen_ai.request.{name}"] = request[name]
        if self.content:
            attributes["gen_ai.input.messages"] = json.dumps(said)
            attributes["gen_ai.tool.definitions"] = json.dumps(request.get("tools"))
        name = f"{operation} {request['model']}"
        return self.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def end(self, span: Span, response: Any, text: str | None = None, first_s: float | None = None) -> None:
        """End the span with what the response tells."""
        attributes: dict[str, Any] = {"gen_ai.response.model": response.model, "gen_ai.response.tool_count": 1}
        usage = getattr(response, "usage", None)
        if usage is not None:
            tokens_in = getattr(usage, "prompt_tokens", None) or getattr(usage, "input_tokens", 0)
            tokens_out = getattr(usage, "completion_tokens", None) or getattr(usage, "output_tokens", 0)
            attributes["gen_ai.usage.input_tokens"] = tokens_in
            attributes["gen_ai.usage.output_tokens"] = tokens_out
            attributes["cost"] = tokens_in * 7.5e-7 + tokens_out * 4.5e-6
        # Constants stand for what a real tracer would read: the floor is the span, not the reading.
        attributes["gen_ai.response.id"] = getattr(response, "id", None) or "none"
        attributes["gen_ai.usage.cache_read.input_tokens"] = 512
        attributes["gen_ai.usage.reasoning.output_tokens"] = 64
        attributes["gen_ai.response.finish_reasons"] = ("tool_calls",)
        attributes["service_tier"] = "default"
        if first_s is not None:
            attributes["gen_ai.response.time_to_first_chunk"] = first_s
        if self.content:
            attributes["gen_ai.output.messages"] = json.dumps(
                {"role": "assistant", "content": text or _text_of(response)}
            )
        span.set_attributes(attributes)
        span.end()


class _Stream:
    """Count time to the first content and keep the text, chunk by chunk."""

    def __init__(self, bare: BareSpan, span: Span, stream: Any) -> None:
        self.bare, self.span, self.stream = bare, span, stream

    def __iter__(self) -> Iterator[Any]:
        began, first_s, text, chunk = time.perf_counter(), None, [], None
        for chunk in self.stream:
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                if first_s is None:
                    first_s = time.perf_counter() - began
                if self.bare.content:
                    text.append(piece)
            yield chunk
        self.bare.end(self.span, chunk, "".join(text), first_s)


class _Manager:
    """Wrap anthropic's stream helper, which folds the chunks itself."""

    def __init__(self, bare: BareSpan, span: Span, manager: Any) -> None:
        self.bare, self.span, self.manager = bare, span, manager

    def __enter__(self) -> Any:
        self.began, self.first_s = time.perf_counter(), None
        self.stream = self.manager.__enter__()
        wire = self.stream._iterator

        def watched() -> Iterator[Any]:
            for event in wire:
                if self.first_s is None and event.type == "content_block_delta":
                    self.first_s = time.perf_counter() - self.began
                yield event

        self.stream._iterator = watched()
        return self.stream

    def __exit__(self, *error: object) -> Any:
        self.bare.end(self.span, self.stream.current_message_snapshot, None, self.first_s)
        return self.manager.__exit__(*error)


def _text_of(response: Any) -> str:
    if hasattr(response, "choices"):
        return response.choices[0].message.content or ""
    blocks = getattr(response, "content", None) or getattr(response, "output", None) or ()
    return "".join(getattr(block, "text", "") for block in blocks)
