"""Describe runs of OpenAI's assistants: work that goes on after the request, told by polling or by events."""

from typing import Any

from trilemma.providers.spec import Deferred, Endpoint

__all__ = ["RUNS"]

# What a run came to: a model's work of one or more steps, with the usage of all.
RUN = Endpoint(
    path="/threads/{thread}/runs/{run}",
    operation="chat",
    response={
        "response_id": "id",
        "response_model": "model",
        "response_status": "status",
        "input_tokens": "usage.prompt_tokens",
        "output_tokens": "usage.completion_tokens",
        "cache_read_tokens": "usage.prompt_token_details.cached_tokens",
        "temperature": "temperature",
        "conversation_id": "thread_id",
        "error_type": "last_error.code",
    },
)


def fold_run(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of a run: the run itself as it goes on."""
    data = event.get("data") or {}
    if data.get("object") == "thread.run":
        body.update(data)
    return data.get("object") == "thread.message.delta"


def choose(result: dict[str, Any], _: dict[str, Any], __: str) -> Endpoint | None:
    """Return how to read a run that has ended; None before."""
    return RUN if result.get("object") == "thread.run" and result.get("usage") else None


_RESULT = Deferred(
    choose=choose,
    id="id",
    started="created_at",
    ended=("completed_at", "failed_at", "cancelled_at"),
    start=lambda _: "",
)


def _run(path: str, method: str = "POST") -> Endpoint:
    name = path.replace("{thread}", "{id}").replace("{run}", "{id}")
    return Endpoint(path, f"{method} {name}", method=method, fold=fold_run, deferred=_RESULT)


RUNS = (
    _run("/threads/runs"),
    _run("/threads/{thread}/runs"),
    _run("/threads/{thread}/runs/{run}", "GET"),
    _run("/threads/{thread}/runs/{run}/submit_tool_outputs"),
    _run("/threads/{thread}/runs/{run}/cancel"),
)
