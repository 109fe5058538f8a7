-- question: What does each cache save, and how often is a hit wrong?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: cache, cache_kind, lookups, hits, hit_rate, marked_right, marked_wrong, mean_similarity (of hits), saved_cost, saved_s.
-- cost: the look-ups of the period.
SELECT
    cache, cache_kind,
    count() AS lookups,
    countIf(is_hit) AS hits,
    hits / lookups AS hit_rate,
    countIf(is_hit AND mark = 'right') AS marked_right,
    countIf(is_hit AND mark = 'wrong') AS marked_wrong,
    avgIf(similarity, is_hit) AS mean_similarity,
    sum(cache_lookups.saved_cost) AS saved_cost,
    sum(cache_lookups.saved_s) AS saved_s
FROM cache_lookups
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
GROUP BY cache, cache_kind
ORDER BY cache, cache_kind
