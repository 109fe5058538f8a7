-- question: What did each guardrail say of how many runs, was it right by its marks, and which part of a run's time does it take?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, guardrail, stage; checks, blocked, changed, failed (checks that raised), runs (that have it), runs_blocked UInt64;
--     right_blocks, wrong_blocks, right_passes, wrong_passes UInt64 (by the last mark of each check; a pass is one that did not block);
--     mark_sources Array(String); losses UInt64 and loss Float64 (runs with the guardrail that say what a failure costs, and its sum, 1e-12);
--     then over inputs (a run without input_id is its own) x right blocks and y blocks with a mark: mark_{n,x,y,xx,yy,xy}; and x time in
--     the guardrail and y time of the run, of runs that have both, in microseconds: time_{n,x,y,xx,yy,xy} Float64.
-- cost: one pass over the guardrail decisions of the period, a join by task id with the task runs.
WITH per_run AS
(
    SELECT
        toString(task_name) AS task_name, toString(guardrail) AS guardrail, toString(stage) AS stage, task_id,
        count() AS run_checks,
        countIf(verdict = 'blocked') AS run_blocked,
        countIf(verdict = 'changed') AS run_changed,
        countIf(status_code = 'Error') AS run_failed,
        countIf(verdict = 'blocked' AND mark = 'right') AS run_right,
        countIf(verdict = 'blocked' AND mark = 'wrong') AS run_wrong,
        countIf(verdict != 'blocked' AND mark = 'right') AS run_right_passes,
        countIf(verdict != 'blocked' AND mark = 'wrong') AS run_wrong_passes,
        groupUniqArrayIf(toString(mark_source), mark != '' AND mark_source != '') AS run_sources,
        sum(toInt256(round(duration_s * 1e6))) AS run_time
    FROM guardrails
    WHERE task_id != ''
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY task_name, guardrail, stage, task_id
),
per_unit AS
(
    SELECT
        per_run.task_name AS task_name, guardrail, stage,
        if(runs.input_id = '', per_run.task_id, runs.input_id) AS unit,
        count() AS unit_runs,
        countIf(run_blocked > 0) AS unit_runs_blocked,
        sum(run_checks) AS unit_checks,
        sum(run_blocked) AS unit_blocked,
        sum(run_changed) AS unit_changed,
        sum(run_failed) AS unit_failed,
        sum(run_right) AS unit_right,
        sum(run_wrong) AS unit_wrong,
        sum(run_right_passes) AS unit_right_passes,
        sum(run_wrong_passes) AS unit_wrong_passes,
        groupUniqArrayArray(run_sources) AS unit_sources,
        countIf(isNotNull(terms.failure_cost)) AS unit_losses,
        sum(toInt256(round(ifNull(terms.failure_cost, 0) * 1e12))) AS unit_loss,
        countIf(ifNull(runs.duration_s, 0) > 0) AS unit_timed,
        sumIf(run_time, ifNull(runs.duration_s, 0) > 0) AS unit_time,
        sum(toInt256(round(ifNull(runs.duration_s, 0) * 1e6))) AS unit_length
    FROM per_run
    INNER JOIN (
        SELECT task_id, input_id, duration_s FROM task_runs
        WHERE task_id IN (SELECT task_id FROM per_run)
    ) AS runs ON runs.task_id = per_run.task_id
    LEFT JOIN (SELECT task_id, failure_cost FROM task_terms WHERE isNotNull(failure_cost)) AS terms
        ON terms.task_id = per_run.task_id
    GROUP BY task_name, guardrail, stage, unit
)
SELECT
    task_name, guardrail, stage,
    sum(unit_checks) AS checks,
    sum(unit_blocked) AS blocked,
    sum(unit_changed) AS changed,
    sum(unit_failed) AS failed,
    sum(unit_runs) AS runs,
    sum(unit_runs_blocked) AS runs_blocked,
    sum(unit_right) AS right_blocks,
    sum(unit_wrong) AS wrong_blocks,
    sum(unit_right_passes) AS right_passes,
    sum(unit_wrong_passes) AS wrong_passes,
    arraySort(groupUniqArrayArray(unit_sources)) AS mark_sources,
    sum(unit_losses) AS losses,
    toFloat64(sum(unit_loss)) AS loss,
    countIf(unit_right + unit_wrong > 0) AS mark_n,
    sum(unit_right) AS mark_x,
    sum(unit_right + unit_wrong) AS mark_y,
    sum(unit_right * unit_right) AS mark_xx,
    sum((unit_right + unit_wrong) * (unit_right + unit_wrong)) AS mark_yy,
    sum(unit_right * (unit_right + unit_wrong)) AS mark_xy,
    countIf(unit_timed > 0) AS time_n,
    toFloat64(sum(least(unit_time, unit_length))) AS time_x,
    toFloat64(sum(unit_length)) AS time_y,
    toFloat64(sum(least(unit_time, unit_length) * least(unit_time, unit_length))) AS time_xx,
    toFloat64(sum(unit_length * unit_length)) AS time_yy,
    toFloat64(sum(least(unit_time, unit_length) * unit_length)) AS time_xy
FROM per_unit
GROUP BY task_name, guardrail, stage
ORDER BY task_name, guardrail, stage
