"""Own the ledger in the store: rows are added, the last one counts, and the history stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from pydantic import ValidationError
from trilemma.errors import StoreError

from trilemma_analysis.estimate import Frozen
from trilemma_analysis.loop.model import Certificate, Measurement, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.client import Store

__all__ = [
    "read_certificates",
    "read_measurements",
    "read_predictions",
    "write_certificate",
    "write_measurement",
    "write_prediction",
]

_TIME = pa.timestamp("us", "UTC")
_Document = TypeVar("_Document", bound=Frozen)


def read_predictions(store: Store, tasks: Sequence[str] = ()) -> list[Prediction]:
    """Return what is adopted, in the order of adoption.

    Raises:
        StoreError: the store refused, or a newer trilemma wrote what this one cannot read.
    """
    return _read(store, "predictions", Prediction, tasks)


def read_measurements(store: Store, tasks: Sequence[str] = ()) -> dict[str, Measurement]:
    """Return the last measurement of each adopted finding by its id; errors as read_predictions."""
    return {one.finding_id: one for one in _read(store, "measurements", Measurement, tasks)}


def read_certificates(store: Store, tasks: Sequence[str] = ()) -> list[Certificate]:
    """Return each task's certificate; errors as read_predictions."""
    return _read(store, "certificates", Certificate, tasks)


def write_prediction(store: Store, one: Prediction) -> None:
    """Add a prediction."""
    action = one.finding.action
    _write(
        store,
        "stored_predictions",
        one,
        finding_id=one.finding.id,
        finding_kind=one.finding.kind,
        task_name=one.finding.task,
        title=one.finding.title,
        action=action.kind if action else "",
        baseline=action.baseline if action else "",
        candidate=action.candidate if action else "",
        adopted_at=one.adopted_at,
        horizon_s=pa.scalar(one.horizon_s, pa.uint32()),
        note=one.note,
    )


def write_measurement(store: Store, one: Measurement) -> None:
    """Add a measurement."""
    _write(
        store,
        "stored_measurements",
        one,
        finding_id=one.finding_id,
        task_name=one.task,
        adopted_at=one.adopted_at,
        result=one.verdict.value,
        method=one.method,
        runs=pa.scalar(one.runs, pa.uint64()),
        measured_until=one.until,
    )


def write_certificate(store: Store, one: Certificate) -> None:
    """Add a certificate, or that it is broken."""
    _write(
        store,
        "stored_certificates",
        one,
        task_name=one.task,
        combination=one.combination,
        state="broken" if one.broken_at else "valid",
        success_at_least=one.success_at_least,
        issued_at=one.issued_at,
        valid_until=one.valid_until,
    )


def _read(store: Store, name: str, kind: type[_Document], tasks: Sequence[str]) -> list[_Document]:
    documents = store.ask(f"ledger_{name}", tasks=list(tasks))["document"].to_pylist()
    try:
        return [kind.model_validate_json(text) for text in documents]
    except ValidationError as error:
        first = error.errors()[0]
        raise StoreError(
            f"the ledger of {store.address} holds {name} that this trilemma cannot read "
            f"({'.'.join(str(part) for part in first['loc'])}: {first['msg']}): a newer one wrote them. "
            "Upgrade: pip install --upgrade trilemma"
        ) from error


def _write(store: Store, table: str, document: Frozen, **columns: Any) -> None:
    row = {**columns, "document": document.model_dump_json(), "written_at": datetime.now(UTC)}
    arrays = {
        name: pa.array([value], _TIME)
        if isinstance(value, datetime)
        else pa.array([value.as_py()], value.type)
        if isinstance(value, pa.Scalar)
        else pa.array([value])
        for name, value in row.items()
    }
    store.insert_arrow(table, pa.table(arrays))
