"""Hold all notebooks: each runs without a browser, shows what it is for, and can be kept as HTML and as ipynb."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.cli import main
from trilemma_analysis.client import connect
from trilemma_analysis.commands.notebook import find_notebook, list_notebooks
from trilemma_analysis.pictures import choose_topics, list_topics
from trilemma_collector.schema import migrate, run_on_client

from tests.analysis.traced_shop import TASK

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.report import Report

pytestmark = pytest.mark.slow
TOPICS = [topic.TOPIC for topic in list_topics()]
PUBLISHED = "llmdrift.prime"


def run_notebook(name: str, store: str, task: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Report]:
    """Run a notebook in this process, which raises what a cell raises; return what it shows, and its report."""
    monkeypatch.setattr("sys.argv", [name, "--store", store, "--task", task])
    spec = importlib.util.spec_from_file_location(name, find_notebook(name))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    outputs, defined = module.app.run()
    return "".join(show(output) for output in outputs), defined["report"]


def show(output: Any) -> str:
    """Return what an output shows, as HTML."""
    return str(output.text) if hasattr(output, "text") else ""


@pytest.mark.parametrize("name", list_notebooks())
def test_runs_and_shows_its_pictures(name: str, traced_shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything is traced, each notebook shows the pictures and findings of its topic, and none is empty."""
    shown, report = run_notebook(name, traced_shop, TASK, monkeypatch)
    assert TASK in shown
    assert "Nothing to draw" not in shown
    drawn = {one.topic for one in report.pictures}
    assert drawn == ({name} if name in TOPICS else set())
    for title in (picture.title for picture in report.pictures):
        assert title.replace("'", "&#x27;") in shown or title in shown, title
    for finding in report.findings:
        assert finding.verdict.value.replace("'", "&#x27;") in shown


@pytest.fixture(scope="session")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store with a published log, loaded by its shipped mapping."""
    address = f"chdb://{tmp_path_factory.mktemp('published') / 'store'}"
    with connect(address, require_schema=False, create=True) as store:
        migrate(run_on_client(store.client))
    log = shared / "data" / "published" / "llmdrift" / "data.parquet"
    assert main(["import", "llmdrift", str(log), "--store", address]) == 0
    return address


@pytest.mark.shared
@pytest.mark.parametrize("name", list_notebooks())
def test_runs_on_real_data(name: str, published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a published log each notebook runs, and says plainly what it lacks: nobody traced guardrails there."""
    shown, report = run_notebook(name, published, PUBLISHED, monkeypatch)
    assert f"{report.tasks[0].runs:,}" in shown
    if name in TOPICS and not report.pictures:
        assert "Nothing to draw was traced" in shown
        assert choose_topics(name)[0].NEEDS.split("`")[0].strip() in shown
    assert bool(report.pictures) == (name in {"drift", "routing"})  # it has segments, and no decisions


@pytest.mark.parametrize("ending", ["html", "ipynb"])
def test_export(ending: str, traced_shop: str, tmp_path: Path) -> None:
    """`trilemma notebook NAME` keeps a run as a page or as a Jupyter notebook, charts and figures in it, no error."""
    file = tmp_path / f"page.{ending}"
    assert main(["notebook", "context", "--store", traced_shop, "--task", TASK, f"--{ending}", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    for expected in ("What fills the context?", "marked unused", "search: forum", TASK):
        assert expected in text
    assert "Traceback" not in text
    if ending == "ipynb":
        cells = json.loads(text)["cells"]
        assert not [out for cell in cells for out in cell.get("outputs", ()) if out["output_type"] == "error"]
        assert sum(bool(cell.get("outputs")) for cell in cells) > 5
