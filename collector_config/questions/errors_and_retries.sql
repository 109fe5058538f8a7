-- question: Which providers fail, how, and how much time goes into retries?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: provider, request_model, calls, errors, error_types (the five most frequent), retries, retry_wait_s (in sum).
-- cost: one pass over the calls of the period.
SELECT
    provider,
    request_model,
    count() AS calls,
    countIf(error_type != '') AS errors,
    topKIf(5)(error_type, error_type != '') AS error_types,
    sum(ifNull(llm_calls.retry_count, 0)) AS retries,
    sum(ifNull(llm_calls.retry_wait_s, 0)) AS retry_wait_s
FROM llm_calls
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
GROUP BY provider, request_model
ORDER BY errors DESC, calls DESC, request_model
