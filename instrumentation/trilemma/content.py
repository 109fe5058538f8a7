"""Own whether and where the content of calls is recorded: off, on the span, as an event, or both."""

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import trace

from trilemma import guard
from trilemma.record import to_valid
from trilemma.registry import attribute
from trilemma.telemetry import get_logger

if TYPE_CHECKING:
    from trilemma.providers.spec import Content

__all__ = [
    "CONTENT_SWITCH",
    "DETAILS_EVENT",
    "Capture",
    "read_content",
    "read_switch",
    "send_details",
    "write_json",
]

CONTENT_SWITCH = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DETAILS_EVENT = "gen_ai.client.inference.operation.details"


class Capture(NamedTuple):
    """Say where content goes."""

    on_span: bool
    as_event: bool


# "true" and "false" are what the switch took before it had words.
_WORDS = {
    "": Capture(on_span=False, as_event=False),
    "no_content": Capture(on_span=False, as_event=False),
    "false": Capture(on_span=False, as_event=False),
    "span_only": Capture(on_span=True, as_event=False),
    "true": Capture(on_span=True, as_event=False),
    "event_only": Capture(on_span=False, as_event=True),
    "span_and_event": Capture(on_span=True, as_event=True),
}


def read_switch() -> Capture | None:
    """Return where content goes by the standard switch; None, the default and for any unknown word: nowhere."""
    capture = _WORDS.get(os.environ.get(CONTENT_SWITCH, "").strip().lower())
    return capture if capture and any(capture) else None


def read_content(content: "Content", request: bytes | None, response: dict[str, Any]) -> dict[str, Any]:
    """Return the content concepts of a call.

    The request is read from the bytes that were sent: the user's objects may be iterators, models, or changed since.
    """
    from trilemma.messages import read_input, read_output, read_system, read_tools  # not where content is off

    try:
        sent = json.loads(request or b"{}")
    except ValueError:
        sent = {}
    found = {}
    for name, (read, body) in {
        "system_instructions": (read_system, sent),
        "input_messages": (read_input, sent),
        "output_messages": (read_output, response),
        "tool_definitions": (read_tools, sent),
    }.items():
        with contextlib.suppress(*guard.ODD_SHAPE):  # the provider's or the user's: it costs that part
            if value := read(content, body):
                found[attribute(name)] = value
    return found


def write_json(found: dict[str, Any]) -> dict[str, str]:
    """Return content as a span takes it: JSON text."""
    return {
        name: to_valid(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) for name, value in found.items()
    }


@guard.guarded
def send_details(span: trace.Span, attributes: dict[str, Any], at_ns: int) -> None:
    """Emit the event that carries a call's attributes and its content."""
    logger = get_logger()
    if logger is not None:
        from opentelemetry._logs import LogRecord, SeverityNumber  # not where content is off

        record = LogRecord(
            timestamp=at_ns,
            observed_timestamp=at_ns,
            context=trace.set_span_in_context(span),
            severity_number=SeverityNumber.DEBUG,
            attributes=attributes,
            event_name=DETAILS_EVENT,
        )
        logger.emit(record)
