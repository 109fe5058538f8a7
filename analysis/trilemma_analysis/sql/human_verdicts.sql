-- question: What did several people say of the same run?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     left_out Array(String): words; evaluations whose name holds one of them (a majority of others, say) are left out.
-- columns: task_name; evaluators and verdicts Array(String), of the same length, by name: who said what; runs UInt64. Runs of which fewer
--     than two human evaluations say anything are left out.
-- cost: one pass over the human evaluations, a join by task id with the task runs of the period.
WITH
    verdicts AS
    (
        SELECT
            task_id,
            evaluation_name,
            argMax(lower(if(label = '', if(score >= 0.5, 'yes', 'no'), label)), (evaluated_at, label, ifNull(score, 0))) AS verdict
        FROM evaluations
        WHERE task_id != '' AND evaluation_source = 'human' AND evaluation_name NOT IN ('', 'trilemma.decision', 'trilemma.doubt')
            AND NOT arrayExists(word -> position(lower(evaluation_name), word) > 0, {left_out:Array(String)})
        GROUP BY task_id, evaluation_name
    ),
    judged AS
    (
        SELECT task_id, arraySort(groupArray((toString(evaluation_name), verdict))) AS said
        FROM verdicts
        GROUP BY task_id
        HAVING length(said) > 1
    )
SELECT
    toString(task_runs.task_name) AS task_name,
    judged.said.1 AS evaluators,
    judged.said.2 AS verdicts,
    count() AS runs
FROM task_runs
INNER JOIN judged ON judged.task_id = task_runs.task_id
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY ALL
ORDER BY ALL
