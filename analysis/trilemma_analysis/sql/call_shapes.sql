-- question: What shape do the calls of each task and model have: what is recorded, costs of 0, parts and totals, lengths of answers?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, request_model, provider, variant; calls, errors, in_runs (with a task id), counted (with both token counts),
--     foreign (cost told by a log, another SDK or the provider), foreign_uncounted (of these, without both token counts), free (answered,
--     cost 0 although tokens were counted), split (with cost parts), unequal (whose parts differ from the total by over 1 %) UInt64;
--     input_tokens, output_tokens UInt64 (sums of calls in runs); lengths and latencies (distinct, estimated), longest, answers (calls
--     with output) UInt64; typical_length, tokens_per_s, slow_s Float64: medians within 1 %, the last two over answers that took 10 s or more, slow UInt64.
-- cost: one pass over the calls of the period.
SELECT
    task_name,
    request_model,
    provider,
    variant,
    count() AS calls,
    countIf(is_error) AS errors,
    countIf(task_id != '') AS in_runs,
    countIf(isNotNull(llm_calls.input_tokens) AND isNotNull(llm_calls.output_tokens)) AS counted,
    countIf(is_foreign) AS foreign,
    countIf(is_foreign AND (isNull(llm_calls.input_tokens) OR isNull(llm_calls.output_tokens))) AS foreign_uncounted,
    countIf(NOT is_error AND cost = 0 AND llm_calls.output_tokens > 0) AS free,
    countIf(isNotNull(parts)) AS split,
    countIf(abs(parts - cost) > 1e-9 + 0.01 * cost) AS unequal,
    sumIf(ifNull(llm_calls.input_tokens, 0), task_id != '') AS input_tokens,
    sumIf(ifNull(llm_calls.output_tokens, 0), task_id != '') AS output_tokens,
    uniqIf(llm_calls.output_tokens, is_answer) AS lengths,
    uniqIf(duration_s, is_answer) AS latencies,
    toUInt64(ifNull(maxIf(llm_calls.output_tokens, is_answer), 0)) AS longest,
    countIf(is_answer) AS answers,
    quantilesDDIf(0.005, 0.5)(toFloat64(ifNull(llm_calls.output_tokens, 0)), is_answer)[1] AS typical_length,
    countIf(is_slow) AS slow,
    quantilesDDIf(0.005, 0.5)(ifNull(llm_calls.output_tokens, 0) / ifNull(duration_s, 1), is_slow)[1] AS tokens_per_s,
    quantilesDDIf(0.005, 0.5)(ifNull(duration_s, 0), is_slow)[1] AS slow_s
FROM
(
    SELECT
        *,
        error_type != '' OR status_code = 'Error' AS is_error,
        NOT is_error AND ifNull(llm_calls.output_tokens, 0) > 0 AS is_answer,
        is_answer AND ifNull(duration_s, 0) >= 10 AS is_slow,
        cost_source IN ('import', 'other_sdk', 'provider') AND cost > 0 AS is_foreign,
        if(isNotNull(cost_output) AND isNotNull(cost_input), cost_input + cost_output + ifNull(cost_cache_read, 0)
            + ifNull(cost_cache_write, 0) + ifNull(cost_other, 0), NULL) AS parts
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != ''
) AS llm_calls
GROUP BY task_name, request_model, provider, variant
ORDER BY task_name, request_model, provider, variant
