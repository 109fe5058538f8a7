"""Hold that writing attributes past the SDK's checks gives what the SDK would, within its limits."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext
from trilemma import span_attributes
from trilemma.span_attributes import write_attributes

VALUES = {"text": "a", "number": 1, "share": 0.5, "yes": True, "list": ("a", "b")}


def make_span(**limits: int) -> Any:
    """Start a span with these limits."""
    return TracerProvider(span_limits=SpanLimits(**limits), shutdown_on_exit=False).get_tracer("t").start_span("s")


def test_same_as_the_sdk() -> None:
    """The attributes are those that set_attributes leaves."""
    ours, theirs = make_span(), make_span()
    write_attributes(ours, VALUES)
    theirs.set_attributes(VALUES)
    assert dict(ours.attributes) == dict(theirs.attributes) == VALUES
    assert span_attributes._Bounded.__name__ == "BoundedAttributes", "the fast way is in use"


@pytest.mark.parametrize("limits", [{"max_span_attributes": 2}, {"max_span_attribute_length": 1}])
def test_limits(limits: dict[str, int]) -> None:
    """The span's limits on count and length hold."""
    ours, theirs = make_span(**limits), make_span(**limits)
    write_attributes(ours, {**VALUES, "long": "text"})
    theirs.set_attributes({**VALUES, "long": "text"})
    assert dict(ours.attributes) == dict(theirs.attributes)


def test_another_kind_of_span() -> None:
    """A span that is not the SDK's is written to the public way."""
    write_attributes(NonRecordingSpan(SpanContext(1, 1, is_remote=False)), VALUES)
