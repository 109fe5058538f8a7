-- question: Of what do the runs of a task fail, what do those runs cost, and which combination has them?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     most_modes UInt32: of each task the most frequent modes.
-- columns: task_name; mode (failure_mode, '' where nobody said); runs, inputs (with a failure of this mode), priced, unreached UInt64 (runs
--     whose calls have neither tokens nor time, or that have none, and that no guardrail blocked); cost Float64 (1e-12 of the currency);
--     currencies Array(String); priced_losses UInt64 and loss Float64 (runs that say what a failure costs, and its sum, in 1e-12);
--     combinations Array(String) and combination_runs Array(UInt64); then over all inputs of the task with a failure, x those of the mode and
--     y all: mode_{n,x,y,xx,yy,xy}.
-- cost: one pass over the failed runs of the period, joined with terms and blocks by task id; memory grows with the inputs that failed.
WITH
    failed AS
    (
        SELECT
            toString(task_runs.task_name) AS task_name,
            task_id,
            if(input_id = '', task_id, input_id) AS unit,
            toString(failure_mode) AS mode,
            combination,
            isNotNull(cost) AS is_priced,
            toInt256(round(ifNull(cost, 0) * 1e12)) AS whole_cost,
            if(isNotNull(cost), toString(cost_currency), '') AS currency,
            ifNull(input_tokens, 0) = 0 AND ifNull(output_tokens, 0) = 0 AND ifNull(llm_duration_s, 0) = 0 AS is_empty
        FROM task_runs
        WHERE outcome = 'failure'
            AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    ),
    per_unit AS
    (
        SELECT
            failed.task_name AS task_name, mode, unit,
            count() AS unit_runs,
            countIf(is_priced) AS unit_priced,
            countIf(is_empty AND blocked.task_id = '') AS unit_unreached,
            sum(whole_cost) AS unit_cost,
            groupUniqArrayIf(currency, currency != '') AS unit_currencies,
            countIf(isNotNull(terms.failure_cost)) AS unit_losses,
            sum(toInt256(round(ifNull(terms.failure_cost, 0) * 1e12))) AS unit_loss,
            sumMap([combination], [toUInt64(1)]) AS unit_combinations
        FROM failed
        LEFT JOIN (SELECT task_id, failure_cost FROM task_terms WHERE isNotNull(failure_cost)) AS terms USING (task_id)
        LEFT JOIN (SELECT DISTINCT task_id FROM guardrails WHERE verdict = 'blocked' AND task_id != '') AS blocked USING (task_id)
        GROUP BY task_name, mode, unit
    ),
    counted AS
    (
        SELECT
            *,
            sum(unit_runs) OVER (PARTITION BY task_name, unit) AS all_runs,
            row_number() OVER (PARTITION BY task_name, unit ORDER BY mode) = 1 AS is_first
        FROM per_unit
    )
SELECT
    task_name,
    mode,
    sum(unit_runs) AS runs,
    count() AS inputs,
    sum(unit_priced) AS priced,
    sum(unit_unreached) AS unreached,
    toFloat64(sum(unit_cost)) AS cost,
    arraySort(groupUniqArrayArray(unit_currencies)) AS currencies,
    sum(unit_losses) AS priced_losses,
    toFloat64(sum(unit_loss)) AS loss,
    sumMap(unit_combinations.1, unit_combinations.2) AS by_combination,
    by_combination.1 AS combinations,
    by_combination.2 AS combination_runs,
    sum(countIf(is_first)) OVER (PARTITION BY task_name) AS mode_n,
    sum(unit_runs) AS mode_x,
    sum(sumIf(all_runs, is_first)) OVER (PARTITION BY task_name) AS mode_y,
    sum(unit_runs * unit_runs) AS mode_xx,
    sum(sumIf(all_runs * all_runs, is_first)) OVER (PARTITION BY task_name) AS mode_yy,
    sum(unit_runs * all_runs) AS mode_xy
FROM counted
GROUP BY task_name, mode
ORDER BY task_name, runs DESC, mode
LIMIT {most_modes:UInt32} BY task_name
