"""Own the differences in which the corpus is wrong: known.json, each with its reason."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.wire_score.runner import Scored

__all__ = ["find_reason"]


def find_reason(scored: Scored, field: str) -> str | None:
    """Return why a record's difference in `field` is the corpus's mistake, or None: then it is ours."""
    of_records, of_providers = _load()
    return of_records.get((scored.id, field)) or of_providers.get((scored.provider, field))


@cache
def _load() -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    text = Path(__file__).with_name("known.json").read_text(encoding="utf-8")
    entries = json.loads(text)["differences"]
    of_records = {(key, name): e["reason"] for e in entries for key in e.get("ids", ()) for name in e["fields"]}
    of_providers = {(e["provider"], name): e["reason"] for e in entries if "provider" in e for name in e["fields"]}
    return of_records, of_providers
