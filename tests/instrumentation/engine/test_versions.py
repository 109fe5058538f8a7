"""Hold that the supported versions are stated once: table, pins and documentation agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from trilemma.providers import PROVIDERS, VERSIONS

ROOT = Path(__file__).parents[3]


# aiobotocore holds botocore back: its newest is tested among the frameworks.
NEWEST = {"aiobotocore": "constraints-frameworks.txt"}


def read_pin(name: str, sdk: str) -> str:
    """Return the version that a constraints file pins."""
    package = sdk.replace("_", "-").replace(".", "-")
    found = re.search(rf"^{package}==(.+)$", (ROOT / "tests" / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("sdk", PROVIDERS)
def test_pins(sdk: str) -> None:
    """What is stated as oldest and newest is what is tested."""
    assert VERSIONS[sdk] == (read_pin("constraints-oldest.txt", sdk), read_pin(NEWEST.get(sdk, "constraints.txt"), sdk))


@pytest.mark.parametrize("sdk", PROVIDERS)
def test_documented(sdk: str) -> None:
    """The README of the instrumentation states the same versions."""
    text = (ROOT / "instrumentation" / "README.md").read_text(encoding="utf-8")
    oldest, newest = VERSIONS[sdk]
    assert re.search(rf"\| `{sdk}` \| {oldest} \| {newest} \|", text)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "instrumentation/trilemma/providers").glob("*.py")), ids=lambda p: p.name
)
def test_provider_files_are_data(path: Path) -> None:
    """A provider file imports neither OpenTelemetry nor wrapt (tests/test_sizes.py: and stays small)."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) (opentelemetry|wrapt)", text, re.MULTILINE)


def test_example_of_a_provider() -> None:
    """The README's example of a new provider is one."""
    text = (ROOT / "instrumentation" / "README.md").read_text(encoding="utf-8")
    [example] = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "PROVIDER" in code]
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["PROVIDER"].endpoints[0].operation == "chat"
