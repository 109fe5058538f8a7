"""State the code lines of each provider file: `python -m tests.sizes`, whose table the instrumentation's README holds.

A code line has code on it: no blank line, comment or docstring counts. A file that several providers use is counted
where it is; a provider's sum takes all the files it is made of, shared ones included.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FOLDER", "LIMITS", "NO_PROVIDERS", "count_code_lines", "measure_files", "write_table"]

FOLDER = Path(__file__).parents[1] / "instrumentation" / "trilemma" / "providers"
NO_PROVIDERS = frozenset({"__init__", "spec", "hosts"})  # what all of them are made of
README = FOLDER.parents[1] / "README.md"
LIMIT = 120
# OpenAI's own files, and two that speak its format.
LIMITS = {"openai": 160, "chat_completions": 160, "responses": 160, "groq": 20, "together": 20}
_HEAD = "| file | code lines | at most | takes in | with these |"
_NO_CODE = frozenset({
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
})  # fmt: skip


class Size(NamedTuple):
    """Be what a provider file has: its own lines, its limit, and the other files it takes in."""

    lines: int
    limit: int
    parts: frozenset[str]


def count_code_lines(text: str) -> int:
    """Return how many lines of a Python file have code on them."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def measure_files(folder: Path = FOLDER) -> dict[str, Size]:
    """Return the size of each provider file by name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    texts = {name: text for name, text in texts.items() if name not in NO_PROVIDERS}
    direct = {name: frozenset(_list_imports(text) & texts.keys()) for name, text in texts.items()}
    return {
        name: Size(count_code_lines(text), LIMITS.get(name, LIMIT), _close(name, direct) - {name})
        for name, text in texts.items()
    }


def write_table(sizes: dict[str, Size]) -> str:
    """Return the sizes as a Markdown table."""
    rows = [_HEAD, "|---|---:|---:|---|---:|"]
    for name, size in sizes.items():
        whole = size.lines + sum(sizes[part].lines for part in size.parts)
        parts = ", ".join(f"`{part}`" for part in sorted(size.parts))
        rows.append(f"| `{name}.py` | {size.lines} | {size.limit} | {parts} | {whole if parts else ''} |")
    return "\n".join(rows)


def _list_imports(text: str) -> set[str]:
    return {
        str(node.module).rpartition(".")[2]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trilemma.providers.")
    }


def _close(name: str, direct: dict[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    left = {name}
    while left:
        found |= left
        left = set().union(*(direct[each] for each in left)) - found
    return frozenset(found)


def main(argv: Sequence[str]) -> int:
    """Print the table, or with --write put it into the README in the place of the one that is there."""
    table = write_table(measure_files())
    if "--write" not in argv:
        print(table)
        return 0
    text = README.read_text(encoding="utf-8")
    first, rest = text.split(_HEAD, 1)
    README.write_text(first + table + "\n\n" + rest.partition("\n\n")[2], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
