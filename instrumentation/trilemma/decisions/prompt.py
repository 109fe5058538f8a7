"""Own prompts: which template was used, in which version, with which variables; their values stay where they are."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from trilemma.arguments import check_text, to_text
from trilemma.content import read_switch
from trilemma.decisions.decision import Decision, decide
from trilemma.errors import ArgumentError, ConfigurationError
from trilemma.task import current_task

__all__ = ["Prompt", "prompt"]

_VERSION_DIGITS = 8


class Prompt:
    """A template with a name and a version, made by `prompt`."""

    def __init__(self, name: str, template: Any, text: str, version: str | None) -> None:
        self.name = name
        self.template = template
        self.text = text
        self.template_hash = sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
        self.version = version or self.template_hash[:_VERSION_DIGITS]

    def render(self, **variables: Any) -> str:
        """Return the text with its variables filled in, and record the use.

        A string is filled as ``str.format`` does, another template by its own ``render``, ``substitute`` or ``format``;
        what those raise for a variable that is missing is raised.
        """
        fill = self.text.format if isinstance(self.template, str) else _find_method(self.template)
        filled = str(fill(**variables))
        self._note(sorted(variables), _show_values(variables))
        return filled

    def use(self, *variables: str) -> Decision:
        """Record the use where your own code fills the template in; give the names of the variables, not their values.

        The task, and every span beneath it from now on, has the prompt's name and version.
        """
        return self._note(sorted(variables), {})

    def _note(self, names: list[str], values: dict[str, str]) -> Decision:
        if (task := current_task()) is not None:
            task.note_prompt(self.name, self.version)
        facts = {
            "gen_ai.prompt.name": self.name,
            "gen_ai.prompt.version": self.version,
            "trilemma.prompt.template_hash": self.template_hash,
            "trilemma.prompt.variables": names or None,
            **values,
        }
        return decide("prompt", self.name, facts)


def prompt(name: str, template: Any, version: str | int | None = None) -> Prompt:
    """Name a prompt template: a text, a ``pathlib.Path`` to one, or an object (string.Template, LangChain's, ...).

    Without a `version`, the version is the start of the SHA-256 of its text: a template that changes is a new version
    without anyone saying so. Raises ConfigurationError for a file that cannot be read, ArgumentError for an object
    whose text cannot be found (give it a `version`).
    """
    check_text("prompt", "name", name)
    text, filled = _read_text(name, template, version)
    return Prompt(name, filled, text, None if version is None else to_text(version))


def _read_text(name: str, template: Any, version: object) -> tuple[str, Any]:
    """Return the text that is hashed, and what fills the variables in."""
    if isinstance(template, Path):
        try:
            text = template.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"prompt {name!r}: cannot read {str(template)!r}: {error}") from error
        return text, text
    if isinstance(template, str):
        return template, template
    for source in (getattr(template, "template", None), getattr(template, "source", None)):
        if isinstance(source, str):
            return source, template
    file = getattr(template, "filename", None)  # as Jinja's templates have it
    if isinstance(file, str) and Path(file).is_file():
        return Path(file).read_text(encoding="utf-8"), template
    if version is None:
        raise ArgumentError(f"prompt {name!r}: no text in a {type(template).__name__}; give its text, or a version")
    return f"{type(template).__name__}@{version}", template


def _show_values(variables: dict[str, Any]) -> dict[str, str]:
    """Return the variables' values as the conventions' attributes where content is captured on spans, else nothing."""
    capture = read_switch()
    if capture is None or not capture.on_span:
        return {}
    return {f"gen_ai.prompt.variable.{name}": to_text(value) for name, value in variables.items()}


def _find_method(template: Any) -> Any:
    for method in ("render", "substitute", "format"):
        if callable(found := getattr(template, method, None)):
            return found
    raise ArgumentError(f"a {type(template).__name__} has no render, substitute or format; fill it in and call use()")
