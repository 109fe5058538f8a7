-- Why: much of what was decided, or went wrong, can be told from the calls alone, without a line of the app's code. The
-- words of the providers are brought to one here; each is a sign, not a verdict: the outcome of the task decides.

-- One row per call that has a sign. The finish reasons are those of OpenAI, Anthropic, Google, Bedrock, Mistral, Cohere and Ollama.
CREATE OR REPLACE VIEW {database}.call_signs AS
SELECT
    *,
    arrayFilter(sign -> sign != '', [
        if(is_truncated, 'truncated', ''), if(is_refused, 'refused', ''), if(is_filtered, 'filtered', ''),
        if(is_blocked, 'blocked', ''), if(is_invalid, 'invalid', ''), if(is_retried, 'retried', ''),
        if(is_prefix_reused, 'prefix_reused', '')
    ]) AS signs
FROM
(
    SELECT
        trace_id, span_id, started_at, task_id, task_name, service_name, provider, request_model, cost, duration_s,
        hasAny(finish_reasons, ['length', 'max_tokens', 'MAX_TOKENS', 'max_output_tokens', 'model_length',
            'model_context_window_exceeded', 'ERROR_LIMIT', 'incomplete']) AS is_truncated,
        has(finish_reasons, 'refusal') OR attributes['trilemma.response.refused'] = 'true' AS is_refused,
        hasAny(finish_reasons, ['content_filter', 'content_filtered', 'SAFETY', 'RECITATION', 'BLOCKLIST',
            'PROHIBITED_CONTENT', 'SPII', 'LANGUAGE', 'IMAGE_SAFETY', 'IMAGE_PROHIBITED_CONTENT', 'ERROR_TOXIC'])
            OR error_type IN ('content_filter', 'content_policy_violation', 'ContentFilterFinishReasonError',
                'content_policy_violation_error', 'moderation_blocked')
            OR attributes['trilemma.response.filtered'] NOT IN ('', '[]') AS is_filtered,
        has(finish_reasons, 'guardrail_intervened')
            OR attributes['trilemma.response.guardrail_action'] IN ('INTERVENED', 'GUARDRAIL_INTERVENED') AS is_blocked,
        -- the provider answered, and the answer did not fit the schema that the SDK was given
        http_status = 200 AND error_type IN ('ValidationError', 'JSONDecodeError', 'LengthFinishReasonError',
            'APIResponseValidationError') OR hasAny(finish_reasons, ['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL',
            'tool_use_failed', 'malformed_model_output', 'malformed_tool_use']) AS is_invalid,
        ifNull(retry_count, 0) > 0 AS is_retried,
        ifNull(cache_read_tokens, 0) > 0 AS is_prefix_reused
    FROM {database}.llm_calls
)
WHERE notEmpty(signs);

-- One row per task run with calls: what its calls, in order of time, say of fallbacks, repeats, loops and failed formats.
-- A fallback is a call to another model right after one that failed. A loop is the longest row of calls that ask for just
-- the same tools. A format retry is a call of the same model, asked for JSON or a tool, right after an answer without an
-- error whose request it repeats with more messages, and which asked for no other tool: as instructor and its like do it.
CREATE OR REPLACE VIEW {database}.task_signs AS
WITH
    arrayEnumerate(steps) AS numbers,
    arrayMap(number -> steps[number], numbers) AS step
SELECT
    task_id, task_name, any_started_at AS started_at, length(steps) AS call_count,
    arrayCount(number -> number > 1 AND step[number - 1].2 != '' AND step[number].3 != step[number - 1].3, numbers)
        AS fallback_count,
    arrayDistinct(arrayMap(number -> step[number - 1].3 || ' > ' || step[number].3,
        arrayFilter(number -> number > 1 AND step[number - 1].2 != '' AND step[number].3 != step[number - 1].3, numbers)))
        AS fallbacks,
    length(arrayFilter(each -> each.4 != '', step)) - arrayUniq(arrayMap(each -> each.4, arrayFilter(each -> each.4 != '', step)))
        AS repeat_count,
    arrayMax(arrayMap(
        (number, tools) -> if(tools = '', 0, arrayFirstIndex(later -> later != tools,
            arrayPushBack(arraySlice(arrayMap(each -> each.5, step), number), '\0')) - 1),
        numbers, arrayMap(each -> each.5, step))) AS tool_loop_length,
    arrayCount(number -> number > 1 AND step[number - 1].2 = '' AND step[number].3 = step[number - 1].3
        AND step[number].6 = 'json' AND step[number].4 != step[number - 1].4
        AND step[number].7 > step[number - 1].7 AND step[number - 1].5 IN ('', step[number].5)
        AND step[number].8 = step[number - 1].8, numbers) AS format_retry_count,
    truncated_count, refused_count, filtered_count, blocked_count, invalid_count
FROM
(
    SELECT
        task_id,
        any(task_name) AS task_name,
        min(started_at) AS any_started_at,
        arraySort(each -> each.1, groupArray((started_at, error_type, if(request_model = '', response_model, request_model),
            request_hash, arrayStringConcat(tool_call_names, ','), output_type, ifNull(message_count, 0), ifNull(tool_count, 0))))
            AS steps
    FROM {database}.llm_calls
    WHERE task_id != ''
    GROUP BY task_id
) AS calls
LEFT JOIN
(
    SELECT
        task_id, countIf(is_truncated) AS truncated_count, countIf(is_refused) AS refused_count,
        countIf(is_filtered) AS filtered_count, countIf(is_blocked) AS blocked_count, countIf(is_invalid) AS invalid_count
    FROM {database}.call_signs
    WHERE task_id != ''
    GROUP BY task_id
) AS signs USING (task_id);
