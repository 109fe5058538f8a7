"""Own the score of peers beside ours: `python -m tests.wire_score.peers FILE` writes it to instrumentation/score.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.adapters import Adapter
from tests.bench.environments import ROOT, python_for
from tests.wire_score.corpus import load_records
from tests.wire_score.expect import does_model_work
from tests.wire_score.instrumentations import PEERS
from tests.wire_score.processes import score_file
from tests.wire_score.report import sum_up
from tests.wire_score.runner import Scored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.wire_score.instrumentations import Peer

__all__ = ["main", "render_tables"]

PAGE = ROOT / "instrumentation" / "score.md"
BEGIN, END = "<!-- table: python -m tests.wire_score.peers FILE -->", "<!-- end of table -->"
# What the semantic conventions have a name for, so that any instrumentation may say it.
FIELDS = (
    "spans",
    "error_type",
    "request_model",
    "response_model",
    "response_id",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "finish_reasons",
)
# The conventions allow the exception's name as an error's type, and some say the finish reasons in words of their own.
OWN_WORDS = ("error_type", "finish_reasons")
SDKS = ("google-genai", "boto3", "mistralai", "cohere", "ollama", "groq", "together", "genai-prices")


# The calls that any of them traces: others, of audio, images and files, ours alone sees.
ENDPOINTS = ("openai.chat", "openai.responses", "openai.completions", "openai.embeddings", "anthropic.messages",
             "bedrock.converse", "bedrock.invoke", "gemini.generate", "gemini.embed", "cohere.", "ollama.")  # fmt: skip


def score_peer(name: str, peer: Peer, path: Path) -> list[Scored]:
    """Score a file in the peer's own environment; return the records of the SDKs that it covers."""
    adapter = Adapter(_never, (*peer.packages, *_pin_sdks(peer)), prerelease=peer.prerelease)
    python = python_for(f"score-{name}", adapter)
    command = [python, "-m", "tests.wire_score", path, "--json", "--fields", "--instrumentation", name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "instrumentation")}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    found = (Scored(**each) for each in json.loads(done.stdout)["scored"])
    return [each for each in found if each.driver in peer.instrumentors]


def _pin_sdks(peer: Peer) -> list[str]:
    lines = (ROOT / "tests/constraints.txt").read_text(encoding="utf-8").splitlines()
    older = {name.partition("<")[0] for name in peer.sdks}
    return [*peer.sdks, *(pin for pin in lines if (name := pin.partition("==")[0]) in SDKS and name not in older)]


def _list_calls(path: Path) -> set[str]:
    """Return the ids of the calls to models that are compared."""
    records = load_records(path)
    return {each["id"] for each in records if does_model_work(each) and each["endpoint"].startswith(ENDPOINTS)}


def _never(_: bool) -> Any:
    raise NotImplementedError


def render_tables(ours: Iterable[Scored], peers: dict[str, list[Scored]]) -> str:
    """Return the tables: right of compared by field, then by SDK, ours and each peer's on the records it covers."""
    own = list(ours)
    columns = {"trilemma": own} | {PEERS[name].title: scored for name, scored in peers.items()}
    by_field = [_row(f"`{name}`", *(_count(each, field=name) for each in columns.values())) for name in FIELDS]
    sdks = dict.fromkeys(each.driver for each in own if each.driver)
    by_sdk = [_row(f"`{sdk}`", *(_count(each, sdk=sdk) for each in columns.values())) for sdk in sdks]
    rule = _row("---", *["---:"] * len(columns))
    total = _row("**all of these**", *(_count(each) for each in columns.values()))
    return "\n".join([_row("", *columns), rule, *by_field, total, "", _row("SDK", *columns), rule, *by_sdk])


def _count(scored: Iterable[Scored], *, field: str | None = None, sdk: str | None = None) -> str:
    right = compared = 0
    for each in scored:
        if sdk in {None, each.driver}:
            for name, (expected, got, is_right) in each.fields.items():
                if name in ((field,) if field else FIELDS):
                    compared += 1
                    right += is_right or (name in OWN_WORDS and expected is not None and got is not None)
    return f"{right:,} / {compared:,} ({right / compared:.1%})" if compared else "–"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Score all on one file and write the page's tables."""
    parser = argparse.ArgumentParser("python -m tests.wire_score.peers", description=__doc__)
    parser.add_argument("file", type=Path, help="recordings, as for python -m tests.wire_score")
    options = parser.parse_args(arguments)
    peers = {name: score_peer(name, peer, options.file.resolve()) for name, peer in PEERS.items()}
    ours, seconds = score_file(options.file)
    total, calls = sum_up(ours, seconds), _list_calls(options.file)
    peers = {name: [each for each in scored if each.id in calls] for name, scored in peers.items()}
    tables = render_tables([each for each in ours if each.id in calls], peers)
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(tables)
    print(f"trilemma: {total['records']} records, {total['total']}, {total['seconds']} s; written to {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
