"""Own how charts look: colours by role, titles, fonts, and the SVG that a page holds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

import altair as alt

if TYPE_CHECKING:
    from trilemma_analysis.estimate import Estimate

Drawing: TypeAlias = "alt.LayerChart | alt.FacetChart | alt.VConcatChart"

__all__ = ["CSS", "LIGHT", "ROW_PX", "Drawing", "Palette", "bound", "finish", "to_svg", "write_title"]

ROW_PX = 22
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Palette:
    """Colours by role, after Okabe and Ito 2008; verdicts differ in shape too, for those who see hues alike."""

    ink: str
    muted: str
    grid: str
    baseline: str
    safe: str
    worse: str
    open: str
    other: str
    more: str


LIGHT = Palette("#1f2328", "#59636e", "#e3e6ea", "#1f2328", "#00795a", "#c2500a", "#946200", "#0a6aa6", "#8a4d9e")
# In a page the colours are CSS variables, so that one drawing serves light and dark.
CSS = Palette(*(f"var(--{one.name})" for one in fields(Palette)))


def to_svg(chart: Any) -> str:
    """Return a chart as an SVG text, the same for the same chart."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def bound(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """Return value and ends; an end that is not bounded falls on the value, so that no bar is drawn to it."""
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}


def write_title(text: str, subtitle: str, palette: Palette) -> alt.TitleParams:
    """Return a title, and below it n and the level of the intervals."""
    return alt.TitleParams(
        text,
        subtitle=subtitle,
        anchor="start",
        fontSize=15,
        fontWeight=600,
        color=palette.ink,
        subtitleColor=palette.muted,
        subtitleFontSize=11.5,
        offset=14,
        frame="bounds",
    )


def finish(chart: Drawing, palette: Palette) -> Drawing:
    """Return a chart in our font and colours."""
    text = {
        "labelColor": palette.muted,
        "titleColor": palette.muted,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": 500,
    }
    finished: Drawing = (
        chart.configure(font=FONT, background="transparent", padding=6)
        .configure_view(stroke=None)
        .configure_axis(gridColor=palette.grid, domainColor=palette.grid, tickColor=palette.grid, **text)
        .configure_legend(orient="bottom", labelColor=palette.ink, labelFontSize=11, symbolSize=70, symbolOpacity=1)
    )
    return finished
