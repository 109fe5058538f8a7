"""Own the pictures: one file per topic, an analysis in, pictures out. A new topic is a new file here, and nothing else.

Each module of this folder that has a ``make(analysis) -> list[Picture]`` is a topic, and its name is that of its
notebook. It says its ``TITLE``, what it ``ASKS``, the ``KINDS`` of findings that belong to it, the ``QUESTIONS`` its
pictures rest on, and what has to be traced for it (``NEEDS``), for a reader who sees nothing.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from trilemma.errors import ConfigurationError

from trilemma_analysis.pictures.picture import Mark, Moment, Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis

__all__ = ["Mark", "Moment", "Picture", "Topic", "choose_topics", "list_topics", "make_pictures"]


class Topic(Protocol):
    """What a topic's module offers."""

    TOPIC: str
    TITLE: str
    ASKS: str
    NEEDS: str
    KINDS: tuple[str, ...]
    QUESTIONS: tuple[str, ...]

    def make(self, analysis: Analysis) -> list[Picture]:
        """Return the pictures of all tasks of the analysis; none of what was not traced."""


@cache
def list_topics() -> tuple[Topic, ...]:
    """Return the modules of all topics, by name."""
    package = import_module(__name__)
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    return tuple(cast("Topic", module) for module in modules if hasattr(module, "make"))


def choose_topics(name: str | None = None) -> tuple[Topic, ...]:
    """Return the topic of a name; None: all.

    Raises:
        ConfigurationError: there is none of that name.
    """
    topics = list_topics()
    chosen = topics if name is None else tuple(one for one in topics if name == one.TOPIC)
    if not chosen:
        raise ConfigurationError(f"there is no topic {name!r}; there are: {', '.join(one.TOPIC for one in topics)}")
    return chosen


def make_pictures(analysis: Analysis, topics: Sequence[Topic]) -> list[Picture]:
    """Return the pictures of some topics that have anything to show."""
    if not analysis.measures:
        return []
    made = [picture for topic in topics for picture in topic.make(analysis)]
    return [one for one in made if any(mark.estimate.value is not None for mark in one.marks)]
