"""Own being told when a module is imported, by wrapt, which itself is imported only then.

wrapt takes 15 ms to import, most of them for asyncio: as much as all of ours. Until the first module that someone waits
for is looked for, a finder of ours stands for it that knows a set of names and nothing else.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["call_when_imported"]


def call_when_imported(module: str, hook: Callable[[Any], Any]) -> None:
    """Call `hook` with a module that is not imported yet, once it is."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.hooks.setdefault(module, []).append(hook)


class _Finder:
    """Find nothing, but hand the hooks of a module that is looked for to wrapt, and let wrapt's finder find it."""

    def __init__(self) -> None:
        self.hooks: dict[str, list[Callable[[Any], Any]]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        hooks = self.hooks.pop(fullname, None)
        if hooks is None:
            return None
        from wrapt import register_post_import_hook

        for hook in hooks:
            register_post_import_hook(hook, fullname)
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        found = (finder.find_spec(fullname, path, target) for finder in others)  # wrapt's own is the first now
        return next((spec for spec in found if spec is not None), None)


_finder = _Finder()
