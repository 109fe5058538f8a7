"""Hold the write-ahead files to what an acknowledgement promises."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from trilemma_collector.journal import Journal, JournalFullError, recover_segments, scan_segment, write_segment
from trilemma_collector.journal.recovery import STORED_SUFFIX, keep_stored_segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODIES = [b"first", b"", b"x" * 300, bytes(range(256)) * 100]


@pytest.fixture
def aside(tmp_path: Path) -> Path:
    """Return the folder for what cannot be read."""
    folder = tmp_path / "aside"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of segments."""
    folder = tmp_path / "write_ahead"
    folder.mkdir()
    return folder


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    """Return a journal with a limit of 1 MB."""
    journal = Journal(folder, limit_bytes=1_000_000, flush_to_disk=True)
    journal.start()
    yield journal
    journal.close()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """A segment gives back every body, byte for byte and in order."""
    path = tmp_path / "traces-1.otlp"
    write_segment(path, BODIES)
    scan = scan_segment(path)
    assert [record.body for record in scan.records] == BODIES
    assert (scan.problem, scan.valid_bytes) == ("", path.stat().st_size)


def test_a_torn_write_costs_only_the_torn_record(tmp_path: Path) -> None:
    """A segment cut at any byte gives every record that is whole, and says where the rest begins."""
    path = tmp_path / "traces-1.otlp"
    write_segment(path, BODIES[:3])
    whole = path.read_bytes()
    ends = [scan_segment(path).records[index].offset for index in (1, 2)] + [len(whole)]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        scan = scan_segment(path)
        expected = sum(end <= cut for end in ends)
        assert [record.body for record in scan.records] == BODIES[:expected], cut
        assert scan.valid_bytes == ([0, *ends][expected])
        assert bool(scan.problem) == (cut not in {0, *ends}), cut


def test_a_changed_byte_is_never_taken_for_data(tmp_path: Path) -> None:
    """Whatever byte of a record is damaged, neither it nor what follows is read as whole."""
    path = tmp_path / "traces-1.otlp"
    write_segment(path, [b"first body", b"second body"])
    whole = path.read_bytes()
    second = scan_segment(path).records[1].offset
    for position in range(second, len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        scan = scan_segment(path)
        assert [record.body for record in scan.records] == [b"first body"], position
        assert scan.problem, position


def test_recovery_keeps_the_broken_end_aside(folder: Path, aside: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whole records are recovered, the rest is kept in a file of its own, and the log says so."""
    path = folder / "traces-00000000000000000001-aa.otlp"
    write_segment(path, BODIES)
    torn = path.read_bytes()[:-7]
    path.write_bytes(torn)
    start = scan_segment(path).valid_bytes

    (segment,) = recover_segments(folder, aside)

    assert (segment.record_count, segment.size_bytes, path.stat().st_size) == (len(BODIES) - 1, start, start)
    (kept,) = aside.iterdir()
    assert kept.read_bytes() == torn[start:]
    assert "a record cut short" in caplog.text
    assert str(kept) in caplog.text


def test_recovery_returns_segments_oldest_first(folder: Path, aside: Path) -> None:
    """Traces and logs are stored again in the order in which they came."""
    for name in ("traces-00000000000000000003-aa", "logs-00000000000000000002-bb", "traces-00000000000000000001-cc"):
        write_segment(folder / f"{name}.otlp", [b"body"])
    (folder / "traces-00000000000000000004-dd.otlp").touch()
    assert [segment.path.stem[-2:] for segment in recover_segments(folder, aside)] == ["cc", "bb", "aa"]
    assert len(list(folder.glob("*.otlp"))) == 3  # the empty one is gone


def test_a_stored_segment_comes_back_only_after_a_power_cut(
    folder: Path, aside: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While the machine stays up a stored segment is forgotten; after a restart of the machine it is stored again."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("first")
    monkeypatch.setattr("trilemma_collector.journal.recovery.BOOT_ID", boot_id)
    path = folder / "traces-00000000000000000001-aa.otlp"
    recover_segments(folder, aside)
    write_segment(path, [b"body"])
    (segment,) = recover_segments(folder, aside)
    keep_stored_segment(segment)
    assert recover_segments(folder, aside) == []

    write_segment(path.with_suffix(STORED_SUFFIX), [b"body"])
    boot_id.write_text("second")
    (again,) = recover_segments(folder, aside)
    assert again.token == segment.token


def test_many_writers_share_a_journal(journal: Journal) -> None:
    """Requests from many threads are all there, each whole, when their futures are done."""
    bodies = [f"{number}".encode() * 50 for number in range(400)]

    def write(share: list[bytes]) -> None:
        for body in share:
            journal.append("traces", body).result(timeout=30)

    threads = [threading.Thread(target=write, args=(bodies[index::8],)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    segments = journal.take()
    found = [record.body for segment in segments for record in scan_segment(segment.path).records]
    assert sorted(found) == sorted(bodies)
    assert sum(segment.record_count for segment in segments) == len(bodies)
    assert sum(segment.size_bytes for segment in segments) == journal.backlog_bytes


def test_a_full_journal_refuses(journal: Journal) -> None:
    """Beyond its limit a journal refuses with the figures and the option, and takes requests again once it has room."""
    journal.append("traces", b"x" * 900_000).result(timeout=30)
    with pytest.raises(JournalFullError, match=r"900,0\d\d bytes wait .* limit is 1,000,000.*--max-backlog-mb"):
        journal.append("traces", b"x" * 200_000)
    for segment in journal.take():
        journal.release(segment)
    assert journal.backlog_bytes == 0
    journal.append("traces", b"x" * 200_000).result(timeout=30)


def test_a_disk_that_refuses_fails_the_request_only(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the disk is full a request is refused, not lost; what was acknowledged stays, and later ones are taken."""
    journal.append("traces", b"kept").result(timeout=30)
    real_writev = os.writev

    def fail(descriptor: int, parts: list[bytes]) -> int:
        real_writev(descriptor, parts[:1])  # a part of it has reached the file
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", fail)
        with pytest.raises(JournalFullError, match="No space left on device"):
            journal.append("traces", b"refused").result(timeout=30)
    journal.append("traces", b"taken").result(timeout=30)
    found = [record.body for segment in journal.take() for record in scan_segment(segment.path).records]
    assert found == [b"kept", b"taken"]
    assert "cannot be written" in caplog.text


def test_a_closed_journal_refuses_and_keeps(folder: Path, aside: Path) -> None:
    """Closing writes what is queued; afterwards requests are refused, and the next start finds everything."""
    journal = Journal(folder, limit_bytes=1_000_000, flush_to_disk=False)
    journal.start()
    futures = [journal.append("logs", b"%d" % number) for number in range(10)]
    journal.close()
    assert all(future.exception(timeout=0) is None for future in futures)
    with pytest.raises(JournalFullError, match="stopping"):
        journal.append("logs", b"late")
    (segment,) = recover_segments(folder, aside)
    assert [record.body for record in scan_segment(segment.path).records] == [b"%d" % number for number in range(10)]
