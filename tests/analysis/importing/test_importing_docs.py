"""Hold analysis/importing.md: every example in it is run, every table in it is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from trilemma_analysis.importing.conditions import parse_condition
from trilemma_analysis.importing.expression_parser import parse_expression
from trilemma_analysis.importing.mapping import SHIPPED

from tests.analysis.importing.conftest import frame_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.client import Store

    from tests.analysis.importing.conftest import Loaded

PAGE = Path(__file__).resolve().parents[3] / "analysis" / "importing.md"
TEXT = PAGE.read_text(encoding="utf-8")


class Example(NamedTuple):
    """A log, a mapping, a question and the rows it gives."""

    kind: str
    log: str
    mapping: str
    sql: str
    rows: str


EXAMPLES = [
    Example(*found)
    for found in re.findall(
        r"```(jsonl|csv)\n(.*?)```\s+```toml\n(.*?)```\s+```sql\n(.*?)```\s+```json\n(.*?)```", TEXT, re.DOTALL
    )
]
TABLE_ROW = re.compile(r"^\| `(.*)` \| `(.*)` \|$", re.MULTILINE)
EXPRESSIONS = TABLE_ROW.findall(TEXT.partition("| expression |")[2].partition("Sources:")[0])
CONDITIONS = TABLE_ROW.findall(TEXT.partition("| condition |")[2].partition("## Times")[0])
(ROW,) = re.findall(r"On the row\n\n```json\n(.*)\n```", TEXT)


def test_the_page_has_examples() -> None:
    """The patterns above find what the page holds."""
    assert (len(EXAMPLES), len(EXPRESSIONS), len(CONDITIONS)) == (5, 28, 13)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: tomllib.loads(example.mapping)["name"])
def test_example(
    example: Example, load: Callable[..., Loaded], write: Callable[[str, str], Path], store: Store
) -> None:
    """The log, loaded by the mapping, answers the question as the page says."""
    loaded = load(example.mapping, write(f"log.{example.kind}", example.log))
    assert (loaded.counts.rejected, loaded.counts.left_out) == (0, 0)
    assert store.query(example.sql).to_pylist() == [json.loads(line) for line in example.rows.splitlines()]


@pytest.mark.parametrize(("toml", "expected"), EXPRESSIONS)
def test_expression_table(toml: str, expected: str) -> None:
    """Each expression of the table gives what stands beside it."""
    frame = frame_of(**{name: [value] for name, value in json.loads(ROW).items()})
    assert evaluate(parse_expression(tomllib.loads(f"x = {toml}")["x"], "x"), frame) == json.loads(expected)


@pytest.mark.parametrize(("toml", "expected"), CONDITIONS)
def test_condition_table(toml: str, expected: str) -> None:
    """Each condition of the table holds or not as stands beside it."""
    frame = frame_of(**{name: [value] for name, value in json.loads(ROW).items()})
    condition = parse_condition(tomllib.loads(f"x = {toml}")["x"], "x", parse_expression)
    assert evaluate(condition, frame) == json.loads(expected)


def evaluate(rule: Any, frame: Any) -> Any:
    """Return the one value of a rule on a frame of one row."""
    (value,) = rule.evaluate(frame).to_pylist()
    assert frame.reasons == {}
    return value


def test_help_is_current() -> None:
    """The command's help on the page is what the command prints."""
    printed = subprocess.run(
        [sys.executable, "-m", "trilemma.cli", "import", "--help"],
        env={**os.environ, "COLUMNS": "110", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (shown,) = re.findall(r"<!-- generated: trilemma import --help -->\n```text\n(.*?)```", TEXT, re.DOTALL)
    assert shown == printed


def test_shipped_mappings_are_listed() -> None:
    """The page lists the mappings that are shipped, and no others."""
    listed = re.findall(r"^\| `(\w+)` \|", TEXT.partition("## Shipped mappings")[2], re.MULTILINE)
    assert listed == sorted(path.stem for path in SHIPPED.glob("*.toml"))
