"""Own the fixtures of the complaints: those of the provider tests, and an empty store."""

from tests.collector_config.schema.test_one_call_one_row import store
from tests.instrumentation.providers.conftest import traced

__all__ = ["store", "traced"]
