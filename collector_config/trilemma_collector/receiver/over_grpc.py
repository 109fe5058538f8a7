"""Own OTLP over gRPC (port 4317): the export methods, with request bytes as they come (nothing is decoded twice)."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from trilemma.errors import PortInUseError

from trilemma_collector.journal import JournalFullError
from trilemma_collector.otlp.messages import MalformedRequestError, parse_request
from trilemma_collector.otlp.replies import make_status, refuse_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_collector.receiver.intake import Intake

__all__ = ["OtlpGrpc"]

logger = logging.getLogger(__name__)

SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
# A handler waits for the write-ahead file; so many requests share one flush to disk.
WORKERS = 16


class OtlpGrpc:
    """The gRPC server."""

    def __init__(self, intake: Intake, *, largest_request_bytes: int) -> None:
        """Prepare to serve; :meth:`bind` and :meth:`start` do."""
        self._intake = intake
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS, thread_name_prefix="otlp-grpc"),
            options=[("grpc.max_receive_message_length", largest_request_bytes), ("grpc.so_reuseport", 0)],
        )
        handlers: dict[str, Callable[[bytes, grpc.ServicerContext], bytes]] = {
            "traces": lambda body, context: self._export("traces", body, context),
            "logs": lambda body, context: self._export("logs", body, context),
            "metrics": _refuse_metrics,
        }
        for signal, service in SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(handlers[signal])
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))

    def bind(self, host: str, port: int) -> int:
        """Take the address and return its port.

        Raises:
            PortInUseError: another process has it.
        """
        try:
            return int(self._server.add_insecure_port(f"{f'[{host}]' if ':' in host else host}:{port}"))
        except RuntimeError as error:
            raise PortInUseError(
                f"the address {host}:{port} is taken by another process; choose another port with --otlp-grpc-port "
                f"PORT (0 takes a free one), or stop what listens there"
            ) from error

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self) -> None:
        """Refuse new requests, finish those under way (5 s at most) and close."""
        self._server.stop(grace=5).wait()

    def _export(self, signal: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            self._intake.accept(signal, body).result()
        except MalformedRequestError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except JournalFullError as error:
            # With RetryInfo a sender knows that it may try again, and when.
            details = make_status(503, str(error)).SerializeToString()
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return b""


def _refuse_metrics(body: bytes, context: grpc.ServicerContext) -> bytes:
    try:
        return bytes(refuse_metrics(parse_request("metrics", body)).SerializeToString())
    except MalformedRequestError as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        raise
