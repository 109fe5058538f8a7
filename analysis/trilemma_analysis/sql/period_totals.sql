-- question: How did each task do in a period, and in the one before it, over all its combinations?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     split DateTime64(6): where the earlier period ends and the later one starts.
-- columns: task_name; is_now UInt8 (0: the period before); runs, timed UInt64; currencies; then sums over inputs (an input given several times
--     is one unit): outcome_{n,x,y,xx,yy,xy} with x successes and y known runs; run_cost_ with x cost (1e-12) and y priced runs; p50_ with x runs
--     at or below the median latency and y timed runs.
-- cost: two passes over the task runs of both periods; memory grows with the number of inputs.
WITH
    runs AS
    (
        SELECT
            toString(task_name) AS task,
            started_at >= {split:DateTime64(6, 'UTC')} AS is_now,
            if(input_id = '', task_id, input_id) AS unit,
            outcome,
            cost,
            cost_currency,
            duration_s
        FROM task_runs
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    ),
    medians AS
    (
        SELECT task, is_now, quantileExactLow(0.5)(assumeNotNull(duration_s)) AS median_s
        FROM runs
        WHERE isNotNull(duration_s)
        GROUP BY task, is_now
    )
SELECT
    task AS task_name,
    is_now,
    sum(unit_runs) AS runs,
    sum(unit_timed) AS timed,
    arraySort(groupUniqArrayArray(unit_currencies)) AS currencies,
    countIf(unit_known > 0) AS outcome_n,
    sum(unit_successes) AS outcome_x,
    sum(unit_known) AS outcome_y,
    sum(unit_successes * unit_successes) AS outcome_xx,
    sum(unit_known * unit_known) AS outcome_yy,
    sum(unit_successes * unit_known) AS outcome_xy,
    countIf(unit_priced > 0) AS run_cost_n,
    toFloat64(sum(unit_cost)) AS run_cost_x,
    sum(unit_priced) AS run_cost_y,
    toFloat64(sum(unit_cost * unit_cost)) AS run_cost_xx,
    sum(unit_priced * unit_priced) AS run_cost_yy,
    toFloat64(sum(unit_cost * unit_priced)) AS run_cost_xy,
    countIf(unit_timed > 0) AS p50_n,
    sum(unit_below) AS p50_x,
    sum(unit_timed) AS p50_y,
    sum(unit_below * unit_below) AS p50_xx,
    sum(unit_timed * unit_timed) AS p50_yy,
    sum(unit_below * unit_timed) AS p50_xy
FROM
(
    SELECT
        runs.task AS task,
        runs.is_now AS is_now,
        count() AS unit_runs,
        countIf(outcome IN ('success', 'failure')) AS unit_known,
        countIf(outcome = 'success') AS unit_successes,
        countIf(isNotNull(cost)) AS unit_priced,
        sum(toInt256(round(ifNull(cost, 0) * 1e12))) AS unit_cost,
        countIf(isNotNull(duration_s)) AS unit_timed,
        countIf(isNotNull(duration_s) AND duration_s <= median_s) AS unit_below,
        groupUniqArrayIf(cost_currency, isNotNull(cost) AND cost_currency != '') AS unit_currencies
    FROM runs
    LEFT JOIN medians ON medians.task = runs.task AND medians.is_now = runs.is_now
    GROUP BY task, is_now, unit
)
GROUP BY task, is_now
ORDER BY task, is_now
