-- question: What is an ordinary call of these tasks, per model and service tier, so that it can be priced at another tier?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     tier_tasks Array(String): the tasks to look at.
-- columns: task_name, provider, server_address, request_model, response_model, operation; tier ('' for the ordinary one); calls UInt64;
--     cost Float64 in 1e-12 of the currency; currencies Array(String); and sums of tokens: input_tokens, output_tokens,
--     cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens UInt64. Priced calls outside of batches only.
-- cost: one pass over the calls of these tasks.
SELECT
    toString(task_name) AS task_name,
    toString(provider) AS provider,
    toString(server_address) AS server_address,
    toString(request_model) AS request_model,
    toString(response_model) AS response_model,
    toString(operation) AS operation,
    lower(if(service_tier = '', toString(request_service_tier), toString(service_tier))) AS named,
    if(named IN ('', 'auto', 'default', 'on_demand', 'standard', 'standard_only'), '', named) AS tier,
    count() AS calls,
    toFloat64(sum(toInt256(round(ifNull(llm_calls.cost, 0) * 1e12)))) AS cost,
    arraySort(groupUniqArray(toString(cost_currency))) AS currencies,
    sum(ifNull(llm_calls.input_tokens, 0)) AS input_tokens,
    sum(ifNull(llm_calls.output_tokens, 0)) AS output_tokens,
    sum(ifNull(llm_calls.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(ifNull(llm_calls.cache_write_tokens, 0)) AS cache_write_tokens,
    sum(ifNull(llm_calls.cache_write_1h_tokens, 0)) AS cache_write_1h_tokens,
    sum(ifNull(llm_calls.reasoning_tokens, 0)) AS reasoning_tokens
FROM llm_calls
WHERE has({tier_tasks:Array(String)}, task_name)
    AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    AND isNotNull(llm_calls.cost) AND NOT batch
GROUP BY task_name, provider, server_address, request_model, response_model, operation, named, tier
ORDER BY task_name, provider, server_address, request_model, response_model, operation, named
