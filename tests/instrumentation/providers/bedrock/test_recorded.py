"""Hold spans of each AWS SDK that is here, sync and async, to what Bedrock really said: 444 recorded exchanges."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.wire_score.compare import compare, read_attributes
from tests.wire_score.corpus import load_records
from tests.wire_score.drivers import botocore
from tests.wire_score.known import find_reason
from tests.wire_score.outcome import close_loop
from tests.wire_score.runner import Scored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.instrumentation.providers.conftest import Traced
    from tests.wire_score.corpus import Record

KINDS = {"sync": False, **({"async": True} if find_spec("aiobotocore") else {})}
LEAST = 130  # the oldest botocore has no Converse; the newest has all 439


@pytest.fixture(scope="module")
def records(shared: Path) -> list[Record]:
    """Return the recordings of the operations that the installed SDK has."""
    return [record for record in load_records(shared / "data/wire/dev.jsonl.gz") if botocore.fits(record)]


@pytest.fixture
def _loop() -> Iterator[None]:
    yield
    close_loop()


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.usefixtures("_loop")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # clients are left to the process's end
def test_recorded(traced: Traced, records: list[Record], kind: str) -> None:
    """Every span is right in every field, or it is known why the corpus is wrong."""
    misses = []
    for record in records:
        outcome = botocore.send(record, is_async=KINDS[kind])
        assert (outcome.error is not None) == (record["status"] >= 400), (record["id"], outcome.message)
        fields = compare(record, [span.attributes or {} for span in traced.spans()], read=read_attributes)
        scored = Scored(record["id"], record["provider"], record["endpoint"], "botocore", fields)
        misses += [
            (record["id"], name, want, got)
            for name, (want, got, is_right) in fields.items()
            if not is_right and find_reason(scored, name) is None
        ]
        traced.exporter.clear()
    assert not misses
    assert len(records) >= LEAST
