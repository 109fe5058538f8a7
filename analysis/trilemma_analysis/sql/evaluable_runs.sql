-- question: Which runs of a task has this evaluator not judged yet?
-- parameters: task String, evaluation String ('': all runs), since and until DateTime64(6) (until is excluded), limit UInt32.
-- columns: task_id, trace_id, span_id, task_name, input_id, outcome, failure_mode, combination, cost, duration_s, started_at; in an order that is stable and has nothing to do with time, so that a limit takes a random sample.
-- cost: the runs of the task in the period, and its evaluations by that name.
SELECT
    task_id, trace_id, span_id, task_name, input_id, outcome, failure_mode, combination, cost, duration_s, started_at
FROM task_runs
WHERE task_name = {task:String}
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND task_id NOT IN
    (
        SELECT task_id FROM evaluations WHERE evaluation_name = {evaluation:String} AND evaluation_name != ''
    )
ORDER BY sipHash64(task_id), task_id
LIMIT {limit:UInt32}
