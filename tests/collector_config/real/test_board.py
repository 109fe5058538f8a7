"""Hold the Grafana board to the schema: every panel's SQL runs on a migrated store and finds what was put there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from trilemma_analysis.client import connect
from trilemma_collector.schema import migrate, run_on_client

from tests.collector_config.real.collector_process import CONFIG_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from trilemma_analysis.client import Store

BOARD = json.loads((CONFIG_DIRECTORY / "grafana" / "dashboards" / "tradeoffs.json").read_text())
PANELS = {panel["title"]: panel for panel in BOARD["panels"] if panel["type"] != "row"}
VARIABLES = {entry["name"]: entry for entry in BOARD["templating"]["list"] if entry["type"] == "query"}
START = 1_789_999_200  # the beginning of an hour: rollups know no smaller step
HOUR_S = 3600
RUNS = 40

# 40 runs of one task, of which every fourth fails, and its call each, of which every eighth fails after two retries.
SEED_SPANS = f"""
INSERT INTO otel_traces
    (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ScopeName, SpanAttributes, Duration,
     StatusCode)
SELECT
    fromUnixTimestamp64Nano(toInt64({START} + n * 60) * 1000000000), lower(hex(n + 1)), kind || toString(n),
    if(kind = 'c', 't' || toString(n), ''), if(kind = 't', 'support.refund', 'chat m'),
    if(kind = 't', 'Internal', 'Client'), 'shop', 'trilemma',
    mapConcat(
        map('trilemma.task.name', 'support.refund', 'trilemma.task.id', 'run' || toString(n)),
        if(kind = 't',
            map('trilemma.task.outcome', if(n % 4 = 0, 'failure', 'success'),
                'trilemma.task.failure_mode', if(n % 4 = 0, 'wrong_amount', '')),
            map('gen_ai.operation.name', 'chat', 'gen_ai.request.model', 'model-' || toString(n % 2),
                'gen_ai.usage.input_tokens', '100', 'gen_ai.usage.cache_read.input_tokens', '60',
                'gen_ai.usage.output_tokens', '10', 'trilemma.cost.total', '0.01', 'trilemma.cost.currency', 'USD',
                'trilemma.response.time_to_first_content', '0.2', 'trilemma.response.longest_stall', '0.1',
                'http.request.resend_count', if(n % 8 = 0, '2', '0'),
                'trilemma.retry.wait', if(n % 8 = 0, '1.5', ''), 'error.type', if(n % 8 = 0, 'Timeout', '')))),
    2000000000, if(kind = 'c' AND n % 8 = 0, 'Error', 'Unset')
FROM (SELECT number AS n, arrayJoin(['t', 'c']) AS kind FROM numbers({RUNS}))
"""
SEED_SCORES = f"""
INSERT INTO otel_logs (Timestamp, TraceId, EventName, ServiceName, LogAttributes)
SELECT
    fromUnixTimestamp64Nano(toInt64({START} + number * 60) * 1000000000), lower(hex(number + 1)),
    'gen_ai.evaluation.result', 'shop',
    map('gen_ai.evaluation.name', 'helpful', 'gen_ai.evaluation.score.value', '0.75',
        'trilemma.task.id', 'run' || toString(number), 'trilemma.task.name', 'support.refund')
FROM numbers({RUNS})
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Migrate an embedded store and seed it with spans and scores, through the landing tables."""
    address = f"chdb://{tmp_path_factory.mktemp('board')}"
    with connect(address, require_schema=False, create=True) as opened:
        migrate(run_on_client(opened.client))
    with connect(address) as opened:
        opened.command(SEED_SPANS)
        opened.command(SEED_SCORES)
        yield opened


def fill_in(sql: str, *, chosen: dict[str, list[str]] | None = None, end: int = START + HOUR_S) -> str:
    """Expand macros and variables as Grafana and its plugin do; a variable that is not in `chosen` stands at All."""
    chosen = chosen or {}
    sql = re.sub(
        r"\$__conditionalAll\((\w+ IN \(\$\{\w+:singlequote\}\)), \$(\w+)\)",
        lambda found: found[1] if found[2] in chosen else "1=1",
        sql,
    )
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda found: ", ".join(f"'{value}'" for value in chosen[found[1]]), sql)
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({START}) AND \1 <= toDateTime({end})", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 600 second)", sql)
    assert "$" not in sql, f"a macro or variable that this test does not know: {sql}"
    return sql


def ask(store: Store, title: str, **options: Any) -> pa.Table:
    """Run the panel's query as Grafana would."""
    [target] = PANELS[title]["targets"]
    return store.query(fill_in(target["rawSql"], **options))


