-- question: Which calls are there again: same task, model, variant, input, length to the nanosecond, tokens and output, under another id?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, request_model; calls (that could be told apart: an input or request hash, output tokens, and a length that is not a whole
--     millisecond), copies (of an earlier one), later_copies (on another day), spelled (copies whose output is known to be the same) UInt64.
-- cost: one pass over the calls of the period; memory grows with their number (about 60 bytes each).
SELECT
    call_task AS task_name,
    call_model AS request_model,
    sum(sent) AS calls,
    sum(sent - 1) AS copies,
    sumIf(sent - 1, first_day != last_day) AS later_copies,
    sumIf(sent - 1, has_output) AS spelled
FROM
(
    SELECT
        any(task_name) AS call_task,
        any(request_model) AS call_model,
        count() AS sent,
        min(toDate(started_at, 'UTC')) AS first_day,
        max(toDate(started_at, 'UTC')) AS last_day,
        any(notEmpty(output_messages)) AS has_output
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND (input_id != '' OR request_hash != '') AND output_tokens > 0 AND error_type = ''
        AND toInt64(round(ifNull(duration_s, 0) * 1e9)) % 1000000 != 0
    GROUP BY sipHash64(task_name, request_model, input_id, request_hash, prompt_name, prompt_version,
        variant_context, variant_guardrail, variant_route, variant_fallback, variant_cache, variant, duration_s, ifNull(input_tokens, 0),
        output_tokens, output_messages)
)
GROUP BY task_name, request_model
ORDER BY task_name, request_model
