-- question: What do the successful runs of a task have to show: calls with tokens or time, and a value?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name; successes, reached (with tokens or time of calls), valued UInt64; worth Float64 (sum, in 1e-12).
-- cost: one pass over the task runs of the period.
SELECT
    toString(task_runs.task_name) AS task_name,
    count() AS successes,
    countIf(ifNull(input_tokens, 0) > 0 OR ifNull(output_tokens, 0) > 0 OR ifNull(llm_duration_s, 0) > 0) AS reached,
    countIf(isNotNull(value)) AS valued,
    toFloat64(sum(toInt256(round(ifNull(value, 0) * 1e12)))) AS worth
FROM task_runs
WHERE outcome = 'success'
    AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY task_name
ORDER BY task_name
