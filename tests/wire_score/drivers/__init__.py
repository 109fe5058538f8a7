"""Own who sends a record: the SDK made for its endpoint, else one that speaks the format, each through one driver.

A driver is a module with

- ``SDK``: the import name of the SDK;
- ``fits(record) -> bool``: whether the SDK has the endpoint, told by URL, method and family;
- ``send(record, *, is_async) -> Outcome``: the call, through the SDK's public methods, answered by the recording.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.wire_score.corpus import Record

__all__ = ["DRIVERS", "find_drivers", "import_driver"]

# In order of preference: a vendor's own SDK first, the openai SDK, which can send anything anywhere, last.
DRIVERS = (
    "anthropic",
    "groq",
    "together",
    "mistralai",
    "cohere",
    "ollama",
    "huggingface_hub",
    "botocore",
    "replicate",
    "google_genai",
    "openai",
)


def import_driver(name: str) -> Any:
    """Import the driver `name`, one of DRIVERS."""
    return import_module(f"tests.wire_score.drivers.{name}")


def find_drivers(record: Record, names: Iterable[str] = DRIVERS) -> Iterator[Any]:
    """Yield the drivers that can send a record, best first, of those whose SDK is installed."""
    for name in names:
        driver = import_driver(name)
        if find_spec(driver.SDK) is not None and driver.fits(record):
            yield driver
