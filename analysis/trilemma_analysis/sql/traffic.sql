-- question: Which runs came when: by prompt version, combination and segment, and how did they end?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     width_s UInt32: seconds per bucket.
-- columns: task_name, combination, prompt_name, prompt_version, segment; bucket Int64 (its start in seconds since 1970, over width_s); runs,
--     known, successes UInt64.
-- cost: one pass over the task runs of the period; returns combinations x segments x buckets rows.
SELECT
    task_runs.task_name AS task_name, combination, prompt_name, prompt_version,
    terms.segment AS segment,
    intDiv(toUnixTimestamp(task_runs.started_at), {width_s:UInt32}) AS bucket,
    count() AS runs,
    countIf(outcome IN ('success', 'failure')) AS known,
    countIf(outcome = 'success') AS successes
FROM task_runs
LEFT JOIN
(
    SELECT task_id, segment
    FROM task_terms
    WHERE segment != '' AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
) AS terms ON terms.task_id = task_runs.task_id
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY task_name, combination, prompt_name, prompt_version, segment, bucket
ORDER BY task_name, combination, prompt_name, prompt_version, segment, bucket
