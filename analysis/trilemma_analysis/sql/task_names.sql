-- question: Which tasks does the store hold at all?
-- parameters: none.
-- columns: task_name String; runs UInt64; sorted by name.
-- cost: reads one column of all task spans.
SELECT task_name, count() AS runs
FROM tasks
GROUP BY task_name
ORDER BY task_name
