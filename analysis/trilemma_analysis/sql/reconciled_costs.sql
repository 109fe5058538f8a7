-- question: How do logged costs compare with tokens x list price, per task and model?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded); of each
--     model, tier and day as in logged_rates: rate_keys Array(String), and per token in USD input_rates, cache_read_rates,
--     cache_write_rates, output_rates Array(Float64).
-- columns: task_name, request_model; n UInt64; x logged and y listed cost: x, y, xx, yy, xy Float64 in 1e-12 USD; log_ratio and
--     log_ratio_squares Float64 (sums of the logarithm of logged over listed); near UInt64 (within 2 %).
-- cost: one pass over the calls of the period that carry a logged cost.
SELECT
    task_name,
    request_model,
    count() AS n,
    toFloat64(sum(logged)) AS x,
    toFloat64(sum(listed)) AS y,
    toFloat64(sum(logged * logged)) AS xx,
    toFloat64(sum(listed * listed)) AS yy,
    toFloat64(sum(logged * listed)) AS xy,
    sum(micro_log) / 1e6 AS log_ratio,
    toFloat64(sum(toInt256(micro_log) * micro_log)) / 1e12 AS log_ratio_squares,
    countIf(abs(micro_log) <= 20000) AS near
FROM
(
    SELECT
        task_name,
        request_model,
        toInt256(round(assumeNotNull(cost) * 1e12)) AS logged,
        toInt256(round((
            greatest(toInt64(assumeNotNull(input_tokens)) - toInt64(ifNull(cache_read_tokens, 0)) - toInt64(ifNull(cache_write_tokens, 0)), 0) * rates.2
            + ifNull(cache_read_tokens, 0) * rates.3 + ifNull(cache_write_tokens, 0) * rates.4
            + assumeNotNull(output_tokens) * rates.5) * 1e12)) AS listed,
        toInt64(round(log(toFloat64(logged) / toFloat64(listed)) * 1e6)) AS micro_log
    FROM llm_calls
    INNER JOIN
    (
        SELECT arrayJoin(arrayZip({rate_keys:Array(String)}, {input_rates:Array(Float64)}, {cache_read_rates:Array(Float64)},
            {cache_write_rates:Array(Float64)}, {output_rates:Array(Float64)})) AS rates, rates.1 AS rate_key
    ) AS listed_rates
        ON rate_key = concat(provider, '\t', request_model, '\t', response_model, '\t', service_tier, '\t', toString(batch), '\t',
            toString(intDiv(toUnixTimestamp(started_at), 86400)))
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND cost_source IN ('import', 'other_sdk', 'provider') AND cost > 0 AND cost_currency IN ('', 'USD')
        AND isNotNull(input_tokens) AND isNotNull(output_tokens)
)
WHERE listed > 0
GROUP BY task_name, request_model
ORDER BY task_name, request_model
