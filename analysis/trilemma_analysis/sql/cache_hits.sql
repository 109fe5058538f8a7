-- question: How often do the app's own caches answer, and how often are they marked wrong?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, cache, cache_kind; lookups, hits, marked_right, marked_wrong UInt64 (marks of hits).
-- cost: one pass over the decisions of the period.
SELECT
    task_name, cache, cache_kind,
    count() AS lookups,
    countIf(is_hit) AS hits,
    countIf(is_hit AND mark = 'right') AS marked_right,
    countIf(is_hit AND mark = 'wrong') AS marked_wrong
FROM cache_lookups
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND task_name != ''
GROUP BY task_name, cache, cache_kind
ORDER BY task_name, cache, cache_kind
