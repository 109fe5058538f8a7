-- question: What shape do the runs of each combination have: failed ones, latencies, costs, times, values that repeat or pile up?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination; runs, known, successes, calls, input_tokens, output_tokens UInt64 (the latter three summed as the runs say);
--     hollow_errors (successes all of whose calls failed), hollow_outputs (successes whose calls gave no token);
--     failed (runs with an error and without success), failed_untimed, answered (the others that have a length);
--     answered_s, failed_s, either_s Array(Float64): p50 and p95 within 1 %, of the answered, of the failed that have a length, and of
--     both with the failed as 1e9 s; latencies, costs, token_counts, moments (distinct values, estimated), fine_latencies (not whole
--     milliseconds), priced, free (cost 0 although tokens were counted) UInt64; timed UInt64; cost_e12, latency_ns Float64 (sums);
--     top_costs_e12, top_latencies_ns Array(Int64): the 500 largest; first_starts_ns: the 200 first; versions: up to 50 task versions.
-- cost: one pass over the task runs of the period; memory grows with combinations.
SELECT
    task_name,
    combination,
    count() AS runs,
    countIf(is_known) AS known,
    countIf(outcome = 'success') AS successes,
    sum(call_count) AS calls,
    sum(ifNull(task_runs.input_tokens, 0)) AS input_tokens,
    sum(ifNull(task_runs.output_tokens, 0)) AS output_tokens,
    countIf(outcome = 'success' AND call_count > 0 AND error_count >= call_count) AS hollow_errors,
    countIf(outcome = 'success' AND call_count > 0 AND task_runs.output_tokens = 0) AS hollow_outputs,
    countIf(is_failed) AS failed,
    countIf(is_failed AND isNull(duration_s)) AS failed_untimed,
    countIf(NOT is_failed AND isNotNull(duration_s)) AS answered,
    quantilesDDIf(0.005, 0.5, 0.95)(ifNull(duration_s, 0), NOT is_failed AND isNotNull(duration_s)) AS answered_s,
    quantilesDDIf(0.005, 0.5, 0.95)(ifNull(duration_s, 0), is_failed AND isNotNull(duration_s)) AS failed_s,
    quantilesDDIf(0.005, 0.5, 0.95)(if(is_failed, 1e9, ifNull(duration_s, 0)), is_failed OR isNotNull(duration_s)) AS either_s,
    uniq(duration_s) AS latencies,
    uniq(cost) AS costs,
    uniqIf((task_runs.input_tokens, task_runs.output_tokens), isNotNull(task_runs.output_tokens)) AS token_counts,
    uniq(started_at) AS moments,
    countIf(length_ns % 1000000 != 0) AS fine_latencies,
    count(cost) AS priced,
    countIf(cost = 0 AND (task_runs.output_tokens > 0 OR task_runs.input_tokens > 0)) AS free,
    toFloat64(sum(whole_cost)) AS cost_e12,
    toFloat64(sum(length_ns)) AS latency_ns,
    countIf(length_ns > 0) AS timed,
    arrayMap(value -> -value, groupArraySortedIf(500)(-whole_cost, isNotNull(cost))) AS top_costs_e12,
    arrayMap(value -> -value, groupArraySortedIf(500)(-length_ns, length_ns > 0)) AS top_latencies_ns,
    groupArraySorted(200)(start_ns) AS first_starts_ns,
    arraySlice(arraySort(groupUniqArrayIf(task_version, task_version != '')), 1, 50) AS versions
FROM
(
    SELECT
        *,
        outcome IN ('success', 'failure') AS is_known,
        (error_count > 0 OR status_code = 'Error') AND outcome != 'success' AS is_failed,
        toInt64(round(ifNull(duration_s, 0) * 1e9)) AS length_ns,
        toInt64(round(ifNull(cost, 0) * 1e12)) AS whole_cost,
        toUnixTimestamp64Nano(started_at) AS start_ns
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
) AS task_runs
GROUP BY task_name, combination
ORDER BY task_name, combination
