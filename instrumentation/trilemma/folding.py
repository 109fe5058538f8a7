"""Own what folding chunks of any provider needs: items found by index, text kept as pieces."""

from typing import Any

__all__ = ["add_text", "find_item"]

_MAX_ITEMS = 1024  # of one list; an index beyond is a mistake of the sender's


def find_item(items: Any, index: Any) -> dict[str, Any]:
    """Return the item at `index` of a list, which grows as needed; a missing or odd index means the first."""
    if type(index) is not int or not 0 <= index < _MAX_ITEMS:
        index = 0
    while len(items) <= index:
        items.append({})
    item: dict[str, Any] = items[index]
    return item


def add_text(target: dict[str, Any], key: str, piece: Any) -> bool:
    """Add a piece of text, kept in a list: joining only what someone reads. Return whether there was any."""
    if type(piece) is not str or not piece:
        return False
    pieces = target.get(key)
    if type(pieces) is not list:
        pieces = target[key] = []
    pieces.append(piece)
    return True
