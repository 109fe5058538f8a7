"""Own the fixtures of these tests: those of the provider tests."""

from tests.instrumentation.providers.conftest import traced

__all__ = ["traced"]
