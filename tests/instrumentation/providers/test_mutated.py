"""Hold that responses no provider should send harm no user: recorded ones, broken at random places (seeded)."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from trilemma import guard
from trilemma.instrumentation import uninstrument

from tests.instrumentation.providers import corpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.instrumentation.providers.conftest import Traced

PER_ENDPOINT = 480
ODD_VALUES: list[Any] = [None, "", "x", 0, -1, 1.5, 10**30, True, [], {}, [None], {"a": None}, ["x"], [[]]]


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")  # of the recordings' old models
@pytest.mark.slow
@pytest.mark.parametrize("endpoint", corpus.METHODS)
def test_mutated(traced: Traced, shared: Path, endpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with a response, the user gets what he gets without us, and there is one span."""
    if not corpus.has_method(endpoint):
        pytest.skip(f"the installed SDK has no {corpus.METHODS[endpoint][1]}")
    random = Random(endpoint)  # to choose what to break
    records = list(corpus.load_records(shared, endpoint))
    mutants = [mutate(random.choice(records), random) for _ in range(PER_ENDPOINT)]
    uninstrument()
    without_us = [corpus.send(shared, mutant) for mutant in mutants]
    traced.instrument()
    guard.raise_errors(False)
    for mutant, expected in zip(mutants, without_us, strict=True):
        assert corpus.send(shared, mutant) == expected, mutant["mutation"]
        assert len(traced.spans()) == 1, mutant["mutation"]
        traced.exporter.clear()
    assert not [entry.getMessage() for entry in caplog.records if entry.name == "trilemma"]


def mutate(record: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return the record with one to three things wrong in its response body."""
    mutant = copy.deepcopy(record)
    mutant["mutation"] = record["id"]
    for _ in range(random.randint(1, 3)):
        change_body = change_events if record["stream"] else change_json
        mutant["response_body"] = change_body(mutant["response_body"], random)
    return mutant


def change_json(text: str, random: Random) -> str:
    """Break one place of a JSON text, or the text itself."""
    try:
        body = json.loads(text)
    except ValueError:
        return text
    if random.random() < 0.03:
        return random.choice([text[: len(text) // 2], "", "null", "[]", '"x"'])
    places = list_places(body)
    if not places:
        return json.dumps(random.choice(ODD_VALUES))
    holder, key = random.choice(places)
    if random.random() < 0.4 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = random.choice(ODD_VALUES)
    return json.dumps(body)


def change_events(text: str, random: Random) -> str:
    """Break an event stream: one event's data, or its course."""
    events = text.split("\n\n")
    number = random.randrange(len(events))
    changes: list[Callable[[], list[str]]] = [
        lambda: events[:number],  # cut
        lambda: events[:number] + events[number + 1 :],  # one lost
        lambda: [*events[:number], events[number], *events[number:]],  # one twice
        lambda: [*events[:number], ": comment", *events[number:]],
        lambda: random.sample(events, len(events)),  # out of order
    ]
    if random.random() < 0.6:
        lines = [
            f"data: {change_json(line[5:], random)}" if line.startswith("data:") else line
            for line in events[number].split("\n")
        ]
        return "\n\n".join([*events[:number], "\n".join(lines), *events[number + 1 :]])
    return "\n\n".join(random.choice(changes)())


def list_places(body: Any) -> list[tuple[Any, Any]]:
    """Return every (holder, key or index) in a body."""
    keys: list[Any] = list(body) if isinstance(body, dict) else list(range(len(body))) if isinstance(body, list) else []
    return [(body, key) for key in keys] + [place for key in keys for place in list_places(body[key])]
