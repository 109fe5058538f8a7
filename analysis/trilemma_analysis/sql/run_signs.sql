-- question: How many runs have calls that were cut, refused, repeated for their format, or looped, and how did those runs go?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     loop_length UInt64: so many calls in a row that ask for the same tools are a loop; least_runs UInt64: a sign that fewer
--     runs of a combination have is left out.
-- columns: task_name, combination, sign (truncated, refused, looped, reformatted); with_runs, runs, with_failed UInt64; sums over inputs
--     (an input given several times is one unit; a run without input_id is its own) over runs with the sign (with_) and the others
--     (without_): outcome_{n,x,y,xx,yy,xy} with x successes and y known runs, cost_{...} with x cost and y priced runs; and of all
--     runs share_{...} with x runs with the sign and y runs, waste_{...} with x cost of runs that have the sign and failed and y cost.
--     Costs are in 1e-12 of the currency.
-- cost: one pass over the calls and the task runs of the period; memory grows with the number of runs, most for those with many calls.
WITH signed AS
(
    SELECT task_id, groupBitOrForEach(call_flags) AS flags
    FROM
    (
        SELECT task_id, [toUInt8(is_truncated), toUInt8(is_refused OR is_filtered OR is_blocked), 0, toUInt8(ifNull(is_invalid, 0))]
            AS call_flags
        FROM call_signs
        WHERE task_id != '' AND (is_truncated OR is_refused OR is_filtered OR is_blocked OR is_invalid)
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')} + INTERVAL 1 DAY
        UNION ALL
        -- The order of a run's calls is looked at only where it can show something: enough calls, or several that ask for JSON.
        SELECT task_id, [0, 0, toUInt8(tool_loop_length >= {loop_length:UInt64}), toUInt8(format_retry_count > 0)] AS call_flags
        FROM task_signs
        WHERE task_id IN
        (
            SELECT task_id
            FROM task_runs
            WHERE call_count >= {loop_length:UInt64}
                AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
            UNION ALL
            SELECT task_id
            FROM llm_calls
            WHERE output_type = 'json' AND task_id != ''
                AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')} + INTERVAL 1 DAY
            GROUP BY task_id
            HAVING count() > 1
        )
            AND (tool_loop_length >= {loop_length:UInt64} OR format_retry_count > 0)
    )
    GROUP BY task_id
),
units AS
(
    SELECT
        task_name,
        combination,
        if(input_id = '', runs.task_id, input_id) AS unit,
        count() AS all_runs,
        countIf(outcome IN ('success', 'failure')) AS all_known,
        countIf(outcome = 'success') AS all_successes,
        count(runs.cost) AS all_priced,
        sum(toInt256(round(ifNull(runs.cost, 0) * 1e12))) AS all_cost,
        -- per sign: runs, known, successes, priced, cost, failed, cost of those that failed
        sumForEach(arrayMap(flag -> toUInt64(flag), flags)) AS sign_runs,
        sumForEach(arrayMap(flag -> toUInt64(flag AND outcome IN ('success', 'failure')), flags)) AS sign_known,
        sumForEach(arrayMap(flag -> toUInt64(flag AND outcome = 'success'), flags)) AS sign_successes,
        sumForEach(arrayMap(flag -> toUInt64(flag AND isNotNull(runs.cost)), flags)) AS sign_priced,
        sumForEach(arrayMap(flag -> if(flag, toInt256(round(ifNull(runs.cost, 0) * 1e12)), 0), flags)) AS sign_cost,
        sumForEach(arrayMap(flag -> toUInt64(flag AND outcome = 'failure'), flags)) AS sign_failed,
        sumForEach(arrayMap(flag -> if(flag AND outcome = 'failure', toInt256(round(ifNull(runs.cost, 0) * 1e12)), 0), flags))
            AS sign_waste
    FROM task_runs AS runs
    LEFT JOIN signed ON signed.task_id = runs.task_id
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY task_name, combination, unit
)
SELECT
    task_name,
    combination,
    ['truncated', 'refused', 'looped', 'reformatted'][number] AS sign,
    sum(with_run) AS with_runs,
    sum(all_runs) AS runs,
    sum(with_fail) AS with_failed,
    countIf(with_known > 0) AS with_outcome_n,
    sum(with_success) AS with_outcome_x,
    sum(with_known) AS with_outcome_y,
    sum(with_success * with_success) AS with_outcome_xx,
    sum(with_known * with_known) AS with_outcome_yy,
    sum(with_success * with_known) AS with_outcome_xy,
    countIf(all_known > with_known) AS without_outcome_n,
    sum(all_successes - with_success) AS without_outcome_x,
    sum(all_known - with_known) AS without_outcome_y,
    sum((all_successes - with_success) * (all_successes - with_success)) AS without_outcome_xx,
    sum((all_known - with_known) * (all_known - with_known)) AS without_outcome_yy,
    sum((all_successes - with_success) * (all_known - with_known)) AS without_outcome_xy,
    countIf(with_priced > 0) AS with_cost_n,
    toFloat64(sum(with_cost)) AS with_cost_x,
    sum(with_priced) AS with_cost_y,
    toFloat64(sum(with_cost * with_cost)) AS with_cost_xx,
    sum(with_priced * with_priced) AS with_cost_yy,
    toFloat64(sum(with_cost * with_priced)) AS with_cost_xy,
    countIf(all_priced > with_priced) AS without_cost_n,
    toFloat64(sum(all_cost - with_cost)) AS without_cost_x,
    sum(all_priced - with_priced) AS without_cost_y,
    toFloat64(sum((all_cost - with_cost) * (all_cost - with_cost))) AS without_cost_xx,
    sum((all_priced - with_priced) * (all_priced - with_priced)) AS without_cost_yy,
    toFloat64(sum((all_cost - with_cost) * (all_priced - with_priced))) AS without_cost_xy,
    count() AS share_n,
    sum(with_run) AS share_x,
    sum(all_runs) AS share_y,
    sum(with_run * with_run) AS share_xx,
    sum(all_runs * all_runs) AS share_yy,
    sum(with_run * all_runs) AS share_xy,
    countIf(all_priced > 0) AS waste_n,
    toFloat64(sum(with_waste)) AS waste_x,
    toFloat64(sum(all_cost)) AS waste_y,
    toFloat64(sum(with_waste * with_waste)) AS waste_xx,
    toFloat64(sum(all_cost * all_cost)) AS waste_yy,
    toFloat64(sum(with_waste * all_cost)) AS waste_xy
FROM
(
    SELECT
        task_name, combination, all_runs, all_known, all_successes, all_priced, all_cost, number,
        arrayElement(sign_runs, number) AS with_run,
        arrayElement(sign_known, number) AS with_known,
        arrayElement(sign_successes, number) AS with_success,
        arrayElement(sign_priced, number) AS with_priced,
        arrayElement(sign_cost, number) AS with_cost,
        arrayElement(sign_failed, number) AS with_fail,
        arrayElement(sign_waste, number) AS with_waste
    FROM units
    ARRAY JOIN [1, 2, 3, 4] AS number
)
GROUP BY task_name, combination, number
HAVING with_runs >= {least_runs:UInt64}
ORDER BY task_name, sign, combination
