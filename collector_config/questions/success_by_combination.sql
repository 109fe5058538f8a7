-- question: How often does each combination get a task done, and what does one success cost?
-- parameters: task_name String; since and until DateTime64(3) (until is excluded).
-- columns: combination, runs, known (with an outcome), successes, success_rate (of the known), cost_per_success (cost of
--     the known runs, failures included; NULL while one of them is unpriced or none succeeded), p95_duration_s.
-- cost: one pass over the task's runs in the period.
SELECT
    combination,
    count() AS runs,
    countIf(outcome != 'unknown') AS known,
    countIf(outcome = 'success') AS successes,
    if(known = 0, NULL, successes / known) AS success_rate,
    if(successes = 0 OR countIf(outcome != 'unknown' AND isNull(task_runs.cost)) > 0, NULL,
        sumIf(task_runs.cost, outcome != 'unknown') / successes) AS cost_per_success,
    quantileExactIf(0.95)(duration_s, isNotNull(duration_s)) AS p95_duration_s
FROM task_runs
WHERE task_name = {task_name:String} AND started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
GROUP BY combination
ORDER BY runs DESC, combination
