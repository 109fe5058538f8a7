-- question: On the inputs that two combinations share, how do their success rates differ per input?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     the comparisons: pair_tasks, pair_baselines and pair_candidates Array(String).
-- columns: task_name, baseline, candidate; difference Float64 (candidate's success rate on an input minus the baseline's, to 1e-4);
--     most_trials UInt64 (of one combination on one such input); inputs UInt64 with this difference.
-- cost: one pass over the task runs of the period, then a join in memory over distinct (task, input, combination).
WITH comparisons AS
(
    SELECT pair.1 AS task_name, pair.2 AS baseline, pair.3 AS candidate
    FROM (SELECT arrayJoin(arrayZip(
        {pair_tasks:Array(String)}, {pair_baselines:Array(String)}, {pair_candidates:Array(String)})) AS pair)
),
trials AS
(
    SELECT
        toString(task_name) AS task_name,
        combination,
        input_id,
        count() AS runs,
        countIf(outcome = 'success') AS successes
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND outcome IN ('success', 'failure')
        AND input_id != ''
        AND (task_name, combination) IN (SELECT task_name, arrayJoin([baseline, candidate]) FROM comparisons)
    GROUP BY task_name, combination, input_id
)
SELECT
    comparisons.task_name AS task_name,
    comparisons.baseline AS baseline,
    comparisons.candidate AS candidate,
    round(theirs.successes / theirs.runs - ours.successes / ours.runs, 4) AS difference,
    max(greatest(ours.runs, theirs.runs)) AS most_trials,
    count() AS inputs
FROM trials AS theirs
INNER JOIN comparisons ON comparisons.task_name = theirs.task_name AND comparisons.candidate = theirs.combination
INNER JOIN (SELECT * FROM trials WHERE (task_name, combination) IN (SELECT task_name, baseline FROM comparisons)) AS ours
    ON ours.task_name = theirs.task_name AND ours.input_id = theirs.input_id AND ours.combination = comparisons.baseline
GROUP BY task_name, baseline, candidate, difference
ORDER BY task_name, baseline, candidate, difference
