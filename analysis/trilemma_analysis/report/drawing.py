"""Own how a picture is drawn: figures with intervals in rows, as bars from 0, or over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trilemma_analysis.report.placing import shorten
from trilemma_analysis.report.style import LIGHT, bound, finish, write_title
from trilemma_analysis.wording import say_change, say_count, with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.pictures import Mark, Moment, Picture
    from trilemma_analysis.report.style import Drawing, Palette

__all__ = ["axis_of", "draw_picture"]

WIDTH_PX = 480  # of rows, whose names stand to the left and whose figures to the right
LINE_PX = (760, 240)
PANEL_PX = 96
TOGETHER = 2  # lines in one panel
ROW_PX = 24
GROUP_PX = 17
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 1], [1, 3])


def draw_picture(picture: Picture, palette: Palette = LIGHT) -> Drawing:
    """Draw one picture with its intervals, its n and its unit."""
    return _draw_lines(picture, palette) if picture.form == "lines" else _draw_rows(picture, palette)


def _draw_rows(picture: Picture, palette: Palette) -> Drawing:
    marks = [one for one in picture.marks if one.estimate.value is not None]
    rows = [_read_mark(one) | {"text": _say(one, is_change=picture.is_change)} for one in marks]
    groups = list(dict.fromkeys(one.group for one in marks))
    grouped = len(groups) > 1 and len({one.name for one in marks}) < len(marks)
    base = alt.Chart(alt.InlineData(values=rows))
    order = list(dict.fromkeys(row["name"] for row in rows))
    y: dict[str, Any] = {"y": alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, grid=False))}
    if grouped:
        y["yOffset"] = alt.YOffset("group:N", sort=groups)
    scale = alt.Scale(zero=picture.form == "bars", nice=True)
    x = alt.X("value:Q", title=picture.axis, axis=axis_of(picture), scale=scale)
    color, shape = _color(groups, palette), _shape(groups)
    layers = [
        base.mark_rule(strokeWidth=2).encode(**y, x=alt.X("value_low:Q", scale=scale), x2="value_high:Q", color=color),
        base.mark_point(filled=True, size=62, opacity=1).encode(**y, x=x, color=color, shape=shape),
        base.mark_text(align="left", color=palette.muted, fontSize=11).encode(
            **y, x=alt.value(WIDTH_PX + 10), text="text:N"
        ),
    ]
    if picture.is_change:
        same = alt.Chart(alt.InlineData(values=[{"at": 1 if marks[0].estimate.unit == "ratio" else 0}]))
        layers.insert(0, same.mark_rule(color=palette.muted).encode(x=alt.X("at:Q", scale=scale)))
    if picture.form == "bars":
        layers.insert(0, base.mark_bar(opacity=0.28).encode(**y, x=x, color=color))
    step = alt.Step(GROUP_PX if grouped else ROW_PX)
    chart = alt.layer(*layers).properties(width=WIDTH_PX, height=step, title=_title(picture, palette))
    return finish(chart, palette)


def _draw_lines(picture: Picture, palette: Palette) -> Drawing:
    """Draw up to two lines in one panel, more in one panel each, as bands would hide each other."""
    marks = [one for one in picture.marks if one.estimate.value is not None and one.at is not None]
    rows = [_read_mark(one) | {"at": one.at.isoformat()} for one in marks if one.at is not None]
    names = list(dict.fromkeys(row["name"] for row in rows))
    if len(names) <= TOGETHER:
        panel = _draw_panel(picture, rows, names, palette)
        return finish(panel.properties(title=_title(picture, palette)), palette)
    panels = [
        _draw_panel(picture, rows, names, palette, only=name).properties(
            title=alt.TitleParams(name, anchor="start", fontSize=11.5, fontWeight=500, color=palette.ink)
        )
        for name in names
    ]
    alike = picture.marks[0].estimate.unit == "share"  # amounts may differ by orders of magnitude
    stacked = alt.vconcat(*panels, spacing=8).resolve_scale(x="shared", y="shared" if alike else "independent")
    return finish(stacked.properties(title=_title(picture, palette)), palette)


def _draw_panel(
    picture: Picture, rows: list[dict[str, Any]], names: list[str], palette: Palette, only: str = ""
) -> Drawing:
    base = alt.Chart(alt.InlineData(values=[row for row in rows if only in {"", row["name"]}]))
    axis = alt.Axis(grid=False, labelOverlap=True, labels=only in {"", names[-1]}, ticks=only in {"", names[-1]})
    title = "time (UTC)" if only in {"", names[-1]} else None
    x = alt.X("at:T", title=title, scale=alt.Scale(type="utc"), axis=axis)
    scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("value:Q", title=None if only else picture.axis, axis=axis_of(picture, 3 if only else 6), scale=scale)
    color = _color(names, palette, "name", shown=not only)
    dash = alt.StrokeDash("name:N", title=None, legend=None, scale=alt.Scale(domain=names, range=_cycle(DASHES, names)))
    layers = [
        base.mark_area(opacity=0.16).encode(x=x, y=alt.Y("value_low:Q", scale=scale), y2="value_high:Q", color=color),
        base.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=color, strokeDash=dash),
        base.mark_point(filled=True, size=34, opacity=1).encode(
            x=x, y=y, color=color, shape=_shape(names, "name", shown=not only)
        ),
    ]
    moments = [one for one in picture.moments if only in {"", shorten(one.line)}]
    if moments:
        layers += _draw_moments(moments, palette, say_line=not only and len(names) > 1)
    return alt.layer(*layers).properties(width=LINE_PX[0], height=PANEL_PX if only else LINE_PX[1])


def _draw_moments(moments: list[Moment], palette: Palette, *, say_line: bool) -> list[alt.Chart]:
    said = [f"{shorten(one.line)} {one.name}" if say_line else one.name for one in moments]
    rows = [{"at": one.at.isoformat(), "name": name} for one, name in zip(moments, said, strict=True)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("at:T", scale=alt.Scale(type="utc")))
    return [
        base.mark_rule(color=palette.ink, strokeWidth=1.3, strokeDash=[5, 3]),
        base.mark_text(color=palette.ink, baseline="bottom", fontSize=11).encode(y=alt.value(-3), text="name:N"),
    ]


def _read_mark(mark: Mark) -> dict[str, Any]:
    return {"name": shorten(mark.name), "group": shorten(mark.group), **bound("value", mark.estimate)}


def _say(mark: Mark, *, is_change: bool) -> str:
    one = mark.estimate
    if is_change:
        said = say_change(one)
    elif one.unit == "tokens":
        low, high = ("…" if end is None else say_count(end) for end in (one.low, one.high))
        said = f"{say_count(one.value)} ({low} to {high})"
    elif one.unit == "alpha":
        low, high = ("…" if end is None else f"{end:.2f}" for end in (one.low, one.high))
        said = f"{one.value:.2f} ({low} to {high})"
    else:
        said = with_interval(one)
    return f"{said} · n {say_count(one.n)}"


def axis_of(picture: Picture, ticks: int = 6) -> alt.Axis:
    """Return the axis of a picture's figures, by their unit."""
    unit = picture.marks[0].estimate.unit
    shares = "+.2~%" if picture.is_change else ".2~%"
    written = {"share": shares, "USD": "$~g", "tokens": "~s"}.get(unit, "~g")
    return alt.Axis(format=written, tickCount=ticks)


