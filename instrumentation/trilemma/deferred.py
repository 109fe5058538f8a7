"""Own the spans of work whose result a later request reads: batch items, background responses, runs of an assistant.

No request did that work, and anyone may read its result, often and in any process. So its span is made of what the
provider says: its ids, which give the span's ids, and its times. Read twice it is the same span, which the store keeps
once. Where the provider does not say when the work ended, the span has no length, which means unknown.
"""

import contextlib
import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from trilemma import guard
from trilemma.custom_id import read_custom_id
from trilemma.price import price_call
from trilemma.providers.spec import Deferred, Endpoint
from trilemma.record import converter, find_value
from trilemma.registry import attribute
from trilemma.task import task_attributes
from trilemma.telemetry import get_tracer

if TYPE_CHECKING:
    from trilemma.engine import Call

__all__ = ["note_line", "note_response"]

_MAX_BATCHES = 1024  # remembered: by their own id and by those of their files
_SERVER = ("provider", "server_address", "server_port")
_NOT_BILLED = {"cost": 0.0, "cost_currency": "USD", "cost_source": "not_billed"}


class _Batch(NamedTuple):
    """Be what this process saw of a batch or other work: its times (Unix ns), what it asks, and whose task it is."""

    id: str
    started_ns: int | None
    ended_ns: int | None
    path: str
    task: Mapping[str, str]


_batches: dict[str, _Batch] = {}
_compiled: dict[tuple[str, str, str], Any] = {}


@guard.guarded
def note_response(call: "Call", body: dict[str, Any]) -> None:
    """Take a response: remember the batches in it, and send the span of the work that it is the result of."""
    with contextlib.suppress(*guard.ODD_SHAPE):  # the provider's: an odd result costs its span
        _note_response(call, body)


def _note_response(call: "Call", body: dict[str, Any]) -> None:
    spec = call.target.endpoint.spec
    if spec.batch is not None:
        for each in body["data"] if isinstance(body.get("data"), list) else [body]:
            _note_batch(call, each)
    elif spec.deferred is not None and not spec.deferred.lines:
        operation = spec.deferred.start(body)
        if operation:
            call.span.set_attribute(attribute("operation"), operation)
            call.span.update_name(operation)
        if operation is not None and isinstance(work_id := find_value(body, spec.deferred.id), str):
            _remember(_Batch(work_id, None, None, "", dict(task_attributes())), ())
        _send(call, spec.deferred, body, begun=call.record if operation else {})


@guard.guarded
def note_line(call: "Call", line: dict[str, Any]) -> None:
    """Take a line of a batch's results: send its span."""
    deferred = call.target.endpoint.spec.deferred
    if deferred is not None:
        with contextlib.suppress(*guard.ODD_SHAPE):
            _send(call, deferred, line)


def _note_batch(call: "Call", body: dict[str, Any]) -> None:
    table = call.target.endpoint.spec.batch
    batch_id = body.get("id")
    if table is None or not isinstance(batch_id, str):
        return
    known = _batches.get(batch_id)
    created = call.target.endpoint.spec.method == "POST" and known is None
    batch = _Batch(
        batch_id,
        _to_ns(find_value(body, table.started)),
        _first_ns(body, table.ended),
        str(find_value(body, table.path) or ""),
        known.task if known else dict(task_attributes()) if created else {},
    )
    _remember(batch, tuple(find_value(body, path) for path in table.files))


def _remember(batch: _Batch, files: tuple[Any, ...]) -> None:
    for key in (batch.id, *files):
        if isinstance(key, str) and key:
            while len(_batches) >= _MAX_BATCHES:
                _batches.pop(next(iter(_batches)), None)
            _batches[key] = batch


