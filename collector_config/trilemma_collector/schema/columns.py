"""Own how a registry entry becomes a ClickHouse column: how it is read from a span, stored, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trilemma.registry import fields

if TYPE_CHECKING:
    from trilemma.registry import Field

__all__ = ["CALL", "TASK", "UNDER_TASK", "StoredColumn", "content_parts", "first_of", "span_fields", "store_column"]

# Where a registry entry is set (its `on`), by the table that has a column for it.
UNDER_TASK = ("task and beneath",)
CALL = ("call", *UNDER_TASK)
TASK = (*UNDER_TASK, "task", "task or outcome event")

# Readings that are more than "the first of these attributes": {0} is the own attribute, {1} all, {2} the aliases.
_SPECIAL_READINGS = {
    "operation": "transform({1}, ['LLM', 'EMBEDDING', 'RERANKER', 'completion', 'embedding'], "
    "['chat', 'embeddings', 'rerank', 'text_completion', 'embeddings'])",
    "provider": "lower({1})",
    # Other SDKs write 0 where they know no price. What they know is in US dollars.
    "cost": "coalesce(toFloat64OrNull({0}), nullIf(toFloat64OrNull({2}), 0))",
    "cost_currency": "if(a['trilemma.cost.total'] = '' AND isNotNull(cost_e12), 'USD', {0})",
    "cost_source": "if(a['trilemma.cost.total'] = '' AND isNotNull(cost_e12), 'other_sdk', {0})",
}


class StoredColumn(NamedTuple):
    """A registry entry in a stored table: its name there, its type with codec, how it is written and shown."""

    name: str
    type: str
    write: str
    show: str


def span_fields(where: tuple[str, ...]) -> list[Field]:
    """Return the registry entries with a column, of those set on a call, on a task, or beneath a task."""
    return [field for field in fields().values() if field.on in where and field.column is not None]


def store_column(field: Field) -> StoredColumn:
    """Return how `field` is stored: a float as whole units that compress to a third, content as hashes of its parts.

    Money is kept to 1e-12 of the currency, time to the microsecond, time per output token to the nanosecond.
    """
    column, read = str(field.column), _read(field)
    if column == "content":
        hashes = f"arrayMap(part -> lower(hex(sipHash128(part))), {content_parts(read)})"
        return StoredColumn(field.name, "Array(String) CODEC(ZSTD(1))", hashes, field.name)
    if column == "Nullable(Float64)" and field.name != "value":  # a value may be millions, and is one per task
        return _scale(field, read)
    codec = "T64, ZSTD(1)" if "UInt" in column else "ZSTD(1)"
    return StoredColumn(field.name, f"{column} CODEC({codec})", read, field.name)


def content_parts(text: str) -> str:
    """Return the SQL that splits the content `text` into the parts that are stored once each: its JSON elements."""
    return f"if(startsWith({text}, '['), JSONExtractArrayRaw({text}), arrayFilter(part -> part != '', [{text}]))"


def first_of(names: tuple[str, ...], attributes: str = "a") -> str:
    """Return the SQL for the first of the attributes `names` that is there, or an empty text."""
    found = [f"{attributes}['{name}']" for name in names]
    return found[0] if len(found) == 1 else f"firstNonDefault({', '.join(found)})"


def _scale(field: Field, read: str) -> StoredColumn:
    """Store money in 1e-12 of its unit, seconds in microseconds, seconds per token in nanoseconds."""
    if field.unit == "s":
        stem, suffix, factor = field.name.removesuffix("_s"), "us", "1e6"
        if field.name == "time_per_output_token_s":
            suffix, factor = "ns", "1e9"
        name = f"{stem}_{suffix}"
    else:
        name, factor = f"{field.name}_e12", "1e12"
    if field.name == "cost_input":
        return _store_rest(field, read)
    return StoredColumn(
        name,
        "Nullable(Int64) CODEC(GCD, T64, ZSTD(1))",
        f"accurateCastOrNull(round({read} * {factor}), 'Int64')",
        f"{name} / {factor} AS {field.name}",
    )


def _store_rest(field: Field, read: str) -> StoredColumn:
    """Store what the total and the other parts do not already tell: 0 wherever the parts add up."""
    parts = "".join(f" - ifNull(cost_{part}_e12, 0)" for part in ("cache_read", "cache_write", "output", "other"))
    told, name = f"(ifNull(cost_e12, 0){parts})", "cost_input_rest_e12"
    return StoredColumn(
        name,
        "Nullable(Int64) CODEC(GCD, T64, ZSTD(1))",
        f"accurateCastOrNull(round({read} * 1e12), 'Int64') - {told}",
        f"({name} + {told}) / 1e12 AS {field.name}",
    )


def _read(field: Field) -> str:
    names = (field.attribute, *field.aliases)
    found = first_of(names)
    if field.name in _SPECIAL_READINGS:
        return _SPECIAL_READINGS[field.name].format(
            first_of((field.attribute,)), found, first_of(field.aliases) if field.aliases else ""
        )
    if field.type == "boolean":
        return f"{found} IN ('true', 'True')"
    if field.type == "string[]":
        one = f"arrayFilter(text -> text != '', [{found}])"
        return f"if(startsWith({found}, '['), JSONExtract({found}, 'Array(String)'), {one})"
    if field.type in {"int", "double"}:
        return f"to{str(field.column).removeprefix('Nullable(').removesuffix(')')}OrNull({found})"
    return found
