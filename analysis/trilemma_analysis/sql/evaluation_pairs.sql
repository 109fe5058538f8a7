-- question: How often do two evaluations of the same run agree, by combination, outcome and label?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination, outcome; first_name, first_label, second_name, second_label, first_source, second_source; runs UInt64. Evaluations with more than
--     eight labels (free text) and marks (names that begin with trilemma.) are left out; names in the order of the alphabet.
-- cost: one pass over the evaluations of the period and the runs that they are about.
WITH named AS
(
    SELECT task_id, task_name, toString(evaluation_name) AS name, toString(label) AS verdict, evaluation_source AS source
    FROM evaluations
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND evaluated_at >= {since:DateTime64(6, 'UTC')}
        AND label != '' AND task_id != '' AND NOT startsWith(evaluation_name, 'trilemma.')
)
SELECT task_name, combination, outcome, pair.1.1 AS first_name, pair.1.2 AS first_label, pair.2.1 AS second_name, pair.2.2 AS second_label,
    pair.1.3 AS first_source, pair.2.3 AS second_source, count() AS runs
FROM
(
    SELECT task_id, arrayJoin(arrayFilter(both -> both.1.1 < both.2.1,
        arrayFlatten(arrayMap(one -> arrayMap(other -> (one, other), verdicts), verdicts)))) AS pair
    FROM
    (
        SELECT task_id, arraySort(groupUniqArray((name, verdict, source))) AS verdicts
        FROM named
        WHERE (task_name, name) IN (SELECT task_name, name FROM named GROUP BY task_name, name HAVING uniq(verdict) <= 8)
        GROUP BY task_id
        HAVING length(verdicts) BETWEEN 2 AND 20
    )
) AS pairs
INNER JOIN
(
    SELECT task_id, task_name, combination, outcome
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_id IN (SELECT task_id FROM named)
) AS runs USING (task_id)
GROUP BY ALL
ORDER BY ALL
