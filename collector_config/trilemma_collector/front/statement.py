"""Own the reading of a statement as far as HTTP needs it: its kind, its FORMAT, and where inlined data begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Kind", "Statement", "is_insert", "parse_statement"]

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Parsers/Lexer.cpp
TOKEN = re.compile(
    r"""(?P<space>\s+ | --[^\n]* | \#[\x20!][^\n]* | /\*.*?\*/)
    | (?P<text>'(?:[^'\\]|\\.|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<name>"(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*`)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<open>[(\[{]) | (?P<close>[)\]}])
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
# What gives a result set, and so takes INTO OUTFILE and FORMAT behind it.
READS = frozenset({"SELECT", "WITH", "SHOW", "DESC", "DESCRIBE", "EXISTS", "FROM"})
# ClickHouse skips one line end (or blanks) between the FORMAT clause and the data.
BEFORE_DATA = re.compile(r"[ \t\f]*\r?\n?")


class Kind(Enum):
    """What a statement does, as far as HTTP is concerned."""

    READ = "read"
    INSERT_DATA = "insert data"
    OTHER = "other"


class Token(NamedTuple):
    """A word or sign outside all brackets."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Statement:
    """A statement, cut where HTTP must cut it.

    Attributes:
        kind: what it does.
        head: for a read or an INSERT of data, the text before its FORMAT clause; else all of it.
        form: the format named in its FORMAT clause, or "".
        tail: what stands after the FORMAT clause of a read (SETTINGS ...), or "".
        data_start: for an INSERT of data, at which byte the data begins.
    """

    kind: Kind
    head: str
    form: str = ""
    tail: str = ""
    data_start: int = 0


def is_insert(raw: bytes) -> bool:
    """Say whether a statement is an INSERT, by its first word."""
    first = next(_iterate_tokens(raw.decode("latin-1")), None)
    return first is not None and first.text.upper() == "INSERT"


def parse_statement(raw: bytes) -> Statement:
    """Read a statement; after an INSERT's FORMAT or VALUES it may go on with data of any kind."""
    text = raw.decode("latin-1")  # one character for each byte, whatever the data is
    tokens = _iterate_tokens(text)
    first = next(tokens, None)
    if first is None:
        return Statement(Kind.OTHER, "")
    if first.text.upper() == "INSERT":
        return _parse_insert(text, tokens)
    if first.text.upper() in READS or first.kind == "open":
        return _parse_read(text, [first, *tokens])
    return Statement(Kind.OTHER, _decode(text))


def _iterate_tokens(text: str) -> Iterator[Token]:
    """Yield what stands outside all brackets, comments left out."""
    depth = 0
    for match in TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "close":
            depth -= 1
        if depth == 0 and kind != "space":
            yield Token("text" if kind == "tag" else kind, match[0], match.start(), match.end())
        if kind == "open":
            depth += 1


def _parse_insert(text: str, tokens: Iterator[Token]) -> Statement:
    format_start = -1
    for token in tokens:
        word = token.text.upper() if token.kind == "word" else ""
        if word in {"SELECT", "WITH", "INFILE", "WATCH"}:
            return Statement(Kind.OTHER, _decode(text))
        if word == "VALUES":
            return Statement(Kind.INSERT_DATA, _decode(text[: token.start]), "Values", data_start=token.end)
        if word and format_start >= 0:
            gap = BEFORE_DATA.match(text, token.end)
            data_start = gap.end() if gap else token.end
            return Statement(Kind.INSERT_DATA, _decode(text[:format_start]), token.text, data_start=data_start)
        format_start = token.start if word == "FORMAT" else -1
    # No FORMAT: the client gives it otherwise (default_format), and the data comes apart.
    return Statement(Kind.INSERT_DATA, _decode(text), data_start=len(text))


def _parse_read(text: str, tokens: list[Token]) -> Statement:
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    end = tokens[-1].end if tokens else 0
    for index in range(len(tokens) - 2, 0, -1):
        word, form = tokens[index], tokens[index + 1]
        if word.kind == form.kind == "word" and word.text.upper() == "FORMAT":
            following = tokens[index + 2] if index + 2 < len(tokens) else None
            if following is None or following.text.upper() == "SETTINGS":
                return Statement(Kind.READ, _decode(text[: word.start]), form.text, _decode(text[form.end : end]))
    return Statement(Kind.READ, _decode(text[:end]))


def _decode(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogateescape")
