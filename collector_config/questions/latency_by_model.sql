-- question: How long do calls take per task and model: half of them, nearly all, and the slowest?
-- parameters: since and until DateTime64(3) (whole hours; until is excluded).
-- columns: task_name, request_model, calls, p50_s, p95_s, p99_s (within 1 %).
-- cost: reads the hourly rollup and merges its sketches.
SELECT
    task_name,
    request_model,
    sum(call_count) AS calls,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(duration_sketch) AS quantiles_s,
    quantiles_s[1] AS p50_s,
    quantiles_s[2] AS p95_s,
    quantiles_s[3] AS p99_s
FROM calls_hourly
WHERE hour >= {since:DateTime64(3)} AND hour < {until:DateTime64(3)}
GROUP BY task_name, request_model
ORDER BY calls DESC, task_name, request_model
