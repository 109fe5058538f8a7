"""Own the replacing of SDK functions: what was replaced, and putting back exactly that."""

from collections.abc import Callable
from typing import Any

__all__ = ["Patches"]

_MISSING = object()


class Patches:
    """Replace attributes of classes and modules, and restore them."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, Any]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
        """Replace ``owner.name`` by ``make(original)``; leave an owner without it alone and return False.

        The original is what ``owner`` itself holds or inherits; a class that only inherits it gets an attribute of
        its own, which `restore` removes.
        """
        original = getattr(owner, name, _MISSING)
        if original is _MISSING:
            return False
        own = vars(owner).get(name, _MISSING)
        replacement = make(original)
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(original, attribute):
                setattr(replacement, attribute, getattr(original, attribute))
        replacement.__wrapped__ = original
        setattr(owner, name, replacement)
        self._undo.append((owner, name, own, replacement))
        return True

    def restore(self) -> None:
        """Put every original back, last first; leave a function alone that someone else replaced since."""
        while self._undo:
            owner, name, own, replacement = self._undo.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if own is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
