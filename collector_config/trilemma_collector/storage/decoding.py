"""Own the columns into which ClickHouse decodes OTLP requests (``FORMAT Protobuf``; the wire is in ``otlp.proto``)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

__all__ = ["SIGNALS", "Signal"]

FOLDER = files("trilemma_collector") / "storage"

# A number becomes text where it is read: so only the one value that was sent costs anything. NULL is "another type".
VALUE = (
    "Tuple(string_value String, bool_value Nullable(String), int_value Nullable(String), double_value Nullable(String),"
    " array_value Nullable(String), kvlist_value Nullable(String), bytes_value String)"
)
ATTRIBUTES = f"Array(Tuple(key LowCardinality(String), value {VALUE}))"
RESOURCE = f"Tuple(attributes {ATTRIBUTES})"
EVENTS = f"Array(Tuple(time_unix_nano UInt64, name String, attributes {ATTRIBUTES}))"
LINKS = f"Array(Tuple(trace_id String, span_id String, trace_state String, attributes {ATTRIBUTES}))"
SPANS = (
    "Array(Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32, "
    f"start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes {ATTRIBUTES}, events {EVENTS}, links {LINKS}, "
    "status Tuple(message String, code Int32)))"
)
LOG_RECORDS = (
    "Array(Tuple(time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String, "
    f"body {VALUE}, attributes {ATTRIBUTES}, flags UInt32, trace_id String, span_id String, event_name String))"
)
TRACES = (
    f"resource_spans Array(Tuple(resource {RESOURCE}, "
    f"scope_spans Array(Tuple(scope Tuple(name String, version String), spans {SPANS}))))"
)
LOGS = (
    f"resource_logs Array(Tuple(resource {RESOURCE}, schema_url String, scope_logs Array(Tuple(scope "
    f"Tuple(name String, version String, attributes {ATTRIBUTES}), schema_url String, log_records {LOG_RECORDS}))))"
)


@dataclass(frozen=True)
class Signal:
    """One kind of telemetry: its message in ``otlp.proto``, its columns, and the SQL that stores a segment of it."""

    kind: str
    message: str
    columns: str

    @property
    def insert_sql(self) -> str:
        """Return the statement that stores a segment."""
        return (FOLDER / f"insert_{self.kind}.sql").read_text(encoding="utf-8")


SIGNALS = {
    "traces": Signal("traces", "TraceRequest", TRACES),
    "logs": Signal("logs", "LogRequest", LOGS),
}


def read_schema() -> str:
    """Return the text of ``otlp.proto``."""
    return (FOLDER / "otlp.proto").read_text(encoding="utf-8")
