"""Own the proof that every example of tasks.md, of the pages on decisions and of export.md runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.instrumentation.receiver import Receiver

PAGES = ("experiments", "prompts", "context", "guardrails", "routes", "fallbacks", "caches", "evaluators")
DOCS = [
    Path(__file__).parents[3] / "instrumentation" / name
    for name in ("tasks.md", *(f"decisions/{page}.md" for page in PAGES), "export.md")
]
TEXT = "".join(path.read_text(encoding="utf-8") for path in DOCS)
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
FILES = {match[1]: block for block in BLOCKS if (match := re.match(r"# file: (\S+)\n", block))}
PROGRAMS = {re.sub(r"\W+", " ", block)[-60:]: block for block in BLOCKS if block not in FILES.values()}
# What the examples print, and the names of the spans and events that arrive.
EXPECTED = [
    ("Refunded.\n", ["chat gpt-4o-mini", "support.refund"], []),
    ("A long story, made s\n", ["text.summarize"], []),
    ("", [], ["trilemma.task.outcome"] * 2),
    ("", ["support.answer"], ["gen_ai.evaluation.result"] * 4),
    ("True\n", ["batch.classify"], []),
    ("True\n", ["chat gpt-4o-mini", "support.refund"], []),
    ("True\n", [], []),
    ("True\n", ["support.refund"], []),
    ("top-10 0.095\n", ["support.refund", "variant refund.context"], []),
    (
        "Shall we refund case case-7? Answer yes or no.\n707210bf\n",
        ["prompt refund", "support.refund"],
        [],
    ),
    ("", ["context kb", "support.answer"], ["gen_ai.evaluation.result"]),
    (
        "Your card **** was charged.\n",
        ["guardrail length", "guardrail pii", "support.answer"],
        ["gen_ai.evaluation.result"],
    ),
    ("careful\n", ["route model", "route queue", "support.refund"], []),
    ("yes\n", [*["fallback answer"] * 3, "support.refund"], []),
    ("On its way.\n", ["cache answers", "support.answer"], ["gen_ai.evaluation.result"]),
    ("", ["evaluate.polite", "support.answer"], ["gen_ai.evaluation.result"] * 3),
    ("", [], []),
]


@pytest.mark.parametrize(("code", "expected"), list(zip(PROGRAMS.values(), EXPECTED, strict=True)), ids=list(PROGRAMS))
def test_example(
    code: str,
    expected: tuple[str, list[str], list[str]],
    receiver: Receiver,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """An example runs by itself, prints what it should, complains of nothing, and what it says arrives."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    spans = sorted(span.name for span in receiver.spans())
    assert (done.stdout, spans, [event.name for event in receiver.events()]) == expected
    assert len({span.trace_id for span in receiver.spans()}) <= 1
