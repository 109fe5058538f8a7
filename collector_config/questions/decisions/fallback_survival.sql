-- question: How far down its chain does each fallback go, and why?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: fallback, attempt, chosen, tried, accepted, rejected, failed (timed_out and cancelled among them), error_types, p95_duration_s.
-- cost: the attempts of the period.
SELECT
    fallback, attempt, chosen,
    count() AS tried,
    countIf(attempt_result = 'accepted') AS accepted,
    countIf(attempt_result = 'rejected') AS rejected,
    countIf(attempt_result IN ('failed', 'timed_out', 'cancelled')) AS failed,
    arraySort(groupUniqArrayIf(error_type, error_type != '')) AS error_types,
    quantileExact(0.95)(duration_s) AS p95_duration_s
FROM fallback_attempts
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
GROUP BY fallback, attempt, chosen
ORDER BY fallback, attempt, chosen
