-- question: How alike are the latencies of runs of the same input?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, combination; for the p50 and the p95 the sums over inputs of x runs at or below the quantile and y timed
--     runs: n, y, yy, p50_x, p50_xx, p50_xy, p95_x, p95_xx, p95_xy.
-- cost: two passes over the task runs of the period; worth asking only where inputs repeat.
WITH timed AS
(
    SELECT
        task_name,
        combination,
        if(input_id = '', task_id, input_id) AS unit,
        toInt64(round(duration_s * 1e9)) AS duration_ns
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND isNotNull(duration_s)
),
quantiles AS
(
    SELECT task_name, combination, quantilesExactLow(0.5, 0.95)(assumeNotNull(duration_ns)) AS levels
    FROM timed
    GROUP BY task_name, combination
)
SELECT
    task_name,
    combination,
    count() AS n,
    sum(runs) AS y,
    sum(runs * runs) AS yy,
    sum(below_p50) AS p50_x,
    sum(below_p50 * below_p50) AS p50_xx,
    sum(below_p50 * runs) AS p50_xy,
    sum(below_p95) AS p95_x,
    sum(below_p95 * below_p95) AS p95_xx,
    sum(below_p95 * runs) AS p95_xy
FROM
(
    SELECT
        task_name,
        combination,
        count() AS runs,
        countIf(duration_ns <= levels[1]) AS below_p50,
        countIf(duration_ns <= levels[2]) AS below_p95
    FROM timed
    INNER JOIN quantiles USING (task_name, combination)
    GROUP BY task_name, combination, unit
)
GROUP BY task_name, combination
ORDER BY task_name, combination
