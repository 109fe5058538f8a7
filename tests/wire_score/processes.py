"""Own the scoring of a whole file: shared out among processes, put back into the file's order."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tests.wire_score.corpus import load_records
from tests.wire_score.runner import Scored, score_records

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["score_file"]


def score_file(
    path: Path, *, processes: int = 2, instrumentation: str = "trilemma", every: int = 1
) -> tuple[list[Scored], float]:
    """Score every record of a file (or every `every`th); return the results in its order, and the seconds it took."""
    started_s = time.monotonic()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(_score_part, path, part, processes, instrumentation, every) for part in range(processes)]
        numbered = [result for part in parts for result in part.result()]
    return [scored for _, scored in sorted(numbered)], time.monotonic() - started_s


def _score_part(path: Path, part: int, parts: int, instrumentation: str, every: int) -> list[tuple[int, Scored]]:
    chosen = islice(load_records(path), part * every, None, parts * every)
    scored = score_records(chosen, instrumentation)
    return [(part + number * parts, each) for number, each in enumerate(scored)]
