import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="trilemma: context")


@app.cell
def _():
    import marimo as mo
    from trilemma_analysis import notebook_controls as page
    return mo, page


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Context: what fills it, and which part is of use?

    Each **block** of a context comes from a source and costs its tokens in every call. Blocks that were marked used or
    unused, once that was known, tell which sources earn their place. Tokens are means per context built; blocks
    nobody marked are drawn apart, as nothing is known of them.
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
        "context",
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
    page.show_pictures(report, "context")
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_sql(report)
    return


if __name__ == "__main__":
    app.run()
