-- Why: the unit of every decision is a task run with what its calls cost and which combination they used.

CREATE OR REPLACE VIEW {database}.task_runs AS
SELECT
    tasks.*,
    calls.call_count AS call_count,
    calls.models AS models,
    arrayStringConcat(arrayFilter(axis -> axis != '', [
        arrayStringConcat(calls.models, '+'),
        if(prompt_name || prompt_version = '', '', 'prompt=' || prompt_name || '@' || prompt_version),
        if(variant_context = '', '', 'context=' || variant_context),
        if(variant_guardrail = '', '', 'guardrail=' || variant_guardrail),
        if(variant_route = '', '', 'route=' || variant_route),
        if(variant_fallback = '', '', 'fallback=' || variant_fallback),
        if(variant_cache = '', '', 'cache=' || variant_cache),
        if(variant = '', '', 'variant=' || variant)
    ]), ' · ') AS combination,
    calls.cost AS cost,
    calls.cost_currency AS cost_currency,
    calls.input_tokens AS input_tokens,
    calls.output_tokens AS output_tokens,
    calls.error_count AS error_count,
    calls.retry_count AS retry_count,
    calls.llm_duration_s AS llm_duration_s,
    calls.first_request_hash AS first_request_hash,
    calls.request_hashes AS request_hashes
FROM {database}.tasks AS tasks
LEFT JOIN
(
    SELECT
        task_id,
        count() AS call_count,
        arraySort(groupUniqArray(request_model)) AS models,
        if(countIf(isNull(llm_calls.cost)) = 0, sum(llm_calls.cost), NULL) AS cost,
        any(cost_currency) AS cost_currency,
        sum(llm_calls.input_tokens) AS input_tokens,
        sum(llm_calls.output_tokens) AS output_tokens,
        countIf(status_code = 'Error') AS error_count,
        sum(ifNull(llm_calls.retry_count, 0)) AS retry_count,
        sum(duration_s) AS llm_duration_s,
        argMin(request_hash, started_at) AS first_request_hash,
        arrayMap(pair -> pair.2, arraySort(groupArray((started_at, request_hash)))) AS request_hashes
    FROM {database}.llm_calls AS llm_calls
    WHERE task_id != ''
    GROUP BY task_id
) AS calls ON calls.task_id = tasks.task_id;
