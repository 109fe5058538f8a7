"""Own the picture as data: marks with their intervals, which a report keeps and any renderer draws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from trilemma_analysis.estimate import Estimate, Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Frame", "Mark", "Moment", "Picture"]


class Mark(Frozen):
    """One figure of a picture, with its interval and its n."""

    name: str
    """Its row; in a picture over time, its line."""
    group: str = ""
    """What its colour and shape tell apart within a row."""
    at: datetime | None = None
    """When, in a picture over time: the start of the bucket."""
    estimate: Estimate


class Moment(Frozen):
    """A time worth a line across a picture over time, and which of its lines it is about."""

    at: datetime
    line: str
    name: str


class Picture(Frozen):
    """What one question about one task looks like."""

    topic: str
    """The notebook, and the section of the report, that it belongs to."""
    task: str
    title: str
    form: Literal["dots", "bars", "lines"]
    """Figures with intervals in rows, the same from 0 on, or over time."""
    axis: str
    """What the axis of the figures shows, with its unit."""
    marks: tuple[Mark, ...]
    moments: tuple[Moment, ...] = ()
    is_change: bool = False
    """Whether the figures are differences or ratios, not amounts as they stand."""
    confidence: float
    questions: tuple[str, ...]
    """Names of the SQL questions whose rows it was made of."""


@dataclass(frozen=True)
class Frame:
    """What all pictures of one topic and task share."""

    topic: str
    task: str
    confidence: float

    def draw(
        self,
        title: str,
        axis: str,
        marks: Sequence[Mark],
        *,
        question: str,
        form: Literal["dots", "bars", "lines"] = "dots",
        moments: Sequence[Moment] = (),
        is_change: bool = False,
    ) -> Picture:
        """Return a picture of marks that come from one SQL question."""
        return Picture(
            topic=self.topic,
            task=self.task,
            title=title,
            form=form,
            axis=axis,
            marks=tuple(marks),
            moments=tuple(moments),
            is_change=is_change,
            confidence=self.confidence,
            questions=(question,),
        )
