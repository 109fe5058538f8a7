"""Hold that hooks are called once their module is imported, and not before, and that wrapt is imported only then."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from trilemma.imports import call_when_imported

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import pytest


def test_hooks_are_called_with_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hook is called once, in order, with the whole module; looking for the module is not importing it."""
    (tmp_path / "waited_for.py").write_text("VALUE = 7\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "waited_for", raising=False)
    seen: list[tuple[int, ModuleType]] = []
    for number in (1, 2):
        call_when_imported("waited_for", lambda module, number=number: seen.append((number, module)))
    assert find_spec("waited_for") is not None
    assert seen == []
    import waited_for  # type: ignore[import-not-found]

    assert seen == [(1, waited_for), (2, waited_for)]
    assert waited_for.VALUE == 7


def test_a_module_that_is_not_there_is_still_missing() -> None:
    """A hook of what is not installed changes nothing for who tries to import it."""
    call_when_imported("no_such_module_here", print)
    assert find_spec("no_such_module_here") is None


def test_switching_on_imports_no_wrapt() -> None:
    """Importing and switching on imports neither wrapt nor asyncio; importing an SDK then patches it."""
    program = (
        "import sys, trilemma; trilemma.instrument(export=False)\n"
        "assert not {'wrapt', 'asyncio', 'importlib.metadata'} & set(sys.modules), 'slow to import'\n"
        "import openai\n"
        "assert hasattr(openai._base_client.SyncAPIClient.request, '__wrapped__')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
