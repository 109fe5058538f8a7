-- Why: one call is one row, whatever traces it. Provider SDKs trace themselves, several instrumentations trace the same
-- call, and frameworks wrap it in a span of their own that carries its tokens once more. In a sum each call counts once:
-- by the span of one owner. The others stay in `spans`, and `superseded_by` says by which span they are.
--
-- Two call spans are the same call when they overlap in time and
--   * both know the response id, it is equal, and they come from different instrumentations or are parent and child;
--   * or, where an id is missing, one is the parent of the other;
--   * or, where an id is missing, one lies within the other in the same trace, they come from different instrumentations,
--     and nothing that both know (model, tokens) differs.
-- The owner is trilemma's span, else one that knows the usage, else the innermost. A span whose owner candidates are
-- themselves superseded stays: a call is rather counted twice than lost.
--
-- Settled and fresh: what arrived is settled by refreshable views every five minutes, and what is not settled yet (fresh)
-- is computed by the same SQL at each query. So settling changes how fast a query is, never what it answers.
-- `settle_marks` says up to which time of arrival each step is done. The two minutes before count as fresh too, for inserts
-- that were under way; what arrived in them is not settled in vain.

CREATE TABLE IF NOT EXISTS {database}.settle_marks
(
    step LowCardinality(String),
    settled_until DateTime64(3)
)
ENGINE = ReplacingMergeTree(settled_until)
ORDER BY step;

-- What arrived and is not settled: the time it covers, and the traces and response ids it may share with others.
CREATE OR REPLACE VIEW {database}.fresh_calls AS
SELECT started_at, arrayJoin([cityHash64(trace_id), cityHash64(if(response_id = '', trace_id, response_id))]) AS key
FROM {database}.stored_calls
WHERE received_at >
    (SELECT max(settled_until) - toIntervalMinute(2) FROM {database}.settle_marks WHERE step = 'settle_duplicate_calls');

-- Spans that may be the same call as a fresh one. They meet where their ids agree: in the ten-second slots of their trace
-- that they cover (at most an hour), and in their response id.
CREATE OR REPLACE VIEW {database}.fresh_candidates AS
WITH (SELECT (min(started_at) - toIntervalHour(1), max(started_at) + toIntervalHour(1)) FROM {database}.fresh_calls) AS near
SELECT
    trace_id,
    span_id,
    parent_span_id,
    scope_name,
    response_id,
    started_at,
    started_at + toIntervalNanosecond(duration_ns) AS ended_at,
    arrayElement(splitByChar('/', request_model), -1) AS model,
    response_id != '' AND status_code != 'Error' AS id_known,
    nullIf(input_tokens, 0) AS known_input,
    nullIf(output_tokens, 0) AS known_output,
    (scope_name = 'trilemma', isNotNull(known_input) OR isNotNull(known_output), started_at, -duration_ns, span_id) AS rank,
    arrayJoin(arrayConcat(
        arrayMap(slot -> cityHash64(trace_id, slot), range(
            intDiv(toUnixTimestamp(started_at), 10),
            intDiv(toUnixTimestamp(least(ended_at, started_at + toIntervalHour(1))), 10) + 1)),
        if(response_id = '', [], [cityHash64(response_id)])
    )) AS meeting_point
FROM {database}.stored_calls
WHERE started_at BETWEEN near.1 AND near.2
    AND superseded_by = ''
    AND (cityHash64(trace_id) GLOBAL IN (SELECT key FROM {database}.fresh_calls)
        OR cityHash64(response_id) GLOBAL IN (SELECT key FROM {database}.fresh_calls));

-- Each span that is not an owner, with its best owner. Only spans of other instrumentations can be superseded, so that a
-- store with trilemma's spans alone joins nothing. `claims` are the pairs of spans of one call; each is looked at from
-- both ends, to see which would-be owners are themselves superseded.
CREATE OR REPLACE VIEW {database}.fresh_duplicate_calls AS
WITH
    claims AS
    (
        SELECT DISTINCT
            (other.trace_id, other.span_id) AS loser_key,
            (owner.trace_id, owner.span_id) AS owner_key,
            owner.rank AS owner_rank
        FROM {database}.fresh_candidates AS owner
        GLOBAL INNER JOIN (SELECT * FROM {database}.fresh_candidates WHERE scope_name != 'trilemma') AS other
            ON other.meeting_point = owner.meeting_point
        WHERE other.span_id != owner.span_id
            AND owner.rank > other.rank
            AND greatest(other.started_at, owner.started_at) <= least(other.ended_at, owner.ended_at)
            AND multiIf(
                other.id_known AND owner.id_known,
                    other.response_id = owner.response_id AND (other.scope_name != owner.scope_name
                        OR (other.trace_id = owner.trace_id
                            AND (other.parent_span_id = owner.span_id OR owner.parent_span_id = other.span_id))),
                other.trace_id != owner.trace_id, false,
                other.parent_span_id = owner.span_id OR owner.parent_span_id = other.span_id, true,
                other.scope_name != owner.scope_name
                    AND (other.model = owner.model OR other.model = '' OR owner.model = '')
                    AND ifNull(other.known_input = owner.known_input, true)
                    AND ifNull(other.known_output = owner.known_output, true)
                    AND if(other.started_at <= owner.started_at,
                        owner.ended_at <= other.ended_at + toIntervalMillisecond(20),
                        other.ended_at <= owner.ended_at + toIntervalMillisecond(20)))
    ),
    ends AS
    (
        SELECT
            arrayJoin([(loser_key, true), (owner_key, false)]) AS end,
            end.1 AS span_key,
            loser_key,
            owner_rank,
            end.2 AS loses,
            max(end.2) OVER (PARTITION BY end.1) AS is_superseded
        FROM claims
    )
