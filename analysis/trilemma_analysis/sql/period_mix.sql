-- question: Which combinations had which part of a task's runs in a period and in the one before it, and how did each do?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     split DateTime64(6): where the earlier period ends and the later one starts.
-- columns: task_name, combination; known_before, successes_before, known, successes UInt64.
-- cost: one pass over the task runs of both periods.
SELECT
    task_name,
    combination,
    countIf(outcome IN ('success', 'failure') AND started_at < {split:DateTime64(6, 'UTC')}) AS known_before,
    countIf(outcome = 'success' AND started_at < {split:DateTime64(6, 'UTC')}) AS successes_before,
    countIf(outcome IN ('success', 'failure') AND started_at >= {split:DateTime64(6, 'UTC')}) AS known,
    countIf(outcome = 'success' AND started_at >= {split:DateTime64(6, 'UTC')}) AS successes
FROM task_runs
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY task_name, combination
ORDER BY task_name, combination