def _send(
    call: "Call", deferred: Deferred, found: dict[str, Any], *, begun: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Send the span of one piece of work, if `found` is the result of one; `begun` is the record of what began it."""
    source = call.record.get("batch_file_id") or call.record.get("batch_id") or ""
    batch = _batches.get(source)
    body = find_value(found, deferred.body) if deferred.body else found
    body = body if isinstance(body, dict) else {}
    endpoint = deferred.choose(found, body, batch.path if batch else "")
    work_id = find_value(found, deferred.id)
    if endpoint is None or not isinstance(work_id, str):
        return
    record = {**begun, **_read(call, endpoint, deferred, found, body)}
    started_ns = (batch.started_ns if batch else None) or _to_ns(find_value(body, deferred.started)) or call.started_ns
    ended_ns = batch.ended_ns if batch else _first_ns(body, deferred.ended)
    beginning = batch if deferred.lines else _batches.get(work_id)
    task = (beginning.task if beginning else None) or dict(task_attributes())
    if deferred.lines:
        record |= {"batch": True, "batch_custom_id": work_id, "batch_id": batch.id if batch else source}
        task = read_custom_id(work_id) or task
    record |= _price(record, started_ns)
    attributes = {attribute(name): value for name, value in record.items()}
    name = " ".join(filter(None, (endpoint.operation, record.get("request_model") or record.get("response_model"))))
    ids = sha256(f"{record['provider']} {source} {work_id}".encode("utf-8", "replace")).digest()
    span = _start_span(name, ids, {**attributes, **task}, started_ns)
    if "error_type" in record:
        span.set_status(Status(StatusCode.ERROR, record["error_type"]))
    span.end(max(started_ns, ended_ns or 0))


def _read(
    call: "Call", endpoint: Endpoint, deferred: Deferred, found: dict[str, Any], body: dict[str, Any]
) -> dict[str, Any]:
    from trilemma.engine import CompiledEndpoint

    target = call.target
    provider = target.endpoint.provider
    key = (provider.module, endpoint.method, endpoint.path)
    compiled = _compiled.get(key)
    if compiled is None:
        compiled = _compiled[key] = CompiledEndpoint(endpoint, provider)
    server = {name: value for name, value in target.record.items() if name in _SERVER}
    record: dict[str, Any] = {"operation": endpoint.operation, **server, **endpoint.constants, "deferred": True}
    compiled.read_response(body, record)
    if request_id := converter("request_id")(find_value(found, deferred.request_id)):
        record["request_id"] = request_id
    status = converter("http_status")(find_value(found, deferred.status))
    if status is not None:
        record["http_status"] = status
        if status >= 400:
            stated = (converter("error_type")(find_value(body, path)) for path in provider.error_types)
            record["error_type"] = next(filter(None, stated), str(status))
    if error := converter("error_type")(deferred.error(found)):
        record["error_type"] = error
    return record


def _price(record: dict[str, Any], started_ns: int) -> Mapping[str, Any]:
    has_usage = record.get("input_tokens") is not None or record.get("output_tokens") is not None
    if "error_type" in record and not has_usage:
        return _NOT_BILLED  # providers bill no item that failed, was cancelled or expired
    return price_call(record, started_ns / 1e9)


class _Ids(IdGenerator):
    """Give a tracer the ids of one span."""

    def __init__(self, ids: bytes) -> None:
        self._ids = ids

    def generate_trace_id(self) -> int:
        return int.from_bytes(self._ids[:16]) or 1

    def generate_span_id(self) -> int:
        return int.from_bytes(self._ids[16:24]) or 1


def _start_span(name: str, ids: bytes, attributes: dict[str, Any], started_ns: int) -> Span:
    tracer: Any = get_tracer()
    tracer = getattr(tracer, "_tracer", tracer)  # of a proxy
    if hasattr(tracer, "id_generator"):  # the SDK's; the API knows no way to choose a span's id
        tracer = copy.copy(tracer)
        tracer.id_generator = _Ids(ids)
    span: Span = tracer.start_span(name, Context(), SpanKind.CLIENT, attributes, start_time=started_ns)
    return span


def _first_ns(body: dict[str, Any], paths: tuple[str, ...]) -> int | None:
    return next((at_ns for path in paths if (at_ns := _to_ns(find_value(body, path))) is not None), None)


def _to_ns(at: Any) -> int | None:
    """Return a time, given as Unix seconds or by ISO 8601, in Unix ns."""
    try:
        if isinstance(at, str):
            moment = datetime.fromisoformat(at)
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000) * 1000
        return round(at * 1_000_000) * 1000 if isinstance(at, (int, float)) and 0 < at < 1e11 else None
    except (ValueError, OverflowError):
        return None