SELECT
    loser_key.1 AS trace_id,
    loser_key.2 AS span_id,
    argMax(span_key.2, owner_rank) AS superseded_by
FROM ends
WHERE NOT loses AND NOT is_superseded
GROUP BY loser_key;

-- settle: on one node
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.settle_duplicate_calls
REFRESH EVERY 5 MINUTE APPEND TO {database}.stored_calls AS
SELECT
    calls.* EXCEPT (superseded_by, version, received_at),
    duplicates.superseded_by AS superseded_by,
    1 AS version,
    now64(3) AS received_at
FROM
(
    SELECT *
    FROM {database}.stored_calls FINAL
    WHERE started_at >= (SELECT min(started_at) - toIntervalHour(1) FROM {database}.fresh_calls)
        AND trace_id GLOBAL IN (SELECT trace_id FROM {database}.fresh_duplicate_calls)
) AS calls
GLOBAL INNER JOIN {database}.fresh_duplicate_calls AS duplicates
    ON duplicates.trace_id = calls.trace_id AND duplicates.span_id = calls.span_id
WHERE calls.version = 0;

CREATE OR REPLACE VIEW {database}.llm_calls AS
SELECT
    trace_id,
    span_id,
    parent_span_id,
    started_at,
    nullIf(duration_ns, 0) / 1e9 AS duration_s,
    service_name,
    scope_name,
    status_code,
    status_message,
    operation,
    provider,
    api_type,
    request_model,
    response_model,
    response_id,
    response_status,
    finish_reasons,
    system_fingerprint,
    request_id,
    conversation_id,
    server_address,
    max_tokens,
    temperature,
    stream,
    reasoning_level,
    output_type,
    request_service_tier,
    service_tier,
    batch,
    message_count,
    tool_count,
    request_hash,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    cache_write_1h_tokens,
    reasoning_tokens,
    audio_input_tokens,
    audio_output_tokens,
    web_search_count,
    tool_call_names,
    time_to_first_chunk_us / 1e6 AS time_to_first_chunk_s,
    time_to_first_content_us / 1e6 AS time_to_first_content_s,
    time_per_output_token_ns / 1e9 AS time_per_output_token_s,
    longest_stall_us / 1e6 AS longest_stall_s,
    chunk_count,
    stream_end,
    retry_count,
    retry_wait_us / 1e6 AS retry_wait_s,
    processing_us / 1e6 AS processing_s,
    remaining_requests,
    remaining_tokens,
    http_status,
    error_type,
    cost_e12 / 1e12 AS cost,
    (cost_input_rest_e12 + (ifNull(cost_e12, 0) - ifNull(cost_cache_read_e12, 0) - ifNull(cost_cache_write_e12, 0) - ifNull(cost_output_e12, 0) - ifNull(cost_other_e12, 0))) / 1e12 AS cost_input,
    cost_cache_read_e12 / 1e12 AS cost_cache_read,
    cost_cache_write_e12 / 1e12 AS cost_cache_write,
    cost_output_e12 / 1e12 AS cost_output,
    cost_other_e12 / 1e12 AS cost_other,
    cost_currency,
    cost_source,
    unpriced_reason,
    price_version,
    system_instructions,
    input_messages,
    output_messages,
    tool_definitions,
    task_name,
    task_id,
    input_id,
    prompt_name,
    prompt_version,
    variant_context,
    variant_guardrail,
    variant_route,
    variant_fallback,
    variant_cache,
    variant,
    attributes
FROM {database}.stored_calls FINAL
WHERE superseded_by = ''
    -- Where there are none, as with trilemma's spans alone, the ids need not be read.
    AND ((SELECT count() FROM {database}.fresh_duplicate_calls) = 0
        OR (trace_id, span_id) GLOBAL NOT IN (SELECT trace_id, span_id FROM {database}.fresh_duplicate_calls));

-- All spans of one trace, in the order of time: SELECT * FROM trace(id = '...').
CREATE OR REPLACE VIEW {database}.trace AS
SELECT *
FROM {database}.spans
WHERE trace_id = {id:String}
    AND started_at >= (SELECT min(hour) FROM {database}.trace_times WHERE trace_hash = toUInt32(cityHash64({id:String})))
    AND started_at < (SELECT max(hour) + toIntervalHour(1) FROM {database}.trace_times WHERE trace_hash = toUInt32(cityHash64({id:String})))
ORDER BY started_at;
