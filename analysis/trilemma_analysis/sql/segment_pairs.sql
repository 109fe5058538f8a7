-- question: On inputs that two combinations share, how do they differ per segment, in each half of the inputs?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     the comparisons: pair_tasks, pair_baselines and pair_candidates Array(String).
-- columns: task_name, baseline, candidate; feature: segment (of the task's terms; '(other)' beyond the 50 with
--     most inputs) or input_size (a third of the task's inputs by
--     the baseline's input tokens, where its runs make one call each); segment; least_tokens and most_tokens Float64 of input_size;
--     half UInt8 (0 or 1, by a hash of the input's id); inputs, most_trials; differences Array(Int64) and counts Array(UInt64): the
--     candidate's success rate minus the baseline's, in 1e-4, and inputs with it; cost_{n,x,y,xx,yy,xy}: x the candidate's and
--     y the baseline's mean cost of an input, in 1e-12 of the currency; latency_{n,sum,squares} of log(candidate's / baseline's).
-- cost: one pass over the task runs of the period and their terms, then a join in memory over (task, input, combination).
WITH comparisons AS
(
    SELECT pair.1 AS task_name, pair.2 AS baseline, pair.3 AS candidate
    FROM (SELECT arrayJoin(arrayZip(
        {pair_tasks:Array(String)}, {pair_baselines:Array(String)}, {pair_candidates:Array(String)})) AS pair)
),
trials AS
(
    SELECT
        toString(runs.task_name) AS task_name,
        toString(combination) AS combination,
        input_id,
        min(terms.segment) AS segment,
        count() AS runs,
        countIf(outcome = 'success') AS successes,
        count(cost) AS priced,
        toInt256(if(priced = 0, 0, round(sum(toInt256(round(ifNull(cost, 0) * 1e12))) / priced))) AS mean_cost,
        count(duration_s) AS timed,
        if(timed = 0, 0, sum(toInt64(round(ifNull(duration_s, 0) * 1e9))) / timed) AS mean_ns,
        if(count(input_tokens) = runs AND max(call_count) = 1, sum(ifNull(input_tokens, 0)) / runs, 0) AS tokens
    FROM task_runs AS runs
    LEFT JOIN
    (
        SELECT task_id, toString(segment) AS segment
        FROM task_terms
        WHERE has({pair_tasks:Array(String)}, task_name) AND segment != ''
    ) AS terms ON terms.task_id = runs.task_id
    WHERE (runs.task_name, combination) IN (SELECT task_name, arrayJoin([baseline, candidate]) FROM comparisons)
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, runs.task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND runs.started_at >= {since:DateTime64(6, 'UTC')} AND runs.started_at < {until:DateTime64(6, 'UTC')}
        AND outcome IN ('success', 'failure')
        AND input_id != ''
    GROUP BY task_name, combination, input_id
),
named AS
(
    SELECT
        task_name,
        arrayMap(one -> one.2, arraySlice(arraySort(groupArray((-toInt64(inputs), segment))), 1, 50)) AS names
    FROM (SELECT task_name, segment, count() AS inputs FROM trials WHERE segment != '' GROUP BY task_name, segment)
    GROUP BY task_name
),
sizes AS
(
    SELECT task_name, combination, quantilesExactLow(0.3333, 0.6667)(tokens) AS edges
    FROM trials
    WHERE tokens > 0
    GROUP BY task_name, combination
)
SELECT
    task_name, baseline, candidate, feature, segment, half,
    min(tokens) AS least_tokens,
    max(tokens) AS most_tokens,
    count() AS inputs,
    max(trials) AS most_trials,
    sumMap([difference], [toUInt64(1)]).1 AS differences,
    sumMap([difference], [toUInt64(1)]).2 AS counts,
    countIf(priced) AS cost_n,
    toFloat64(sumIf(their_cost, priced)) AS cost_x,
    toFloat64(sumIf(our_cost, priced)) AS cost_y,
    toFloat64(sumIf(their_cost * their_cost, priced)) AS cost_xx,
    toFloat64(sumIf(our_cost * our_cost, priced)) AS cost_yy,
    toFloat64(sumIf(their_cost * our_cost, priced)) AS cost_xy,
    countIf(is_timed) AS latency_n,
    sum(log_ratio) / 1e6 AS latency_sum,
    sum(toInt128(log_ratio) * log_ratio) / 1e12 AS latency_squares
FROM
(
    SELECT
        comparisons.task_name AS task_name,
        comparisons.baseline AS baseline,
        comparisons.candidate AS candidate,
        arrayJoin(arrayFilter(one -> one.2 != '', [
            ('segment', if(ours.segment = '' OR has(names, ours.segment), ours.segment, '(other)')),
            ('input_size', multiIf(ours.tokens = 0 OR empty(edges), '', ours.tokens <= edges[1], 'small',
                ours.tokens <= edges[2], 'middle', 'large'))])) AS feature_value,
        feature_value.1 AS feature,
        feature_value.2 AS segment,
        toUInt8(cityHash64(ours.input_id) % 2) AS half,
        ours.tokens AS tokens,
        greatest(ours.runs, theirs.runs) AS trials,
        toInt64(round((theirs.successes / theirs.runs - ours.successes / ours.runs) * 1e4)) AS difference,
        theirs.priced > 0 AND ours.priced > 0 AS priced,
        theirs.mean_cost AS their_cost,
        ours.mean_cost AS our_cost,
        theirs.mean_ns > 0 AND ours.mean_ns > 0 AS is_timed,
        if(is_timed, toInt64(round(log(greatest(theirs.mean_ns, 1) / greatest(ours.mean_ns, 1)) * 1e6)), 0) AS log_ratio
    FROM trials AS theirs
    INNER JOIN comparisons ON comparisons.task_name = theirs.task_name AND comparisons.candidate = theirs.combination
    INNER JOIN (SELECT * FROM trials WHERE (task_name, combination) IN (SELECT task_name, baseline FROM comparisons)) AS ours
        ON ours.task_name = theirs.task_name AND ours.input_id = theirs.input_id AND ours.combination = comparisons.baseline
    LEFT JOIN named ON named.task_name = ours.task_name
    LEFT JOIN sizes ON sizes.task_name = ours.task_name AND sizes.combination = ours.combination
)
GROUP BY task_name, baseline, candidate, feature, segment, half
ORDER BY task_name, baseline, candidate, feature, segment, half
