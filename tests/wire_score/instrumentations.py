"""Own what is switched on for a score: trilemma, or a peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.wire_score.compare import read_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["INSTRUMENTATIONS", "Instrumentation"]


class Instrumentation(NamedTuple):
    """Be one instrumentation: how to switch it on, and how its attributes are read."""

    switch_on: Callable[[Any], None]  # takes the tracer provider to write to
    read: Callable[[Mapping[str, Any]], dict[str, Any]]


def _trilemma(provider: Any) -> None:
    import trilemma

    trilemma.instrument(tracer_provider=provider)


INSTRUMENTATIONS = {
    "trilemma": Instrumentation(_trilemma, read_attributes),
}
