"""Own the replacing of SDK functions: what was replaced, and putting back exactly that."""

import sys
from collections.abc import Callable
from types import CellType
from typing import Any

from trilemma.imports import call_when_imported

__all__ = ["Patches"]

_MISSING = object()
_MAKER = "_trilemma_maker"


class Patches:
    """Replace attributes of classes and modules, and restore them."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, Any]] = []
        self._turn = object()  # a new one with each `restore`

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
        """Replace ``owner.name`` by ``make(original)``; leave an owner without it alone and return False.

        The original is what ``owner`` itself holds or inherits; a class that only inherits it gets an attribute of
        its own, which `restore` removes; but one that inherits what this same `make` has made is left as it is.
        """
        original = getattr(owner, name, _MISSING)
        if original is _MISSING:
            return False
        own = vars(owner).get(name, _MISSING)
        if own is _MISSING and getattr(original, _MAKER, None) is make:
            return True
        replacement = _make(make, original)
        setattr(owner, name, replacement)
        self._undo.append((owner, name, own, replacement))
        return True

    def wrap_inner(self, function: Any, make: Callable[[Any], Any]) -> bool:
        """Replace what a decorated function calls, in its closure; return False where it is not found there.

        So the calls of those who imported the decorated function before are reached too.
        """
        cell, inner = _find_inner(function)
        if cell is None:
            return False
        replacement = cell.cell_contents = _make(make, inner)
        self._undo.append((cell, "cell_contents", inner, replacement))
        return True

    def add(self, owner: Any, name: str, value: Any) -> None:
        """Set ``owner.name``, which `owner` does not have."""
        setattr(owner, name, value)
        self._undo.append((owner, name, _MISSING, value))

    def when_imported(self, module: str, apply: Callable[[Any], Any]) -> None:
        """Call `apply` with a module: now, or when it is imported, unless all is restored by then."""
        if module in sys.modules:
            apply(sys.modules[module])
            return
        turn = self._turn
        call_when_imported(module, lambda imported: apply(imported) if self._turn is turn else None)

    def restore(self) -> None:
        """Put every original back, last first; leave a function alone that someone else replaced since."""
        self._turn = object()
        while self._undo:
            owner, name, own, replacement = self._undo.pop()
            now = getattr(owner, name) if isinstance(owner, CellType) else vars(owner).get(name)
            if now is not replacement:
                continue
            if own is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, own)


def _make(make: Callable[[Any], Any], original: Any) -> Any:
    replacement = make(original)
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(original, attribute):
            setattr(replacement, attribute, getattr(original, attribute))
    replacement.__wrapped__ = original
    setattr(replacement, _MAKER, make)
    return replacement


def _find_inner(function: Any) -> tuple[CellType | None, Any]:
    while (inner := getattr(function, "__wrapped__", _MISSING)) is not _MISSING:
        for cell in getattr(function, "__closure__", None) or ():
            if _holds(cell, inner):
                return cell, inner
        function = inner
    return None, None


def _holds(cell: CellType, value: Any) -> bool:
    try:
        return cell.cell_contents is value
    except ValueError:  # an empty one
        return False
