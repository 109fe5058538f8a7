"""Hold that responses no provider should send harm no user: recorded ones, broken at random places (seeded)."""

from __future__ import annotations

import gc
import warnings
from collections import defaultdict
from importlib.util import find_spec
from random import Random
from typing import TYPE_CHECKING

import pytest
from trilemma import guard
from trilemma.instrumentation import uninstrument
from trilemma.providers import PROVIDERS
from trilemma.registry import attribute

from tests.instrumentation.providers.mutations import mutate
from tests.wire_score.corpus import load_records
from tests.wire_score.drivers import DRIVERS, find_drivers, import_driver
from tests.wire_score.outcome import NotDrivenError, let_go
from tests.wire_score.runner import is_async

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.instrumentation.providers.conftest import Traced
    from tests.wire_score.corpus import Record
    from tests.wire_score.outcome import Outcome

# How many broken responses each SDK gets; openai's are of some forty servers and a dozen endpoints.
BUDGET = {"openai": 1400, "anthropic": 500}
BUDGET_OF_OTHERS = 250
SEED = "trilemma"
DEFERRED = attribute("deferred")


@pytest.fixture(scope="session")
def records_by_driver(shared: Path) -> Iterator[dict[str, list[Record]]]:
    """Give the recordings of each driver: those of whose endpoints its SDK is the best one for."""
    found = defaultdict(list)
    for record in load_records(shared / "data/wire/dev.jsonl.gz"):
        for driver in find_drivers(record):
            if record["status"] < 400 and driver.SDK in PROVIDERS:
                found[driver.__name__.rpartition(".")[2]].append(record)
            break
    gc.freeze()  # what is collected beside all these records would take seconds
    yield found
    gc.unfreeze()


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", DRIVERS)
def test_mutated(
    traced: Traced,
    records_by_driver: dict[str, list[Record]],
    name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is wrong with a response, the user gets what he gets without us, and there is one span."""
    driver = import_driver(name)
    if driver.SDK not in PROVIDERS or find_spec(driver.SDK) is None:
        pytest.skip(f"{driver.SDK} is not instrumented or not installed here")
    random = Random(f"{SEED} {name}")  # to choose what to break
    records = records_by_driver[name]
    mutants = [mutate(random.choice(records), random) for _ in range(BUDGET.get(name, BUDGET_OF_OTHERS))]
    uninstrument()
    without_us = [_send(name, mutant) for mutant in mutants]
    guard.raise_errors(False)
    for content in ("NO_CONTENT", "SPAN_ONLY"):
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", content)
        traced.instrument()
        for mutant, expected in list(zip(mutants, without_us, strict=True))[content == "SPAN_ONLY" :: 2]:
            if expected is None:
                continue
            assert _send(name, mutant) == expected, mutant["mutation"]
            if not traced.spans():
                let_go()  # some SDKs leave a broken stream to the garbage collector, which takes long
            # The result of work that was begun before (a batch's item, a run) is a span of its own.
            calls = [span for span in traced.spans() if DEFERRED not in (span.attributes or {})]
            assert len(calls) == 1, mutant["mutation"]
            traced.exporter.clear()
    assert sum(outcome is not None for outcome in without_us) > 0.2 * len(mutants)
    assert not [entry.getMessage() for entry in caplog.records if entry.name == "trilemma"]


def _send(name: str, mutant: Record) -> Outcome | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the SDKs, about old models and odd values
        try:
            outcome: Outcome = import_driver(name).send(mutant, is_async=is_async(mutant))
        except NotDrivenError:
            return None
        return outcome
