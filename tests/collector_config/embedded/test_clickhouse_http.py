"""Hold the ClickHouse port to ClickHouse's HTTP protocol, as clickhouse-connect, curl and clickhouse-go speak it."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from trilemma_collector.front.compression import zstd
from trilemma_collector.front.frames import FrameCompressor, FrameDecompressor

from tests.collector_config.embedded.otlp import PROTOBUF, count_spans, make_traces, post, send, unique_name
from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from tests.collector_config.embedded.servers import RunningCollector


@pytest.fixture
def table(client: Client) -> Any:
    """Return the name of a table of two columns that goes at the end."""
    name = f"t_{unique_name().removeprefix('service-')}"
    client.command(f"CREATE TABLE {name} (number UInt64, text String) ENGINE = MergeTree ORDER BY number")
    yield name
    client.command(f"DROP TABLE {name}")


def ask(collector: RunningCollector, sql: str, **url: str) -> Any:
    """Send a statement as a body and return the reply."""
    return post(f"{collector.clickhouse}/?{urlencode(url)}", sql.encode(), {})


# clickhouse-connect


def test_parameters_are_bound_by_the_server(client: Client) -> None:
    """Values of every kind arrive as they are, quotes, tabs and NULL included."""
    values = {"text": "a'b\\c\td\ne", "list": ["x'y", ""], "none": None, "day": "2026-02-03 04:05:06.789"}
    sql = "SELECT {text:String}, {list:Array(String)}, {none:Nullable(Int8)}, toString({day:DateTime64(3)})"
    assert client.query(sql, parameters=values).first_row == tuple(values.values())


def test_a_million_rows_stream_in_bounded_memory(collector: RunningCollector, client: Client) -> None:
    """A result of 100 MB is streamed: the collector's memory does not grow by anything near its size."""
    sql = "SELECT number, repeat('x', 92) AS text FROM numbers(1000000)"
    client.query("SELECT 1")
    before = _read_memory(collector)
    peak, total = before, 0
    with client.query_row_block_stream(sql) as stream:
        for block in stream:
            total += len(block)
            peak = max(peak, _read_memory(collector))
    assert total == 1_000_000
    assert peak - before < 50_000_000


@pytest.mark.parametrize("compress", [False, "gzip", "lz4", "zstd"])
def test_arrow_comes_whole_in_every_compression(collector: RunningCollector, compress: bool | str) -> None:
    """An Arrow table of many blocks is one document, packed as the client asks."""
    client = clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma", compress=compress)
    arrow = client.query_arrow("SELECT number, toString(number) AS text FROM numbers(500000)")
    client.close()
    assert arrow.num_rows == 500_000
    assert arrow.column("number")[499_999].as_py() == 499_999


@pytest.mark.parametrize("compress", [False, "gzip", "lz4", "zstd"])
def test_inserts_arrive(collector: RunningCollector, table: str, compress: bool | str) -> None:
    """Native and Arrow inserts of many pieces arrive whole, packed or not, and the summary counts the rows."""
    client = clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma", compress=compress)
    rows = [(number, "x" * 40) for number in range(100_000)]
    summary = client.insert(table, rows, column_names=["number", "text"])
    assert summary.written_rows == len(rows)
    client.insert_arrow(table, pa.table({"number": pa.array([1, 2], pa.uint64()), "text": ["ä", ""]}))
    assert client.query(f"SELECT count(), uniqExact(number), max(text) FROM {table}").first_row == (
        100_002,
        100_000,
        "ä",
    )
    client.close()


def test_long_parameters_come_as_a_form(client: Client) -> None:
    """Parameters too long for a URL, which the client sends as fields of a form, arrive whole."""
    names = [f"name-{number} ä'" for number in range(3000)]
    sql = "SELECT length({names:Array(String)}), {names:Array(String)}[-1], {n:UInt8}"
    assert client.query(sql, parameters={"names": names, "n": 5}).first_row == (3000, names[-1], 5)


