import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="trilemma: drift")


@app.cell
def _():
    import marimo as mo
    from trilemma_analysis import notebook_controls as page
    return mo, page


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Drift and mix: did something change, and was it the work or the worker?

    Success, latency and cost are drawn over time for each combination, with bands for their intervals. A **dashed line**
    marks a change that stands against chance, after paying for every time it could have been at. Below them is the
    **mix**: who did the work, and what work came in. A rate that falls because harder work came in is not drift.
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
        "drift",
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
def _(page, report):
    page.show_effects(report)
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_findings(report)
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_pictures(report, "drift")
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_sql(report)
    return


if __name__ == "__main__":
    app.run()
