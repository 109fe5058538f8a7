-- question: How many inputs were tried how often by a combination, and how often did it succeed on them?
-- parameters: task, service String ('': all) and combination String; since and until DateTime64(6) (until is excluded).
-- columns: trials, successes UInt64 (of one input); inputs UInt64 with just these.
-- cost: one pass over the task's runs of the period; returns a row per distinct pair.
SELECT trials, successes, count() AS inputs
FROM
(
    SELECT count() AS trials, countIf(outcome = 'success') AS successes
    FROM task_runs
    WHERE task_name = {task:String}
        AND combination = {combination:String}
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND outcome IN ('success', 'failure')
        AND input_id != ''
    GROUP BY input_id
)
GROUP BY trials, successes
ORDER BY trials, successes