def test_a_session_keeps_its_state(collector: RunningCollector) -> None:
    """SET and temporary tables last for a session; a request's own settings end with it; other sessions see nothing."""
    one, two = (clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma") for _ in range(2))
    one.command("CREATE TEMPORARY TABLE mine (a UInt8)")
    one.command("INSERT INTO mine VALUES (7)")
    one.command("SET max_result_rows = 1000")
    value = "SELECT getSetting('max_threads'), getSetting('max_result_rows')"
    assert one.query(value, settings={"max_threads": 3}).first_row[0] == 3
    assert one.query(value).first_row[0] != 3
    assert one.query(value).first_row[1] == 1000
    with pytest.raises(DatabaseError):
        one.query("SELECT no_such_column", settings={"max_threads": 3})
    assert one.query(value).first_row[0] != 3
    assert one.query("SELECT a FROM mine").result_rows == [(7,)]
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        two.query("SELECT a FROM mine")
    for client in (one, two):
        client.close()


def test_an_error_after_the_first_rows_is_an_error(client: Client) -> None:
    """A query that fails in the middle of a long result raises with ClickHouse's words; half a result is no result."""
    with pytest.raises(ClickHouseError, match="THROW_IF"):
        _ = client.query("SELECT throwIf(number = 3000000) FROM numbers(4000000)").result_rows


def test_queries_run_side_by_side_while_spans_come_in(collector: RunningCollector, client: Client) -> None:
    """Many clients query at once while spans come in: each gets its own answer, and each span is there once."""
    service = unique_name()

    def query(number: int) -> int:
        with clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma") as own:
            return int(own.query("SELECT sum(number) FROM numbers({n:UInt64})", parameters={"n": number}).first_row[0])

    def export(_: int) -> int:
        body = make_traces(service, 50).SerializeToString()
        return post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status

    with ThreadPoolExecutor(8) as pool:
        sums, statuses = pool.map(query, range(1000, 1024)), pool.map(export, range(24))
        assert list(sums) == [n * (n - 1) // 2 for n in range(1000, 1024)]
        assert set(statuses) == {200}
    assert count_spans(collector.clickhouse, service) == (1200, 1200)


# HTTP by hand


def test_a_query_is_taken_from_url_or_body(collector: RunningCollector) -> None:
    """The statement may stand in the URL, in the body, or begin in one and end in the other."""
    assert send("GET", f"{collector.clickhouse}/?query=SELECT+1%2B1").body == b"2\n"
    assert ask(collector, "SELECT 1 + 1").body == b"2\n"
    assert ask(collector, "AND 2 = 2", query="SELECT 1 = 1").body == b"1\n"
    assert send("GET", f"{collector.clickhouse}/").body == b"Ok.\n"
    assert send("GET", f"{collector.clickhouse}/ping").body == b"Ok.\n"


def test_formats_are_chosen_as_on_a_server(collector: RunningCollector) -> None:
    """FORMAT in the statement wins over default_format, which wins over the header; TabSeparated is the default."""
    header = {"X-ClickHouse-Format": "CSV"}
    sql = b"SELECT 'a b' AS x"
    assert post(collector.clickhouse, sql, {}).body == b"a b\n"
    assert post(collector.clickhouse, sql, header).body == b'"a b"\n'
    reply = post(f"{collector.clickhouse}/?default_format=JSONEachRow", sql, header)
    assert (reply.body, reply.headers["x-clickhouse-format"]) == (b'{"x":"a b"}\n', "JSONEachRow")
    reply = post(f"{collector.clickhouse}/?default_format=JSONEachRow", sql + b" FORMAT JSON", header)
    assert json.loads(reply.body)["data"] == [{"x": "a b"}]
    assert reply.headers["content-type"].startswith("application/json")
    assert post(collector.clickhouse, b"SELECT 1 AS x WHERE 0 FORMAT CSVWithNames", {}).body == b'"x"\n'


def test_a_reply_says_what_it_cost(collector: RunningCollector) -> None:
    """The summary header counts rows read and written, and the query's id comes back."""
    reply = ask(collector, "SELECT count() FROM numbers(1000)", query_id="mine")
    summary = json.loads(reply.headers["x-clickhouse-summary"])
    assert (summary["read_rows"], summary["result_rows"], reply.headers["x-clickhouse-query-id"]) == (
        "1000",
        "1",
        "mine",
    )


def test_settings_and_database_come_by_url(collector: RunningCollector) -> None:
    """Settings in the URL hold for that request; `database` chooses what unqualified names mean."""
    assert ask(collector, "SELECT getSetting('max_threads')", max_threads="3").body == b"3\n"
    assert ask(collector, "SELECT currentDatabase()").body == b"trilemma\n"
    assert ask(collector, "SELECT currentDatabase()", database="system").body == b"system\n"


@pytest.mark.parametrize(
    ("sql", "url", "told", "words"),
    [
        ("SELECT", {}, (400, 62), "SYNTAX_ERROR"),
        ("", {}, (400, 62), "Empty query"),
        ("SELECT * FROM no_such_table", {}, (404, 60), "no_such_table"),
        ("SELECT 1", {"no_such_setting": "1"}, (404, 115), "no_such_setting"),
        ("SELECT 1", {"a'b": "1"}, (404, 115), "a'b"),
        ("SELECT 1", {"database": "no_such"}, (404, 81), "no_such"),
        ("SELECT 1 FORMAT NoSuch", {}, (404, 73), "NoSuch"),
        ("SELECT {x:UInt8}", {"param_x": "many"}, (400, 457), "many"),
        ("SELECT sleepEachRow(1) FROM numbers(3)", {"max_execution_time": "1"}, (408, 159), "Timeout"),
        ("INSERT INTO no_such_table FORMAT CSV\n1", {}, (404, 60), "no_such_table"),
    ],
)
def test_refusals_are_told_as_a_server_tells_them(
    collector: RunningCollector, sql: str, url: dict[str, str], told: tuple[int, int], words: str
) -> None:
    """An error has ClickHouse's code in a header, its text as body, and the HTTP status that a server gives it."""
    reply = ask(collector, sql, **url)
    assert (reply.status, int(reply.headers["x-clickhouse-exception-code"])) == told
    assert reply.body.startswith(f"Code: {told[1]}. DB::Exception: ".encode())
    assert words in reply.body.decode()


def test_a_get_changes_nothing(collector: RunningCollector, table: str) -> None:
    """As on a server, GET is for reading: a write by GET is refused."""
    reply = send("GET", f"{collector.clickhouse}/?query={quote(f'INSERT INTO {table} VALUES (1, 2)')}")
    assert reply.headers["x-clickhouse-exception-code"] == "164"  # READONLY
    assert ask(collector, f"SELECT count() FROM {table}").body == b"0\n"


def test_nothing_from_the_url_breaks_a_header(collector: RunningCollector) -> None:
    """A query id with a line end in it does not become another header."""
    reply = ask(collector, "SELECT 1", query_id="x\r\nSet-Cookie: a=b")
    assert reply.status == http.client.OK
    assert reply.headers["set-cookie"] is None
    assert ask(collector, "SELECT 1", default_format="CSV\r\nX: y").status == http.client.NOT_FOUND


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:8123"}],
)
def test_a_web_page_gets_nothing(collector: RunningCollector, table: str, headers: dict[str, str]) -> None:
    """A page in a browser can neither write by a request of its own nor reach the port by a name of its own."""
    reply = post(collector.clickhouse, f"INSERT INTO {table} VALUES (1, 'x')".encode(), headers)
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (403, "497")
    assert ask(collector, f"SELECT count() FROM {table}").body == b"0\n"


@pytest.mark.parametrize(
    ("encoding", "unpack"),
    [("gzip", gzip.decompress), ("deflate", zlib.decompress), ("lz4", lz4.frame.decompress), ("zstd", zstd.decompress)],
)
def test_replies_are_packed_as_asked(collector: RunningCollector, encoding: str, unpack: Any) -> None:
    """With enable_http_compression a reply comes in the encoding the client accepts; without, it is plain."""
    for rows in (10, 300_000):
        sql = f"SELECT number FROM numbers({rows})".encode()
        headers = {"Accept-Encoding": encoding}
        packed = post(f"{collector.clickhouse}/?enable_http_compression=1", sql, headers)
        plain = post(collector.clickhouse, sql, headers)
        assert (packed.headers["content-encoding"], plain.headers["content-encoding"]) == (encoding, None)
        assert unpack(packed.body) == plain.body
        assert len(plain.body.splitlines()) == rows


def test_clickhouses_own_frames_go_both_ways(collector: RunningCollector, table: str) -> None:
    """clickhouse-go's default: frames with checksums, in requests (decompress=1) and replies (compress=1)."""
    data = b"".join(b"%d\tx\n" % number for number in range(300_000))
    insert = urlencode({"query": f"INSERT INTO {table} FORMAT TSV", "decompress": "1"})
    packed = FrameCompressor().compress(data)
    damaged = bytes([packed[0] ^ 1]) + packed[1:]
    assert post(f"{collector.clickhouse}/?{insert}", damaged, {}).headers["x-clickhouse-exception-code"] == "40"
    assert post(f"{collector.clickhouse}/?{insert}", packed, {}).status == http.client.OK
    reply = ask(collector, f"SELECT number, text FROM {table} ORDER BY number", compress="1")
    assert FrameDecompressor().decompress(reply.body) == data


def test_inserts_are_taken_in_every_form(collector: RunningCollector, table: str) -> None:
    """Data may follow its statement in the body, or fill the body alone, in chunks, packed, or stand in VALUES."""
    url = f"{collector.clickhouse}/?query={quote(f'INSERT INTO {table} FORMAT JSONEachRow')}"
    row = b'{"number": 1, "text": "a"}\n'
    assert post(url, row, {}).status == http.client.OK
    assert post(url, gzip.compress(row * 2), {"Content-Encoding": "gzip"}).status == http.client.OK
    assert ask(collector, f"INSERT INTO {table} FORMAT CSV\n1,b\n1,c").status == http.client.OK
    assert ask(collector, f"INSERT INTO {table} (number) VALUES (1), (2 - 1)").status == http.client.OK
    assert ask(collector, f"INSERT INTO {table} SELECT 1, 'd'").status == http.client.OK
    connection = http.client.HTTPConnection(collector.clickhouse.removeprefix("http://"), timeout=60)
    connection.request("POST", url.partition(collector.clickhouse)[2], iter([row] * 5), {}, encode_chunked=True)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert json.loads(response.headers["x-clickhouse-summary"])["written_rows"] == "5"
    assert ask(collector, f"SELECT count(), min(number), max(number) FROM {table}").body == b"13\t1\t1\n"


def test_a_bad_row_refuses_the_insert(collector: RunningCollector, table: str) -> None:
    """A row that does not fit fails the INSERT with the row's number, also when much more data follows."""
    data = b"1\ta\nmany\tb\n" + b"2\tc\n" * 1_000_000
    reply = post(f"{collector.clickhouse}/?query={quote(f'INSERT INTO {table} FORMAT TSV')}", data, {})
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (400, "27")
    assert b"row 2" in reply.body.lower()
    assert ask(collector, f"SELECT count() FROM {table}").body == b"0\n"


def test_a_query_ends_with_its_client(collector: RunningCollector) -> None:
    """When a client goes away its query is killed: nobody waits for it any more."""
    connection = http.client.HTTPConnection(collector.clickhouse.removeprefix("http://"), timeout=60)
    marker = unique_name()
    slow = f"SELECT sum(sleepEachRow(0.1)), '{marker}' FROM numbers(600) SETTINGS max_block_size = 1"
    connection.request("POST", "/?function_sleep_max_microseconds_per_block=0", slow.encode())
    running = f"SELECT count() FROM system.processes WHERE query LIKE '%{marker}%' AND query NOT LIKE '%processes%'"
    _wait_until(lambda: ask(collector, running).body == b"1\n")
    connection.close()
    _wait_until(lambda: ask(collector, running).body == b"0\n")


def test_a_slow_query_holds_nothing_up(collector: RunningCollector) -> None:
    """While a query runs for seconds, spans are acknowledged, health is told and other queries are answered."""
    slow = threading.Thread(target=ask, args=(collector, "SELECT sleepEachRow(1) FROM numbers(3) FORMAT Null"))
    slow.start()
    started, service = time.monotonic(), unique_name()
    assert post(f"{collector.otlp_http}/v1/traces", make_traces(service).SerializeToString(), PROTOBUF).status == 200
    assert send("GET", f"{collector.otlp_http}/health").status == http.client.OK
    assert count_spans(collector.clickhouse, service) == (1, 1)
    assert slow.is_alive(), f"the slow query ended before, after {time.monotonic() - started:.1f} s"
    slow.join()


# Options of `trilemma up`


def test_read_only_refuses_writes(tmp_path: Path) -> None:
    """With --read-only the ClickHouse port answers queries and takes no change; OTLP still comes in."""
    service = unique_name()
    with running_collector(tmp_path, "--read-only") as collector:
        for sql in ("CREATE TABLE x (a Int8) ENGINE = Memory", "INSERT INTO otel_traces (SpanName) VALUES ('x')"):
            assert ask(collector, sql).headers["x-clickhouse-exception-code"] == "164"  # READONLY
        assert ask(collector, "SELECT 1", readonly="0").headers["x-clickhouse-exception-code"] is None
        assert ask(collector, "CREATE DATABASE x", readonly="0").headers["x-clickhouse-exception-code"] == "164"
        assert (
            post(f"{collector.otlp_http}/v1/traces", make_traces(service).SerializeToString(), PROTOBUF).status == 200
        )
        assert count_spans(collector.clickhouse, service) == (1, 1)


def test_with_a_user_the_port_asks_for_the_password(tmp_path: Path) -> None:
    """With --user only that user gets in: by basic authentication, ClickHouse's headers or the URL."""
    environment = {"TRILEMMA_PASSWORD": "s3cret"}
    with running_collector(tmp_path, "--user", "ann", environment=environment) as collector:
        url = f"{collector.clickhouse}/?query=SELECT+1"
        for credentials in ("", "&user=ann", "&user=ann&password=wrong", "&user=bob&password=s3cret"):
            reply = send("GET", url + credentials)
            assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (403, "516")
        assert send("GET", f"{url}&user=ann&password=s3cret").body == b"1\n"
        assert send("GET", url, headers={"X-ClickHouse-User": "ann", "X-ClickHouse-Key": "s3cret"}).body == b"1\n"
        port = int(collector.clickhouse.rpartition(":")[2])
        with clickhouse_connect.get_client(host="127.0.0.1", port=port, username="ann", password="s3cret") as client:
            assert client.query("SELECT 1").first_row == (1,)


def _read_memory(collector: RunningCollector) -> int:
    return int(Path(f"/proc/{collector.process.pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


def _wait_until(condition: Any, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
