-- question: Which runs does their log itself mark as doubtful, and why?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination, doubt (the label of the evaluation trilemma.doubt); runs, known, successes UInt64.
-- cost: one pass over the marks of the period, and the runs that bear one.
SELECT
    task_name,
    combination,
    doubt,
    count() AS runs,
    countIf(outcome IN ('success', 'failure')) AS known,
    countIf(outcome = 'success') AS successes
FROM task_runs
INNER JOIN
(
    SELECT DISTINCT task_id, toString(label) AS doubt
    FROM evaluations
    WHERE evaluation_name = 'trilemma.doubt' AND label != '' AND evaluated_at >= {since:DateTime64(6, 'UTC')}
) AS marks USING (task_id)
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY task_name, combination, doubt
ORDER BY task_name, combination, doubt
