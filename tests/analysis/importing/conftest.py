"""Own what the tests of the import share: an embedded store, and mappings and logs written on the spot."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.importing.frame import Frame
from trilemma_analysis.importing.loader import Counts, import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects
from trilemma_collector.schema import migrate, run_on_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trilemma_analysis.client import Store


def build_store(directory: Path) -> str:
    """Make an embedded store with the schema and return its address."""
    address = f"chdb://{directory}"
    with connect(address, require_schema=False, create=True) as store:
        migrate(run_on_client(store._client))
    return address


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of an empty store, to be copied: applying the migrations takes longer."""
    directory = tmp_path_factory.mktemp("empty") / "store"
    build_store(directory)
    return directory


@pytest.fixture
def address(empty_store: Path, tmp_path: Path) -> str:
    """Return the address of a new embedded store; nobody has it open."""
    directory = tmp_path / "store"
    shutil.copytree(empty_store, directory, symlinks=True)
    return f"chdb://{directory}"


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    """Return a new embedded store."""
    with connect(address) as opened:
        yield opened


@dataclass
class Loaded:
    """What an import did."""

    counts: Counts
    shown: list[str]
    rejects: Path


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file and returns its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def load(store: Store, tmp_path: Path, write: Callable[[str, str | bytes], Path]) -> Callable[..., Loaded]:
    """Return a function that imports files by a mapping's text into the store."""

    def load_files(mapping: str, *paths: Path, **options: Any) -> Loaded:
        rejects = tmp_path / "rejects.jsonl"
        with Rejects(rejects) as kept:
            spec = load_mapping(str(write("mapping.toml", mapping)))
            counts = import_files(spec, paths, options.pop("store", store), kept, **options)
        return Loaded(counts, kept.shown, rejects)

    return load_files


def frame_of(**columns: list[Any]) -> Frame:
    """Return a frame of columns as a JSON log would give them."""
    size = len(next(iter(columns.values())))
    return Frame(columns, np.arange(size), {})
