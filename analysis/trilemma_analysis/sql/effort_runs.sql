-- question: How did the runs of one combination go at each level of reasoning (or limit of output), and on shared inputs?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     axis String: reasoning_level or max_tokens; axis_tasks Array(String): the tasks to look at.
-- columns: task_name, combination, level (levels of a run's calls; '' where none was asked for), other_level (on inputs tried at
--     both; '(all)': all inputs of the level alone); inputs, runs, known, successes, most_trials UInt64; outcome_{n,x,y,xx,yy,xy}: over
--     inputs, x successes and y known runs; output_tokens, reasoning_tokens and reasoning_cost Float64: means of a
--     run; currencies Array(String); then over inputs tried at
--     both (or, alone, over its own against nothing): differences Array(Int64) and counts Array(UInt64): this level's success
--     rate minus the other's, in 1e-4; cost_{n,x,y,xx,yy,xy}: x this level's and y the other's mean cost (alone: x cost and y priced
--     runs), in 1e-12; latency_{n,sum,squares} of log(this / other).
-- cost: one pass over the calls of these tasks, grouped by run, and one over their runs, grouped by input; memory grows with both.
WITH
levels AS
(
    SELECT
        task_id,
        arrayStringConcat(arraySort(groupUniqArray(if({axis:String} = 'reasoning_level', toString(reasoning_level),
            ifNull(toString(max_tokens), '')))), '+') AS level,
        sum(ifNull(reasoning_tokens, 0)) AS reasoning,
        sum(if(ifNull(output_tokens, 0) > 0, toInt64(round(ifNull(cost_output, 0) * 1e12 * ifNull(reasoning_tokens, 0) / output_tokens)), 0)) AS reasoning_e12
    FROM llm_calls
    WHERE has({axis_tasks:Array(String)}, task_name) AND task_id != ''
        AND started_at >= {since:DateTime64(6, 'UTC')}
    GROUP BY task_id
),
trials AS
(
    SELECT
        toString(runs.task_name) AS task_name,
        toString(runs.combination) AS combination,
        levels.level AS level,
        if(runs.input_id = '', runs.task_id, runs.input_id) AS unit,
        any(runs.input_id != '') AS is_named,
        count() AS runs,
        countIf(outcome IN ('success', 'failure')) AS known,
        countIf(outcome = 'success') AS successes,
        groupUniqArrayIf(toString(cost_currency), isNotNull(cost) AND cost_currency != '') AS trial_currencies,
        count(cost) AS priced,
        sum(toInt256(round(ifNull(cost, 0) * 1e12))) AS total_cost,
        toInt256(if(priced = 0, 0, round(total_cost / priced))) AS mean_cost,
        count(duration_s) AS timed,
        if(timed = 0, 0, sum(toInt64(round(ifNull(duration_s, 0) * 1e9))) / timed) AS mean_ns,
        sum(ifNull(output_tokens, 0)) AS output_tokens,
        sum(levels.reasoning) AS reasoning_tokens,
        sum(levels.reasoning_e12) AS reasoning_e12
    FROM task_runs AS runs
    INNER JOIN levels ON levels.task_id = runs.task_id
    WHERE has({axis_tasks:Array(String)}, runs.task_name)
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, runs.task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND runs.started_at >= {since:DateTime64(6, 'UTC')} AND runs.started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY task_name, combination, level, unit
),
-- Per input: each level with itself, and each with each other one where the input is named and both have known outcomes.
pairs AS
(
    SELECT
        task_name,
        combination,
        arrayJoin(own) AS one,
        arrayJoin(arrayFilter(other -> other.1 = one.1 OR (is_named AND one.3 > 0 AND other.3 > 0), own)) AS other
    FROM
    (
        SELECT
            task_name, combination, any(is_named) AS is_named,
            groupArray((level, runs, known, successes, total_cost, priced, mean_cost, mean_ns, output_tokens, reasoning_tokens,
                reasoning_e12, trial_currencies)) AS own
        FROM trials
        GROUP BY task_name, combination, unit
    )
),
sides AS
(
    SELECT
        task_name,
        combination,
        one.1 AS level,
        one.1 = other.1 AS is_alone,
        if(is_alone, '(all)', other.1) AS other_level,
        one.2 AS runs,
        one.3 AS known,
        one.4 AS successes,
        toInt64(round((one.4 / greatest(one.3, 1) - other.4 / greatest(other.3, 1)) * 1e4)) AS difference,
        greatest(if(is_alone, one.2, one.3), if(is_alone, one.2, other.3)) AS most,
        one.6 > 0 AND other.6 > 0 AS is_priced,
        if(is_alone, one.5, one.7) AS their_cost,
        if(is_alone, toInt256(one.6), other.7) AS our_cost,
        one.8 > 0 AND other.8 > 0 AS is_timed,
        if(is_timed, toInt64(round(log(greatest(one.8, 1) / if(is_alone, 1e9, greatest(other.8, 1))) * 1e6)), 0) AS log_ratio,
        one.9 AS output_tokens,
        one.10 AS reasoning_tokens,
        one.11 AS reasoning_e12,
        one.12 AS currencies
    FROM pairs
)
SELECT
    task_name, combination, level, other_level,
    count() AS inputs,
    sumIf(sides.runs, is_alone) AS runs,
    sumIf(sides.known, is_alone) AS known,
    sumIf(sides.successes, is_alone) AS successes,
    max(most) AS most_trials,
    countIf(is_alone AND sides.known > 0) AS outcome_n,
    sumIf(sides.successes, is_alone) AS outcome_x,
    sumIf(sides.known, is_alone) AS outcome_y,
    sumIf(sides.successes * sides.successes, is_alone) AS outcome_xx,
    sumIf(sides.known * sides.known, is_alone) AS outcome_yy,
    sumIf(sides.successes * sides.known, is_alone) AS outcome_xy,
    if(any(is_alone), sum(sides.output_tokens) / sum(sides.runs), 0) AS output_tokens,
    if(any(is_alone), sum(sides.reasoning_tokens) / sum(sides.runs), 0) AS reasoning_tokens,
    if(any(is_alone), sum(sides.reasoning_e12) / sum(sides.runs) / 1e12, 0) AS reasoning_cost,
    arraySort(groupUniqArrayArrayIf(sides.currencies, is_alone)) AS currencies,
    sumMapIf([difference], [toUInt64(1)], NOT is_alone).1 AS differences,
    sumMapIf([difference], [toUInt64(1)], NOT is_alone).2 AS counts,
    countIf(is_priced) AS cost_n,
    toFloat64(sumIf(their_cost, is_alone OR is_priced)) AS cost_x,
    toFloat64(sumIf(our_cost, is_alone OR is_priced)) AS cost_y,
    toFloat64(sumIf(their_cost * their_cost, is_alone OR is_priced)) AS cost_xx,
    toFloat64(sumIf(our_cost * our_cost, is_alone OR is_priced)) AS cost_yy,
    toFloat64(sumIf(their_cost * our_cost, is_alone OR is_priced)) AS cost_xy,
    countIf(is_timed) AS latency_n,
    sum(log_ratio) / 1e6 AS latency_sum,
    sum(toInt128(log_ratio) * log_ratio) / 1e12 AS latency_squares
FROM sides
GROUP BY task_name, combination, level, other_level
ORDER BY task_name, combination, level, other_level
