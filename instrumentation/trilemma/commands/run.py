"""Own `trilemma run`: start a program with trilemma switched on in its Python and in every Python it starts."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from trilemma.errors import ConfigurationError
from trilemma.export import DEFAULT_ENDPOINTS, ExportSettings
from trilemma.providers import PROVIDERS

__all__ = ["configure", "run"]

BOOTSTRAP = Path(__file__).parent.parent / "bootstrap"
# The standard variable of OpenTelemetry's GenAI instrumentations.
CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
EPILOG = """examples:
  trilemma run -- python app.py --its-own-option
  trilemma run -- python -m app
  trilemma run --service-name shop -- gunicorn --workers 4 shop.wsgi
  trilemma run --endpoint http://collector:4318 -- uvicorn app:app

The program keeps its process, exit code and signals. All OTEL_* variables hold. If it sets up a tracer provider of its
own, that one is used and exports as before; with --endpoint, trilemma exports to there as well."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.usage = "trilemma run [options] -- COMMAND [ARGUMENT ...]"
    parser.add_argument("--endpoint", help="where to export to (default: OTEL_EXPORTER_OTLP_ENDPOINT, else local)")
    parser.add_argument("--protocol", choices=list(DEFAULT_ENDPOINTS), help="OTLP protocol (default: http/protobuf)")
    parser.add_argument("--service-name", help="name of the service (default: OTEL_SERVICE_NAME, else the script's)")
    parser.add_argument("--content", action="store_true", help="record prompts and answers too (default: off)")
    parser.add_argument(
        "command_line", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments"
    )


def run(args: argparse.Namespace) -> int:
    """Become the program; return only where that is not possible."""
    words = args.command_line[1:] if args.command_line[:1] == ["--"] else args.command_line
    if not words:
        raise ConfigurationError("`trilemma run` needs a program to run: trilemma run -- python app.py")
    ExportSettings(args.endpoint, args.protocol).check()
    program, *arguments = _find_program(words)
    environment = _prepare_environment(args, words)
    sys.stdout.flush()
    if os.name == "nt":  # exec there starts a new process and ends this one, so that nobody waits for the program
        return subprocess.call([program, *arguments], env=environment)  # noqa: S603 - the user's own command
    return _become(program, arguments, environment)


def _become(program: str, arguments: list[str], environment: dict[str, str]) -> int:
    os.execve(program, [program, *arguments], environment)  # noqa: S606 - the user's own command


def _find_program(words: list[str]) -> list[str]:
    """Return the command with its program's full path; a .py file alone runs with this Python."""
    first = Path(words[0])
    if first.suffix == ".py" and first.is_file() and not os.access(first, os.X_OK):
        return [sys.executable, *words]
    program = shutil.which(words[0])
    if program is None:
        raise ConfigurationError(
            f"there is no program {words[0]!r} on PATH; give its path, or: trilemma run -- python app.py"
        )
    return [program, *words[1:]]


def _prepare_environment(args: argparse.Namespace, words: list[str]) -> dict[str, str]:
    environment = dict(os.environ)
    path = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(BOOTSTRAP)]
    environment["PYTHONPATH"] = os.pathsep.join([str(BOOTSTRAP), *path])
    for name in ("endpoint", "protocol"):
        environment.pop(f"TRILEMMA_RUN_{name.upper()}", None)
        if value := getattr(args, name):
            environment[f"TRILEMMA_RUN_{name.upper()}"] = value
    environment["TRILEMMA_RUN_MODULES"] = ",".join(["trilemma", *PROVIDERS])
    if args.content:
        environment[CONTENT_VARIABLE] = "SPAN_ONLY"
    if args.service_name:
        environment["OTEL_SERVICE_NAME"] = args.service_name
    elif "service.name=" not in environment.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        environment.setdefault("OTEL_SERVICE_NAME", _name_service(words))
    return environment


def _name_service(words: list[str]) -> str:
    """Name a service that has no name: python shop.py → shop, python -m shop → shop, gunicorn ... → gunicorn."""
    if Path(words[0]).name.startswith("python"):
        for word, following in zip(words[1:], [*words[2:], ""], strict=True):
            if word == "-m" and following:
                return following
            if not word.startswith("-"):
                return Path(word).stem
    return Path(words[0]).stem
