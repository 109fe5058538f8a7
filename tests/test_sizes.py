"""Hold the sizes of provider files: within their limits, and as the instrumentation's README states them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sizes import count_code_lines, measure_files, write_table

SIZES = measure_files()


@pytest.mark.parametrize("name", SIZES)
def test_within_the_limit(name: str) -> None:
    """A provider file stays short: it is data, and what is more belongs into the engine or a transport."""
    assert SIZES[name].lines <= SIZES[name].limit


def test_documented() -> None:
    """The README holds the table that `python -m tests.sizes` writes."""
    readme = Path(__file__).parents[1] / "instrumentation" / "README.md"
    assert write_table(SIZES) in readme.read_text(encoding="utf-8"), "run: python -m tests.sizes --write"


def test_counting() -> None:
    """Blank lines, comments and docstrings are no code; each line of an expression or a text is."""
    head = ['"""Doc', 'string."""', "", "import os  # a comment", "", "# another"]
    code = ["X = {", '    1: """a', 'b""",', "}", "", "def f():", '    """Doc."""', "    return X", ""]
    text = "\n".join(head + code)
    assert count_code_lines(text) == 1 + 4 + 2
