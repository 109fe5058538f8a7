-- question: How often did each evaluator say what, while a person or the run's outcome said what, over time?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     width_s UInt32: seconds per bucket; most_verdicts UInt32: evaluators with more distinct verdicts than this are left out.
-- columns: task_name; evaluator, source (human, judge, system, import or ''), verdict (its label in lower case; without label yes for a
--     score of 0.5 or more, else no; evaluators without labels whose scores leave 0 to 1 are left out); truth_source ('' for all of its
--     runs, human or outcome), truth (name of the human evaluation, or outcome), truth_verdict; bucket Int64 (start of the run in seconds
--     since 1970, over width_s); runs UInt64. Of several verdicts of one name and source on one run the last counts. Outcomes that a judge
--     told are no truth. The label error, of an evaluator that failed, is no verdict.
-- cost: one pass over the evaluations, a join by task id with the task runs of the period; returns evaluators x verdicts x truths x buckets rows.
WITH
    usable AS
    (
        SELECT evaluation_name
        FROM evaluations
        WHERE evaluation_name NOT IN ('', 'trilemma.decision', 'trilemma.doubt')
        GROUP BY evaluation_name
        HAVING uniqExact(lower(label)) <= {most_verdicts:UInt32}
            AND countIf(label = '' AND (isNull(score) OR score < 0 OR score > 1)) = 0
    ),
    verdicts AS
    (
        SELECT
            task_id,
            evaluation_name,
            evaluation_source,
            argMax(lower(if(label = '', if(score >= 0.5, 'yes', 'no'), label)), (evaluated_at, label, ifNull(score, 0))) AS verdict
        FROM evaluations
        WHERE task_id != '' AND label != 'error' AND evaluation_name IN (SELECT evaluation_name FROM usable)
        GROUP BY task_id, evaluation_name, evaluation_source
    ),
    judged AS
    (
        SELECT task_id, arraySort(groupArray((toString(evaluation_name), toString(evaluation_source), verdict))) AS said
        FROM verdicts
        GROUP BY task_id
    ),
    runs AS
    (
        SELECT
            toString(task_runs.task_name) AS task_name,
            intDiv(toUnixTimestamp(task_runs.started_at), {width_s:UInt32}) AS bucket,
            judged.said AS said,
            arrayConcat(
                [('', '', '')],
                arrayMap(one -> ('human', one.1, one.3), arrayFilter(one -> one.2 = 'human', judged.said)),
                if(task_runs.outcome IN ('success', 'failure') AND task_runs.outcome_source != 'judge',
                    [('outcome', 'outcome', toString(task_runs.outcome))], [])
            ) AS told
        FROM task_runs
        INNER JOIN judged ON judged.task_id = task_runs.task_id
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    )
SELECT
    task_name, one.1 AS evaluator, one.2 AS source, one.3 AS verdict,
    other.1 AS truth_source, other.2 AS truth, other.3 AS truth_verdict,
    bucket,
    count() AS runs
FROM (SELECT task_name, bucket, told, arrayJoin(said) AS one FROM runs)
ARRAY JOIN told AS other
WHERE NOT (one.2 = 'human' AND other.1 = 'human' AND one.1 = other.2)
GROUP BY ALL
ORDER BY ALL
