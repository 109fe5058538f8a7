"""Hold `trilemma up` to its command line: what it announces, what it refuses and how it says so, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from trilemma_collector.storage import DataDirectory, Engine

from tests.collector_config.embedded.otlp import PROTOBUF, count_spans, make_traces, post, send, unique_name
from tests.collector_config.embedded.servers import FREE_PORTS, run_up, running_collector, start_collector

if TYPE_CHECKING:
    from tests.collector_config.embedded.servers import RunningCollector


def test_health_says_how_it_is(collector: RunningCollector) -> None:
    """Both HTTP ports tell version, rows, backlog and refusals."""
    assert post(f"{collector.otlp_http}/v1/traces", b"\xff", PROTOBUF).status == 400
    for url in (collector.otlp_http, collector.clickhouse):
        reply = send("GET", f"{url}/health")
        health = json.loads(reply.body)
        assert (reply.status, health["status"], health["problem"], health["quarantined_requests"]) == (200, "ok", "", 0)
        assert health["requests"]["refused"]["traces"] >= 1
        assert {"version", "clickhouse_version", "uptime_s", "cpu_s", "rows", "backlog_bytes"} <= health.keys()


def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    """Stopped and started again on the same directory, the store has the same rows and the schema is not touched."""
    service = unique_name()
    with running_collector(tmp_path) as collector:
        assert (
            post(f"{collector.otlp_http}/v1/traces", make_traces(service, 7).SerializeToString(), PROTOBUF).status
            == 200
        )
        assert count_spans(collector.clickhouse, service) == (7, 7)
        applied = post(collector.clickhouse, b"SELECT count() FROM schema_migrations", {}).body
    with running_collector(tmp_path) as collector:
        assert count_spans(collector.clickhouse, service) == (7, 7)
        assert post(collector.clickhouse, b"SELECT count() FROM schema_migrations", {}).body == applied


def test_a_directory_is_open_to_chdb_when_no_collector_runs(tmp_path: Path) -> None:
    """After a clean stop the data directory opens as chdb:///directory, with everything in it."""
    service = unique_name()
    with running_collector(tmp_path) as collector:
        assert (
            post(f"{collector.otlp_http}/v1/traces", make_traces(service, 7).SerializeToString(), PROTOBUF).status
            == 200
        )
    script = (
        "import clickhouse_connect, sys\n"
        "with clickhouse_connect.get_client(dsn='chdb://' + sys.argv[1]) as client:\n"
        "    sql = 'SELECT count() FROM trilemma.spans WHERE service_name = {s:String}'\n"
        "    print(client.query(sql, parameters={'s': sys.argv[2]}).first_row[0])\n"
    )
    command = [sys.executable, "-c", script, str(collector.data_dir), service]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "7\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_itself_and_stops_when_told(tmp_path: Path, number: signal.Signals) -> None:
    """A line of JSON on stdout and the ready file name the addresses; Ctrl-C and SIGTERM end it with 0."""
    ready_file = tmp_path / "ready.json"
    options = ["--data-dir", str(tmp_path / "store"), "--ready-file", str(ready_file), *FREE_PORTS]
    command = [sys.executable, "-m", "trilemma.cli", "up", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert announced == json.loads(ready_file.read_text())
        assert announced["pid"] == process.pid
        assert send("GET", f"{announced['otlp_http']}/health").status == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert not ready_file.exists()


def test_a_long_query_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Told to stop in the middle of a query of minutes, it ends the query, stores what came in, and exits with 0."""
    service = unique_name()
    collector = start_collector(tmp_path)
    slow = "SELECT sum(sleepEachRow(0.1)) FROM numbers(6000) SETTINGS max_block_size = 1"
    url = f"{collector.clickhouse}/?function_sleep_max_microseconds_per_block=0"
    query = threading.Thread(target=post, args=(url, slow.encode(), {}))
    query.start()
    while b"sleepEachRow" not in post(collector.clickhouse, b"SELECT query FROM system.processes", {}).body:
        time.sleep(0.05)
    assert post(f"{collector.otlp_http}/v1/traces", make_traces(service).SerializeToString(), PROTOBUF).status == 200
    started = time.monotonic()
    assert collector.stop() == 0
    assert time.monotonic() - started < 30
    query.join()
    with running_collector(tmp_path) as collector:
        assert count_spans(collector.clickhouse, service) == (1, 1)


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    """A second collector on the same directory is told who has it and where that one serves, and changes nothing."""
    with running_collector(tmp_path) as collector:
        refused = run_up(tmp_path, *FREE_PORTS)
        assert refused.returncode == 1
        assert f"process {collector.process.pid}, which serves {collector.clickhouse}" in refused.stderr
        assert "--data-dir" in refused.stderr
        assert send("GET", f"{collector.otlp_http}/health").status == 200


def test_a_directory_opened_by_another_chdb_is_refused(tmp_path: Path) -> None:
    """A directory that a notebook has open as chdb:// is refused with that hint."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom trilemma_collector.storage import Engine\n"
        "engine = Engine(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    (tmp_path / "store").mkdir()
    command = [sys.executable, "-c", script, str(tmp_path / "store")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        refused = run_up(tmp_path, *FREE_PORTS)
        other.communicate("", timeout=60)
    assert refused.returncode == 1
    assert f"ClickHouse cannot open the data directory {tmp_path / 'store'}" in refused.stderr
    assert "chdb://" in refused.stderr


@pytest.mark.parametrize("option", ["--otlp-http-port", "--otlp-grpc-port", "--clickhouse-port"])
def test_a_port_in_use_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    """A port that another process has is named, with the option that chooses another; nothing is left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run_up(tmp_path, *FREE_PORTS, option, str(port))
    assert refused.returncode == 1
    assert f"trilemma: the address 127.0.0.1:{port} is taken" in refused.stderr
    assert option in refused.stderr
    assert "Traceback" not in refused.stderr
    with running_collector(tmp_path):
        pass  # the directory is free again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data-dir", "{tmp}/file"], "file cannot be used: File exists"),
        (["--data-dir", "{tmp}/file/store"], "file/store cannot be used: Not a directory"),
        (["--data-dir", "{tmp}/a?b"], "has a '?' in its name"),
        (["--host", "no.such.host.invalid"], "'no.such.host.invalid' is not an address"),
        (["--user", "ann"], "TRILEMMA_PASSWORD"),
    ],
)
def test_what_cannot_work_is_refused_with_the_next_step(tmp_path: Path, arguments: list[str], words: str) -> None:
    """A setting that cannot work ends the start with one sentence that names it, and exit code 1."""
    (tmp_path / "file").write_text("")
    refused = run_up(tmp_path, *FREE_PORTS, *(argument.format(tmp=tmp_path) for argument in arguments))
    assert refused.returncode == 1
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_port_is_wrong_usage(tmp_path: Path) -> None:
    """A port that is no port is refused as wrong usage, by its option's name."""
    refused = run_up(tmp_path, "--clickhouse-port", "123456")
    assert refused.returncode == 2
    assert "--clickhouse-port" in refused.stderr


def test_a_store_of_a_newer_trilemma_is_left_alone(tmp_path: Path) -> None:
    """A directory that a newer trilemma has migrated is refused before anything is written; the migration is named."""
    with running_collector(tmp_path) as collector:
        newer = b"INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, '9999_future', 'x')"
        assert post(collector.clickhouse, newer, {}).status == 200
    refused = run_up(tmp_path, *FREE_PORTS)
    assert refused.returncode == 1
    assert "9999_future" in refused.stderr
    assert "Upgrade" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """A directory whose ClickHouse files are not readable is refused by name, with what to do."""
    with running_collector(tmp_path) as collector:
        post(f"{collector.otlp_http}/v1/traces", make_traces("x").SerializeToString(), PROTOBUF)
    for path in (tmp_path / "store" / "metadata").rglob("*.sql"):
        path.write_text("not SQL")
    refused = run_up(tmp_path, *FREE_PORTS)
    assert refused.returncode == 1
    assert str(tmp_path / "store") in refused.stderr
    assert "Traceback" not in refused.stderr


def test_listening_to_everyone_is_warned_about(tmp_path: Path) -> None:
    """On an address that others reach, it says that there is no password, unless there is one."""
    with running_collector(tmp_path, "--host", "0.0.0.0") as collector:
        assert "without a password" in collector.log_text
    environment = {"TRILEMMA_PASSWORD": "x"}
    with running_collector(tmp_path, "--host", "0.0.0.0", "--user", "ann", environment=environment) as collector:
        assert "without a password" not in collector.log_text


def test_the_default_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """$TRILEMMA_DATA_DIR wins over $XDG_DATA_HOME, which wins over ~/.local/share."""
    from trilemma_collector.commands.up import _find_default_directory

    monkeypatch.delenv("TRILEMMA_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert _find_default_directory() == tmp_path / "trilemma"
    monkeypatch.setenv("TRILEMMA_DATA_DIR", str(tmp_path / "mine"))
    assert _find_default_directory() == tmp_path / "mine"
    monkeypatch.delenv("TRILEMMA_DATA_DIR")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert _find_default_directory() == Path.home() / ".local" / "share" / "trilemma"


def test_rows_are_visible_soon_without_a_query(tmp_path: Path) -> None:
    """Without a reader that asks for it, what is acknowledged becomes rows within seconds."""
    collector = start_collector(tmp_path)
    try:
        body = make_traces(unique_name()).SerializeToString()
        assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == 200
        deadline = time.monotonic() + 20
        while json.loads(send("GET", f"{collector.otlp_http}/health").body)["backlog_bytes"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not list((collector.data_dir / "write_ahead").glob("traces-*.otlp"))
    finally:
        collector.stop()


def test_the_parts_are_what_a_script_may_use(tmp_path: Path) -> None:
    """The data directory and the engine work without the servers, one after another in one process."""
    for _ in range(2):
        with DataDirectory.open(tmp_path / "store") as directory:
            engine = Engine(directory.path)
            assert engine.read("SELECT {x:UInt8} + 1", {"x": "1"}) == "2\n"
            engine.close()
