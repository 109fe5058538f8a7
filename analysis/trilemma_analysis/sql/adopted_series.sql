-- question: How did the runs that a change touches go over time, before it and since, and how the runs that it cannot touch?
-- parameters: task and service String ('': all), since, adopted_at and until DateTime64(6) (until is excluded); before and after String: the
--     combinations whose runs count before and since ('' for all); width_us UInt64: the buckets' length, counted from adopted_at.
-- columns: series_task, series_combination String (both '' for the runs that it touches); bucket Int64 (negative before the change);
--     known, successes, priced, timed UInt64; spent (currency) and latency (log seconds) Float64, summed over runs.
-- cost: one pass over the task runs of the period; returns buckets x (tasks + combinations of the task) rows.
SELECT
    if(is_touched, '', toString(task_name)) AS series_task,
    if(is_touched OR task_name != {task:String}, '', combination) AS series_combination,
    intDiv(after_us + 1000000 * {width_us:Int64}, {width_us:Int64}) - 1000000 AS bucket, -- rounded down, also before
    countIf(outcome IN ('success', 'failure')) AS known,
    countIf(outcome = 'success') AS successes,
    count(cost) AS priced,
    toFloat64(sum(toInt256(round(ifNull(cost, 0) * 1e12)))) / 1e12 AS spent,
    countIf(duration_s > 0) AS timed,
    sum(toInt64(if(duration_s > 0, round(log(assumeNotNull(duration_s)) * 1e6), 0))) / 1e6 AS latency
FROM
(
    SELECT
        *,
        toUnixTimestamp64Micro(toDateTime64(started_at, 6, 'UTC')) - toUnixTimestamp64Micro({adopted_at:DateTime64(6, 'UTC')}) AS after_us,
        if(after_us < 0, {before:String}, {after:String}) AS wanted,
        task_name = {task:String} AND (wanted = '' OR combination = wanted) AS is_touched
    FROM task_runs
    WHERE ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
)
WHERE is_touched
    OR task_name != {task:String}
    OR ({before:String} != '' AND {after:String} != '' AND combination NOT IN ({before:String}, {after:String}))
GROUP BY series_task, series_combination, bucket
ORDER BY series_task, series_combination, bucket
