-- question: What did each task cost on each model in thirty days, how fast was it, and how often did it succeed? (from the calls)
-- parameters: from DateTime, until DateTime
-- columns: task, model, calls, p50, p95, p99 in seconds, cost, success_rate
-- cost: one pass over the calls and one over the task runs of the period, few columns each
SELECT task, model, calls, latencies[1] AS p50, latencies[2] AS p95, latencies[3] AS p99, cost, successes / runs AS success_rate
FROM
(
    SELECT
        task_name AS task,
        request_model AS model,
        count() AS calls,
        quantilesDD(0.01, 0.5, 0.95, 0.99)(assumeNotNull(duration_s)) AS latencies,
        sum(llm_calls.cost) AS cost
    FROM llm_calls
    WHERE started_at >= {from:DateTime('UTC')} AND started_at < {until:DateTime('UTC')}
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