def _color(names: list[str], palette: Palette, field: str = "group", *, shown: bool = True) -> alt.Color:
    colours = (palette.other, palette.worse, palette.safe, palette.open, palette.more, palette.ink)
    scale = alt.Scale(domain=names, range=_cycle(colours, names))
    return alt.Color(f"{field}:N", title=None, scale=scale, legend=_legend(names, shown=shown))


def _shape(names: list[str], field: str = "group", *, shown: bool = True) -> alt.Shape:
    scale = alt.Scale(domain=names, range=_cycle(SHAPES, names))
    return alt.Shape(f"{field}:N", title=None, scale=scale, legend=_legend(names, shown=shown))


def _legend(names: list[str], *, shown: bool) -> alt.Legend | None:
    return alt.Legend(columns=2, labelLimit=340) if shown and len(names) > 1 else None


def _cycle(values: Sequence[Any], names: list[str]) -> list[Any]:
    return [values[i % len(values)] for i in range(len(names))]


def _title(picture: Picture, palette: Palette) -> alt.TitleParams:
    """Return the title, with n and the level of the intervals below it."""
    level = f"{picture.confidence * 100:g} % intervals"
    if picture.form != "lines":
        drawn = "bars" if picture.form == "dots" else "whiskers"
        return write_title(picture.title, f"{drawn}: {level}; n beside each", palette)
    counts = [one.estimate.n for one in picture.marks]
    least, most = say_count(min(counts)), say_count(max(counts))
    said = f"bands: {level}; n = {least if least == most else f'{least} to {most}'} per point"
    names = list(dict.fromkeys(one.name for one in picture.marks))
    if len(names) > TOGETHER:
        said = f"{picture.axis}; {said}"  # panels are too low for it
    elif len(names) == 1:
        said = f"{names[0]}; {said}"
    if not picture.moments:
        return write_title(picture.title, said, palette)
    title = write_title(picture.title, f"{said}; dashed: a change beyond chance", palette)
    title.offset = 26  # the moments' names stand between
    return title
