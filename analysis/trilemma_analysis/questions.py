"""Own the SQL questions: each is one file in ``sql/`` with a header that says what it asks, of what, at what cost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from trilemma.errors import ConfigurationError

__all__ = ["Question", "list_questions", "load_question"]

_HEADER_KEYS = ("question", "parameters", "columns", "cost")
_HEADER_LINE = re.compile(r"^--\s?(.*)$")
_KEY = re.compile(r"^([a-z]+):\s*(.*)$")


@dataclass(frozen=True)
class Question:
    """One SQL question: its name (the file's), the four header fields, and the whole text."""

    name: str
    question: str
    parameters: str
    columns: str
    cost: str
    sql: str


@cache
def load_question(name: str) -> Question:
    """Read ``sql/<name>.sql``.

    Raises:
        ConfigurationError: there is no such question, or its header lacks a field.
    """
    file = resources.files("trilemma_analysis").joinpath("sql", f"{name}.sql")
    if not file.is_file():
        raise ConfigurationError(f"there is no SQL question {name!r}; the questions are: {', '.join(list_questions())}")
    text = file.read_text(encoding="utf-8")
    header = _read_header(text)
    if missing := [key for key in _HEADER_KEYS if key not in header]:
        raise ConfigurationError(
            f"sql/{name}.sql lacks the header field {missing[0]!r}; begin a line with '-- {missing[0]}:'"
        )
    return Question(name=name, sql=text, **{key: header[key] for key in _HEADER_KEYS})


def list_questions() -> list[str]:
    """Return the names of all SQL questions, sorted."""
    folder = resources.files("trilemma_analysis").joinpath("sql")
    return sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))


def _read_header(text: str) -> dict[str, str]:
    """Return the header's fields; a comment line without a key goes on with the field before."""
    header: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        comment = _HEADER_LINE.match(line)
        if comment is None:
            break
        if (found := _KEY.match(comment[1])) and found[1] in _HEADER_KEYS:
            key = found[1]
            header[key] = found[2].strip()
        elif key:
            header[key] = f"{header[key]} {comment[1].strip()}".strip()
    return header
