"""Own how a registry entry becomes a ClickHouse column: its type, and the expression that reads it from a span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma.registry import fields

if TYPE_CHECKING:
    from trilemma.registry import Field

__all__ = ["CONTENT_TYPE", "attributes_in_columns", "column_type", "read_expression", "span_fields"]

# A content column holds the hashes of its parts; the texts are in `content`.
CONTENT_TYPE = "Array(String)"

_SPAN_ENTRIES = {"call", "task and beneath", "task", "task or outcome event"}


def span_fields() -> list[Field]:
    """Return the registry entries that have a column on a span, in the registry's order."""
    return [field for field in fields().values() if field.on in _SPAN_ENTRIES and field.column is not None]


def attributes_in_columns() -> list[str]:
    """Return every attribute, aliases included, that a column of `stored_spans` takes out of the attribute map."""
    return [name for field in span_fields() for name in (field.attribute, *field.aliases)]


def column_type(field: Field) -> str:
    """Return the ClickHouse type of `field`'s column."""
    return CONTENT_TYPE if field.column == "content" else str(field.column)


def read_expression(field: Field, attributes: str = "a") -> str:
    """Return the SQL that reads `field` out of the map `attributes`: the first name that is there, aliases last."""
    found = [f"{attributes}['{name}']" for name in (field.attribute, *field.aliases)]
    text = found[0] if len(found) == 1 else f"firstNonDefault({', '.join(found)})"
    if field.column == "content":
        return f"content_parts({text})"
    if field.type == "boolean":
        return f"{text} = 'true'"
    if field.type == "string[]":
        return f"JSONExtract({text}, '{field.column}')"
    if field.type in {"int", "double"}:
        return f"to{str(field.column).removeprefix('Nullable(').removesuffix(')')}OrNull({text})"
    return text
