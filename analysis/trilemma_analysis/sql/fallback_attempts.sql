-- question: How often does each attempt of a fallback's chain succeed, by its place and the option tried?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, fallback; place UInt16; option; tried, accepted UInt64.
-- cost: one pass over the decisions of the period.
SELECT
    task_name, fallback,
    assumeNotNull(attempt) AS place,
    chosen AS option,
    count() AS tried,
    countIf(attempt_result = 'accepted') AS accepted
FROM fallback_attempts
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND task_name != ''
GROUP BY task_name, fallback, place, option
ORDER BY task_name, fallback, place, option
