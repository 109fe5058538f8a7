"""Own the chart of what findings say a change does: each effect with its interval, its n and its verdict's colour."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt

from trilemma_analysis.report.placing import shorten
from trilemma_analysis.report.style import LIGHT, bound, finish, write_title
from trilemma_analysis.wording import say_change, say_count, with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.findings import Effect, Finding
    from trilemma_analysis.report.style import Drawing, Palette

__all__ = ["draw_effects"]

SHOWN = 24  # effects in one panel; the findings say them all
ROW_PX = 50
WIDTH_PX = 380
LINE_LENGTH = 54
SIDES = {"quality": "circle", "cost": "square", "latency": "diamond"}
VERDICTS = ("act", "don't", "not enough data")
PANELS = {
    "difference": ("Change of a share", "with the change minus without", "+.2~%"),
    "ratio": ("Change of an amount", "with the change over without (1: the same; log scale)", "~g"),
    "share": ("Shares as they are", "share", ".2~%"),
    "s": ("Times as they are", "seconds", "~g"),
}


def draw_effects(findings: Sequence[Finding], palette: Palette = LIGHT, confidence: float = 0.95) -> Drawing | None:
    """Draw the effects of findings, those of one unit in one panel. None where no finding has an effect."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        for effect in finding.effects:
            if effect.estimate.value is not None:
                panels.setdefault(_name_panel(effect), []).append(_read(finding, effect))
    if not panels:
        return None
    order = [*(name for name in PANELS if name in panels), *sorted(panels.keys() - PANELS.keys())]
    charts = [_draw_panel(name, panels[name], palette) for name in order]
    title = write_title(
        "What the findings say a change does", f"bars: {confidence * 100:g} % intervals; n beside each", palette
    )
    return finish(
        alt.vconcat(*charts, spacing=22).resolve_scale(color="shared", shape="shared").properties(title=title), palette
    )


def _name_panel(effect: Effect) -> str:
    unit = effect.estimate.unit
    if unit == "share" and not effect.is_level:
        return "difference"
    return unit


def _read(finding: Finding, effect: Effect) -> dict[str, Any]:
    one = effect.estimate
    say = with_interval if effect.is_level or one.unit not in {"share", "ratio"} else say_change
    return {
        "name": "\n".join([*_wrap(finding.title.removeprefix(f"{finding.task}: ")), shorten(effect.what)]),
        "verdict": finding.verdict.value,
        "side": effect.side,
        **bound("value", one),
        "text": f"{say(one)} · n {say_count(one.n)}",
    }


def _wrap(text: str) -> list[str]:
    """Return a title in two lines at most."""
    first, *rest = textwrap.wrap(text, LINE_LENGTH) or [""]
    return [first, textwrap.shorten(" ".join(rest), LINE_LENGTH, placeholder=" …")] if rest else [first]


def _draw_panel(name: str, rows: list[dict[str, Any]], palette: Palette) -> Drawing:
    head, meant, _ = _describe_panel(name)
    shown = _number(rows[:SHOWN])
    left_out = f"; {len(rows) - SHOWN} more are left out" if len(rows) > SHOWN else ""
    base = alt.Chart(alt.InlineData(values=shown))
    labels = alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=330, grid=False, labelLineHeight=13)
    y = alt.Y("name:N", sort=[row["name"] for row in shown], title=None, axis=labels)
    scale, axis = _scale(shown, name), _axis(shown, name)
    x = alt.X("value:Q", title=f"{head.lower()}: {meant}", scale=scale, axis=axis)
    layers = [
        base.mark_rule(strokeWidth=2).encode(
            y=y, x=alt.X("value_low:Q", scale=scale), x2="value_high:Q", color=_color(palette)
        ),
        base.mark_point(filled=True, size=70, opacity=1).encode(y=y, x=x, color=_color(palette), shape=_shape()),
        base.mark_text(align="left", color=palette.muted, fontSize=11).encode(
            y=y, x=alt.value(WIDTH_PX + 8), text="text:N"
        ),
    ]
    if name in {"difference", "ratio"}:
        same = alt.Chart(alt.InlineData(values=[{"at": 1 if name == "ratio" else 0}]))
        layers.insert(0, same.mark_rule(color=palette.muted).encode(x=alt.X("at:Q", scale=scale)))
    title = alt.TitleParams(f"{head}{left_out}", anchor="start", fontSize=12, fontWeight=600, color=palette.ink)
    return alt.layer(*layers).properties(width=WIDTH_PX, height=alt.Step(ROW_PX), title=title)


def _describe_panel(name: str) -> tuple[str, str, str]:
    return PANELS.get(name, ("Amounts as they are", name, "$~g" if name == "USD" else "~g"))


def _is_logarithmic(rows: list[dict[str, Any]], name: str) -> bool:
    return name == "ratio" and all(row["value_low"] > 0 for row in rows)


def _scale(rows: list[dict[str, Any]], name: str) -> alt.Scale:
    if not _is_logarithmic(rows, name):
        return alt.Scale(zero=False, nice=True)
    low, high = min(row["value_low"] for row in rows), max(row["value_high"] for row in rows)
    return alt.Scale(type="log", nice=False, domain=[min(low, 1) / 1.15, max(high, 1) * 1.15])


def _axis(rows: list[dict[str, Any]], name: str) -> alt.Axis:
    written = _describe_panel(name)[2]
    if not _is_logarithmic(rows, name):
        return alt.Axis(format=written, tickCount=6)
    return alt.Axis(format=written, values=[part * 10.0**power for power in range(-4, 5) for part in (1, 2, 5)])


def _number(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with distinct names: rows of the same words would be drawn over each other."""
    seen: dict[str, int] = {}
    named = []
    for row in rows:
        count = seen[row["name"]] = seen.get(row["name"], 0) + 1
        named.append(row if count == 1 else row | {"name": f"{row['name']} ({count})"})
    return named


def _color(palette: Palette) -> alt.Color:
    colours = [palette.safe, palette.worse, palette.open]
    return alt.Color("verdict:N", title=None, scale=alt.Scale(domain=VERDICTS, range=colours))


def _shape() -> alt.Shape:
    return alt.Shape("side:N", title=None, scale=alt.Scale(domain=list(SIDES), range=list(SIDES.values())))
