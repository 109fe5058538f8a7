-- question: How alike were the requests that a semantic cache answered, and how many of these answers were marked wrong?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, cache; band Int64 (similarity in hundredths, rounded down; -1 where it was not told); lookups (of the whole cache),
--     hits, marked, wrong, priced UInt64 (hits; marked right or wrong; of these wrong; whose saving was told); saved Int64 (what the app
--     says they saved, in 1e-12 of the currency).
-- cost: one pass over the decisions of the period.
SELECT
    task_name, cache, band, lookups, hits, marked, wrong, priced, saved
FROM
(
    SELECT
        task_name,
        cache,
        if(isNull(similarity), toInt64(-1), toInt64(floor(similarity * 100 + 1e-4))) AS band,
        countIf(is_hit) AS hits,
        countIf(is_hit AND mark IN ('right', 'wrong')) AS marked,
        countIf(is_hit AND mark = 'wrong') AS wrong,
        countIf(is_hit AND isNotNull(saved_cost)) AS priced,
        sumIf(toInt64(round(ifNull(saved_cost, 0) * 1e12)), is_hit) AS saved,
        sum(count()) OVER (PARTITION BY task_name, cache) AS lookups
    FROM cache_lookups
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND cache_kind = 'semantic' AND task_name != ''
    GROUP BY task_name, cache, band
)
WHERE hits > 0
ORDER BY task_name, cache, band
