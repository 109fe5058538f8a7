"""Own ``trilemma policy export``: what adopted advice means for the router, with the evidence of each rule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError

from trilemma_analysis.analysis import open_analysis
from trilemma_analysis.client import connect
from trilemma_analysis.commands.choices import add_choice_options, read_choices
from trilemma_analysis.findings import find_all
from trilemma_analysis.loop.ledger import read_measurements, read_predictions
from trilemma_analysis.loop.litellm_config import to_litellm
from trilemma_analysis.loop.policy import build_policy, foresee
from trilemma_analysis.loop.yaml_text import to_yaml

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.client import Store
    from trilemma_analysis.loop.policy import Policy

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("step", choices=("export",), help="write the policy")
    parser.add_argument("--format", choices=("litellm", "json"), default="json", help="default json")
    parser.add_argument("--findings", action="store_true", help="of all findings to act on, not of what is adopted")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here (default: standard output)")
    add_choice_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the policy, and say on standard error what is not in it."""
    with connect(args.store) as store:
        policy = _foresee(store, args) if args.findings else _read(store, args.task)
        text = policy.model_dump_json(indent=2) + "\n" if args.format == "json" else _to_config(store, policy)
    if not policy.rules:
        whence = "findings to act on that a program can follow" if args.findings else "adopted findings that hold"
        sys.stderr.write(f"trilemma: there are no {whence}, so the policy has no rules\n")
    if args.output is None:
        sys.stdout.write(text)
        return 0
    try:
        args.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the policy to {str(args.output)!r}: {error.strerror}; name another --output"
        ) from error
    sys.stderr.write(f"wrote {args.output}\n")
    return 0


def _read(store: Store, tasks: list[str]) -> Policy:
    return build_policy(read_predictions(store, tasks), read_measurements(store, tasks))


def _foresee(store: Store, args: argparse.Namespace) -> Policy:
    analysis = open_analysis(store, **read_choices(args))
    if analysis is None:
        raise ConfigurationError(f"the store {store.address} holds no runs in this period, so there is no finding")
    return foresee(analysis, find_all(analysis))


def _to_config(store: Store, policy: Policy) -> str:
    models = sorted({model for rule in policy.rules for models in rule.models.values() for model in models})
    named = [value for rule in policy.rules for value in rule.action.settings.values() if isinstance(value, tuple)]
    wanted = sorted({*models, *(model for names in named for model in names)})
    rows = store.ask("model_providers", models=wanted).to_pylist()
    config = to_litellm(policy, {row["request_model"]: row["provider"] for row in rows})
    head = [
        "Written by `trilemma policy export --format litellm`. Each task is a model name; keys are in the environment.",
        *(f"Not here: {note}" for note in config.notes),
    ]
    return "".join(f"# {' '.join(line.split())}\n" for line in head) + to_yaml(config.as_dict())
