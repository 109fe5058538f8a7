-- question: Which calls have no cost, and why?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: provider, request_model, unpriced_reason, calls, input_tokens, output_tokens.
-- cost: one pass over the calls of the period.
SELECT
    provider,
    request_model,
    unpriced_reason,
    count() AS calls,
    sum(llm_calls.input_tokens) AS input_tokens,
    sum(llm_calls.output_tokens) AS output_tokens
FROM llm_calls
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)} AND isNull(llm_calls.cost)
GROUP BY provider, request_model, unpriced_reason
ORDER BY calls DESC, request_model, unpriced_reason
