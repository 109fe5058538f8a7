-- question: How did each kind of input and each combination do in the first and in the last half of a task's time?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     split_tasks Array(String) and split_us Array(Int64): for each task the time in microseconds since 1970 that ends its first half;
--     most_segments UInt32: of each task the most frequent segments; the others are one, (other).
-- columns: task_name, is_after, segment, combination, outcome_source; runs, known, successes, priced UInt64; cost and cost_squares Float64
--     (sums over runs, of the currency); currencies Array(String).
-- cost: one pass over the task runs of the period, joined by task id with the terms that name a segment.
WITH
    cells AS
    (
        SELECT
            toString(runs.task_name) AS task_name,
            toUnixTimestamp64Micro(toDateTime64(runs.started_at, 6)) >= transform(task_name, {split_tasks:Array(String)}, {split_us:Array(Int64)}, toInt64(0)) AS is_after,
            toString(terms.segment) AS segment,
            runs.combination AS combination,
            toString(runs.outcome_source) AS outcome_source,
            count() AS cell_runs,
            countIf(runs.outcome IN ('success', 'failure')) AS cell_known,
            countIf(runs.outcome = 'success') AS cell_successes,
            countIf(isNotNull(runs.cost)) AS cell_priced,
            sum(toInt256(round(ifNull(runs.cost, 0) * 1e12))) AS cell_cost,
            sum(toInt256(round(ifNull(runs.cost, 0) * 1e12)) * toInt256(round(ifNull(runs.cost, 0) * 1e12))) AS cell_squares,
            groupUniqArrayIf(toString(runs.cost_currency), isNotNull(runs.cost) AND runs.cost_currency != '') AS cell_currencies
        FROM task_runs AS runs
        LEFT JOIN (SELECT task_id, segment FROM task_terms WHERE segment != '') AS terms ON terms.task_id = runs.task_id
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, runs.task_name))
            AND ({service:String} = '' OR runs.service_name = {service:String})
            AND runs.started_at >= {since:DateTime64(6, 'UTC')} AND runs.started_at < {until:DateTime64(6, 'UTC')}
        GROUP BY ALL
    ),
    sized AS (SELECT *, sum(cell_runs) OVER (PARTITION BY task_name, segment) AS size FROM cells),
    ranked AS (SELECT *, dense_rank() OVER (PARTITION BY task_name ORDER BY size DESC, segment) AS place FROM sized)
SELECT
    task_name,
    is_after,
    if(place <= {most_segments:UInt32}, segment, '(other)') AS segment,
    combination,
    outcome_source,
    sum(cell_runs) AS runs,
    sum(cell_known) AS known,
    sum(cell_successes) AS successes,
    sum(cell_priced) AS priced,
    toFloat64(sum(cell_cost)) / 1e12 AS cost,
    toFloat64(sum(cell_squares)) / 1e24 AS cost_squares,
    arraySort(groupUniqArrayArray(cell_currencies)) AS currencies
FROM ranked
GROUP BY ALL
ORDER BY ALL
