"""Hold the overhead benchmark to measuring what it says it measures; its figures are not judged here."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.bench.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_overhead_records_one_span_per_call_and_none_switched_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each workload runs with trilemma on and off; on, each call is one span, and the SDK's results are intact."""
    figures = tmp_path / "overhead.json"
    options = ["--rounds", "1", "--blocks", "1", "--calls", "1", "--content", "off", "--json", str(figures)]
    assert main(["overhead", "trilemma", *options]) == 0
    rows = {row["adapter"]: row["work"] for row in json.loads(figures.read_text(encoding="utf-8"))[0]}
    for name, work in rows["trilemma"].items():
        assert "error" not in work, name
        assert work["spans"] == 1
        assert work["attributes"] > 15
    # Beside the bare span, the anthropic SDK writes its own as soon as there is a tracer provider.
    assert [round(work["spans"]) for work in rows["bare-span"].values()] == [1, 1, 1, 2, 2, 1, 1]
    assert "| trilemma | off |" in capsys.readouterr().out


def test_memory_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Each call is one span, dropped streams included, and hundreds of calls leave fewer objects behind than calls."""
    assert main(["memory", "--calls", "600"]) == 0
    found = re.search(r"further calls, with trilemma: .* KiB, ([-+\d.]+) objects", capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) < 1000


def test_unknown_benchmark_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A benchmark or adapter that does not exist is named, with those that do."""
    assert main(["speed"]) == 2
    assert "'speed'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["overhead", "nobody"])
    assert "'nobody'" in capsys.readouterr().err
