"""Hold the readers: every format gives the same rows, bad rows are set apart, and unusable files are explained."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trilemma.errors import ImportFileError
from trilemma_analysis.importing import read_json
from trilemma_analysis.importing.frame import as_array
from trilemma_analysis.importing.mapping import FileOptions
from trilemma_analysis.importing.readers import open_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str | bytes], Path]

ROWS: list[dict[str, Any]] = [{"id": "a", "n": 1}, {"id": 'b "x", y\nz', "n": 2}, {"id": "ü", "n": None}]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = 'id,n\na,1\n"b ""x"", y\nz",2\nü,\n'


def read(path: Path, *paths: str, size: int = 2, **options: Any) -> tuple[dict[str, list[Any]], list[int], list[Any]]:
    """Return the columns of a file, the lines of its rows, and its bad rows as (line, reason)."""
    reader = open_log(path, FileOptions(**options))
    columns, missing = reader.find_columns(list(paths))
    assert missing == {}
    values: dict[str, list[Any]] = {name: [] for name in columns}
    lines, bad = [], []
    for batch in reader.read_batches(columns, size):
        lines += batch.lines.tolist()
        bad += [(row.line, row.reason) for row in batch.bad]
        for name in columns:
            values[name] += as_array(batch.columns[name], len(batch.lines)).to_pylist()
    return values, lines, bad


def write_parquet(path: Path) -> Path:
    """Write ROWS as Parquet in two row groups."""
    pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=2)
    return path


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.jsonl", JSONL.encode()),
        ("log.ndjson", JSONL.encode().replace(b"\n", b"\r\n\r\n")),
        ("log", b"\xef\xbb\xbf" + JSONL.encode()),
        ("log.jsonl.gz", gzip.compress(JSONL.encode())),
        ("log.jsonl.bz2", bz2.compress(JSONL.encode())),
        ("log.jsonl.xz", lzma.compress(JSONL.encode())),
        ("log.json", json.dumps(ROWS).encode()),
        ("log.json", json.dumps(ROWS, indent=2).encode()),
        ("list.json.gz", gzip.compress(json.dumps(ROWS).encode())),
    ],
)
def test_json_formats(write: Write, name: str, content: bytes, size: int) -> None:
    """JSON Lines and JSON lists give the same rows, compressed or not, in batches of any size."""
    values, _, bad = read(write(name, content), "id", "n", size=size)
    assert values == {"id": [row["id"] for row in ROWS], "n": [row["n"] for row in ROWS]}
    assert bad == []


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.tsv"])
def test_csv(write: Write, name: str) -> None:
    """CSV values are text, an empty one is null, and a row stands where it begins."""
    content = (CSV.replace(",1", "\t1").replace('",2', '"\t2').replace("ü,", "ü\t").replace("id,", "id\t")
               if "tsv" in name else CSV).encode()  # fmt: skip
    values, lines, bad = read(write(name, gzip.compress(content) if name.endswith("gz") else content), "id", "n")
    assert values == {"id": [row["id"] for row in ROWS], "n": ["1", "2", None]}
    assert (lines, bad) == ([2, 3, 5], [])


def test_parquet(tmp_path: Path) -> None:
    """Parquet gives its own types, and a bad row can be shown whole although only some columns are read."""
    path = write_parquet(tmp_path / "log.parquet")
    values, lines, _ = read(path, "n")
    assert (values, lines) == ({"n": [1, 2, None]}, [1, 2, 3])
    batches = list(open_log(path, FileOptions()).read_batches({"n"}, 2))
    assert [batches[0].raw(1), batches[1].raw(0)] == ROWS[1:]


def test_json_lines_sets_bad_rows_apart(write: Write) -> None:
    """A line that is no JSON object is a bad row with its line number; the others are read."""
    path = write("log.jsonl", b'{"id": 1}\n{"id": \n\n[1]\n{"id": "\xff"}\n{"id": 2}')
    values, lines, bad = read(path, "id")
    assert (values, lines) == ({"id": [1, 2]}, [1, 6])
    assert [line for line, _ in bad] == [2, 4, 5]
    assert bad[1][1] == "is no JSON object but list"


def test_csv_sets_bad_rows_apart(write: Write) -> None:
    """A CSV row of another length, of other bytes, or with an open quote is a bad row; the others are read."""
    path = write("log.csv", b'id,n\n1,2\n3\n4,5,6\n\n\xff,7\n8,9\n"open,1\n')
    values, lines, bad = read(path, "id")
    assert (values, lines) == ({"id": ["1", "8"]}, [2, 7])
    assert bad == [
        (3, "has 1 fields where the header has 2"),
        (4, "has 3 fields where the header has 2"),
        (6, "is not utf-8-sig text"),
        (8, "is no CSV: unexpected end of data"),
    ]


def test_csv_options(write: Write) -> None:
    """A mapping may give delimiter, header, encoding and what stands for null."""
    options = {"delimiter": ";", "header": ("id", "n"), "encoding": "latin-1", "null_values": ("", "NA")}
    values, lines, _ = read(write("log.csv", "ü;1\nb;NA\n".encode("latin-1")), "id", "n", **options)
    assert (values, lines) == ({"id": ["ü", "b"], "n": ["1", None]}, [1, 2])


def test_json_list_inside_an_object(write: Write) -> None:
    """A list inside a JSON object is found by [file] records."""
    path = write("log.json", json.dumps({"meta": 1, "run": {"results": ROWS}}))
    values, _, _ = read(path, "id", records="run.results")
    assert values == {"id": [row["id"] for row in ROWS]}


def test_json_list_longer_than_a_piece(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JSON list is read piece by piece: values, numbers and characters cut in two come out whole."""
    monkeypatch.setattr(read_json, "_CHUNK_CHARS", 3)
    rows = [{"id": index, "text": "ü" * index, "n": 12345} for index in range(20)]
    values, lines, _ = read(write("log.json", json.dumps(rows, indent=1, ensure_ascii=False)), "id", "text", "n")
    assert values == {name: [row[name] for row in rows] for name in ("id", "text", "n")}
    assert lines == [2 + 5 * index for index in range(20)]


