"""Hold the shipped mappings of published logs: all rows load, and every published figure is what SQL over them gives.

The SQL is data: `published/<set>.toml` has tables, whose rows are named by the filters of the set's `expected.json`
and whose columns are its metrics. No figure is left out.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.client import Store

pytestmark = pytest.mark.shared

TABLES = Path(__file__).parent / "published"
STORED_TO = 1e-6  # seconds until the first content, in the store
# set: (rows, task runs, calls, evaluations), and how many figures reproduce exactly, nearly and not
SIZES = {
    "aider_leaderboard": ((167, 28_445, 28_445, 1_343), (200, 7, 0)),
    "bfcl_vllm": ((29_687, 29_687, 29_687, 0), (203, 0, 14)),
    "llmdrift": ((12_624, 12_624, 12_624, 24_254), (17, 0, 1)),
    "llmperf": ((2_845, 2_845, 2_845, 0), (311, 9, 3)),
    "pandalm": ((999, 999, 0, 5_994), (8, 0, 0)),
    "routellm": ((31_362, 31_362, 31_362, 674), (10, 1, 1)),
    "tau_bench_airline": ((200, 200, 200, 5), (6, 0, 0)),
    "vexp_swe_bench": ((400, 400, 100, 100), (12, 0, 1)),
}


class Table(NamedTuple):
    """Figures by the values that a filter of this form names."""

    filter: re.Pattern[str]
    rows: dict[tuple[str, ...], dict[str, Any]]


@pytest.mark.parametrize("name", sorted(SIZES))
def test_published_log(name: str, shared: Path, address: str) -> None:
    """Every row loads; each figure is what its set's README says of it: the printed one, or another that is known."""
    folder = shared / "data" / "published" / name
    figures = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    sizes, counts_by_kind = SIZES[name]
    with connect(address) as store, Rejects(None) as rejects:
        counts = import_files(load_mapping(name), [folder / "data.parquet"], store, rejects)
        assert (counts.rows, counts.tasks, counts.calls, counts.evaluations) == sizes
        assert (counts.loaded, rejects.shown) == (counts.rows, [])
        tables = list(read_tables(name, store))
    kinds = [figure["reproduces"] for figure in figures]
    assert tuple(map(kinds.count, ("exact", "approx", "no"))) == counts_by_kind
    wrong = [(figure["metric"], figure["filter"], found) for figure, found in hold(figures, tables)]
    assert wrong == []


def read_tables(name: str, store: Store) -> Iterator[Table]:
    """Ask the store for the tables of a set; the names in a filter's braces are those of the rows' keys."""
    for table in tomllib.loads((TABLES / f"{name}.toml").read_text(encoding="utf-8"))["tables"]:
        keys = re.findall(r"{(\w+)}", table["filter"])
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^']*)", re.escape(table["filter"]))
        rows = store.query(table["sql"]).to_pylist()
        yield Table(re.compile(pattern), {tuple(str(row[key]) for key in keys): row for row in rows})


def hold(figures: list[dict[str, Any]], tables: list[Table]) -> Iterator[tuple[dict[str, Any], object]]:
    """Yield the figures that are not what they are said to be, with what SQL gives.

    Each must be the recomputed one; that is the printed one, to its digits, where it is marked exact, and there only.
    """
    for figure in figures:
        found = find_figure(figure, tables)
        recomputed, printed = figure["recomputed"], figure["value"]
        as_printed = found is not None and abs(found - printed) <= 0.5 * 10 ** -figure["precision"] + 1e-9
        same = (
            found == recomputed if recomputed is None else found == pytest.approx(recomputed, rel=1e-7, abs=STORED_TO)
        )
        if not same or as_printed != (figure["reproduces"] == "exact"):
            yield figure, found


def find_figure(figure: dict[str, Any], tables: list[Table]) -> float | None:
    """Return the figure of the one table and row that has it."""
    (found,) = (
        table.rows[match.groups()][figure["metric"]]
        for table in tables
        if (match := table.filter.fullmatch(figure["filter"]))
        and figure["metric"] in table.rows.get(match.groups(), {})
    )
    return None if found is None else float(found)
