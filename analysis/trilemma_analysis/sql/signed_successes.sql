-- question: Which successful runs have nothing but calls that were cut off, refused, filtered or blocked?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination, sign; runs UInt64.
-- cost: the calls of the period that bear a sign (view call_signs), and the runs that they belong to.
SELECT
    task_name,
    combination,
    multiIf(refused >= call_count, 'refused', filtered >= call_count, 'filtered or blocked', truncated >= call_count, 'cut off', 'mixed') AS sign,
    count() AS runs
FROM task_runs
INNER JOIN
(
    SELECT
        task_id,
        countIf(is_truncated) AS truncated,
        countIf(is_refused) AS refused,
        countIf(is_filtered OR is_blocked) AS filtered,
        count() AS signed
    FROM call_signs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')}
        AND task_id != '' AND (is_truncated OR is_refused OR is_filtered OR is_blocked)
    GROUP BY task_id
) AS their_signs USING (task_id)
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND outcome = 'success' AND signed >= call_count
GROUP BY task_name, combination, sign
ORDER BY task_name, combination, sign
