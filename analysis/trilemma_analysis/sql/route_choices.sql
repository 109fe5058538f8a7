-- question: Where does each route lead, by which policy, and how do its runs end?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, route, policy_version, chosen; decisions, known, successes UInt64.
-- cost: one pass over the decisions and the outcomes of the period.
SELECT
    routes.task_name AS task_name, route, policy_version, chosen,
    count() AS decisions,
    countIf(tasks.outcome IN ('success', 'failure')) AS known,
    countIf(tasks.outcome = 'success') AS successes
FROM routes
LEFT JOIN
(
    SELECT task_id, outcome
    FROM tasks
    WHERE task_id IN (SELECT task_id FROM routes)
) AS tasks ON tasks.task_id = routes.task_id
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND task_name != ''
GROUP BY task_name, route, policy_version, chosen
ORDER BY task_name, route, policy_version, chosen
