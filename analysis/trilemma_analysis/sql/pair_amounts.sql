-- question: On the inputs that two combinations share, what do they cost and how long do they take, each per input?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     the comparisons: pair_tasks, pair_baselines and pair_candidates Array(String).
-- columns: task_name, baseline, candidate; cost_{n,x,y,xx,yy,xy}: sums over inputs priced on both sides, x the candidate's and y
--     the baseline's mean cost of an input, in 1e-12 of the currency; latency_{n,sum,squares}: sums over inputs timed on both
--     sides of log(candidate's mean latency / baseline's).
-- cost: as pair_outcomes.
WITH comparisons AS
(
    SELECT pair.1 AS task_name, pair.2 AS baseline, pair.3 AS candidate
    FROM (SELECT arrayJoin(arrayZip(
        {pair_tasks:Array(String)}, {pair_baselines:Array(String)}, {pair_candidates:Array(String)})) AS pair)
),
amounts AS
(
    SELECT
        toString(task_name) AS task_name,
        combination,
        input_id,
        count(cost) AS priced,
        toInt256(if(priced = 0, 0, round(sum(toInt256(round(ifNull(cost, 0) * 1e12))) / priced))) AS mean_cost,
        count(duration_s) AS timed,
        if(timed = 0, 0, sum(toInt64(round(ifNull(duration_s, 0) * 1e9))) / timed) AS mean_latency
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND input_id != ''
        AND (task_name, combination) IN (SELECT task_name, arrayJoin([baseline, candidate]) FROM comparisons)
    GROUP BY task_name, combination, input_id
)
SELECT
    task_name,
    baseline,
    candidate,
    countIf(priced) AS cost_n,
    toFloat64(sumIf(their_cost, priced)) AS cost_x,
    toFloat64(sumIf(our_cost, priced)) AS cost_y,
    toFloat64(sumIf(their_cost * their_cost, priced)) AS cost_xx,
    toFloat64(sumIf(our_cost * our_cost, priced)) AS cost_yy,
    toFloat64(sumIf(their_cost * our_cost, priced)) AS cost_xy,
    countIf(timed) AS latency_n,
    sum(log_ratio) / 1e6 AS latency_sum,
    sum(toInt128(log_ratio) * log_ratio) / 1e12 AS latency_squares
FROM
(
    SELECT
        comparisons.task_name AS task_name,
        comparisons.baseline AS baseline,
        comparisons.candidate AS candidate,
        theirs.priced > 0 AND ours.priced > 0 AS priced,
        theirs.mean_cost AS their_cost,
        ours.mean_cost AS our_cost,
        theirs.mean_latency > 0 AND ours.mean_latency > 0 AS timed,
        if(timed, toInt64(round(log(theirs.mean_latency / ours.mean_latency) * 1e6)), 0) AS log_ratio
    FROM amounts AS theirs
    INNER JOIN comparisons ON comparisons.task_name = theirs.task_name AND comparisons.candidate = theirs.combination
    INNER JOIN (SELECT * FROM amounts WHERE (task_name, combination) IN (SELECT task_name, baseline FROM comparisons)) AS ours
        ON ours.task_name = theirs.task_name AND ours.input_id = theirs.input_id AND ours.combination = comparisons.baseline
)
GROUP BY task_name, baseline, candidate
ORDER BY task_name, baseline, candidate
