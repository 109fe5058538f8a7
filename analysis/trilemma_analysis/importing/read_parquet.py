"""Own the reading of Parquet: only the wanted columns, a batch at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.paths import split_path
from trilemma_analysis.importing.readers import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trilemma_analysis.importing.mapping import FileOptions

__all__ = ["ParquetReader"]


class ParquetReader:
    """Rows of a Parquet file; where a row stands is its number from 1."""

    row_word = "row"

    def __init__(self, path: Path, options: FileOptions) -> None:  # noqa: ARG002 (Parquet describes itself)
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self.total = file.metadata.num_rows
                self.schema = file.schema_arrow
        except (pa.ArrowInvalid, OSError) as error:
            raise ImportFileError(f"the log file {path} is no complete Parquet file ({error}); copy it") from error
        if self.total == 0:
            raise ImportFileError(f"the log file {path} holds no rows")

    def find_columns(self, paths: list[str]) -> tuple[set[str], dict[str, list[str]]]:
        """Look at the schema, into structs as well."""
        names = self.schema.names
        found: set[str] = set()
        missing = {}
        for path in paths:
            root, steps = split_path(path.removesuffix("?"), names)
            if root is not None and _leads_on(self.schema.field(root).type, steps):
                found.add(root)
            elif not path.endswith("?"):
                missing[path] = sorted(_list_paths(self.schema))
        return found, missing

    def read_batches(self, columns: set[str], size: int) -> Iterator[Batch]:
        """Yield batches of up to `size` rows."""
        position = 0
        with pq.ParquetFile(self.path) as file:
            try:
                for table in file.iter_batches(batch_size=size, columns=sorted(columns)):
                    start, position = position, position + len(table)
                    columns_by_name = {name: table.column(name) for name in table.schema.names}
                    lines = np.arange(start + 1, position + 1, dtype=np.int64)
                    yield Batch(columns_by_name, lines, partial(self._read_row, start), position=position)
            except (pa.ArrowInvalid, OSError) as error:
                raise ImportFileError(f"the log file {self.path} is damaged after row {position}: {error}") from error

    def _read_row(self, start: int, index: int) -> Any:
        """Read one whole row, with the columns that the mapping does not use; only bad rows need it."""
        number = start + index
        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if number < rows:
                    return file.read_row_group(group).slice(number, 1).to_pylist()[0]
                number -= rows
        raise AssertionError(f"{self.path} has no row {number}")


def _leads_on(kind: Any, steps: list[str]) -> bool:
    """Say whether the steps lead somewhere; text and lists can only be judged by their rows."""
    for step in steps:
        if step == "*" and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            kind = kind.value_type
            continue
        if not pa.types.is_struct(kind):
            return not pa.types.is_primitive(kind)
        if kind.get_field_index(step) < 0:
            return False
        kind = kind.field(step).type
    return True


def _list_paths(schema: Any, prefix: str = "") -> Iterator[str]:
    for field in schema:
        yield prefix + field.name
        kind = field.type.value_type if pa.types.is_list(field.type) else field.type
        if pa.types.is_struct(kind):
            yield from _list_paths(kind, f"{prefix}{field.name}.")
