import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="trilemma: trade-offs")


@app.cell
def _():
    import marimo as mo
    from trilemma.errors import TrilemmaError
    from trilemma_analysis.client import DEFAULT_STORE, connect
    from trilemma_analysis.notebook_parts import list_choices, read_days, show_finding, show_notes, show_table
    from trilemma_analysis.report import build_report
    from trilemma_analysis.report.charts import draw_gate, draw_latency, draw_tradeoff
    from trilemma_analysis.report.tables import describe_period, tabulate_combinations, tabulate_gate
    from trilemma_analysis.wording import say_count, with_interval

    return (
        DEFAULT_STORE,
        TrilemmaError,
        build_report,
        connect,
        describe_period,
        draw_gate,
        draw_latency,
        draw_tradeoff,
        list_choices,
        mo,
        read_days,
        say_count,
        show_finding,
        show_notes,
        show_table,
        tabulate_combinations,
        tabulate_gate,
        with_interval,
    )


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Quality, cost, latency: which combination does the task?

    A **combination** is the model, prompt, context, guardrails, route, fallback and cache that a run of a task used.
    Choose a task, the loss of success you would accept (the **margin**), and a period. Every figure comes with its
    interval; a candidate is called *safe* only if it is shown to lose less than the margin, on the same inputs where
    there are some, and corrected for the number of candidates.
    """)
    return


@app.cell(hide_code=True)
def _(DEFAULT_STORE, mo):
    import os

    options = mo.cli_args()
    store_address = mo.ui.text(
        value=str(options.get("store") or os.environ.get("TRILEMMA_STORE") or DEFAULT_STORE),
        label="Store",
        full_width=True,
    )
    store_address
    return options, store_address


@app.cell(hide_code=True)
def _(TrilemmaError, connect, list_choices, mo, store_address):
    choices, _problem = {}, "The store holds no task runs yet: trace some, or load a log with `trilemma import`."
    try:
        with connect(store_address.value) as _store:
            choices = {choice.task: choice for choice in list_choices(_store)}
    except TrilemmaError as _error:
        if mo.app_meta().mode == "script":
            raise
        _problem = str(_error)
    mo.stop(not choices, mo.callout(_problem, kind="danger"))
    return (choices,)


@app.cell(hide_code=True)
def _(choices, mo, options):
    _names = {f"{choice.task} ({choice.runs:,} runs)": choice.task for choice in choices.values()}
    _wanted = options.get("task")
    task = mo.ui.dropdown(
        options=_names,
        value=next((shown for shown, name in _names.items() if name == _wanted), next(iter(_names))),
        label="Task",
    )
    margin_points = mo.ui.slider(
        start=0.5,
        stop=20,
        step=0.5,
        value=float(options.get("margin") or 0.05) * 100,
        label="Margin (points of success rate)",
        show_value=True,
        debounce=True,
    )
    _level = float(options.get("confidence") or 0.95)
    confidence = mo.ui.dropdown(
        options={f"{level * 100:g} %": level for level in sorted({0.9, 0.95, 0.99, _level})},
        value=f"{_level * 100:g} %",
        label="Confidence",
    )
    return confidence, margin_points, task


@app.cell(hide_code=True)
def _(choices, mo, options, task):
    _choice = choices[task.value]
    period = mo.ui.date_range(
        start=_choice.first,
        stop=_choice.last,
        value=_choice.choose_days(options.get("since"), options.get("until")),
        label="Period (days, UTC)",
    )
    return (period,)


@app.cell(hide_code=True)
def _(confidence, margin_points, mo, period, task):
    mo.hstack([task, period, margin_points, confidence], justify="start", gap=2, wrap=True)
    return


@app.cell(hide_code=True)
def _(
    TrilemmaError,
    build_report,
    confidence,
    connect,
    margin_points,
    mo,
    period,
    read_days,
    store_address,
    task,
):
    report, _problem = None, "The task has no runs in this period."
    try:
        with mo.status.spinner("Asking the store ..."), connect(store_address.value) as _store:
            report = build_report(
                _store,
                task=task.value,
                margin=margin_points.value / 100,
                confidence=confidence.value,
                **read_days(period.value),
            )
    except TrilemmaError as _error:
        if mo.app_meta().mode == "script":
            raise
        _problem = str(_error)
    mo.stop(report is None or not report.tasks, mo.callout(_problem, kind="danger"))
    found = report.tasks[0]
    return found, report


@app.cell(hide_code=True)
def _(describe_period, found, mo, report, say_count, with_interval):
    _baseline = next((one for one in found.combinations if one.is_baseline), None)
    _verdicts = [gate.verdict for gate in found.gates]
    mo.vstack(
        [
            mo.md(f"## {found.name}\n{describe_period(report)}"),
            mo.hstack(
                [
                    mo.stat(say_count(found.runs), label="Runs", caption=f"{len(found.combinations)} combinations"),
                    mo.stat(
                        with_interval(_baseline.success) if _baseline else "?",
                        label="Success of the baseline",
                        caption=found.baseline or found.baseline_reason,
                    ),
                    mo.stat(
                        " / ".join(str(_verdicts.count(kind)) for kind in ("safe", "worse", "not enough data")),
                        label="Candidates: safe / worse / not enough data",
                        caption=f"margin {found.margin * 100:g} points, {found.confidence * 100:g} % confidence",
                    ),
                ],
                widths="equal",
                gap=1,
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _(draw_tradeoff, found, mo):
    mo.vstack(
        [
            mo.md("## The frontier"),
            draw_tradeoff(found, width=720) or mo.md("No combination has both outcomes and costs in this period."),
        ]
    )
    return


@app.cell(hide_code=True)
def _(found, mo, report, show_finding, show_notes):
    _kinds = {"act": "success", "don't": "warn", "not enough data": "info"}
    _notes = show_notes(found)
    mo.vstack(
        [
            mo.md("## Findings\nClick one for what was seen, what it does, what to change and how to check it."),
            *[
                mo.callout(mo.Html(show_finding(finding)), kind=_kinds[finding.verdict])
                for finding in report.findings
            ],
            mo.md("Nothing to change was found in this period.") if not report.findings else mo.md(""),
            mo.accordion({"Before you believe the figures": mo.Html(_notes)}) if _notes else mo.md(""),
        ]
    )
    return


@app.cell(hide_code=True)
def _(found, mo, show_table, tabulate_combinations):
    mo.vstack(
        [
            mo.md("## All combinations"),
            mo.md(
                "*On frontier* is the share of resampled data sets in which no other combination was as good in "
                "success, cost and latency and better in one of them."
            ),
            mo.Html(show_table(tabulate_combinations(found))),
        ]
    )
    return


@app.cell(hide_code=True)
def _(draw_gate, found, mo, show_table, tabulate_gate):
    mo.vstack(
        [
            mo.md("## Is the cheaper or faster one safe?"),
            draw_gate(found) or mo.md("No combination is cheaper or faster than the baseline."),
            mo.Html(show_table(tabulate_gate(found))) if found.gates else mo.md(""),
        ]
    )
    return


@app.cell(hide_code=True)
def _(draw_latency, found, mo):
    mo.vstack([mo.md("## Latency"), draw_latency(found) or mo.md("Nothing was timed in this period.")])
    return


@app.cell(hide_code=True)
def _(mo, report):
    mo.accordion(
        {
            "The SQL behind the figures": mo.vstack(
                [mo.md(f"**{name}**\n```sql\n{sql}\n```") for name, sql in report.questions.items()]
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
