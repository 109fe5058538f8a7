-- question: How long do users of streams wait for the first content, and how long do streams stall?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: request_model, streams, p50_first_content_s, p95_first_content_s, p95_longest_stall_s,
--     median_time_per_output_token_s.
-- cost: one pass over the streamed calls of the period.
SELECT
    request_model,
    count() AS streams,
    quantileExact(0.5)(assumeNotNull(time_to_first_content_s)) AS p50_first_content_s,
    quantileExact(0.95)(assumeNotNull(time_to_first_content_s)) AS p95_first_content_s,
    quantileExactIf(0.95)(longest_stall_s, isNotNull(longest_stall_s)) AS p95_longest_stall_s,
    quantileExactIf(0.5)(time_per_output_token_s, isNotNull(time_per_output_token_s)) AS median_time_per_output_token_s
FROM llm_calls
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)} AND isNotNull(time_to_first_content_s)
GROUP BY request_model
ORDER BY streams DESC, request_model
