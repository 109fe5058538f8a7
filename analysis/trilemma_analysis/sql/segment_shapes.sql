-- question: How often did each combination succeed in each segment?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, segment, combination; known, successes UInt64.
-- cost: one pass over the task runs of the period that have a segment.
SELECT
    task_name,
    segment,
    combination,
    countIf(outcome IN ('success', 'failure')) AS known,
    countIf(outcome = 'success') AS successes
FROM task_runs
INNER JOIN (SELECT task_id, segment FROM task_terms WHERE segment != '') AS terms USING (task_id)
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY task_name, segment, combination
ORDER BY task_name, segment, combination
