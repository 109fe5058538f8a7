-- question: What did each task spend per day, on which model?
-- parameters: since and until Date (until is excluded).
-- columns: day, task_name, request_model, calls, unpriced (calls without a known price), cost (of the priced), cost_currency.
-- cost: reads the daily rollup: a few rows per day, task and model.
SELECT
    day,
    task_name,
    request_model,
    sum(call_count) AS calls,
    sum(call_count - priced_count) AS unpriced,
    sum(calls_daily.cost) AS cost,
    cost_currency
FROM calls_daily
WHERE day >= {since:Date} AND day < {until:Date}
GROUP BY day, task_name, request_model, cost_currency
ORDER BY day, task_name, request_model, cost_currency
