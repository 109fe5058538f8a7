"""Hold the collector to its promise: what it acknowledged is stored exactly once, whatever happens to the process."""

from __future__ import annotations

import http.client
import random
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.collector_config.embedded.otlp import PROTOBUF, count_spans, make_traces, post, send, unique_name
from tests.collector_config.embedded.servers import running_collector, start_collector

if TYPE_CHECKING:
    from pathlib import Path

SPANS_PER_REQUEST = 100


class Sender(threading.Thread):
    """Send requests one after another until the collector goes away, and remember what was acknowledged."""

    def __init__(self, url: str, service: str) -> None:
        super().__init__()
        self._address = urlsplit(url).netloc
        self._service = service
        self.acknowledged: list[bytes] = []
        self.unanswered: bytes | None = None

    def run(self) -> None:
        """Send until the connection breaks."""
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            while True:
                body = make_traces(self._service, SPANS_PER_REQUEST).SerializeToString()
                self.unanswered = body
                connection.request("POST", "/v1/traces", body, PROTOBUF)
                response = connection.getresponse()
                response.read()
                assert response.status == http.client.OK
                self.acknowledged.append(body)
                self.unanswered = None
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


@pytest.mark.slow
def test_killed_under_load_every_span_is_stored_exactly_once(tmp_path: Path) -> None:
    """Killed with -9 at random moments under load and started again, the collector has every acknowledged span once.

    As an exporter would, the senders repeat the request whose answer they never got: it must not count twice either.
    """
    rng = random.Random()
    service, data_dir = unique_name(), tmp_path / "store"
    acknowledged, repeats = 0, []
    for _ in range(4):
        collector = start_collector(tmp_path, data_dir=data_dir)
        for body in repeats:
            assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
            acknowledged += 1
        senders = [Sender(collector.otlp_http, service) for _ in range(3)]
        for sender in senders:
            sender.start()
        time.sleep(rng.uniform(0.2, 2.5))
        collector.kill()
        for sender in senders:
            sender.join()
        acknowledged += sum(len(sender.acknowledged) for sender in senders)
        repeats = [sender.unanswered for sender in senders if sender.unanswered]
    with running_collector(tmp_path, data_dir=data_dir) as collector:
        for body in repeats:
            assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
            acknowledged += 1
        total = acknowledged * SPANS_PER_REQUEST
        assert total > 0
        assert count_spans(collector.clickhouse, service) == (total, total)
        assert not list((data_dir / "quarantine").glob("*.pb"))


def test_what_was_acknowledged_and_not_stored_survives_a_kill(tmp_path: Path) -> None:
    """Killed right after an acknowledgement, before any INSERT, the collector stores the request at its next start."""
    service = unique_name()
    collector = start_collector(tmp_path)
    body = make_traces(service, 10).SerializeToString()
    assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
    collector.kill()
    assert list((collector.data_dir / "write_ahead").glob("traces-*.otlp"))
    with running_collector(tmp_path) as restarted:
        assert count_spans(restarted.clickhouse, service) == (10, 10)


def test_a_clean_stop_stores_everything(tmp_path: Path) -> None:
    """Told to stop, the collector stores its backlog and exits with 0; the next start has nothing to catch up on."""
    service = unique_name()
    collector = start_collector(tmp_path)
    for _ in range(20):
        body = make_traces(service, 10).SerializeToString()
        assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
    assert collector.stop() == 0
    assert not list((collector.data_dir / "write_ahead").glob("traces-*"))
    with running_collector(tmp_path) as restarted:
        assert count_spans(restarted.clickhouse, service) == (200, 200)


def test_a_torn_write_ahead_file_is_recovered_up_to_the_tear(tmp_path: Path) -> None:
    """A write-ahead file that ends in the middle of a record: all before it is stored, the rest kept and reported."""
    service = unique_name()
    collector = start_collector(tmp_path)
    for _ in range(3):
        body = make_traces(service, 10).SerializeToString()
        assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
    collector.kill()
    segments = sorted((collector.data_dir / "write_ahead").glob("traces-*.otlp"))
    torn = segments[-1].read_bytes()[:-5]
    segments[-1].write_bytes(torn)
    with running_collector(tmp_path) as restarted:
        assert count_spans(restarted.clickhouse, service) == (20, 20)
        assert "a record cut short" in restarted.log_text
        (kept,) = (collector.data_dir / "quarantine").glob("*.broken")
        assert torn.endswith(kept.read_bytes())
        assert send("GET", f"{restarted.otlp_http}/health").status == http.client.OK


def test_a_write_ahead_file_of_noise_stops_nothing(tmp_path: Path) -> None:
    """A write-ahead file that is damaged from its first byte is kept aside whole, and the collector starts."""
    data_dir = tmp_path / "store"
    (data_dir / "write_ahead").mkdir(parents=True)
    noise = random.Random(1).randbytes(5000)
    (data_dir / "write_ahead" / "traces-00000000000000000001-aa.otlp").write_bytes(noise)
    with running_collector(tmp_path) as collector:
        (kept,) = (data_dir / "quarantine").glob("*.broken")
        assert kept.read_bytes() == noise
        assert str(kept) in collector.log_text
