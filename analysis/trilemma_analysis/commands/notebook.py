"""Own ``trilemma notebook``: open a shipped notebook on a store in the browser, or write it as HTML or ipynb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError

from trilemma_analysis.client import DEFAULT_STORE, connect

if TYPE_CHECKING:
    import argparse

__all__ = ["configure", "find_notebook", "list_notebooks", "run"]

# In a wheel the notebooks lie in the package, in a checkout beside it.
_FOLDERS = (Path(__file__).resolve().parents[1] / "notebooks", Path(__file__).resolve().parents[2] / "notebooks")
_PASSED_ON = ("task", "margin", "confidence", "since", "until")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    names = ", ".join(list_notebooks())
    parser.add_argument("name", metavar="NAME", nargs="?", default="tradeoffs", help=f"{names} (default: tradeoffs)")
    parser.add_argument("--store", metavar="ADDRESS", help=f"default: TRILEMMA_STORE, else {DEFAULT_STORE}")
    parser.add_argument("--task", metavar="NAME", help="the task to begin with")
    parser.add_argument("--margin", metavar="SHARE", type=float, help="the margin to begin with, 0.05 is 5 points")
    parser.add_argument("--confidence", metavar="SHARE", type=float, help="the confidence to begin with")
    parser.add_argument("--since", metavar="DAY", help="first day of the period to begin with")
    parser.add_argument("--until", metavar="DAY", help="last day of the period to begin with")
    export = parser.add_mutually_exclusive_group()
    export.add_argument("--html", metavar="FILE", type=Path, help="run without a browser and write the result here")
    export.add_argument("--ipynb", metavar="FILE", type=Path, help="the same as a Jupyter notebook, with its outputs")
    parser.add_argument("--edit", action="store_true", help="open it in the editor, to change a copy of it")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="port to serve on (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")


def run(args: argparse.Namespace) -> int:
    """Hand over to marimo: wait for a page, or become its server, so that a signal ends the server."""
    notebook = find_notebook(args.name)
    store = args.store or os.environ.get("TRILEMMA_STORE") or DEFAULT_STORE
    connect(store).close()  # an error here is clearer than a page that holds one
    passed = ["--store", store]
    for name in _PASSED_ON:
        value = getattr(args, name)
        passed += [f"--{name}", str(value)] if value is not None else []
    command = [sys.executable, "-m", "marimo", *_choose_mode(args, notebook), "--", *passed]
    if not (args.html or args.ipynb):
        sys.stdout.flush()
        os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and notebook
    return subprocess.run(command, check=False).returncode  # noqa: S603 - as above


def list_notebooks() -> list[str]:
    """Return the names of the shipped notebooks, sorted."""
    return sorted({path.stem for folder in _FOLDERS for path in folder.glob("*.py")})


def find_notebook(name: str) -> Path:
    """Return the path of a shipped notebook.

    Raises:
        ConfigurationError: there is none of that name.
    """
    for folder in _FOLDERS:
        path = folder / f"{name}.py"
        if path.is_file():
            return path
    raise ConfigurationError(f"there is no notebook {name!r}; there are: {', '.join(list_notebooks())}")


def _choose_mode(args: argparse.Namespace, notebook: Path) -> list[str]:
    if args.html:
        return ["export", "html", str(notebook), "--no-include-code", "--force", "--output", str(args.html)]
    if args.ipynb:
        return ["export", "ipynb", str(notebook), "--include-outputs", "--force", "--output", str(args.ipynb)]
    server = ["--host", args.host, *(["--port", str(args.port)] if args.port else [])]
    server += ["--headless"] if args.no_browser else []
    return ["edit" if args.edit else "run", str(notebook), *server]
