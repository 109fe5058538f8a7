"""Hold the reading of statements to ClickHouse's own lexer, as far as HTTP needs it."""

from __future__ import annotations

import pytest
from trilemma_collector.front.statement import Kind, is_insert, parse_statement


@pytest.mark.parametrize(
    ("text", "head", "form", "tail"),
    [
        ("SELECT 1", "SELECT 1", "", ""),
        ("SELECT 1;", "SELECT 1", "", ""),
        ("select 1 format JSON", "select 1 ", "JSON", ""),
        ("SELECT 1 FORMAT Native\n;\n", "SELECT 1 ", "Native", ""),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "SELECT 1 ", "CSV", " SETTINGS max_threads = 1"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT CSV", "SELECT 1 SETTINGS max_threads = 1 ", "CSV", ""),
        ("-- FORMAT CSV\nSELECT 1 -- FORMAT TSV", "-- FORMAT CSV\nSELECT 1", "", ""),
        ("SELECT ' FORMAT CSV'", "SELECT ' FORMAT CSV'", "", ""),
        (r"SELECT 'it\'s ' FORMAT TSV", r"SELECT 'it\'s ' ", "TSV", ""),
        ("SELECT 'it''s ' FORMAT TSV", "SELECT 'it''s ' ", "TSV", ""),
        ('SELECT "FORMAT" FROM `FORMAT` /* FORMAT A */', 'SELECT "FORMAT" FROM `FORMAT`', "", ""),
        ("SELECT x AS format, y FROM t", "SELECT x AS format, y FROM t", "", ""),
        ("SELECT * FROM (SELECT 1 FORMAT CSV)", "SELECT * FROM (SELECT 1 FORMAT CSV)", "", ""),
        ("WITH 1 AS a SELECT a FORMAT Arrow", "WITH 1 AS a SELECT a ", "Arrow", ""),
        ("(SELECT 1) UNION ALL (SELECT 2) FORMAT CSV", "(SELECT 1) UNION ALL (SELECT 2) ", "CSV", ""),
        ("SELECT 'größe' FORMAT CSV", "SELECT 'größe' ", "CSV", ""),
        ("SELECT $a$ FORMAT CSV $a$ FORMAT TSV", "SELECT $a$ FORMAT CSV $a$ ", "TSV", ""),
        ("SHOW TABLES FORMAT TSV", "SHOW TABLES ", "TSV", ""),
        ("describe t", "describe t", "", ""),
    ],
)
def test_a_read_is_cut_before_its_format(text: str, head: str, form: str, tail: str) -> None:
    """The FORMAT clause of a read is found at its end only: not in text, names, comments or subqueries."""
    statement = parse_statement(text.encode())
    assert (statement.kind, statement.head, statement.form, statement.tail) == (Kind.READ, head, form, tail)


@pytest.mark.parametrize(
    ("raw", "head", "form", "data"),
    [
        (b"INSERT INTO t FORMAT JSONEachRow {}", "INSERT INTO t ", "JSONEachRow", b"{}"),
        (b"INSERT INTO t (a, b) FORMAT CSV\n1,2", "INSERT INTO t (a, b) ", "CSV", b"1,2"),
        (b"INSERT INTO t FORMAT CSV\r\n\n1,2", "INSERT INTO t ", "CSV", b"\n1,2"),
        (b"insert into t format Native \n\x00\xff'\n", "insert into t ", "Native", b"\x00\xff'\n"),
        (b"INSERT INTO t SETTINGS a=1 FORMAT TSV\n1", "INSERT INTO t SETTINGS a=1 ", "TSV", b"1"),
        (b"INSERT INTO t VALUES (1, 'SELECT')", "INSERT INTO t ", "Values", b" (1, 'SELECT')"),
        (b"/* x */ INSERT INTO FUNCTION null('a String') VALUES ('x')",
         "/* x */ INSERT INTO FUNCTION null('a String') ", "Values", b" ('x')"),
        (b"INSERT INTO t (a)", "INSERT INTO t (a)", "", b""),
        ("INSERT INTO größe FORMAT CSV\n1".encode(), "INSERT INTO größe ", "CSV", b"1"),
    ],
)  # fmt: skip
def test_an_insert_is_cut_before_its_data(raw: bytes, head: str, form: str, data: bytes) -> None:
    """An INSERT ends with its FORMAT or VALUES; what follows is data, whatever bytes it has."""
    statement = parse_statement(raw)
    assert (statement.kind, statement.head, statement.form) == (Kind.INSERT_DATA, head, form)
    assert raw[statement.data_start :] == data
    assert is_insert(raw)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT 1",
        "INSERT INTO t (a) SELECT 'x' FORMAT CSV",
        "INSERT INTO t FROM INFILE 'a.csv' FORMAT CSV",
        "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
        "EXPLAIN SELECT 1",
        "ALTER TABLE t DELETE WHERE a = ' FORMAT CSV'",
        "",
    ],
)
def test_other_statements_are_left_alone(text: str) -> None:
    """What is neither a read nor an INSERT of data goes to ClickHouse as it is."""
    statement = parse_statement(text.encode())
    assert (statement.kind, statement.head) == (Kind.OTHER, text)
