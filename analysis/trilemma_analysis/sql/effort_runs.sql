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
-- cost: one pass over the calls of these tasks, grouped by run, then a join in memory over inputs tried at several levels.
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
)
SELECT
    task_name, combination, level, '(all)' AS other_level,
    count() AS inputs,
    sum(trials.runs) AS runs,
    sum(trials.known) AS known,
    sum(trials.successes) AS successes,
    max(trials.runs) AS most_trials,
    countIf(trials.known > 0) AS outcome_n,
    sum(trials.successes) AS outcome_x,
    sum(trials.known) AS outcome_y,
    sum(trials.successes * trials.successes) AS outcome_xx,
    sum(trials.known * trials.known) AS outcome_yy,
    sum(trials.successes * trials.known) AS outcome_xy,
    sum(trials.output_tokens) / sum(trials.runs) AS output_tokens,
    sum(trials.reasoning_tokens) / sum(trials.runs) AS reasoning_tokens,
    sum(trials.reasoning_e12) / sum(trials.runs) / 1e12 AS reasoning_cost,
    arraySort(groupUniqArrayArray(trial_currencies)) AS currencies,
    emptyArrayInt64() AS differences,
    emptyArrayUInt64() AS counts,
    countIf(priced > 0) AS cost_n,
    toFloat64(sum(total_cost)) AS cost_x,
    toFloat64(sum(priced)) AS cost_y,
    toFloat64(sum(total_cost * total_cost)) AS cost_xx,
    toFloat64(sum(priced * priced)) AS cost_yy,
    toFloat64(sum(total_cost * priced)) AS cost_xy,
    countIf(mean_ns > 0) AS latency_n,
    sum(if(mean_ns > 0, toInt64(round(log(greatest(mean_ns, 1) / 1e9) * 1e6)), 0)) / 1e6 AS latency_sum,
    sum(if(mean_ns > 0, toInt128(round(log(greatest(mean_ns, 1) / 1e9) * 1e6)) * toInt128(round(log(greatest(mean_ns, 1) / 1e9) * 1e6)), 0)) / 1e12 AS latency_squares
FROM trials
GROUP BY task_name, combination, level
UNION ALL
SELECT
    task_name, combination, level, other_level,
    count() AS inputs,
    0 AS runs, 0 AS known, 0 AS successes,
    max(most) AS most_trials,
    0 AS outcome_n, 0 AS outcome_x, 0 AS outcome_y, 0 AS outcome_xx, 0 AS outcome_yy, 0 AS outcome_xy,
    0 AS output_tokens,
    0 AS reasoning_tokens,
    0 AS reasoning_cost,
    emptyArrayString() AS currencies,
    sumMap([difference], [toUInt64(1)]).1 AS differences,
    sumMap([difference], [toUInt64(1)]).2 AS counts,
    countIf(is_priced) AS cost_n,
    toFloat64(sumIf(their_cost, is_priced)) AS cost_x,
    toFloat64(sumIf(our_cost, is_priced)) AS cost_y,
    toFloat64(sumIf(their_cost * their_cost, is_priced)) AS cost_xx,
    toFloat64(sumIf(our_cost * our_cost, is_priced)) AS cost_yy,
    toFloat64(sumIf(their_cost * our_cost, is_priced)) AS cost_xy,
    countIf(is_timed) AS latency_n,
    sum(log_ratio) / 1e6 AS latency_sum,
    sum(toInt128(log_ratio) * log_ratio) / 1e12 AS latency_squares
FROM
(
    SELECT
        theirs.task_name AS task_name,
        theirs.combination AS combination,
        theirs.level AS level,
        ours.level AS other_level,
        greatest(theirs.known, ours.known) AS most,
        toInt64(round((theirs.successes / theirs.known - ours.successes / ours.known) * 1e4)) AS difference,
        theirs.priced > 0 AND ours.priced > 0 AS is_priced,
        theirs.mean_cost AS their_cost,
        ours.mean_cost AS our_cost,
        theirs.mean_ns > 0 AND ours.mean_ns > 0 AS is_timed,
        if(is_timed, toInt64(round(log(greatest(theirs.mean_ns, 1) / greatest(ours.mean_ns, 1)) * 1e6)), 0) AS log_ratio
    FROM trials AS theirs
    INNER JOIN trials AS ours
        ON ours.task_name = theirs.task_name AND ours.combination = theirs.combination AND ours.unit = theirs.unit
    WHERE theirs.level != ours.level AND theirs.is_named AND theirs.known > 0 AND ours.known > 0
)
GROUP BY task_name, combination, level, other_level
ORDER BY task_name, combination, level, other_level