@pytest.mark.parametrize("title", PANELS)
def test_panel_finds_the_seeded_rows(store: Store, title: str) -> None:
    """Each panel returns rows with numbers in them, with every variable at All and with each of them chosen."""
    everything = ask(store, title)
    assert everything.num_rows > 0
    assert all(column.null_count < len(column) for column in everything.columns)
    assert (
        ask(store, title, chosen={"task": ["support.refund", "x'y".replace("'", "")], "service": ["shop"]})
        == everything
    )


@pytest.mark.parametrize("title", PANELS)
def test_panel_obeys_its_variables_and_time_range(store: Store, title: str) -> None:
    """Another task, another service or an empty period find nothing: no filter is left out of a panel's query."""
    for options in ({"chosen": {"task": ["other"]}}, {"chosen": {"service": ["other"]}}, {"end": START - 1}):
        found = ask(store, title, **options)
        assert found.num_rows == 0 or all(not value for row in found.to_pylist() for value in row.values())


@pytest.mark.parametrize("title", [title for title, panel in PANELS.items() if panel["type"] == "timeseries"])
def test_time_series_have_the_shape_that_grafana_draws(store: Store, title: str) -> None:
    """A time first, then at most one name, then numbers: else the plugin draws nothing."""
    columns = ask(store, title).schema
    assert columns[0].name == "time"
    texts = [column for column in columns if str(column.type) in {"string", "large_string"}]
    assert len(texts) <= 1
    assert len(columns) > 1 + len(texts)


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_list_what_is_there(store: Store, name: str) -> None:
    """The choices come from the store."""
    sql = fill_in(VARIABLES[name]["query"]["rawSql"])
    assert store.query(sql).columns[0].to_pylist() == [{"task": "support.refund", "service": "shop"}[name]]


def test_figures_are_right(store: Store) -> None:
    """The seeded truth comes out: 30 of 40 succeed, 40 cents in all, 2 s each, and Wilson's interval of 30 of 40."""
    assert ask(store, "Success rate")["success_rate"][0].as_py() == pytest.approx(0.75)
    assert ask(store, "Cost")["cost"][0].as_py() == pytest.approx(0.4)
    assert ask(store, "Cost per success")["cost_per_success"][0].as_py() == pytest.approx(0.4 / 30)
    assert ask(store, "Calls priced")["calls_priced"][0].as_py() == 1
    assert ask(store, "Call latency, p95")["p95"][0].as_py() == pytest.approx(2, rel=0.01)
    rows = {row["combination"]: row for row in ask(store, "Tasks by combination").to_pylist()}
    assert set(rows) == {"model-0", "model-1"}
    # model-1 did the odd runs, which all succeed: Wilson's interval of 20 of 20 begins at 20 / (20 + 1.96²).
    assert rows["model-1"]["from"] == pytest.approx(20 / (20 + 1.96**2))
    assert rows["model-1"]["to"] == pytest.approx(1)
    # model-0 did the even runs, of which every second fails: 10 of 20, [0.299, 0.701] in the tables.
    assert rows["model-0"]["from"] == pytest.approx(0.2993, abs=1e-4)
    assert rows["model-0"]["to"] == pytest.approx(0.7007, abs=1e-4)


def test_board_is_one_that_grafana_takes() -> None:
    """Ids are unique, panels do not overlap, and each asks the board's own data source."""
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))
    assert all(panel["datasource"]["uid"] == "${datasource}" and panel["description"] for panel in PANELS.values())
