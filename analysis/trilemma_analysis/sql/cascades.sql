-- question: What would it have given to try a cheap combination first, and a dear one where a signal of the run said so?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     the cascades: policy_tasks, policy_baselines (the dear one), policy_candidates (the cheap one), policy_evaluators Array(String),
--     policy_thresholds Array(Float64) and policy_costs Array(Int64): what a run of the cheap one without a price counts as,
--     in 1e-12 of the currency. A run falls back if its calls failed, were cut, refused, filtered, blocked or did not fit their
--     schema, if a tool failed, or if the evaluator ('' for none) scored it, before it ended, at the threshold or below.
-- columns: policy UInt64 (from 1, in the order given); inputs, most_trials, unpriced UInt64; over inputs tried by both:
--     differences Array(Int64) and counts Array(UInt64): cascade's success rate minus the dear one's, in 1e-4, and inputs with it;
--     oracle Float64: sum of what falling back exactly where the cheap one failed would add; fired Float64: sum of the shares of
--     runs that fall back, failed of those that failed, failed_fired of both; gain_{n,sum,squares} over inputs that fall back: the dear
--     one's success there minus the cheap one's; cost_{n,x,y,xx,yy,xy}: x the cascade's and y the dear one's mean cost, in 1e-12;
--     oracle_cost Float64: sum of the oracle's; latency_{n,sum,squares} of log(cascade's mean latency / the dear one's).
-- cost: one pass over task runs, signs, tools and evaluations of the period, then a join in memory over inputs of these combinations.
WITH policies AS
(
    SELECT policy.1 AS number, policy.2 AS task_name, policy.3 AS baseline, policy.4 AS candidate, policy.5 AS evaluator,
        policy.6 AS threshold, policy.7 AS mean_cost
    FROM (SELECT arrayJoin(arrayZip(arrayEnumerate({policy_tasks:Array(String)}), {policy_tasks:Array(String)},
        {policy_baselines:Array(String)}, {policy_candidates:Array(String)}, {policy_evaluators:Array(String)},
        {policy_thresholds:Array(Float64)}, {policy_costs:Array(Int64)})) AS policy)
),
runs AS
(
    SELECT
        toString(task_name) AS task_name,
        toString(combination) AS combination,
        input_id,
        task_id,
        outcome = 'success' AS won,
        error_count > 0 OR status_code = 'Error' AS failed,
        cost,
        toInt64(round(ifNull(duration_s, 0) * 1e9)) AS length_ns,
        toUnixTimestamp64Nano(started_at) AS start_ns
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND (task_name, combination) IN (SELECT task_name, arrayJoin([baseline, candidate]) FROM policies)
        AND outcome IN ('success', 'failure')
        AND input_id != ''
),
signed AS
(
    SELECT task_id
    FROM call_signs
    WHERE has({policy_tasks:Array(String)}, task_name)
        AND (is_truncated OR is_refused OR is_filtered OR is_blocked OR ifNull(is_invalid, 0))
        AND started_at >= {since:DateTime64(6, 'UTC')}
    UNION DISTINCT
    SELECT task_id
    FROM spans
    WHERE has({policy_tasks:Array(String)}, task_name) AND startsWith(name, 'execute_tool') AND status_code = 'Error'
        AND started_at >= {since:DateTime64(6, 'UTC')}
),
scores AS
(
    SELECT toString(evaluation_name) AS evaluation_name, task_id, toUnixTimestamp64Nano(evaluated_at) AS evaluated_ns,
        assumeNotNull(score) AS score
    FROM evaluations
    WHERE has({policy_evaluators:Array(String)}, evaluation_name) AND isNotNull(score)
        AND evaluation_source NOT IN ('human', 'import')
),
low AS
(
    SELECT number, task_id, min(score) AS lowest
    FROM scores
    INNER JOIN runs ON runs.task_id = scores.task_id
    INNER JOIN policies ON policies.task_name = runs.task_name AND policies.candidate = runs.combination
        AND policies.evaluator = scores.evaluation_name
    WHERE arrayExists(evaluator -> evaluator != '', {policy_evaluators:Array(String)})
        AND evaluated_ns > start_ns AND evaluated_ns <= start_ns + length_ns
    GROUP BY number, task_id
    HAVING lowest <= any(threshold)
),
theirs AS
(
    SELECT
        number,
        input_id,
        count() AS runs,
        sum(falls_back) AS fired,
        countIf(won AND NOT falls_back) AS kept_won,
        countIf(won AND falls_back) AS fired_won,
        countIf(NOT won AND falls_back) AS fired_failed,
        countIf(NOT won) AS all_failed,
        countIf(isNull(cost)) AS unpriced,
        sum(if(isNull(cost), toInt256(mean_cost), toInt256(round(assumeNotNull(cost) * 1e12)))) AS total_cost,
        countIf(length_ns > 0) AS timed,
        sum(length_ns) AS total_ns
    FROM
    (
        SELECT
            policies.number AS number,
            policies.mean_cost AS mean_cost,
            runs.input_id AS input_id,
            runs.won AS won,
            runs.cost AS cost,
            runs.length_ns AS length_ns,
            toUInt64(runs.failed OR runs.task_id IN (SELECT task_id FROM signed)
                OR (policies.number, runs.task_id) IN (SELECT number, task_id FROM low)) AS falls_back
        FROM runs
        INNER JOIN policies ON policies.task_name = runs.task_name AND policies.candidate = runs.combination
    )
    GROUP BY number, input_id
),
ours AS
(
    SELECT
        task_name,
        combination,
        input_id,
        count() AS runs,
        countIf(won) / runs AS rate,
        count(cost) AS priced,
        toInt256(if(priced = 0, 0, round(sum(toInt256(round(ifNull(cost, 0) * 1e12))) / priced))) AS mean_cost,
        countIf(length_ns > 0) AS timed,
        if(timed = 0, 0, sum(length_ns) / timed) AS mean_ns
    FROM runs
    WHERE (task_name, combination) IN (SELECT arrayJoin(arrayZip({policy_tasks:Array(String)}, {policy_baselines:Array(String)})))
    GROUP BY task_name, combination, input_id
)
SELECT
    number AS policy,
    count() AS inputs,
    max(greatest(theirs_runs, ours_runs)) AS most_trials,
    sum(unpriced) AS unpriced,
    sumMap([difference], [toUInt64(1)]).1 AS differences,
    sumMap([difference], [toUInt64(1)]).2 AS counts,
    sum(oracle_e4) / 1e4 AS oracle,
    sum(fired_e4) / 1e4 AS fired,
    sum(failed_e4) / 1e4 AS failed,
    sum(failed_fired_e4) / 1e4 AS failed_fired,
    countIf(fired_e4 > 0) AS gain_n,
    sum(gain_e4) / 1e4 AS gain_sum,
    sum(gain_e4 * gain_e4) / 1e8 AS gain_squares,
    countIf(priced) AS cost_n,
    toFloat64(sumIf(their_cost, priced)) AS cost_x,
    toFloat64(sumIf(our_cost, priced)) AS cost_y,
    toFloat64(sumIf(their_cost * their_cost, priced)) AS cost_xx,
    toFloat64(sumIf(our_cost * our_cost, priced)) AS cost_yy,
    toFloat64(sumIf(their_cost * our_cost, priced)) AS cost_xy,
    toFloat64(sumIf(oracle_cost, priced)) AS oracle_cost,
    countIf(is_timed) AS latency_n,
    sum(log_ratio) / 1e6 AS latency_sum,
    sum(toInt128(log_ratio) * log_ratio) / 1e12 AS latency_squares
