"""Own the charts of a task: Altair drawings, which the HTML report turns to SVG and notebooks show as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from trilemma_analysis.report.placing import choose_labels, find_domains, shorten
from trilemma_analysis.report.style import LIGHT, ROW_PX, bound, finish, write_title
from trilemma_analysis.wording import say_count, say_money, say_ratio, say_seconds, say_share

if TYPE_CHECKING:
    from trilemma_analysis.report.model import Combination, Gate, TaskReport
    from trilemma_analysis.report.style import Drawing, Palette

__all__ = ["draw_gate", "draw_latency", "draw_tradeoff"]

SHOWN = 24  # combinations in one chart; the table has them all
HEIGHT_PX = 360
VERDICTS = ("safe", "not enough data", "worse")
ROLES = ("baseline", *VERDICTS, "not cheaper or faster")
SHAPES = ("diamond", "circle", "triangle-up", "cross", "square")


def draw_tradeoff(task: TaskReport, palette: Palette = LIGHT, width: int = 820) -> Drawing | None:
    """Draw success against cost per run, with intervals and rings on the frontier. None without outcomes or costs."""
    shown = [one for one in choose_shown(task) if one.success.value is not None and one.cost_per_run is not None]
    if not shown:
        return None
    rows = _read_tradeoff(task, shown)
    logarithmic = all(row["cost"] > 0 for row in rows)
    costs, rates = find_domains(rows, logarithmic=logarithmic)
    choose_labels(rows, costs, rates, (width, HEIGHT_PX), logarithmic=logarithmic)
    # Every layer has the same scales: one without them would bring 0 into the axis.
    scale = alt.Scale(type="log" if logarithmic else "linear", nice=False, domain=costs)
    x = alt.X("cost:Q", title=_name_cost(task, logarithmic=logarithmic), scale=scale, axis=_money_axis(task))
    y_scale = alt.Scale(domain=rates, nice=False)
    y = alt.Y("success:Q", title="success rate", scale=y_scale, axis=alt.Axis(format=".0%"))
    base = alt.Chart(alt.InlineData(values=rows))
    marks = [
        base.mark_rule(strokeWidth=1.4, opacity=0.6).encode(
            x=x, y=alt.Y("success_low:Q", scale=y_scale), y2="success_high:Q", color=_color(palette)
        ),
        base.mark_rule(strokeWidth=1.4, opacity=0.6).encode(
            x=alt.X("cost_low:Q", scale=scale), x2="cost_high:Q", y=y, color=_color(palette)
        ),
        base.transform_filter("datum.frontier")
        .mark_point(shape="circle", size=260, strokeWidth=1.3, color=palette.muted, opacity=1)
        .encode(x=x, y=y),
        base.mark_point(filled=True, size=75, opacity=1).encode(
            x=x,
            y=y,
            color=_color(palette),
            shape=_shape(),
            tooltip=["name:N", "role:N", "success_text:N", "cost_text:N", "p50_text:N", "n:Q", "probability:Q"],
        ),
        base.mark_text(align="left", dx=14, dy=-8, fontSize=11, color=palette.ink).encode(x=x, y=y, text="label:N"),
    ]
    title = write_title(
        "Success against cost",
        f"{_count(shown, task)}; bars: {_level(task)} intervals; ring: on the frontier (with p50 latency)",
        palette,
    )
    return finish(alt.layer(*marks).properties(width=width, height=HEIGHT_PX, title=title), palette)


def draw_gate(task: TaskReport, palette: Palette = LIGHT, width: int = 480) -> Drawing | None:
    """Draw each candidate's difference in success from the baseline, with the margin. None without candidates."""
    gates = task.gates[:SHOWN]
    if not gates:
        return None
    rows: list[dict[str, Any]] = [
        {
            "name": shorten(one.candidate),
            "role": one.verdict,
            **bound("difference", one.difference),
            "text": _say_gate(one),
        }
        for one in gates
    ]
    order = [row["name"] for row in rows]
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, grid=False))
    x = alt.X("difference:Q", title="success rate, candidate minus baseline", axis=alt.Axis(format="+.0%"))
    base = alt.Chart(alt.InlineData(values=rows))
    margin = alt.Chart(alt.InlineData(values=[{"at": -task.margin}]))
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}]))
    marks = [
        zero.mark_rule(color=palette.muted).encode(x="at:Q"),
        margin.mark_rule(color=palette.worse, strokeDash=[5, 3]).encode(x="at:Q"),
        base.mark_rule(strokeWidth=2).encode(
            y=y, x=alt.X("difference_low:Q"), x2="difference_high:Q", color=_color(palette, VERDICTS)
        ),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            y=y,
            x=x,
            color=_color(palette, VERDICTS),
            shape=_shape(VERDICTS),
        ),
        base.mark_text(align="left", color=palette.muted, fontSize=11).encode(
            y=y, x=alt.value(width + 8), text="text:N"
        ),
    ]
    more = (
        f"{len(gates)} of {len(task.gates)} candidates"
        if len(task.gates) > len(gates)
        else f"{len(gates)} candidate(s)"
    )
    title = write_title(
        "Is the cheaper or faster one safe?",
        f"{more}; bars: {_level(task)} intervals; dashed: the margin of {task.margin * 100:g} points",
        palette,
    )
    return finish(alt.layer(*marks).properties(width=width, height=alt.Step(ROW_PX), title=title), palette)


