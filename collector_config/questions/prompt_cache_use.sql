-- question: How much of the input comes from the providers' prompt caches?
-- parameters: since and until Date (until is excluded).
-- columns: task_name, request_model, input_tokens, cache_read_tokens, cache_write_tokens, read_share (of the input).
-- cost: reads the daily rollup.
SELECT
    task_name,
    request_model,
    sum(calls_daily.input_tokens) AS input_tokens,
    sum(calls_daily.cache_read_tokens) AS cache_read_tokens,
    sum(calls_daily.cache_write_tokens) AS cache_write_tokens,
    if(ifNull(input_tokens, 0) = 0, NULL, cache_read_tokens / input_tokens) AS read_share
FROM calls_daily
WHERE day >= {since:Date} AND day < {until:Date}
GROUP BY task_name, request_model
ORDER BY input_tokens DESC, task_name, request_model
