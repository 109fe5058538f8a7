-- question: Which runs have no outcome: of which combination, with an error or not, on which day, how long?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     chosen_tasks Array(String): only these.
-- columns: task_name, combination, is_error UInt8, day Int64 (since 1970); runs, known, timed, timed_known UInt64; sums over runs of
--     the logarithm of seconds: latency_log, latency_log_squares, and of those known: known_log, known_log_squares Float64.
-- cost: one pass over the task runs of the period; returns combinations x days x 2 rows.
SELECT
    task_name,
    combination,
    error_count > 0 OR status_code = 'Error' AS is_error,
    intDiv(toUnixTimestamp(started_at), 86400) AS day,
    count() AS runs,
    countIf(is_known) AS known,
    countIf(duration_s > 0) AS timed,
    countIf(duration_s > 0 AND is_known) AS timed_known,
    sum(log_s) / 1e6 AS latency_log,
    toFloat64(sum(log_s * log_s)) / 1e12 AS latency_log_squares,
    sumIf(log_s, is_known) / 1e6 AS known_log,
    toFloat64(sumIf(log_s * log_s, is_known)) / 1e12 AS known_log_squares
FROM
(
    SELECT
        *,
        outcome IN ('success', 'failure') AS is_known,
        toInt128(if(duration_s > 0, round(log(assumeNotNull(duration_s)) * 1e6), 0)) AS log_s
    FROM task_runs
    WHERE has({chosen_tasks:Array(String)}, task_name)
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
)
GROUP BY task_name, combination, is_error, day
ORDER BY task_name, combination, is_error, day
