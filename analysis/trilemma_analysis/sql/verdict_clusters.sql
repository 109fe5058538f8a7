-- question: How alike are the runs of one input in whether an evaluator agrees with a person or with the outcome?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     agrees_with_success Array(String): verdicts that say yes.
-- columns: task_name; evaluator, source, truth_source (human or outcome), truth, as in verdict_pairs; then over inputs (a run without
--     input_id is its own) x agreements and y runs that both judged: agreed_{n,x,y,xx,yy,xy} UInt64. An outcome agrees with a verdict
--     that is named in agrees_with_success where it is success, and with any other where it is failure.
-- cost: as verdict_pairs; memory grows with the number of inputs judged. Asked only where inputs repeat.
WITH
    verdicts AS
    (
        SELECT
            task_id,
            evaluation_name,
            evaluation_source,
            argMax(lower(if(label = '', if(score >= 0.5, 'yes', 'no'), label)), (evaluated_at, label, ifNull(score, 0))) AS verdict
        FROM evaluations
        WHERE task_id != '' AND label != 'error' AND evaluation_name NOT IN ('', 'trilemma.decision')
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
            if(task_runs.input_id = '', task_runs.task_id, task_runs.input_id) AS unit,
            judged.said AS said,
            arrayConcat(
                arrayMap(one -> ('human', one.1, one.3), arrayFilter(one -> one.2 = 'human', judged.said)),
                if(task_runs.outcome IN ('success', 'failure') AND task_runs.outcome_source != 'judge',
                    [('outcome', 'outcome', toString(task_runs.outcome))], [])
            ) AS told
        FROM task_runs
        INNER JOIN judged ON judged.task_id = task_runs.task_id
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    ),
    units AS
    (
        SELECT
            task_name, one.1 AS evaluator, one.2 AS source, other.1 AS truth_source, other.2 AS truth, unit,
            count() AS seen,
            countIf(if(other.1 = 'human', one.3 = other.3,
                has({agrees_with_success:Array(String)}, one.3) = (other.3 = 'success'))) AS agreed
        FROM (SELECT task_name, unit, told, arrayJoin(said) AS one FROM runs)
        ARRAY JOIN told AS other
        WHERE one.2 != 'human'
        GROUP BY ALL
    )
SELECT
    task_name, evaluator, source, truth_source, truth,
    count() AS agreed_n,
    sum(agreed) AS agreed_x,
    sum(seen) AS agreed_y,
    sum(agreed * agreed) AS agreed_xx,
    sum(seen * seen) AS agreed_yy,
    sum(agreed * seen) AS agreed_xy
FROM units
GROUP BY task_name, evaluator, source, truth_source, truth
ORDER BY task_name, evaluator, source, truth_source, truth
