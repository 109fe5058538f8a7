"""Own multipart forms: clickhouse-connect sends long parameters as fields, when the URL would get too long."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP

from trilemma_collector.storage.engine import ClickHouseError

__all__ = ["is_form", "read_form"]


def is_form(content_type: str) -> bool:
    """Say whether a body of this type is a form."""
    return content_type.lower().startswith("multipart/form-data")


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        ClickHouseError: it has files (external tables), or is no form.
    """
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1") + body)
    if not message.is_multipart():
        raise ClickHouseError("Code: 36. DB::Exception: The body is not the form that its Content-Type says.")
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None:
            raise ClickHouseError(
                f"Code: 48. DB::Exception: External tables ({name}) are not served by the embedded engine; "
                f"use CREATE TEMPORARY TABLE in a session, and INSERT. (NOT_IMPLEMENTED)"
            )
        content = part.get_payload(decode=True)
        fields[str(name)] = content.decode("utf-8") if isinstance(content, bytes) else str(content)
    return fields
