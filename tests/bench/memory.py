"""Own the memory benchmark: whether a process that makes many calls grows, with trilemma and without.

Real SDKs on an in-process transport, plain calls and streams of both in turn; half of the streams are dropped unread
midway. After each tenth of the calls: resident memory and the objects that the garbage collector tracks, after a
collection. What counts is the growth from the second tenth on: before it, caches fill.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.adapters import ADAPTERS, make_provider, set_global_provider
from tests.bench.environments import ROOT
from tests.bench.workloads import CHAT, MESSAGE, Wire, make_client
from tests.demo.emulator import anthropic_wire, openai_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

STEPS = 10
_NOW = datetime(2026, 11, 2, tzinfo=UTC)


class Mark(NamedTuple):
    """What a process holds after so many calls."""

    calls: int
    rss_mib: float
    objects: int
    spans: int


def main(argv: Sequence[str]) -> int:
    """Measure with and without, print both; returns 1 where calls have no span each."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.bench memory", description=about)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--adapter", choices=("bare", "trilemma"), help="measure in this process, print JSON")
    args = parser.parse_args(argv)
    if args.adapter:
        print(json.dumps(_measure(args.adapter, args.calls)))
        return 0
    with_us, without = (_measure_apart(name, args.calls) for name in ("trilemma", "bare"))
    print("| calls | MiB | objects | MiB without trilemma | objects without |\n|---:|---:|---:|---:|---:|")
    for ours, theirs in zip(with_us, without, strict=True):
        print(f"| {ours.calls:,} | {ours.rss_mib:.1f} | {ours.objects:,} | {theirs.rss_mib:.1f} | {theirs.objects:,} |")
    for name, marks in (("with trilemma", with_us), ("without", without)):
        first, last = marks[1], marks[-1]
        calls = (last.calls - first.calls) / 1000
        grown_kib = (last.rss_mib - first.rss_mib) * 1024 / calls
        objects = (last.objects - first.objects) / calls
        print(f"\nPer 1,000 further calls, {name}: {grown_kib:+.2f} KiB, {objects:+.2f} objects")
    return int(with_us[-1].spans != with_us[-1].calls)


def _measure_apart(adapter: str, calls: int) -> list[Mark]:
    words = [sys.executable, "-m", "tests.bench", "memory", "--calls", str(calls), "--adapter", adapter]
    done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [Mark(*each) for each in json.loads(done.stdout.splitlines()[-1])]


def _measure(adapter: str, calls: int) -> list[Mark]:
    provider, counter = make_provider()
    if adapter == "trilemma":
        set_global_provider(provider)
        ADAPTERS["trilemma"].make_switch(False).on(provider)
    kinds = _make_kinds()
    marks = []
    for step in range(1, STEPS + 1):
        for number in range(calls // STEPS):
            kinds[number % len(kinds)]()
        provider.force_flush()
        gc.collect()
        marks.append(Mark(calls // STEPS * step, _read_rss_mib(), len(gc.get_objects()), counter.spans))
    return marks


def _make_kinds() -> list[Callable[[], object]]:
    chat = make_client("openai", Wire(openai_wire, openai_wire.read_chat(CHAT, _NOW, 0, 0), stream=False))
    chat_body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    exchange = openai_wire.read_chat(chat_body, _NOW, 0, 0)
    chats = make_client("openai", Wire(openai_wire, exchange, stream=True, pieces=6))
    read = anthropic_wire.read_messages
    message = make_client("anthropic", Wire(anthropic_wire, read(MESSAGE, _NOW, 0, 0), stream=False))
    streamed = read({**MESSAGE, "stream": True}, _NOW, 0, 0)
    messages = make_client("anthropic", Wire(anthropic_wire, streamed, stream=True, pieces=6))
    return [
        lambda: chat.chat.completions.create(**CHAT),
        lambda: sum(1 for _ in chats.chat.completions.create(**chat_body)),
        lambda: message.messages.create(**MESSAGE),
        lambda: sum(1 for _ in messages.messages.create(**MESSAGE, stream=True)),
        lambda: next(iter(chats.chat.completions.create(**chat_body))),
        lambda: next(iter(messages.messages.create(**MESSAGE, stream=True))),
    ]


def _read_rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