def test_mixed_types_become_text(write: Write) -> None:
    """A JSON column of numbers and text is text; one of integers and floats is numbers; objects are JSON."""
    path = write(
        "log.jsonl", '{"a": 1, "b": 1, "c": {"x": 1}, "d": true}\n{"a": "x", "b": 0.5, "c": [1], "d": "yes"}\n'
    )
    values, _, _ = read(path, "a", "b", "c", "d", size=10)
    assert values == {"a": ["1", "x"], "b": [1.0, 0.5], "c": ['{"x": 1}', "[1]"], "d": ["true", "yes"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.jsonl", b"", "is empty"),
        ("log.jsonl.gz", gzip.compress(JSONL.encode() * 99)[:-20], "truncated or damaged"),
        ("log.xyz", b"hello", "cannot tell how"),
        ("log.parquet", b"PAR1 cut off", "is no complete Parquet file"),
        ("log.parquet", JSONL.encode(), "is no complete Parquet file"),
        ("log.csv", b"PAR1" + b"x" * 99, "holds Parquet; rename"),
        ("log.json", JSONL.encode(), "is no JSON list"),
        ("log.json", json.dumps(ROWS).encode()[:-20], "is no complete JSON list"),
        ("log.json", b'[{"id": 1} {"id": ]', "is no complete JSON list: .* line 1"),
        ("log.jsonl", CSV.encode(), "holds no JSON objects"),
        ("log.csv", b"id,id\n1,2\n", "two columns called 'id'"),
    ],
)
def test_unusable_file(write: Write, name: str, content: bytes, message: str) -> None:
    """A file that is empty, truncated or of another kind is an error that names it and says why."""
    path = write(name, content)
    with pytest.raises(ImportFileError, match=message) as error:
        read(path, "id")
    assert str(path) in str(error.value)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    """A file that is not there, or is a directory, is an error that names it."""
    with pytest.raises(ImportFileError, match=r"nothing.csv does not exist"):
        open_log(tmp_path / "nothing.csv", FileOptions())
    with pytest.raises(ImportFileError, match="is a directory"):
        open_log(tmp_path, FileOptions())


def test_empty_parquet(tmp_path: Path) -> None:
    """A Parquet file without rows is an error: there is nothing to import."""
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), tmp_path / "log.parquet")
    with pytest.raises(ImportFileError, match="holds no rows"):
        open_log(tmp_path / "log.parquet", FileOptions())


@pytest.mark.parametrize("name", ["log.jsonl", "log.json", "log.csv", "log.parquet"])
def test_missing_columns(tmp_path: Path, write: Write, name: str) -> None:
    """A path that leads nowhere is found at once, with the columns there are; one with ? may be absent."""
    if name.endswith("parquet"):
        path = write_parquet(tmp_path / name)
    else:
        path = write(name, {"log.jsonl": JSONL, "log.json": json.dumps(ROWS), "log.csv": CSV}[name])
    columns, missing = open_log(path, FileOptions()).find_columns(["id", "nn", "m?"])
    assert columns - {"m"} == {"id"} or columns - {"m", "nn"} == {"id"}
    assert missing == {"nn": ["id", "n"]}


def test_missing_nested_path(tmp_path: Path) -> None:
    """A path into a Parquet struct is checked by the schema, and the names there are include those inside."""
    table = pa.table({"usage": [{"in": 1, "out": 2}], "meta": ['{"any": 1}']})
    pq.write_table(table, tmp_path / "log.parquet")
    reader = open_log(tmp_path / "log.parquet", FileOptions())
    assert reader.find_columns(["usage.in", "usage.inn", "meta.any"]) == (
        {"usage", "meta"},
        {"usage.inn": ["meta", "usage", "usage.in", "usage.out"]},
    )
