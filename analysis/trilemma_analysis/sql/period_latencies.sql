-- question: Which latencies stand at given ranks, per task, in a period and in the one before it?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     split DateTime64(6): where the earlier period ends; of each wanted task and period: rank_tasks Array(String), rank_nows Array(UInt8),
--     ranks Array(Array(UInt64)), from 1, 0 for none.
-- columns: task_name; is_now UInt8; latencies_ns Array(Int64) in the order of ranks, 0 for none.
-- cost: one pass over the task runs of both periods; holds all durations in memory, 8 bytes each, and sorts them.
SELECT
    task AS task_name,
    is_now,
    arrayMap(
        rank -> sorted[rank],
        {ranks:Array(Array(UInt64))}[indexOf(arrayZip({rank_tasks:Array(String)}, {rank_nows:Array(UInt8)}), (task, is_now))]
    ) AS latencies_ns
FROM
(
    SELECT
        toString(task_name) AS task,
        started_at >= {split:DateTime64(6, 'UTC')} AS is_now,
        arraySort(groupArray(toInt64(round(duration_s * 1e9)))) AS sorted
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND isNotNull(duration_s)
    GROUP BY task, is_now
)
ORDER BY task, is_now
