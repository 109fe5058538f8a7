import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="trilemma: guardrails")


@app.cell
def _():
    import marimo as mo
    from trilemma_analysis import notebook_controls as page
    return mo, page


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Guardrails and fallback: what do they stop, and what does that cost?

    A **guardrail** looks at every run and stops a few; those it stops wrongly are lost work, and all runs wait for it.
    A **fallback** tries the next option when one fails. The charts show what each stops, how often rightly, how long it
    takes, and how far down the chain work survives.
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
        "guardrails",
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
    page.show_pictures(report, "guardrails")
    return


@app.cell(hide_code=True)
def _(page, report):
    page.show_sql(report)
    return


if __name__ == "__main__":
    app.run()