FROM
(
    SELECT
        theirs.number AS number,
        theirs.runs AS theirs_runs,
        ours.runs AS ours_runs,
        theirs.unpriced AS unpriced,
        toInt64(round(((theirs.kept_won + theirs.fired * ours.rate) / theirs.runs - ours.rate) * 1e4)) AS difference,
        toInt64(round((theirs.kept_won + theirs.fired_won + theirs.all_failed * ours.rate) / theirs.runs * 1e4 - ours.rate * 1e4)) AS oracle_e4,
        toInt64(round(theirs.fired / theirs.runs * 1e4)) AS fired_e4,
        toInt64(round(theirs.all_failed / theirs.runs * 1e4)) AS failed_e4,
        toInt64(round(theirs.fired_failed / theirs.runs * 1e4)) AS failed_fired_e4,
        toInt64(round((theirs.fired * ours.rate - theirs.fired_won) / theirs.runs * 1e4)) AS gain_e4,
        ours.priced > 0 AS priced,
        ours.mean_cost AS our_cost,
        toInt256(round((theirs.total_cost + theirs.fired * ours.mean_cost) / theirs.runs)) AS their_cost,
        toInt256(round((theirs.total_cost + theirs.all_failed * ours.mean_cost) / theirs.runs)) AS oracle_cost,
        theirs.timed = theirs.runs AND ours.timed > 0 AND ours.mean_ns > 0 AS is_timed,
        if(is_timed, toInt64(round(log(greatest(theirs.total_ns + theirs.fired * ours.mean_ns, 1) / theirs.runs / greatest(ours.mean_ns, 1)) * 1e6)), 0) AS log_ratio
    FROM theirs
    INNER JOIN policies ON policies.number = theirs.number
    INNER JOIN ours
        ON ours.task_name = policies.task_name AND ours.combination = policies.baseline AND ours.input_id = theirs.input_id
)
GROUP BY number
ORDER BY number
