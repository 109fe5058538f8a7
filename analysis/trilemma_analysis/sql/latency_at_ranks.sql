-- question: Which latencies stand at given ranks, per task and combination?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     of each wanted combination: rank_tasks and rank_combinations Array(String), ranks Array(Array(UInt64)), from 1, 0 for none.
-- columns: task_name, combination; latencies_ns Array(Int64) in the order of ranks, 0 for none.
-- cost: one pass over the task runs of the period; holds all durations in memory, 8 bytes each, and sorts them.
SELECT
    task_name,
    combination,
    arrayMap(
        rank -> sorted[rank],
        {ranks:Array(Array(UInt64))}[indexOf(
            arrayZip({rank_tasks:Array(String)}, {rank_combinations:Array(String)}), (task_name, combination))]
    ) AS latencies_ns
FROM
(
    SELECT toString(task_name) AS task_name, combination, arraySort(groupArray(toInt64(round(duration_s * 1e9)))) AS sorted
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND isNotNull(duration_s)
    GROUP BY task_name, combination
)
ORDER BY task_name, combination
