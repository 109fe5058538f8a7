-- question: What does an input token of each task cost on average, cached ones included, and what do its calls cost in all?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name; input_tokens UInt64; input_cost and cost Int64 (1e-12 of the currency), of the calls whose input is priced.
-- cost: one pass over the calls of the period.
SELECT
    task_name,
    sum(input_tokens) AS input_tokens,
    sum(toInt64(round((cost_input + ifNull(cost_cache_read, 0) + ifNull(cost_cache_write, 0)) * 1e12))) AS input_cost,
    sum(toInt64(round(calls.cost * 1e12))) AS cost
FROM llm_calls AS calls
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND task_name != '' AND isNotNull(calls.cost) AND isNotNull(cost_input) AND calls.input_tokens > 0
GROUP BY task_name
ORDER BY task_name
