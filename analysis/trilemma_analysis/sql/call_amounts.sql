-- question: How many tokens of which kind did each model's calls use, at what price, in the first and in the last half of a task's time?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     split_tasks Array(String) and split_us Array(Int64): for each task the time in microseconds since 1970 that ends its first half.
-- columns: task_name, is_after, model; calls, priced UInt64; over the priced calls input_tokens (neither read from nor written to a cache),
--     read_tokens, written_tokens, output_tokens Float64 and their costs input_cost, read_cost, written_cost, output_cost, other_cost Float64
--     (of the currency; other is what these leave of the whole cost); parts UInt64 (priced calls whose output has a cost of its own); price_versions Array(String).
-- cost: one pass over the calls of the period, fifteen columns.
SELECT
    toString(calls.task_name) AS task_name,
    toUnixTimestamp64Micro(toDateTime64(calls.started_at, 6)) >= transform(task_name, {split_tasks:Array(String)}, {split_us:Array(Int64)}, toInt64(0)) AS is_after,
    if(request_model = '', response_model, request_model) AS model,
    count() AS calls,
    countIf(isNotNull(cost)) AS priced,
    countIf(isNotNull(cost) AND isNotNull(cost_output)) AS parts,
    toFloat64(sumIf(greatest(toInt64(ifNull(calls.input_tokens, 0)) - ifNull(calls.cache_read_tokens, 0) - ifNull(calls.cache_write_tokens, 0), 0), isNotNull(cost))) AS input_tokens,
    toFloat64(sumIf(ifNull(calls.cache_read_tokens, 0), isNotNull(cost))) AS read_tokens,
    toFloat64(sumIf(ifNull(calls.cache_write_tokens, 0), isNotNull(cost))) AS written_tokens,
    toFloat64(sumIf(ifNull(calls.output_tokens, 0), isNotNull(cost))) AS output_tokens,
    toFloat64(sum(toInt128(round(ifNull(calls.cost_input, 0) * 1e12)))) / 1e12 AS input_cost,
    toFloat64(sum(toInt128(round(ifNull(calls.cost_cache_read, 0) * 1e12)))) / 1e12 AS read_cost,
    toFloat64(sum(toInt128(round(ifNull(calls.cost_cache_write, 0) * 1e12)))) / 1e12 AS written_cost,
    toFloat64(sum(toInt128(round(ifNull(calls.cost_output, 0) * 1e12)))) / 1e12 AS output_cost,
    toFloat64(sum(toInt128(round(ifNull(calls.cost, 0) * 1e12)) - toInt128(round(ifNull(calls.cost_input, 0) * 1e12))
        - toInt128(round(ifNull(calls.cost_cache_read, 0) * 1e12)) - toInt128(round(ifNull(calls.cost_cache_write, 0) * 1e12))
        - toInt128(round(ifNull(calls.cost_output, 0) * 1e12)))) / 1e12 AS other_cost,
    arraySort(groupUniqArrayIf(toString(price_version), price_version != '')) AS price_versions
FROM llm_calls AS calls
WHERE calls.task_name != '' AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, calls.task_name))
    AND ({service:String} = '' OR calls.service_name = {service:String})
    AND calls.started_at >= {since:DateTime64(6, 'UTC')} AND calls.started_at < {until:DateTime64(6, 'UTC')}
GROUP BY task_name, is_after, model
ORDER BY task_name, is_after, model
