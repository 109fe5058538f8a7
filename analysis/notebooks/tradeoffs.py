import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="trilemma: trade-offs")


@app.cell
def _():
    import marimo as mo
    from trilemma_analysis import notebook_controls as page
    from trilemma_analysis.notebook_parts import show_table
    from trilemma_analysis.report.charts import draw_gate, draw_latency, draw_tradeoff
    from trilemma_analysis.report.tables import tabulate_combinations, tabulate_gate
    return (
        draw_gate,
        draw_latency,
        draw_tradeoff,
        mo,
        page,
        show_table,
        tabulate_combinations,
        tabulate_gate,
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
def _(mo, page):
    given = mo.cli_args()
    store = page.offer_store(given)
    store
    return given, store


@app.cell(hide_code=True)
def _(given, page, store):
    tasks = page.list_tasks(store.value)
    task, margin_points, confidence = page.offer_choices(tasks, given)
    return confidence, margin_points, task, tasks


@app.cell(hide_code=True)
def _(confidence, given, margin_points, mo, page, task, tasks):
    period = page.offer_period(tasks[task.value], given)
    mo.hstack([task, period, margin_points, confidence], justify="start", gap=2, wrap=True)
    return (period,)


@app.cell(hide_code=True)
def _(confidence, margin_points, page, period, store, task):
    report = page.ask_report(
        store.value,
        None,
        task=task.value,
        margin_points=margin_points.value,
        confidence=confidence.value,
        days=period.value,
    )
    return (report,)


@app.cell(hide_code=True)
def _(page, report):
    page.show_summary(report)
    return


@app.cell(hide_code=True)
def _(draw_tradeoff, mo, report):
    mo.vstack(
        [
            mo.md("## The frontier"),
            draw_tradeoff(report.tasks[0], width=720)
            or mo.md("No combination has both outcomes and costs in this period."),
        ]
    )
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_effects(report)
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_findings(report)
    return


@app.cell(hide_code=True)
def _(mo, report, show_table, tabulate_combinations):
    mo.vstack(
        [
            mo.md("## All combinations"),
            mo.md(
                "*On frontier* is the share of resampled data sets in which no other combination was as good in "
                "success, cost and latency and better in one of them."
            ),
            mo.Html(show_table(tabulate_combinations(report.tasks[0]))),
        ]
    )
    return


@app.cell(hide_code=True)
def _(draw_gate, mo, report, show_table, tabulate_gate):
    mo.vstack(
        [
            mo.md("## Is the cheaper or faster one safe?"),
            draw_gate(report.tasks[0]) or mo.md("No combination is cheaper or faster than the baseline."),
            mo.Html(show_table(tabulate_gate(report.tasks[0]))) if report.tasks[0].gates else mo.md(""),
        ]
    )
    return


@app.cell(hide_code=True)
def _(draw_latency, mo, report):
    mo.vstack([mo.md("## Latency"), draw_latency(report.tasks[0]) or mo.md("Nothing was timed in this period.")])
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_sql(report)
    return


if __name__ == "__main__":
    app.run()
