"""Hold that the versions of the frameworks are stated once: table, pins and documentation agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from trilemma.frameworks import FRAMEWORKS, VERSIONS

ROOT = Path(__file__).parents[3]
PINS = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").glob("constraints-frameworks*.txt"))
)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_stated_once(framework: str) -> None:
    """What is stated as tested is pinned, and is what the README says."""
    readme = (ROOT / "instrumentation" / "README.md").read_text(encoding="utf-8")
    for version in VERSIONS[framework]:
        package, number = version.split()
        assert re.search(rf"^{package}(\[.*\])?=={re.escape(number)}$", PINS, re.MULTILINE), version
    assert f"| `{framework}` | {', '.join(VERSIONS[framework])} |" in readme


def test_small() -> None:
    """A framework's file stays as small as a provider's may be, but for LangChain, which has most to wrap."""
    for path in (ROOT / "instrumentation/trilemma/frameworks").glob("*.py"):
        code = [
            line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line.strip()[0] != "#"
        ]
        assert len(code) <= 260, (path.name, len(code))
