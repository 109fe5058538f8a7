-- question: How did success, cost and latency of each combination go over time?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     width_s UInt32: seconds per bucket; least_runs UInt32: combinations with fewer runs are left out.
-- columns: task_name, combination; bucket Int64 (its start in seconds since 1970, over width_s); known, successes, timed, priced, costly UInt64; sums over runs:
--     latency_log and latency_log_squares (of log seconds), cost_sum (currency), cost_squares, cost_log and cost_log_squares (of the costly
--     runs, those that cost more than 0).
-- cost: one pass over the task runs of the period; returns combinations x buckets rows.
SELECT
    task_name,
    combination,
    intDiv(toUnixTimestamp(started_at), {width_s:UInt32}) AS bucket,
    countIf(outcome IN ('success', 'failure')) AS known,
    countIf(outcome = 'success') AS successes,
    countIf(duration_s > 0) AS timed,
    sum(log_latency) / 1e6 AS latency_log,
    toFloat64(sum(log_latency * log_latency)) / 1e12 AS latency_log_squares,
    countIf(isNotNull(cost)) AS priced,
    toFloat64(sum(whole_cost)) / 1e12 AS cost_sum,
    toFloat64(sum(whole_cost * whole_cost)) / 1e24 AS cost_squares,
    countIf(cost > 0) AS costly,
    sum(log_cost) / 1e6 AS cost_log,
    toFloat64(sum(log_cost * log_cost)) / 1e12 AS cost_log_squares
FROM
(
    SELECT
        task_name,
        combination,
        started_at,
        outcome,
        duration_s,
        cost,
        toInt128(if(duration_s > 0, round(log(assumeNotNull(duration_s)) * 1e6), 0)) AS log_latency,
        toInt256(round(ifNull(cost, 0) * 1e12)) AS whole_cost,
        toInt128(if(cost > 0, round(log(assumeNotNull(cost)) * 1e6), 0)) AS log_cost,
        count() OVER (PARTITION BY task_name, combination) AS runs
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
)
WHERE runs >= {least_runs:UInt32}
GROUP BY task_name, combination, bucket
ORDER BY task_name, combination, bucket
