"""Own the mapping: the TOML file that says what a log's rows mean, read and checked against the registry of names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trilemma.errors import ImportFileError
from trilemma.registry import fields

from trilemma_analysis.importing.conditions import Condition, parse_condition
from trilemma_analysis.importing.expression_parser import parse_expression
from trilemma_analysis.importing.expressions import Expression, Messages
from trilemma_analysis.importing.times import TimeExpression, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["FileOptions", "LogMapping", "RowRules", "SpanRules", "list_shipped", "load_mapping"]

SHIPPED = Path(__file__).resolve().parents[1] / "mappings"

_ON_TASK = ("task and beneath", "task", "task or outcome event", "task terms")
_TIME_OF = {"evaluated_at": "started_at"}  # an event has one moment
_TIMES, _SPAN_KEYS = ("started_at", "ended_at"), ("when", "attributes", "duration_s", "status_message")


@dataclass(frozen=True)
class FileOptions:
    """How the log file is written, where its name and first bytes do not say it."""

    format: str | None = None
    delimiter: str = ","
    header: tuple[str, ...] = ()
    encoding: str = "utf-8-sig"
    null_values: tuple[str, ...] = ("",)
    records: str = ""


@dataclass(frozen=True)
class RowRules:
    """Which rows are taken, what tells one row from another, and how one row becomes several runs."""

    key: tuple[Expression, ...] = ()
    when: Condition | None = None
    let: Mapping[str, Expression] = field(default_factory=dict)
    each: tuple[Mapping[str, Expression], ...] = ()
    explode: str | None = None
    repeat: Expression | None = None
    service_name: Expression | None = None


@dataclass(frozen=True)
class SpanRules:
    """What a task span, a call span or an evaluation event is made of; ``fields`` are by registry name."""

    what: str
    fields: Mapping[str, Expression]
    attributes: Mapping[str, Expression] = field(default_factory=dict)
    content: Mapping[str, Expression] = field(default_factory=dict)
    times: Mapping[str, TimeExpression] = field(default_factory=dict)
    duration_s: Expression | None = None
    status_message: Expression | None = None
    when: Condition | None = None
    explode: str | None = None
    priced: bool = False
    of: str = "task"

    def paths(self) -> Iterator[str]:
        """Yield every path that a row must have for this."""
        expressions = (*self.fields.values(), *self.attributes.values(), *self.content.values())
        others = (self.duration_s, self.status_message, self.when, *self.times.values())
        for expression in (*expressions, *others):
            if expression is not None:
                yield from expression.paths()
        if self.explode:
            yield self.explode


@dataclass(frozen=True)
class LogMapping:
    """A whole mapping. Its name and version are part of every id, so a changed mapping makes new rows."""

    name: str
    version: int
    file: FileOptions
    rows: RowRules
    task: SpanRules | None
    calls: tuple[SpanRules, ...]
    evaluations: tuple[SpanRules, ...]

    def paths(self) -> list[str]:
        """Return every path that the mapping reads from a row, sorted.

        One that may be absent ends in ``?``; ``*`` stands for any element of a list that is exploded.
        """
        rows = self.rows
        parts: list[Expression | Condition | None] = [
            *rows.key, rows.when, rows.repeat, rows.service_name, *rows.let.values(),
            *(expression for entry in rows.each for expression in entry.values()),
        ]  # fmt: skip
        found = {_mark_lists(path, [rows.explode]) for part in parts if part is not None for path in part.paths()}
        for rules in (self.task, *self.calls, *self.evaluations):
            if rules is not None:
                found |= {_mark_lists(path, [rows.explode, rules.explode]) for path in rules.paths()}
        found |= {rows.explode} if rows.explode else set()
        return sorted(path for path in found if path == "@key" or not path.startswith(("@", "let.", "each.")))


def list_shipped() -> list[str]:
    """Return the names of the shipped mappings, sorted."""
    return sorted(found.stem for found in SHIPPED.glob("*.toml"))


def load_mapping(name_or_path: str) -> LogMapping:
    """Read a mapping file, or a shipped mapping by its name.

    Raises:
        ImportFileError: there is none, it is no TOML, or it names something that does not exist.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.is_file():
        path = SHIPPED / f"{name_or_path}.toml"
    if not path.is_file():
        shipped = ", ".join(list_shipped())
        raise ImportFileError(
            f"there is no mapping {name_or_path!r}; give the path of a .toml file or one of: {shipped}"
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return _parse_mapping(table)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportFileError(f"the mapping {path} is no TOML: {error}") from error
    except ImportFileError as error:
        raise ImportFileError(f"mapping {path}: {error}") from error


def _mark_lists(path: str, exploded: list[str | None]) -> str:
    """Put ``*`` after each exploded list that `path` goes through."""
    steps = path.split(".")
    for prefix in sorted((prefix for prefix in exploded if prefix), key=len, reverse=True):
        if path.startswith(f"{prefix}."):
            steps.insert(prefix.count(".") + 1, "*")
    return ".".join(steps)


def _parse_mapping(table: dict[str, Any]) -> LogMapping:
    _refuse_unknown(table, ("name", "version", "description", "file", "rows", "task", "call", "evaluation"), "mapping")
    name, version = table.get("name"), table.get("version", 1)
    if not isinstance(name, str) or not name or not isinstance(version, int):
        raise ImportFileError("a mapping starts with name = 'text' and version = 1: they become part of every id")
    task = _parse_span(table["task"], "[task]", _ON_TASK) if "task" in table else None
    calls = tuple(_parse_span(entry, f"[call]{number}", ("call",)) for number, entry in _number(table, "call"))
    evaluations = tuple(
        _parse_span(entry, f"[evaluation]{number}", ("evaluation event",), "task" if task else "call")
        for number, entry in _number(table, "evaluation")
    )
    if task is None and not calls:
        raise ImportFileError("a mapping needs a [task] or a [call]: what becomes of a row?")
    _check_required(task, calls, evaluations)
    file, rows = _parse_file(table.get("file", {})), _parse_rows(table.get("rows", {}))
    return LogMapping(name, version, file, rows, task, calls, evaluations)


def _parse_file(table: dict[str, Any]) -> FileOptions:
    _refuse_unknown(table, FileOptions.__dataclass_fields__, "[file]")
    options: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    if options.get("format") not in {None, "jsonl", "json", "csv", "parquet"}:
        raise ImportFileError(f"[file] format {options['format']!r} is unknown; use jsonl, json, csv or parquet")
    if len(options.get("delimiter", ",")) != 1:
        raise ImportFileError(f"[file] delimiter {options['delimiter']!r} must be one character")
    return FileOptions(**options)


def _parse_rows(table: dict[str, Any]) -> RowRules:
    _refuse_unknown(table, RowRules.__dataclass_fields__, "[rows]")
    key = table.get("key", [])
    each = table.get("each", [])
    if len({frozenset(entry) for entry in each}) > 1:
        raise ImportFileError("[[rows.each]]: every entry must set the same names")
    return RowRules(
        key=tuple(parse_expression(item, "[rows] key") for item in (key if isinstance(key, list) else [key])),
        when=parse_condition(table["when"], "[rows] when", parse_expression) if "when" in table else None,
        let=_parse_all(table.get("let", {}), "[rows.let]"),
        each=tuple(_parse_all(entry, "[[rows.each]]") for entry in each),
        explode=table.get("explode"),
        repeat=_parse_optional(table, "repeat", "[rows]"),
        service_name=_parse_optional(table, "service_name", "[rows]"),
    )


def _parse_span(table: dict[str, Any], what: str, on: tuple[str, ...], default_of: str = "task") -> SpanRules:
    known = {name: spec for name, spec in fields().items() if spec.on in on}
    times = _TIMES if on != ("evaluation event",) else ("evaluated_at",)
    extra = {"call": ("content", "explode", "price"), "evaluation event": ("of", "explode")}.get(on[0], ())
    named = {key: value for key, value in table.items() if key not in (*times, *_SPAN_KEYS, *extra)}
    _refuse_unknown(named, [*known, *times, *_SPAN_KEYS, *extra], what)
    for name in named:
        if known[name].column == "content":
            raise ImportFileError(f"{what}: {name} is content; put it under [{what.strip('[]0123456789')}.content]")
    return SpanRules(
        what,
        fields={key: parse_expression(value, f"{what} {key}") for key, value in named.items()},
        attributes=_parse_all(table.get("attributes", {}), f"{what} attributes"),
        content=_parse_content(table.get("content", {}), what),
        times={_TIME_OF.get(key, key): parse_time(table[key], f"{what} {key}") for key in times if key in table},
        duration_s=_parse_optional(table, "duration_s", what),
        status_message=_parse_optional(table, "status_message", what),
        when=parse_condition(table["when"], f"{what} when", parse_expression) if "when" in table else None,
        explode=table.get("explode"),
        priced=table.get("price", False),
        of=table.get("of", default_of),
    )


def _parse_content(table: dict[str, Any], what: str) -> dict[str, Expression]:
    known = [name for name, spec in fields().items() if spec.column == "content"]
    _refuse_unknown(table, known, f"{what} content")
    roles = {"input_messages": "user", "output_messages": "assistant"}
    parsed = _parse_all(table, f"{what} content")
    return {
        key: Messages(f"{what} {key}", value, roles[key]) if key in roles and not isinstance(value, Messages) else value
        for key, value in parsed.items()
    }


def _parse_optional(table: dict[str, Any], key: str, what: str) -> Expression | None:
    return parse_expression(table[key], f"{what} {key}") if key in table else None


def _parse_all(table: dict[str, Any], what: str) -> dict[str, Expression]:
    return {key: parse_expression(value, f"{what} {key}") for key, value in table.items()}


def _number(table: dict[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the entries of ``[call]`` or ``[[call]]`` with the numbers that tell them apart in messages."""
    entries = table.get(key, [])
    if isinstance(entries, dict):
        return [("", entries)]
    return [(str(number), entry) for number, entry in enumerate(entries, start=1)]


def _check_required(task: SpanRules | None, calls: tuple[SpanRules, ...], evaluations: tuple[SpanRules, ...]) -> None:
    if task is not None and "task_name" not in task.fields:
        raise ImportFileError("[task] needs task_name: the business job, such as 'support.refund'")
    for call in calls:
        if "request_model" not in call.fields:
            raise ImportFileError(f"{call.what} needs request_model")
        if not call.times and (task is None or not task.times):
            raise ImportFileError(f"{call.what} needs started_at or ended_at, or the [task] does")
    if task is not None and not task.times and not any(call.times for call in calls):
        raise ImportFileError("[task] needs started_at or ended_at, or its [call] does")
    for evaluation in evaluations:
        if "evaluation_name" not in evaluation.fields:
            raise ImportFileError(f"{evaluation.what} needs evaluation_name")
        if evaluation.of not in {"task", "call"}:
            raise ImportFileError(f"{evaluation.what}: of is 'task' or 'call', not {evaluation.of!r}")
        if (task is None) if evaluation.of == "task" else not calls:
            raise ImportFileError(
                f"{evaluation.what}: of = {evaluation.of!r}, and the mapping has no [{evaluation.of}]"
            )


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            near = get_close_matches(key, names, n=1, cutoff=0.4)
            guess = f"did you mean {near[0]!r}?" if near else f"names here are {', '.join(names)}"
            raise ImportFileError(f"{what}: {key!r} is not a name that can be set here; {guess}")
