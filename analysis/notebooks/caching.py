import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="trilemma: caching")


@app.cell
def _():
    import marimo as mo
    from trilemma_analysis import notebook_controls as page
    return mo, page


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Caching: what would a cache answer, and what do the caches there are do?

    A request that comes again word for word need not be paid for twice, if the answer is kept long enough: the first chart
    shows how soon requests come again. The provider's own **prompt cache** reads the beginnings of prompts at a lower
    price; the share of input tokens that it read is drawn over time. Caches of your own are drawn with their hits, and
    with the part of them that was marked wrong.
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
        "caching",
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
    page.show_pictures(report, "caching")
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_sql(report)
    return


if __name__ == "__main__":
    app.run()
