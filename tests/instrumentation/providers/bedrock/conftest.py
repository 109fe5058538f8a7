"""Own the fixtures of these tests: those of the provider tests, and each SDK that is here in turn."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.instrumentation.providers.bedrock.aws import SDKS, Aws
from tests.instrumentation.providers.conftest import traced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["aws", "traced"]


@pytest.fixture(params=SDKS)
async def aws(request: pytest.FixtureRequest) -> AsyncIterator[Aws]:
    """Be the clients of each SDK in turn."""
    async with Aws(request.param) as clients:
        yield clients
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # aiohttp's, on connections left open by those who drop a stream
        gc.collect()
