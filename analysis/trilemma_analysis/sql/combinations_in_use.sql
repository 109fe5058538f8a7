-- question: Which combinations did the newest runs of a task use?
-- parameters: task, service String ('': all); since and until DateTime64(6) (until is excluded); newest UInt64: runs looked at.
-- columns: combination String; runs UInt64, most first.
-- cost: reads two columns of the task's runs of the period.
SELECT combination, count() AS runs
FROM
(
    SELECT combination
    FROM task_runs
    WHERE task_name = {task:String}
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    ORDER BY started_at DESC, task_id
    LIMIT {newest:UInt64}
)
GROUP BY combination
ORDER BY runs DESC, combination
