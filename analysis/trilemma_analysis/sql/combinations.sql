-- question: How often did each combination run per task, how well, and at what cost?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination, models, the axes; first_at and last_at in microseconds since 1970; runs, named
--     (runs with an input_id), inputs, known, successes, errors, unpriced, calls, timed UInt64; currencies;
--     then sums over inputs (an input given several times is one unit; a run without input_id is its own):
--     outcome_{n,x,y,xx,yy,xy} with x successes and y known runs; run_cost_ with x cost and y priced runs; call_cost_ with y calls;
--     success_cost_ with x cost and y successes of the priced runs whose outcome is known. Costs are in 1e-12 of the
--     currency, as integers, so that their sums do not depend on the order of the rows.
-- cost: one pass over the task runs of the period with their calls; memory grows with the number of inputs.
SELECT
    task_name, combination, models, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route,
    variant_fallback, variant_cache, variant,
    min(unit_first) AS first_at,
    max(unit_last) AS last_at,
    sum(unit_runs) AS runs,
    sum(unit_named) AS named,
    count() AS inputs,
    sum(unit_known) AS known,
    sum(unit_successes) AS successes,
    sum(unit_errors) AS errors,
    sum(unit_runs - unit_priced) AS unpriced,
    sum(unit_calls) AS calls,
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
    countIf(unit_priced_calls > 0) AS call_cost_n,
    toFloat64(sum(unit_cost)) AS call_cost_x,
    sum(unit_priced_calls) AS call_cost_y,
    toFloat64(sum(unit_cost * unit_cost)) AS call_cost_xx,
    sum(unit_priced_calls * unit_priced_calls) AS call_cost_yy,
    toFloat64(sum(unit_cost * unit_priced_calls)) AS call_cost_xy,
    countIf(unit_judged > 0) AS success_cost_n,
    toFloat64(sum(unit_judged_cost)) AS success_cost_x,
    sum(unit_judged_successes) AS success_cost_y,
    toFloat64(sum(unit_judged_cost * unit_judged_cost)) AS success_cost_xx,
    sum(unit_judged_successes * unit_judged_successes) AS success_cost_yy,
    toFloat64(sum(unit_judged_cost * unit_judged_successes)) AS success_cost_xy
FROM
(
    SELECT
        task_name, combination, models, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route,
        variant_fallback, variant_cache, variant,
        if(input_id = '', task_id, input_id) AS unit,
        toUnixTimestamp64Micro(toDateTime64(min(started_at), 6)) AS unit_first,
        toUnixTimestamp64Micro(toDateTime64(max(started_at), 6)) AS unit_last,
        count() AS unit_runs,
        countIf(input_id != '') AS unit_named,
        countIf(outcome IN ('success', 'failure')) AS unit_known,
        countIf(outcome = 'success') AS unit_successes,
        countIf(error_count > 0 OR status_code = 'Error') AS unit_errors,
        countIf(isNotNull(cost)) AS unit_priced,
        sum(call_count) AS unit_calls,
        sumIf(call_count, isNotNull(cost)) AS unit_priced_calls,
        countIf(isNotNull(duration_s)) AS unit_timed,
        groupUniqArrayIf(cost_currency, isNotNull(cost) AND cost_currency != '') AS unit_currencies,
        sum(toInt256(round(ifNull(cost, 0) * 1e12))) AS unit_cost,
        countIf(isNotNull(cost) AND outcome IN ('success', 'failure')) AS unit_judged,
        countIf(isNotNull(cost) AND outcome = 'success') AS unit_judged_successes,
        sumIf(toInt256(round(ifNull(cost, 0) * 1e12)), outcome IN ('success', 'failure')) AS unit_judged_cost
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY ALL
)
GROUP BY ALL
ORDER BY task_name, combination
