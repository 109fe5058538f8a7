-- question: Why do tasks fail, and what did the failures cost?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: task_name, failure_mode, failures, share (of the task's runs with an outcome), cost (of the failed runs that
--     are priced).
-- cost: one pass over the runs of the period.
SELECT
    task_name,
    failure_mode,
    count() AS failures,
    failures / any(known) AS share,
    sum(runs.cost) AS cost
FROM
(
    SELECT task_name, failure_mode, outcome, task_runs.cost AS cost, count() OVER (PARTITION BY task_name) AS known
    FROM task_runs
    WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)} AND outcome != 'unknown'
) AS runs
WHERE outcome = 'failure'
GROUP BY task_name, failure_mode
ORDER BY failures DESC, task_name, failure_mode
