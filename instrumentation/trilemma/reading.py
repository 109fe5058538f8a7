"""Own what is read at a call's end into its record: one step each for body, times, failure, transport and price.

A step that fails costs its own part of the span only (`Call.end`).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from trilemma.price import price_call
from trilemma.record import converter, find_value, read_json

if TYPE_CHECKING:
    from trilemma.engine import Call

__all__ = ["STEPS", "Headers", "compile_headers"]

Headers: TypeAlias = dict[bytes, tuple[str, Callable[[Any], Any], float]]


def compile_headers(table: Mapping[str, tuple[str, float]]) -> Headers:
    """Compile {header: (concept, factor)} for the bytes that come over the wire."""
    return {header.encode(): (name, converter(name), factor) for header, (name, factor) in table.items()}


def read_body(call: "Call", record: dict[str, Any], _: BaseException | None) -> None:
    """Read the response, whole or folded of its chunks; a refusal's body has other fields by the same names."""
    if call.http_status and call.http_status >= HTTPStatus.BAD_REQUEST:
        return
    body = call.response_body()
    if type(body) is dict:
        call.target.endpoint.read_response(body, record)


def read_times(call: "Call", record: dict[str, Any], _: BaseException | None) -> None:
    """Read the times of a stream."""
    chunks = call.chunks
    if chunks is None or not chunks.count:
        return
    record["chunk_count"] = chunks.count
    record["time_to_first_chunk_s"] = chunks.first_s - call.started_s
    if chunks.count > 1:
        record["longest_stall_s"] = chunks.longest_gap_s
    if chunks.first_content_s:
        record["time_to_first_content_s"] = chunks.first_content_s - call.started_s
        further_tokens = record.get("output_tokens", 0) - 1
        if further_tokens > 0 and chunks.last_content_s > chunks.first_content_s:
            record["time_per_output_token_s"] = (chunks.last_content_s - chunks.first_content_s) / further_tokens


def read_failure(call: "Call", record: dict[str, Any], error: BaseException | None) -> None:
    """Read the failure: the provider's own type for it, else the exception's name."""
    if error is None:
        if call.http_status is not None and call.http_status >= HTTPStatus.BAD_REQUEST and "error_type" not in record:
            # a transport whose errors the SDK raises above its choke point
            body = call.body or (call.chunks.body if call.chunks is not None else None)
            record["error_type"] = _find_error_type(call, body) or str(call.http_status)
        return
    record["error_type"] = type(error).__name__
    response = getattr(error, "response", None)
    if response is None:
        with suppress(AttributeError, RuntimeError):  # httpx raises where an error has none yet
            call.note_request(error.request)  # type: ignore[attr-defined]
    elif call.http_status is None and not isinstance(response, dict):  # else the transport has noted it
        call.note_response(response)
    # botocore's response is the parsed body
    for body in (getattr(error, "body", None), getattr(error, "details", None), response, _read_error_body(response)):
        if stated := _find_error_type(call, body):
            record["error_type"] = stated
            return


def _read_error_body(response: Any) -> Any:
    """Read the body of an error whose exception does not hold it: openai before 1.2, the oldest google-genai."""
    try:
        content = response.content if getattr(response, "is_closed", True) else None
    except (AttributeError, RuntimeError):  # no response, or one closed before it was read
        return None
    return read_json(content) if isinstance(content, bytes) else None


def _find_error_type(call: "Call", body: Any) -> str | None:
    """Return the provider's own type for a failure, where the error's body has one."""
    for path in call.target.endpoint.provider.error_types:
        value = find_value(body, path)
        if isinstance(value, str) and value:
            return value
    return None


def read_transport(call: "Call", record: dict[str, Any], error: BaseException | None) -> None:
    """Read what HTTP says: status, headers, retries, and the hash of what was sent."""
    if call.http_status:
        record["http_status"] = call.http_status
    if call.request_content is not None and call.request_hash is None:
        call.hash_request(call.request_content)
    if call.request_hash:
        record["request_hash"] = call.request_hash
        if call.prefix_hashes:
            record["prefix_hashes"] = call.prefix_hashes
    if call.attempts:
        record["retry_count"] = call.attempts
        record["retry_wait_s"] = call.retry_wait_s
        call.note_attempt(call.attempts + 1, error=error)
    table = call.target.endpoint.headers
    for header, value in getattr(call.headers, "raw", call.headers) or ():
        entry = table.get(header)
        if entry is None and not header.islower():
            entry = table.get(header.lower())
        if entry is not None:
            _read_header(record, value, *entry)


def _read_header(record: dict[str, Any], value: bytes, name: str, to_type: Callable[[Any], Any], factor: float) -> None:
    try:
        # A figure stands alone, or as Server-Timing has it: "gfet4t7; dur=1204".
        known = to_type(float(value.rpartition(b"dur=")[2]) * factor if factor else value.decode("latin-1"))
    except ValueError:
        return
    if known is not None:
        record[name] = known


def read_price(call: "Call", record: dict[str, Any], _: BaseException | None) -> None:
    """Price what was read."""
    record.update(price_call(record, call.started_ns / 1e9))


def read_results(call: "Call", _: dict[str, Any], __: BaseException | None) -> None:
    """Read what a response says of other work: batches, and results of what was begun before."""
    spec = call.target.endpoint.spec
    if spec.deferred is not None or spec.batch is not None:
        from trilemma.deferred import note_response

        note_response(call, call.response_body())


STEPS = (read_body, read_times, read_failure, read_transport, read_price, read_results)
