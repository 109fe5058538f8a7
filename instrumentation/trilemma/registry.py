"""Own the one list of names: what a concept is called on a span, in ClickHouse, and in the docs (registry.json)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Field", "attribute", "fields"]


class Field(NamedTuple):
    """One concept: its name everywhere in trilemma, and what it is called on the wire.

    ``name`` is the key in a call record, the ClickHouse column and the notebook's label. ``attribute`` is the
    OpenTelemetry attribute. ``column`` is the ClickHouse type, ``"content"`` for what lands in the content table, or
    None for what stays in the span's attribute map only. ``aliases`` are other SDKs' or older names for the same thing.
    """

    name: str
    attribute: str
    type: str
    column: str | None
    on: str
    doc: str
    unit: str | None = None
    aliases: tuple[str, ...] = ()


@cache
def fields() -> dict[str, Field]:
    """Return every field by name, in the registry's order."""
    text = Path(__file__).with_name("registry.json").read_text(encoding="utf-8")
    entries = (Field(**{**entry, "aliases": tuple(entry.get("aliases", ()))}) for entry in json.loads(text)["fields"])
    return {field.name: field for field in entries}


def attribute(name: str) -> str:
    """Return the OpenTelemetry attribute of the concept `name`; raises KeyError for a concept not in the registry."""
    return fields()[name].attribute
