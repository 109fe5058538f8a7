-- question: Which tasks asked one model for several levels of reasoning, or for several limits of output?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name; axis: reasoning_level or max_tokens.
-- cost: one pass over five narrow columns of the calls of the period.
SELECT task_name, axis
FROM
(
    SELECT toString(task_name) AS task_name, toString(request_model) AS model, 'reasoning_level' AS axis, toString(reasoning_level) AS level
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != ''
    GROUP BY task_name, model, level
    UNION ALL
    SELECT toString(task_name) AS task_name, toString(request_model) AS model, 'max_tokens' AS axis, toString(max_tokens) AS level
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != ''
    GROUP BY task_name, model, level
)
GROUP BY task_name, axis
HAVING count() > uniqExact(model) AND count() <= 8 * uniqExact(model) -- limits that are computed anew for each call are no levels
ORDER BY task_name, axis
