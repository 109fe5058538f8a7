-- question: What did each task cost on each model in thirty days, how fast was it, and how often did it succeed? (from the rollups)
-- parameters: from DateTime, until DateTime
-- columns: task, model, calls, p50, p95, p99 in seconds, cost, success_rate
-- cost: days x combinations rows of calls_daily, and one pass over three columns of the task runs
SELECT task, model, calls, latencies[1] AS p50, latencies[2] AS p95, latencies[3] AS p99, cost, successes / runs AS success_rate
FROM
(
    SELECT
        task_name AS task,
        request_model AS model,
        sum(call_count) AS calls,
        quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(duration_sketch) AS latencies,
        sum(calls_daily.cost) AS cost
    FROM calls_daily
    WHERE day >= toDate({from:DateTime('UTC')}) AND day < toDate({until:DateTime('UTC')})
    GROUP BY task, model
) AS calls
INNER JOIN
(
    SELECT task_name AS task, arrayJoin(models) AS model, count() AS runs, countIf(outcome = 'success') AS successes
    FROM task_runs
    WHERE started_at >= {from:DateTime('UTC')} AND started_at < {until:DateTime('UTC')}
    GROUP BY task, model
) AS runs USING (task, model)
ORDER BY task, model
