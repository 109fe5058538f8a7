-- question: Which tasks does the store hold at all, and from when to when?
-- parameters: none.
-- columns: task_name String; runs UInt64; first_at and last_at DateTime64(6, UTC), starts of the first and the last run; sorted by name.
-- cost: reads two columns of all task spans.
SELECT
    task_name,
    count() AS runs,
    toDateTime64(min(started_at), 6, 'UTC') AS first_at,
    toDateTime64(max(started_at), 6, 'UTC') AS last_at
FROM tasks
GROUP BY task_name
ORDER BY task_name
