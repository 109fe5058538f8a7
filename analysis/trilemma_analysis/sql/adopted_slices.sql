-- question: Since a change, how did the runs on it do beside those that went on as before, slice of time by slice?
-- parameters: task and service String ('': all), since and until DateTime64(6) (until is excluded); before and after String: the
--     combinations ('' for before: all others); width_us UInt64: the slices' length, counted from since.
-- columns: slice UInt64; after_runs and before_runs UInt64; then of outcome (successes in 1e-6), cost (1e-12 of the currency) and latency
--     (log seconds in 1e-6), sums over inputs of their mean over runs: <measure>_after_n, _after, _before_n, _before; and over inputs
--     that both had: _pairs_n, _pairs_after, _pairs_before. A run without input id is its own input; an input lies in the slice
--     in which both (or the only one) had seen it.
-- cost: one pass over the task's runs since the change; memory grows with the number of inputs; returns at most a few thousand rows.
WITH
    units AS
    (
        SELECT
            if(input_id = '', task_id, input_id) AS unit,
            combination = {after:String} AS is_after,
            min(toUnixTimestamp64Micro(toDateTime64(started_at, 6, 'UTC'))) AS first_us,
            count() AS runs,
            countIf(outcome IN ('success', 'failure')) AS known,
            countIf(outcome = 'success') AS successes,
            count(cost) AS priced,
            sum(toInt256(round(ifNull(cost, 0) * 1e12))) AS spent,
            countIf(duration_s > 0) AS timed,
            sum(toInt64(if(duration_s > 0, round(log(assumeNotNull(duration_s)) * 1e6), 0))) AS log_us
        FROM task_runs
        WHERE task_name = {task:String}
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
            AND (combination = {after:String} OR {before:String} = '' OR combination = {before:String})
        GROUP BY unit, is_after
    ),
    inputs AS
    (
        SELECT
            intDiv(
                toUInt64(max(first_us) - toUnixTimestamp64Micro({since:DateTime64(6, 'UTC')})), {width_us:UInt64}) AS slice,
            sumIf(runs, is_after) AS runs_1,
            sumIf(runs, NOT is_after) AS runs_0,
            sumIf(known, is_after) AS outcome_n1,
            sumIf(known, NOT is_after) AS outcome_n0,
            sumIf(priced, is_after) AS cost_n1,
            sumIf(priced, NOT is_after) AS cost_n0,
            sumIf(timed, is_after) AS latency_n1,
            sumIf(timed, NOT is_after) AS latency_n0,
            toInt256(if(outcome_n1 = 0, 0, round(1e6 * sumIf(successes, is_after) / outcome_n1))) AS outcome_1,
            toInt256(if(outcome_n0 = 0, 0, round(1e6 * sumIf(successes, NOT is_after) / outcome_n0))) AS outcome_0,
            toInt256(if(cost_n1 = 0, 0, round(toFloat64(sumIf(spent, is_after)) / cost_n1))) AS cost_1,
            toInt256(if(cost_n0 = 0, 0, round(toFloat64(sumIf(spent, NOT is_after)) / cost_n0))) AS cost_0,
            toInt256(if(latency_n1 = 0, 0, round(sumIf(log_us, is_after) / latency_n1))) AS latency_1,
            toInt256(if(latency_n0 = 0, 0, round(sumIf(log_us, NOT is_after) / latency_n0))) AS latency_0
        FROM units
        GROUP BY unit
    )
SELECT
    slice,
    sum(runs_1) AS after_runs,
    sum(runs_0) AS before_runs,
    countIf(outcome_n1 > 0) AS outcome_after_n,
    toFloat64(sum(outcome_1)) AS outcome_after,
    countIf(outcome_n0 > 0) AS outcome_before_n,
    toFloat64(sum(outcome_0)) AS outcome_before,
    countIf(outcome_n1 > 0 AND outcome_n0 > 0) AS outcome_pairs_n,
    toFloat64(sumIf(outcome_1, outcome_n0 > 0)) AS outcome_pairs_after,
    toFloat64(sumIf(outcome_0, outcome_n1 > 0)) AS outcome_pairs_before,
    countIf(cost_n1 > 0) AS cost_after_n,
    toFloat64(sum(cost_1)) AS cost_after,
    countIf(cost_n0 > 0) AS cost_before_n,
    toFloat64(sum(cost_0)) AS cost_before,
    countIf(cost_n1 > 0 AND cost_n0 > 0) AS cost_pairs_n,
    toFloat64(sumIf(cost_1, cost_n0 > 0)) AS cost_pairs_after,
    toFloat64(sumIf(cost_0, cost_n1 > 0)) AS cost_pairs_before,
    countIf(latency_n1 > 0) AS latency_after_n,
    toFloat64(sum(latency_1)) AS latency_after,
    countIf(latency_n0 > 0) AS latency_before_n,
    toFloat64(sum(latency_0)) AS latency_before,
    countIf(latency_n1 > 0 AND latency_n0 > 0) AS latency_pairs_n,
    toFloat64(sumIf(latency_1, latency_n0 > 0)) AS latency_pairs_after,
    toFloat64(sumIf(latency_0, latency_n1 > 0)) AS latency_pairs_before
FROM inputs
GROUP BY slice
ORDER BY slice
