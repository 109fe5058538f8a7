-- question: Which evaluators scored the runs of a combination before the runs had ended, and what are low scores of each?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     the combinations: run_tasks and run_combinations Array(String).
-- columns: task_name, combination, evaluation_name; scored UInt64 (runs); thresholds Array(Float64): the scores that a tenth, a
--     quarter and half of the runs do not exceed, each once; highest Float64. A score that came with the row itself (at its very
--     start), after the run, from a human or from an import is none that a runtime could have acted on.
-- cost: one pass over the evaluations and the task runs of the period.
WITH runs AS
(
    SELECT
        toString(task_name) AS task_name,
        toString(combination) AS combination,
        task_id,
        toUnixTimestamp64Nano(started_at) AS start_ns,
        start_ns + toInt64(round(ifNull(duration_s, 0) * 1e9)) AS end_ns
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND (task_name, combination) IN (SELECT arrayJoin(arrayZip({run_tasks:Array(String)}, {run_combinations:Array(String)})))
        AND input_id != ''
)
SELECT
    task_name,
    combination,
    evaluation_name,
    count() AS scored,
    arrayDistinct(quantilesExactLow(0.1, 0.25, 0.5)(lowest)) AS thresholds,
    max(lowest) AS highest
FROM
(
    SELECT
        runs.task_name AS task_name,
        runs.combination AS combination,
        toString(evaluations.evaluation_name) AS evaluation_name,
        runs.task_id AS task_id,
        min(assumeNotNull(evaluations.score)) AS lowest
    FROM evaluations
    INNER JOIN runs ON runs.task_id = evaluations.task_id
    WHERE isNotNull(evaluations.score) AND evaluation_source NOT IN ('human', 'import')
        AND toUnixTimestamp64Nano(evaluated_at) > start_ns AND toUnixTimestamp64Nano(evaluated_at) <= end_ns
    GROUP BY ALL
)
GROUP BY task_name, combination, evaluation_name
ORDER BY task_name, combination, evaluation_name
