"""Own what tells one row from another: ids that are the same in every run, and the memory of rows already loaded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.frame import as_array, as_text
from trilemma_analysis.importing.hashing import SEPARATOR, hash_rows

if TYPE_CHECKING:
    from trilemma_analysis.importing.frame import Frame
    from trilemma_analysis.importing.mapping import LogMapping

__all__ = ["RowIds", "SeenRows", "identify_rows"]

_MERGE_AT = 32  # parts; each look-up searches all of them


class SeenRows:
    """A map from row ids to numbers, both 64 bits, in 16 bytes a row; made for whole batches at a time."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def find(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of `ids` are known, and their numbers (0 for the others)."""
        known = np.zeros(len(ids), dtype=bool)
        numbers = np.zeros(len(ids), dtype=np.uint64)
        for part_ids, part_numbers in self._parts:
            places = np.minimum(np.searchsorted(part_ids, ids), len(part_ids) - 1)
            hit = part_ids[places] == ids
            known |= hit
            numbers[hit] = part_numbers[places[hit]]
        return known, numbers

    def add(self, ids: np.ndarray, numbers: np.ndarray) -> None:
        """Remember ids with their numbers; a later number replaces an earlier one."""
        if len(ids) == 0:
            return
        self._parts.append(_sort(ids, numbers))
        if len(self._parts) >= _MERGE_AT:
            merged = (np.concatenate([part[column] for part in self._parts]) for column in (0, 1))
            self._parts = [_sort(*merged)]


class RowIds:
    """What the ids of some source rows are made of.

    ``row`` (uint64) tells rows apart, ``content`` (uint64) what is in them, ``seed`` (32 bytes a row) is what trace,
    span and task ids are cut from.
    """

    def __init__(self, row: np.ndarray, content: np.ndarray, seed: np.ndarray) -> None:
        self.row = row
        self.content = content
        self.seed = seed

    def take(self, indices: np.ndarray) -> RowIds:
        """Return the ids of the rows at `indices`."""
        return RowIds(self.row[indices], self.content[indices], self.seed[indices])


def identify_rows(mapping: LogMapping, frame: Frame, ordinals: SeenRows) -> RowIds:
    """Give each source row its ids: from the mapping's key, or from the row's content where it has none.

    Without a key, the n-th of several equal rows of a file gets an id of its own, by its ordinal; `ordinals` counts
    them within one file.
    """
    salt = hashlib.sha256(f"{mapping.name}{SEPARATOR}{mapping.version}".encode()).digest()
    names = sorted(frame.columns)
    content = hash_rows([as_text(as_array(frame.columns[name], frame.size)) for name in names], frame.size, salt, 16)
    content_ids = content[:, :8].copy().view(np.uint64).ravel()
    if mapping.rows.key:
        keys = [as_text(expression.evaluate(frame)) for expression in mapping.rows.key]
        _require_key(keys, frame)
        seeds = hash_rows(keys, frame.size, salt + b"key", 32)
    else:
        counts = _count_equal(content_ids, ordinals)
        digests = [content[index].tobytes() for index in range(frame.size)]
        seeds = hash_rows([pa.array(digests, pa.binary()), pa.array(counts.astype(str))], frame.size, salt + b"row", 32)
    return RowIds(seeds[:, 24:32].copy().view(np.uint64).ravel(), content_ids, seeds)


def _require_key(keys: list[pa.Array], frame: Frame) -> None:
    for key in keys:
        missing = pc.is_null(key).to_numpy(zero_copy_only=False)
        frame.reject(missing, lambda _: "[rows] key: the row has no value for a part of the key")


def _count_equal(content_ids: np.ndarray, ordinals: SeenRows) -> np.ndarray:
    """Return how many rows of the file before this one are equal to it."""
    unique, inverse, counts = np.unique(content_ids, return_inverse=True, return_counts=True)
    _, before = ordinals.find(unique)
    order = np.argsort(inverse, kind="stable")
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    within = np.empty(len(content_ids), dtype=np.uint64)
    within[order] = np.arange(len(content_ids)) - starts
    ordinals.add(unique, before + counts.astype(np.uint64))
    result: np.ndarray = before[inverse] + within
    return result


def _sort(ids: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort by id and keep the last number of each."""
    order = np.argsort(ids, kind="stable")
    ids, numbers = ids[order], numbers[order]
    last = np.append(ids[1:] != ids[:-1], True)
    return ids[last], numbers[last]
