"""Own the ``trilemma`` command: it finds a subcommand's module and turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

from trilemma.errors import MissingExtraError, TrilemmaError
from trilemma.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main"]

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_PIPE = 0, 1, 2, 130, 141

# command: (module, extra that brings its dependencies, help). A module is imported only when its command runs.
COMMANDS: dict[str, tuple[str, str | None, str]] = {
    "run": ("trilemma.commands.run", None, "run a Python program with every LLM call traced, without code"),
    "up": (
        "trilemma_collector.commands.up",
        "local",
        "receive OTLP and serve ClickHouse over HTTP, in one process",
    ),
    "migrate": ("trilemma_collector.commands.migrate", "local", "bring a store's schema up to date"),
    "import": ("trilemma_analysis.commands.import_logs", "analysis", "load log files as spans by a mapping file"),
    "report": ("trilemma_analysis.commands.report", "analysis", "compare combinations per task, with uncertainty"),
    "adopt": (
        "trilemma_analysis.commands.adopt",
        "analysis",
        "take on a finding, and note what it promises",
    ),
    "verify": ("trilemma_analysis.commands.verify", "analysis", "measure what came of adopted findings"),
    "certificate": ("trilemma_analysis.commands.certificate", "analysis", "vouch for a task, until it drifts"),
    "policy": ("trilemma_analysis.commands.policy", "analysis", "export what adopted advice means for a router"),
    "evaluate": ("trilemma_analysis.commands.evaluate", "analysis", "run an evaluator of yours over stored runs"),
    "label": ("trilemma_analysis.commands.label", "analysis", "judge runs as a person: one by its id, or a sample"),
    "notebook": ("trilemma_analysis.commands.notebook", "analysis", "open a notebook on a store in the browser"),
}


class Command(Protocol):
    """What a subcommand's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code: 0 done, 1 a named error, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except TrilemmaError as error:
        print(f"trilemma: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `trilemma report | head`: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE


def _run(words: list[str]) -> int:
    name = next((word for word in words if not word.startswith("-")), None)
    args = _build_parser(name).parse_args(words)
    if args.command is None:
        _build_parser(None).print_help()
        sys.stdout.flush()
        return EXIT_USAGE
    with _explain_missing(args.command):
        code = _load(args.command).run(args)
    sys.stdout.flush()  # here, where a closed pipe is caught, and not at the interpreter's end
    return code


def _build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Build the parser; only the chosen command's module is imported to add its arguments."""
    parser = argparse.ArgumentParser(
        prog="trilemma", description="Manage quality, cost and latency of LLM features per business task."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (_, _, help_text) in COMMANDS.items():
        sub = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        if name == chosen:
            with _explain_missing(name):
                _load(name).configure(sub)
    return parser


def _load(name: str) -> Command:
    return cast("Command", importlib.import_module(COMMANDS[name][0]))


@contextmanager
def _explain_missing(name: str) -> Iterator[None]:
    """Turn the failed import of a package that an extra brings into an error that says which extra."""
    extra = COMMANDS[name][1]
    try:
        yield
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").partition(".")[0].startswith("trilemma"):
            raise
        raise MissingExtraError(
            f"`trilemma {name}` needs the Python package {error.name!r}, which is not installed. "
            f"Install it with: pip install 'trilemma[{extra}]'"
        ) from error


class _Version(argparse.Action):
    """Show the version; read only when asked for, because that takes longer than the rest of the help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        print(f"trilemma {VERSION}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
