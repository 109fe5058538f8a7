"""Own the span processor that puts a task's attributes on every other span beneath it: HTTP, database, tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from trilemma.task import task_attributes
from trilemma.telemetry import SCOPE

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

__all__ = ["TaskSpanProcessor"]


class TaskSpanProcessor(SpanProcessor):
    """Copy the attributes of the task a span starts in; `trilemma.instrument` adds it to the tracer provider."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set them on a span that is not trilemma's own: those have them."""
        attributes = task_attributes(parent_context)
        scope = span.instrumentation_scope
        if attributes and (scope is None or scope.name != SCOPE):
            span.set_attributes(attributes)
