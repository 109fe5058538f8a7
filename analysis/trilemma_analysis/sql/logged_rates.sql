-- question: Under which models, tiers and days do calls stand whose cost was told by a log, another SDK or the provider?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: provider, request_model, response_model, service_tier, batch, day UInt32 (since 1970), calls UInt64.
-- cost: one pass over the calls of the period, few columns.
SELECT
    provider, request_model, response_model, service_tier, batch,
    toUInt32(intDiv(toUnixTimestamp(started_at), 86400)) AS day,
    count() AS calls
FROM llm_calls
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND task_name != '' AND cost_source IN ('import', 'other_sdk', 'provider') AND cost > 0 AND cost_currency IN ('', 'USD')
    AND isNotNull(input_tokens) AND isNotNull(output_tokens)
GROUP BY ALL
ORDER BY ALL
