"""Own the reader's choices: margins, baselines, confidence, traffic and seed."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError
from trilemma.errors import ConfigurationError

from trilemma_analysis.estimate import Frozen

__all__ = ["Options", "read_options"]


class Options(Frozen):
    """What the reader chose; the scope (tasks, service, period) stands apart."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    margin: float = Field(default=0.05, gt=0, lt=1)
    margins: dict[str, float] = Field(default_factory=dict)
    """Margins of single tasks, in place of ``margin``."""
    baselines: dict[str, str] = Field(default_factory=dict)
    """Combinations that tasks are compared with, in place of the one with most runs."""
    runs_per_month: float | None = Field(default=None, gt=0)
    """Monthly runs of each task's baseline, in place of the traffic seen."""
    seed: int = Field(default=0, ge=0)

    def margin_of(self, task: str) -> float:
        """Return the margin of a task."""
        return self.margins.get(task, self.margin)


def read_options(choices: dict[str, Any]) -> Options:
    """Return choices given by name.

    Raises:
        ConfigurationError: a choice has a value that cannot be.
    """
    try:
        return Options(**choices)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{name} = {first['input']!r} cannot be: {first['msg']}") from error
