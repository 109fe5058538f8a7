-- question: Which part of the input did the provider's prompt cache serve, over time?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     width_s UInt32: seconds per bucket.
-- columns: task_name, request_model; bucket Int64 (its start in seconds since 1970, over width_s); then over calls, which state both, x tokens
--     read from the cache and y input tokens: read_{n,x,y,xx,yy,xy}.
-- cost: one pass over the calls of the period; returns tasks x models x buckets rows.
SELECT
    task_name,
    request_model,
    intDiv(toUnixTimestamp(started_at), {width_s:UInt32}) AS bucket,
    count() AS read_n,
    sum(cached) AS read_x,
    sum(sent) AS read_y,
    sum(cached * cached) AS read_xx,
    sum(sent * sent) AS read_yy,
    sum(cached * sent) AS read_xy
FROM
(
    SELECT
        task_name, request_model, started_at,
        toUInt64(assumeNotNull(input_tokens)) AS sent,
        least(toUInt64(assumeNotNull(cache_read_tokens)), sent) AS cached
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND isNotNull(cache_read_tokens) AND input_tokens > 0
)
GROUP BY task_name, request_model, bucket
ORDER BY task_name, request_model, bucket
