"""Own YAML as text, of what JSON can hold: blocks indented, and every text quoted as JSON quotes it."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["to_yaml"]

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def to_yaml(value: Any, indent: int = 0) -> str:
    """Return a mapping or a list as a YAML block; each line ends with a newline."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{_to_key(key)}:{_put_below(each, indent)}" for key, each in value.items())
    lines = []
    for each in value:
        body = to_yaml(each, indent + 1) if _is_block(each) else f"{pad}  {_to_scalar(each)}\n"
        lines.append(f"{pad}- {body[len(pad) + 2 :]}")
    return "".join(lines)


def _put_below(value: Any, indent: int) -> str:
    return f"\n{to_yaml(value, indent + 1)}" if _is_block(value) else f" {_to_scalar(value)}\n"


def _is_block(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _to_key(key: str) -> str:
    is_plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _RESERVED
    return key if is_plain else json.dumps(key, ensure_ascii=False)


def _to_scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
