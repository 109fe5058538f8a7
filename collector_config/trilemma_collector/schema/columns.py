"""Own how a registry entry becomes a ClickHouse column: its type, and the expression that reads it from a span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma.registry import fields

if TYPE_CHECKING:
    from trilemma.registry import Field

__all__ = ["CALL", "TASK", "UNDER_TASK", "column_type", "read_expression", "span_fields"]

# Where a registry entry is set (its `on`), by the table that has a column for it.
UNDER_TASK = ("task and beneath",)
CALL = ("call", *UNDER_TASK)
TASK = (*UNDER_TASK, "task", "task or outcome event")

# Readings that are more than "the first of these attributes": {0} is the own attribute, {1} all of them, {2} the aliases.
_SPECIAL = {
    "operation": "transform({1}, ['LLM', 'EMBEDDING', 'RERANKER', 'completion', 'embedding'], "
    "['chat', 'embeddings', 'rerank', 'text_completion', 'embeddings'])",
    "provider": "lower({1})",
    # Other SDKs write 0 where they know no price. What they know is in US dollars.
    "cost": "coalesce(toFloat64OrNull({0}), nullIf(toFloat64OrNull({2}), 0))",
    "cost_currency": "if(a['trilemma.cost.total'] = '' AND isNotNull(cost), 'USD', {0})",
    "cost_source": "if(a['trilemma.cost.total'] = '' AND isNotNull(cost), 'other_sdk', {0})",
}


def span_fields(where: tuple[str, ...]) -> list[Field]:
    """Return the registry entries with a column, of those set on a call, a task, or beneath a task."""
    return [field for field in fields().values() if field.on in where and field.column is not None]


def column_type(field: Field) -> str:
    """Return the ClickHouse type of `field`'s column; content is stored as the hashes of its parts."""
    return "Array(String)" if field.column == "content" else str(field.column)


def read_expression(field: Field, attributes: str = "a") -> str:
    """Return the SQL that reads `field` out of the map `attributes`: the first name that is there, aliases last."""
    own = f"{attributes}['{field.attribute}']"
    found = _first([field.attribute, *field.aliases], attributes)
    if field.name in _SPECIAL:
        return _SPECIAL[field.name].format(own, found, _first(list(field.aliases), attributes))
    if field.column == "content":
        return f"arrayMap(part -> lower(hex(sipHash128(part))), {content_parts(found)})"
    if field.type == "boolean":
        return f"{found} IN ('true', 'True')"
    if field.type == "string[]":
        return f"if(startsWith({found}, '['), JSONExtract({found}, 'Array(String)'), arrayFilter(text -> text != '', [{found}]))"
    if field.type in {"int", "double"}:
        return f"to{str(field.column).removeprefix('Nullable(').removesuffix(')')}OrNull({found})"
    return found


def content_parts(text: str) -> str:
    """Return the SQL that splits the content `text` into the parts that are stored once each: its JSON elements."""
    return f"if(startsWith({text}, '['), JSONExtractArrayRaw({text}), arrayFilter(part -> part != '', [{text}]))"


def _first(names: list[str], attributes: str) -> str:
    found = [f"{attributes}['{name}']" for name in names]
    return found[0] if len(found) == 1 else f"firstNonDefault({', '.join(found)})"
