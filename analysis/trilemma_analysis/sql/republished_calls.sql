-- question: Which calls are there again: same task, model, variant, input, length to the nanosecond, tokens and output, under another id?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, request_model; calls (that could be told apart: an input or request hash, output tokens, and a length that is not a whole
--     millisecond), copies (of an earlier one), later_copies (on another day), spelled (copies whose output is known to be the same) UInt64.
-- cost: two passes over the calls of the period; memory grows with their number (about 20 bytes each), and with that of the copies.
WITH calls AS
(
    SELECT
        task_name, request_model, input_id, request_hash, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route,
        variant_fallback, variant_cache, variant, duration_s, ifNull(input_tokens, 0) AS input, output_tokens, output_messages,
        toDate(started_at, 'UTC') AS day,
        cityHash64(input_id, request_hash, duration_s, output_tokens) AS print  -- of equal calls it is equal, of others hardly ever
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND (input_id != '' OR request_hash != '') AND output_tokens > 0 AND error_type = ''
        AND toInt64(round(ifNull(duration_s, 0) * 1e9)) % 1000000 != 0
)
SELECT
    task_name, request_model, everything.calls AS calls, again.copies AS copies, again.later_copies AS later_copies, again.spelled AS spelled
FROM (SELECT task_name, request_model, count() AS calls FROM calls GROUP BY task_name, request_model) AS everything
LEFT JOIN
(
    SELECT
        task_name, request_model,
        sum(sent - 1) AS copies,
        sumIf(sent - 1, first_day != last_day) AS later_copies,
        sumIf(sent - 1, notEmpty(output_messages)) AS spelled
    FROM
    (
        SELECT task_name, request_model, output_messages, count() AS sent, min(day) AS first_day, max(day) AS last_day
        FROM calls
        WHERE print IN (SELECT print FROM calls GROUP BY print HAVING count() > 1)
        GROUP BY
            task_name, request_model, input_id, request_hash, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route,
            variant_fallback, variant_cache, variant, duration_s, input, output_tokens, output_messages
    )
    GROUP BY task_name, request_model
) AS again USING (task_name, request_model)
ORDER BY task_name, request_model