def draw_latency(task: TaskReport, palette: Palette = LIGHT, width: int = 640) -> Drawing | None:
    """Draw p50 and p95 latency of each combination with their intervals. None where nothing was timed."""
    shown = [one for one in choose_shown(task) if one.latency_p50.value]
    if not shown:
        return None
    rows: list[dict[str, Any]] = [
        {"name": shorten(one.name), "quantile": quantile, **bound("latency", estimate)}
        for one in sorted(shown, key=lambda one: one.latency_p50.value or 0.0)
        for quantile, estimate in (("p50", one.latency_p50), ("p95", one.latency_p95))
    ]
    order = list(dict.fromkeys(row["name"] for row in rows))
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, grid=False))
    x = alt.X(
        "latency:Q", title="latency of a run (s, log scale)", scale=alt.Scale(type="log"), axis=alt.Axis(format="~g")
    )
    color = alt.Color(
        "quantile:N", title=None, scale=alt.Scale(domain=["p50", "p95"], range=[palette.other, palette.worse])
    )
    base = alt.Chart(alt.InlineData(values=rows))
    marks = [
        base.mark_rule(strokeWidth=2).encode(y=y, x=alt.X("latency_low:Q"), x2="latency_high:Q", color=color),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            y=y,
            x=x,
            color=color,
            shape=alt.Shape(
                "quantile:N", title=None, scale=alt.Scale(domain=["p50", "p95"], range=["circle", "square"])
            ),
        ),
    ]
    title = write_title(
        "Latency, failures included",
        f"{_count(shown, task)}; bars: {_level(task)} intervals; no bar to the right: too few runs to bound it",
        palette,
    )
    return finish(alt.layer(*marks).properties(width=width, height=alt.Step(ROW_PX), title=title), palette)


def choose_shown(task: TaskReport) -> list[Combination]:
    """Return the combinations a chart has room for: baseline, frontier, then by success."""

    def rank(one: Combination) -> tuple[bool, float]:
        return not (one.is_baseline or bool(one.on_frontier)), -(one.success.value or 0.0)

    return sorted(task.combinations, key=rank)[:SHOWN]


def _read_tradeoff(task: TaskReport, shown: list[Combination]) -> list[dict[str, Any]]:
    roles = _name_roles(task)
    return [
        {
            "name": one.name,
            "role": roles[one.name],
            **bound("success", one.success),
            **bound("cost", one.cost_per_run),
            "frontier": bool(one.on_frontier),
            "probability": one.frontier_probability,
            "n": one.success.n,
            "success_text": say_share(one.success.value),
            "cost_text": say_money(one.cost_per_run.value if one.cost_per_run else None, task.currency),
            "p50_text": say_seconds(one.latency_p50.value),
        }
        for one in shown
    ]


def _name_cost(task: TaskReport, *, logarithmic: bool) -> str:
    return f"cost per run ({task.currency or 'currency not stated'}{', log scale' if logarithmic else ''})"


def _name_roles(task: TaskReport) -> dict[str, str]:
    verdicts = {gate.candidate: gate.verdict for gate in task.gates}
    return {
        one.name: "baseline" if one.is_baseline else verdicts.get(one.name, "not cheaper or faster")
        for one in task.combinations
    }


def _say_gate(gate: Gate) -> str:
    cost = f"cost {say_ratio(gate.cost_ratio.value)}" if gate.cost_ratio else "cost ?"
    return f"{gate.verdict} · n {say_count(gate.n)} · {cost}"


def _color(palette: Palette, roles: tuple[str, ...] = ROLES) -> alt.Color:
    colours = dict(
        zip(ROLES, (palette.baseline, palette.safe, palette.open, palette.worse, palette.other), strict=True)
    )
    return alt.Color("role:N", title=None, scale=alt.Scale(domain=roles, range=[colours[role] for role in roles]))


def _shape(roles: tuple[str, ...] = ROLES) -> alt.Shape:
    shapes = dict(zip(ROLES, SHAPES, strict=True))
    return alt.Shape("role:N", title=None, scale=alt.Scale(domain=roles, range=[shapes[role] for role in roles]))


def _money_axis(task: TaskReport) -> alt.Axis:
    return alt.Axis(format="$~g" if task.currency == "USD" else "~g", tickCount=6)


def _level(task: TaskReport) -> str:
    return f"{task.confidence * 100:g} %"


def _count(shown: list[Combination], task: TaskReport) -> str:
    if len(shown) < len(task.combinations):
        return f"{len(shown)} of {len(task.combinations)} combinations"
    return f"{len(shown)} combination(s), {say_count(task.runs)} runs"
