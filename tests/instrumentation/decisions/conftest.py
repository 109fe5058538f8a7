"""Own the fixtures of these tests: those of the task's tests."""

from tests.instrumentation.task.conftest import telemetry

__all__ = ["telemetry"]
