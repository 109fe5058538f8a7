-- question: From when to when does the store hold runs of the chosen tasks?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), until DateTime64(6) (runs from then on are left out).
-- columns: first_at and last_at DateTime64(6, UTC), starts of the first and the last run; end_at, when the last one to end did; runs UInt64.
-- cost: reads four columns of all task spans.
SELECT
    toDateTime64(min(started_at), 6, 'UTC') AS first_at,
    toDateTime64(max(started_at), 6, 'UTC') AS last_at,
    max(addMicroseconds(toDateTime64(started_at, 6, 'UTC'), toInt64(ceil(ifNull(duration_s, 0) * 1e6)))) AS end_at,
    count() AS runs
FROM tasks
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at < {until:DateTime64(6, 'UTC')}
