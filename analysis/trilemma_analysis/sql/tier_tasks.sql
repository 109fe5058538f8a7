-- question: Which tasks have a deadline, or pay for priority?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name.
-- cost: one pass over the terms of tasks, and over three narrow columns of the calls of the period.
SELECT DISTINCT toString(task_name) AS task_name
FROM
(
    SELECT task_name
    FROM task_terms
    WHERE isNotNull(deadline_s) AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    UNION ALL
    SELECT task_name
    FROM llm_calls
    WHERE ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND lower(if(service_tier = '', toString(request_service_tier), toString(service_tier))) = 'priority'
)
WHERE task_name != '' AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
ORDER BY task_name
