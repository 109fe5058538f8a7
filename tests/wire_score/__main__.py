"""Own the command: score a file of recordings, and print what it says."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.wire_score.instrumentations import INSTRUMENTATIONS
from tests.wire_score.processes import score_file
from tests.wire_score.report import render, sum_up

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 where there is no miss, 1 where there is one, 2 where the file cannot be read."""
    parser = argparse.ArgumentParser("python -m tests.wire_score", description=__doc__)
    parser.add_argument("file", type=Path, help="recordings, one JSON object per line (.jsonl or .jsonl.gz)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--fields", action="store_true", help="with --json: every record's fields too, as `scored`")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="worker processes (default 2)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="score every Nth record only")
    parser.add_argument("--instrumentation", choices=sorted(INSTRUMENTATIONS), default="trilemma")
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        print(f"{options.file}: no such file; give the path of a .jsonl.gz of recordings", file=sys.stderr)
        return 2
    scored, seconds = score_file(
        options.file, processes=options.processes, instrumentation=options.instrumentation, every=options.every
    )
    score = sum_up(scored, seconds)
    if options.fields:
        score["scored"] = [each._asdict() for each in scored]
    print(json.dumps(score, default=str) if options.json else render(score))
    return 1 if score["misses"] else 0


if __name__ == "__main__":
    sys.exit(main())
