-- question: How many runs were lost because the one model they asked failed, and did the other models work in those minutes?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination, model (the one asked), candidate (another model, '' for the runs themselves), n, x, y, xx, yy, xy:
--     sums over buckets of five minutes, which calls that fail together share. Where candidate is '', x runs lost and y runs with a
--     known outcome; else over the buckets with a run lost, x calls of the candidate that its provider answered and y its calls.
--     A run is lost when it failed, its last call ended in an error of the provider (rate limit, overload, time-out, 5xx, no
--     connection), and it asked no other model. All tasks' calls tell whether a candidate worked.
-- cost: one pass over the task runs and one over the calls of the period, and one over the calls of runs with an error; in between
--     there are as many rows as buckets with runs, times combinations.
WITH
calls AS
(
    SELECT
        task_id, span_id, started_at, request_model,
        (status_code = 'Error' OR error_type != '') AND (
            ifNull(http_status, 0) IN (408, 429) OR ifNull(http_status, 0) >= 500
            OR match(error_type, '(?i)time.?out|connect|rate.?limit|overload|unavailable|throttl|internal.?server'))
            AS is_down
    FROM llm_calls
    WHERE started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR
),
lost AS
(
    SELECT task_id, intDiv(toUnixTimestamp(last.2), 300) AS bucket
    FROM
    (
        SELECT task_id, argMax((is_down, started_at), (started_at, span_id)) AS last
        FROM calls
        WHERE task_id IN
        (
            SELECT task_id
            FROM task_runs
            WHERE error_count > 0 AND outcome = 'failure' AND length(models) = 1
                AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        )
        GROUP BY task_id
    )
    WHERE last.1 AND task_id NOT IN (SELECT task_id FROM fallback_attempts WHERE attempt > 1)
),
others AS
(
    SELECT bucket, groupArray((candidate, answered, called)) AS candidates
    FROM
    (
        SELECT
            request_model AS candidate, intDiv(toUnixTimestamp(started_at), 300) AS bucket,
            countIf(NOT is_down) AS answered, count() AS called
        FROM calls
        WHERE request_model != ''
        GROUP BY candidate, bucket
    )
    GROUP BY bucket
),
runs AS
(
    SELECT
        task_name,
        combination,
        models[1] AS model,
        if(lost.task_id != '', lost.bucket, intDiv(toUnixTimestamp(started_at), 300)) AS bucket,
        countIf(lost.task_id != '') AS lost_runs,
        countIf(outcome IN ('success', 'failure')) AS known
    FROM task_runs
    LEFT JOIN lost ON lost.task_id = task_runs.task_id
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND length(models) = 1
    GROUP BY task_name, combination, model, bucket
)
SELECT
    task_name, combination, model,
    one.1 AS candidate,
    count() AS n,
    sum(one.2) AS x,
    sum(one.3) AS y,
    sum(one.2 * one.2) AS xx,
    sum(one.3 * one.3) AS yy,
    sum(one.2 * one.3) AS xy
FROM runs
LEFT JOIN others ON others.bucket = runs.bucket
ARRAY JOIN arrayConcat(
    if(known > 0, [('', lost_runs, known)], []),
    if(lost_runs > 0, arrayFilter(each -> each.1 != model, candidates), [])) AS one
GROUP BY task_name, combination, model, candidate
HAVING candidate != '' OR x > 0
ORDER BY task_name, combination, candidate
