"""Own the task: the business job that LLM calls serve, its id on every span beneath, and its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import baggage
from opentelemetry.context import create_key, get_current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context

__all__ = ["task_attributes"]

_TASK_KEY = create_key("trilemma-task")
# What a task puts on every span beneath it, and into W3C baggage under the same names.
_CARRIED = (
    "trilemma.task.id",
    "trilemma.task.name",
    "trilemma.task.input_id",
    "trilemma.variant",
    "trilemma.variant.context",
    "trilemma.variant.guardrail",
    "trilemma.variant.route",
    "trilemma.variant.fallback",
    "trilemma.variant.cache",
    "gen_ai.prompt.name",
    "gen_ai.prompt.version",
)
_NOTHING: Mapping[str, str] = {}


def task_attributes(context: Context | None = None) -> Mapping[str, str]:
    """Return the attributes of the task that `context` (default: the current one) runs in; empty outside a task.

    Within a process they come from the context, behind a process boundary from W3C baggage.
    """
    if context is None:
        context = get_current()
    local = context.get(_TASK_KEY)
    if local is not None:
        return local  # type: ignore[return-value]
    entries = baggage.get_all(context)
    if "trilemma.task.id" not in entries:
        return _NOTHING
    return {name: str(entries[name]) for name in _CARRIED if name in entries}
