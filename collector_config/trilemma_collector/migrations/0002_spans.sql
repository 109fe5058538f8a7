-- Why: each span is stored once, typed: a call to a provider in stored_calls, any other span in stored_spans. What has a
-- column leaves the attribute map, what is content leaves it for stored_content (0003).
--
-- A span delivered again, in whatever batch, has the same sorting key and becomes one row (ReplacingMergeTree, read with
-- FINAL). Which of several spans of one call counts is decided in 0005, what a task run came to in 0006; both write a
-- later version of the row. A length of 0 ns says that it is not known (imported logs may not have it): duration_s is
-- NULL then, not 0. Rows in the order of time keep the spans of a trace together, whose ids then cost once. A process sends
-- the same resource with every span: its names and its values are two texts in a dictionary.
--
-- Insert with optimize_on_insert = 0: ClickHouse otherwise looks for duplicates within each block, which doubles the cost.
-- Parts of less than 16 MiB stay compact (min_bytes_for_wide_part): an INSERT then writes one file, not three for each
-- column, at a sixth less CPU. Larger ones, from merges, are wide: a tenth smaller. A row is merged less often than by
-- default (merge_selector_base): a quarter less CPU per span taken in, at twice as many parts.
--
-- The lists of columns are those of registry.json, stored and read as schema/columns.py says; tests/test_contract.py
-- holds them equal.

-- Every inserted block once more, with what both kinds of spans need in common. Engine Null: nothing is copied.
CREATE TABLE IF NOT EXISTS {database}.incoming_spans
(
    category Enum8('call' = 1, 'task' = 2, 'span' = 3),
    operation LowCardinality(String),
    trace_id String,
    span_id String,
    parent_span_id String,
    started_at DateTime64(9),
    duration_ns UInt64,
    name LowCardinality(String),
    kind LowCardinality(String),
    service_name LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    status_code LowCardinality(String),
    status_message String,
    trace_state String,
    resource_keys LowCardinality(String),
    resource_values LowCardinality(String),
    a Map(LowCardinality(String), String),
    event_times Array(DateTime64(9)),
    event_names Array(LowCardinality(String)),
    event_attributes Array(Map(LowCardinality(String), String)),
    link_trace_ids Array(String),
    link_span_ids Array(String),
    link_trace_states Array(String),
    link_attributes Array(Map(LowCardinality(String), String))
)
ENGINE = Null;

-- shard by: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS {database}.stored_calls
(
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    started_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    duration_ns UInt64 CODEC(T64, ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind LowCardinality(String) CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_version LowCardinality(String) CODEC(ZSTD(1)),
    status_code LowCardinality(String) CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    resource_keys LowCardinality(String) CODEC(ZSTD(1)),
    resource_values LowCardinality(String) CODEC(ZSTD(1)),
    operation LowCardinality(String) CODEC(ZSTD(1)),
    provider LowCardinality(String) CODEC(ZSTD(1)),
    api_type LowCardinality(String) CODEC(ZSTD(1)),
    request_model LowCardinality(String) CODEC(ZSTD(1)),
    response_model LowCardinality(String) CODEC(ZSTD(1)),
    response_id String CODEC(ZSTD(1)),
    response_status LowCardinality(String) CODEC(ZSTD(1)),
    finish_reasons Array(LowCardinality(String)) CODEC(ZSTD(1)),
    system_fingerprint LowCardinality(String) CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    conversation_id String CODEC(ZSTD(1)),
    server_address LowCardinality(String) CODEC(ZSTD(1)),
    max_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    temperature Nullable(Float32) CODEC(ZSTD(1)),
    stream Bool CODEC(ZSTD(1)),
    reasoning_level LowCardinality(String) CODEC(ZSTD(1)),
    output_type LowCardinality(String) CODEC(ZSTD(1)),
    request_service_tier LowCardinality(String) CODEC(ZSTD(1)),
    service_tier LowCardinality(String) CODEC(ZSTD(1)),
    batch Bool CODEC(ZSTD(1)),
    message_count Nullable(UInt16) CODEC(T64, ZSTD(1)),
    tool_count Nullable(UInt16) CODEC(T64, ZSTD(1)),
    request_hash String CODEC(ZSTD(1)),
    input_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    cache_read_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    audio_input_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    audio_output_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    web_search_count Nullable(UInt32) CODEC(T64, ZSTD(1)),
    tool_call_names Array(LowCardinality(String)) CODEC(ZSTD(1)),
    time_to_first_chunk_us Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    time_to_first_content_us Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    time_per_output_token_ns Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    longest_stall_us Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    chunk_count Nullable(UInt32) CODEC(T64, ZSTD(1)),
    stream_end LowCardinality(String) CODEC(ZSTD(1)),
    retry_count Nullable(UInt16) CODEC(T64, ZSTD(1)),
    retry_wait_us Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    processing_us Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    remaining_requests Nullable(UInt32) CODEC(T64, ZSTD(1)),
    remaining_tokens Nullable(UInt32) CODEC(T64, ZSTD(1)),
    http_status Nullable(UInt16) CODEC(T64, ZSTD(1)),
    error_type LowCardinality(String) CODEC(ZSTD(1)),
    cost_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_input_rest_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_cache_read_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_cache_write_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_output_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_other_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_currency LowCardinality(String) CODEC(ZSTD(1)),
    cost_source LowCardinality(String) CODEC(ZSTD(1)),
    unpriced_reason LowCardinality(String) CODEC(ZSTD(1)),
    price_version LowCardinality(String) CODEC(ZSTD(1)),
    system_instructions Array(String) CODEC(ZSTD(1)),
    input_messages Array(String) CODEC(ZSTD(1)),
    output_messages Array(String) CODEC(ZSTD(1)),
    tool_definitions Array(String) CODEC(ZSTD(1)),
    task_name LowCardinality(String) CODEC(ZSTD(1)),
    task_id String CODEC(ZSTD(1)),
    input_id String CODEC(ZSTD(1)),
    prompt_name LowCardinality(String) CODEC(ZSTD(1)),
    prompt_version LowCardinality(String) CODEC(ZSTD(1)),
    variant_context LowCardinality(String) CODEC(ZSTD(1)),
    variant_guardrail LowCardinality(String) CODEC(ZSTD(1)),
    variant_route LowCardinality(String) CODEC(ZSTD(1)),
    variant_fallback LowCardinality(String) CODEC(ZSTD(1)),
    variant_cache LowCardinality(String) CODEC(ZSTD(1)),
    variant LowCardinality(String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    event_times Array(DateTime64(9)) CODEC(ZSTD(1)),
    event_names Array(LowCardinality(String)) CODEC(ZSTD(1)),
    event_attributes Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    link_trace_ids Array(String) CODEC(ZSTD(1)),
    link_span_ids Array(String) CODEC(ZSTD(1)),
    link_trace_states Array(String) CODEC(ZSTD(1)),
    link_attributes Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    received_at DateTime64(3) CODEC(Delta, ZSTD(1)),
    superseded_by String CODEC(ZSTD(1)),
    version UInt8 CODEC(ZSTD(1)),
    INDEX by_trace trace_id TYPE bloom_filter(0.05) GRANULARITY 1,
    INDEX by_arrival received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (task_name, started_at)
ORDER BY (task_name, started_at, trace_id, span_id)
SETTINGS min_bytes_for_wide_part = 16777216, merge_selector_base = 16;

-- shard by: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS {database}.stored_spans
(
    category Enum8('call' = 1, 'task' = 2, 'span' = 3) CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    started_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    duration_ns UInt64 CODEC(T64, ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind LowCardinality(String) CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_version LowCardinality(String) CODEC(ZSTD(1)),
    status_code LowCardinality(String) CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    resource_keys LowCardinality(String) CODEC(ZSTD(1)),
    resource_values LowCardinality(String) CODEC(ZSTD(1)),
    task_name LowCardinality(String) CODEC(ZSTD(1)),
    task_id String CODEC(ZSTD(1)),
    input_id String CODEC(ZSTD(1)),
    prompt_name LowCardinality(String) CODEC(ZSTD(1)),
    prompt_version LowCardinality(String) CODEC(ZSTD(1)),
    variant_context LowCardinality(String) CODEC(ZSTD(1)),
    variant_guardrail LowCardinality(String) CODEC(ZSTD(1)),
    variant_route LowCardinality(String) CODEC(ZSTD(1)),
    variant_fallback LowCardinality(String) CODEC(ZSTD(1)),
    variant_cache LowCardinality(String) CODEC(ZSTD(1)),
    variant LowCardinality(String) CODEC(ZSTD(1)),
    task_version LowCardinality(String) CODEC(ZSTD(1)),
    outcome LowCardinality(String) CODEC(ZSTD(1)),
    failure_mode LowCardinality(String) CODEC(ZSTD(1)),
    outcome_source LowCardinality(String) CODEC(ZSTD(1)),
    value Nullable(Float64) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    event_times Array(DateTime64(9)) CODEC(ZSTD(1)),
    event_names Array(LowCardinality(String)) CODEC(ZSTD(1)),
    event_attributes Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    link_trace_ids Array(String) CODEC(ZSTD(1)),
    link_span_ids Array(String) CODEC(ZSTD(1)),
    link_trace_states Array(String) CODEC(ZSTD(1)),
    link_attributes Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    received_at DateTime64(3) CODEC(Delta, ZSTD(1)),
    -- What 0006 adds to the row of a task.
    last_outcome LowCardinality(String) CODEC(ZSTD(1)),
    last_failure_mode LowCardinality(String) CODEC(ZSTD(1)),
    last_outcome_source LowCardinality(String) CODEC(ZSTD(1)),
    last_value Nullable(Float64) CODEC(ZSTD(1)),
    -- From the end of the span; NULL when no outcome was told.
    last_outcome_delay_ns Nullable(Int64) CODEC(T64, ZSTD(1)),
    call_count UInt32 CODEC(T64, ZSTD(1)),
    models Array(LowCardinality(String)) CODEC(ZSTD(1)),
    combination LowCardinality(String) CODEC(ZSTD(1)),
    cost_e12 Nullable(Int64) CODEC(GCD, T64, ZSTD(1)),
    cost_currency LowCardinality(String) CODEC(ZSTD(1)),
    input_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    error_count UInt32 CODEC(T64, ZSTD(1)),
    retry_count UInt32 CODEC(T64, ZSTD(1)),
    llm_duration_us Nullable(Int64) CODEC(T64, ZSTD(1)),
    is_repeat UInt8 CODEC(ZSTD(1)),
    version UInt64 CODEC(ZSTD(1)),
    INDEX by_trace trace_id TYPE bloom_filter(0.05) GRANULARITY 1,
    INDEX by_arrival received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (service_name, started_at)
ORDER BY (service_name, started_at, trace_id, span_id)
SETTINGS min_bytes_for_wide_part = 16777216, merge_selector_base = 16;

-- In which hours a trace has spans: a look-up by trace id alone then reads few granules (the view `trace`, 0005).
-- shard by: trace_hash
CREATE TABLE IF NOT EXISTS {database}.trace_times
(
    trace_hash UInt32 COMMENT 'cityHash64 of the trace id, its low half: two traces with the same widen each other''s search' CODEC(Delta, ZSTD(1)),
    hour DateTime('UTC') CODEC(GCD, T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (trace_hash, hour);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_calls TO {database}.stored_calls AS
SELECT
    trace_id, span_id, parent_span_id, started_at, duration_ns, name, kind, service_name, scope_name, scope_version,
    status_code, status_message, trace_state, resource_keys,
    resource_values,
    operation,
    lower(firstNonDefault(a['gen_ai.provider.name'], a['gen_ai.system'], a['llm.provider'], a['llm.system'])) AS provider,
    a['openai.api.type'] AS api_type,
    firstNonDefault(a['gen_ai.request.model'], a['llm.request.model_name'], a['llm.model_name'], a['embedding.model_name']) AS request_model,
    firstNonDefault(a['gen_ai.response.model'], a['llm.response.model_name']) AS response_model,
    a['gen_ai.response.id'] AS response_id,
    a['gen_ai.response.status'] AS response_status,
    if(startsWith(firstNonDefault(a['gen_ai.response.finish_reasons'], a['llm.finish_reason'], a['anthropic.message.stop_reason']), '['), JSONExtract(firstNonDefault(a['gen_ai.response.finish_reasons'], a['llm.finish_reason'], a['anthropic.message.stop_reason']), 'Array(String)'), arrayFilter(text -> text != '', [firstNonDefault(a['gen_ai.response.finish_reasons'], a['llm.finish_reason'], a['anthropic.message.stop_reason'])])) AS finish_reasons,
    firstNonDefault(a['openai.response.system_fingerprint'], a['gen_ai.openai.response.system_fingerprint']) AS system_fingerprint,
    a['trilemma.provider.request_id'] AS request_id,
    a['gen_ai.conversation.id'] AS conversation_id,
    a['server.address'] AS server_address,
    toUInt32OrNull(a['gen_ai.request.max_tokens']) AS max_tokens,
    toFloat32OrNull(a['gen_ai.request.temperature']) AS temperature,
    firstNonDefault(a['gen_ai.request.stream'], a['gen_ai.is_streaming'], a['llm.is_streaming']) IN ('true', 'True') AS stream,
    a['gen_ai.request.reasoning.level'] AS reasoning_level,
    a['gen_ai.output.type'] AS output_type,
    a['openai.request.service_tier'] AS request_service_tier,
    firstNonDefault(a['trilemma.response.service_tier'], a['openai.response.service_tier'], a['anthropic.response.service_tier']) AS service_tier,
    a['trilemma.request.batch'] IN ('true', 'True') AS batch,
    toUInt16OrNull(a['trilemma.request.message_count']) AS message_count,
    toUInt16OrNull(a['trilemma.request.tool_count']) AS tool_count,
    a['trilemma.request.hash'] AS request_hash,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.input_tokens'], a['gen_ai.usage.prompt_tokens'], a['llm.usage.prompt_tokens'], a['llm.token_count.prompt'])) AS input_tokens,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.output_tokens'], a['gen_ai.usage.completion_tokens'], a['llm.usage.completion_tokens'], a['llm.token_count.completion'])) AS output_tokens,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.cache_read.input_tokens'], a['gen_ai.usage.cache_read_input_tokens'], a['llm.token_count.prompt_details.cache_read'])) AS cache_read_tokens,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.cache_write.input_tokens'], a['gen_ai.usage.cache_creation.input_tokens'], a['gen_ai.usage.cache_creation_input_tokens'], a['llm.token_count.prompt_details.cache_write'])) AS cache_write_tokens,
    toUInt32OrNull(firstNonDefault(a['trilemma.usage.cache_write_1h.input_tokens'], a['anthropic.usage.cache_creation.ephemeral_1h_input_tokens'])) AS cache_write_1h_tokens,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.reasoning.output_tokens'], a['gen_ai.usage.reasoning_tokens'], a['llm.token_count.completion_details.reasoning'])) AS reasoning_tokens,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.audio.input_tokens'], a['llm.token_count.prompt_details.audio'])) AS audio_input_tokens,
    toUInt32OrNull(firstNonDefault(a['gen_ai.usage.audio.output_tokens'], a['llm.token_count.completion_details.audio'])) AS audio_output_tokens,
    toUInt32OrNull(a['trilemma.usage.web_search.count']) AS web_search_count,
    if(startsWith(a['trilemma.response.tool_call.names'], '['), JSONExtract(a['trilemma.response.tool_call.names'], 'Array(String)'), arrayFilter(text -> text != '', [a['trilemma.response.tool_call.names']])) AS tool_call_names,
    accurateCastOrNull(round(toFloat64OrNull(a['gen_ai.response.time_to_first_chunk']) * 1e6), 'Int64') AS time_to_first_chunk_us,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.response.time_to_first_content']) * 1e6), 'Int64') AS time_to_first_content_us,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.response.time_per_output_token']) * 1e9), 'Int64') AS time_per_output_token_ns,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.response.longest_stall']) * 1e6), 'Int64') AS longest_stall_us,
    toUInt32OrNull(a['trilemma.response.chunk_count']) AS chunk_count,
    a['trilemma.response.stream_end'] AS stream_end,
    toUInt16OrNull(a['http.request.resend_count']) AS retry_count,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.retry.wait']) * 1e6), 'Int64') AS retry_wait_us,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.provider.processing_time']) * 1e6), 'Int64') AS processing_us,
    toUInt32OrNull(a['trilemma.rate_limit.remaining_requests']) AS remaining_requests,
    toUInt32OrNull(a['trilemma.rate_limit.remaining_tokens']) AS remaining_tokens,
    toUInt16OrNull(a['http.response.status_code']) AS http_status,
    a['error.type'] AS error_type,
    accurateCastOrNull(round(coalesce(toFloat64OrNull(a['trilemma.cost.total']), nullIf(toFloat64OrNull(firstNonDefault(a['gen_ai.usage.cost'], a['llm.cost.total'], a['gen_ai.cost.total_cost'], a['operation.cost'])), 0)) * 1e12), 'Int64') AS cost_e12,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.cost.input']) * 1e12), 'Int64') - (ifNull(cost_e12, 0) - ifNull(cost_cache_read_e12, 0) - ifNull(cost_cache_write_e12, 0) - ifNull(cost_output_e12, 0) - ifNull(cost_other_e12, 0)) AS cost_input_rest_e12,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.cost.cache_read']) * 1e12), 'Int64') AS cost_cache_read_e12,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.cost.cache_write']) * 1e12), 'Int64') AS cost_cache_write_e12,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.cost.output']) * 1e12), 'Int64') AS cost_output_e12,
    accurateCastOrNull(round(toFloat64OrNull(a['trilemma.cost.other']) * 1e12), 'Int64') AS cost_other_e12,
    if(a['trilemma.cost.total'] = '' AND isNotNull(cost_e12), 'USD', a['trilemma.cost.currency']) AS cost_currency,
    if(a['trilemma.cost.total'] = '' AND isNotNull(cost_e12), 'other_sdk', a['trilemma.cost.source']) AS cost_source,
    a['trilemma.cost.unpriced_reason'] AS unpriced_reason,
    a['trilemma.cost.price_table.version'] AS price_version,
    arrayMap(part -> lower(hex(sipHash128(part))), if(startsWith(a['gen_ai.system_instructions'], '['), JSONExtractArrayRaw(a['gen_ai.system_instructions']), arrayFilter(part -> part != '', [a['gen_ai.system_instructions']]))) AS system_instructions,
    arrayMap(part -> lower(hex(sipHash128(part))), if(startsWith(a['gen_ai.input.messages'], '['), JSONExtractArrayRaw(a['gen_ai.input.messages']), arrayFilter(part -> part != '', [a['gen_ai.input.messages']]))) AS input_messages,
    arrayMap(part -> lower(hex(sipHash128(part))), if(startsWith(a['gen_ai.output.messages'], '['), JSONExtractArrayRaw(a['gen_ai.output.messages']), arrayFilter(part -> part != '', [a['gen_ai.output.messages']]))) AS output_messages,
    arrayMap(part -> lower(hex(sipHash128(part))), if(startsWith(a['gen_ai.tool.definitions'], '['), JSONExtractArrayRaw(a['gen_ai.tool.definitions']), arrayFilter(part -> part != '', [a['gen_ai.tool.definitions']]))) AS tool_definitions,
    a['trilemma.task.name'] AS task_name,
    a['trilemma.task.id'] AS task_id,
    a['trilemma.task.input_id'] AS input_id,
    a['gen_ai.prompt.name'] AS prompt_name,
    a['gen_ai.prompt.version'] AS prompt_version,
    a['trilemma.variant.context'] AS variant_context,
    a['trilemma.variant.guardrail'] AS variant_guardrail,
    a['trilemma.variant.route'] AS variant_route,
    a['trilemma.variant.fallback'] AS variant_fallback,
    a['trilemma.variant.cache'] AS variant_cache,
    a['trilemma.variant'] AS variant,
    mapApply(
        (key, text) -> (key, if(length(text) > 1024 OR match(key, '^(input|output)\\.value$|^llm\\.(input|output)_messages|^embedding\\.embeddings|^gen_ai\\.(prompt|completion)(\\.[0-9]|$)|^gen_ai\\.tool\\.call\\.(arguments|result)$|^gen_ai\\.(tool|task|agent|workflow)\\.(input|output|args)|^(traceloop\\.entity|langfuse\\.observation)\\.(input|output)$|^(request|response)_data$|^llm\\.[a-z_]+\\.(messages|choices|content)$|^gen_ai\\.retrieval\\.(documents|query)|^retrieval\\.documents'),
            'content:' || lower(hex(sipHash128(text))), text)),
        mapFilter((key, text) -> key NOT IN (
            'gen_ai.operation.name', 'openinference.span.kind', 'llm.request.type', 'gen_ai.provider.name',
            'gen_ai.system', 'llm.provider', 'llm.system', 'openai.api.type', 'gen_ai.request.model',
            'llm.request.model_name', 'llm.model_name', 'embedding.model_name', 'gen_ai.response.model',
            'llm.response.model_name', 'gen_ai.response.id', 'gen_ai.response.status',
            'gen_ai.response.finish_reasons', 'llm.finish_reason', 'anthropic.message.stop_reason',
            'openai.response.system_fingerprint', 'gen_ai.openai.response.system_fingerprint',
            'trilemma.provider.request_id', 'gen_ai.conversation.id', 'server.address', 'gen_ai.request.max_tokens',
            'gen_ai.request.temperature', 'gen_ai.request.stream', 'gen_ai.is_streaming', 'llm.is_streaming',
            'gen_ai.request.reasoning.level', 'gen_ai.output.type', 'openai.request.service_tier',
            'trilemma.response.service_tier', 'openai.response.service_tier', 'anthropic.response.service_tier',
            'trilemma.request.batch', 'trilemma.request.message_count', 'trilemma.request.tool_count',
            'trilemma.request.hash', 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens',
            'llm.usage.prompt_tokens', 'llm.token_count.prompt', 'gen_ai.usage.output_tokens',
            'gen_ai.usage.completion_tokens', 'llm.usage.completion_tokens', 'llm.token_count.completion',
            'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens',
            'llm.token_count.prompt_details.cache_read', 'gen_ai.usage.cache_write.input_tokens',
            'gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_creation_input_tokens',
            'llm.token_count.prompt_details.cache_write', 'trilemma.usage.cache_write_1h.input_tokens',
            'anthropic.usage.cache_creation.ephemeral_1h_input_tokens', 'gen_ai.usage.reasoning.output_tokens',
            'gen_ai.usage.reasoning_tokens', 'llm.token_count.completion_details.reasoning',
            'gen_ai.usage.audio.input_tokens', 'llm.token_count.prompt_details.audio',
            'gen_ai.usage.audio.output_tokens', 'llm.token_count.completion_details.audio',
            'trilemma.usage.web_search.count', 'trilemma.response.tool_call.names',
            'gen_ai.response.time_to_first_chunk', 'trilemma.response.time_to_first_content',
            'trilemma.response.time_per_output_token', 'trilemma.response.longest_stall',
            'trilemma.response.chunk_count', 'trilemma.response.stream_end', 'http.request.resend_count',
            'trilemma.retry.wait', 'trilemma.provider.processing_time', 'trilemma.rate_limit.remaining_requests',
            'trilemma.rate_limit.remaining_tokens', 'http.response.status_code', 'error.type', 'trilemma.cost.total',
            'gen_ai.usage.cost', 'llm.cost.total', 'gen_ai.cost.total_cost', 'operation.cost', 'trilemma.cost.input',
            'trilemma.cost.cache_read', 'trilemma.cost.cache_write', 'trilemma.cost.output', 'trilemma.cost.other',
            'trilemma.cost.currency', 'trilemma.cost.source', 'trilemma.cost.unpriced_reason',
            'trilemma.cost.price_table.version', 'gen_ai.system_instructions', 'gen_ai.input.messages',
            'gen_ai.output.messages', 'gen_ai.tool.definitions', 'trilemma.task.name', 'trilemma.task.id',
            'trilemma.task.input_id', 'gen_ai.prompt.name', 'gen_ai.prompt.version', 'trilemma.variant.context',
            'trilemma.variant.guardrail', 'trilemma.variant.route', 'trilemma.variant.fallback',
            'trilemma.variant.cache', 'trilemma.variant'
        ), a)
    ) AS attributes,
    event_times, event_names, event_attributes, link_trace_ids, link_span_ids, link_trace_states, link_attributes,
    nowInBlock64(3) AS received_at
FROM {database}.incoming_spans
WHERE category = 'call';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_spans TO {database}.stored_spans AS
SELECT
    category, trace_id, span_id, parent_span_id, started_at, duration_ns, name, kind, service_name, scope_name,
    scope_version, status_code, status_message, trace_state, resource_keys,
    resource_values,
    a['trilemma.task.name'] AS task_name,
    a['trilemma.task.id'] AS task_id,
    a['trilemma.task.input_id'] AS input_id,
    a['gen_ai.prompt.name'] AS prompt_name,
    a['gen_ai.prompt.version'] AS prompt_version,
    a['trilemma.variant.context'] AS variant_context,
    a['trilemma.variant.guardrail'] AS variant_guardrail,
    a['trilemma.variant.route'] AS variant_route,
    a['trilemma.variant.fallback'] AS variant_fallback,
    a['trilemma.variant.cache'] AS variant_cache,
    a['trilemma.variant'] AS variant,
    a['trilemma.task.version'] AS task_version,
    a['trilemma.task.outcome'] AS outcome,
    a['trilemma.task.failure_mode'] AS failure_mode,
    a['trilemma.task.outcome_source'] AS outcome_source,
    toFloat64OrNull(a['trilemma.task.value']) AS value,
    mapApply(
        (key, text) -> (key, if(length(text) > 1024 OR match(key, '^(input|output)\\.value$|^llm\\.(input|output)_messages|^embedding\\.embeddings|^gen_ai\\.(prompt|completion)(\\.[0-9]|$)|^gen_ai\\.tool\\.call\\.(arguments|result)$|^gen_ai\\.(tool|task|agent|workflow)\\.(input|output|args)|^(traceloop\\.entity|langfuse\\.observation)\\.(input|output)$|^(request|response)_data$|^llm\\.[a-z_]+\\.(messages|choices|content)$|^gen_ai\\.retrieval\\.(documents|query)|^retrieval\\.documents'),
            'content:' || lower(hex(sipHash128(text))), text)),
        mapFilter((key, text) -> key NOT IN (
            'trilemma.task.name', 'trilemma.task.id', 'trilemma.task.input_id', 'gen_ai.prompt.name',
            'gen_ai.prompt.version', 'trilemma.variant.context', 'trilemma.variant.guardrail',
            'trilemma.variant.route', 'trilemma.variant.fallback', 'trilemma.variant.cache', 'trilemma.variant',
            'trilemma.task.version', 'trilemma.task.outcome', 'trilemma.task.failure_mode',
            'trilemma.task.outcome_source', 'trilemma.task.value'
        ), a)
    ) AS attributes,
    event_times, event_names, event_attributes, link_trace_ids, link_span_ids, link_trace_states, link_attributes,
    nowInBlock64(3) AS received_at
FROM {database}.incoming_spans
WHERE category != 'call';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_trace_times TO {database}.trace_times AS
SELECT DISTINCT
    toUInt32(cityHash64(trace_id)) AS trace_hash,
    toStartOfHour(started_at, 'UTC') AS hour
FROM {database}.incoming_spans;

-- What a span is. A call is one request to a model, by its operation. A span that only holds calls (an agent, a workflow,
-- a tool), also when it carries their summed usage, is none, and neither is Logfire's log record of a finished stream.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_incoming_spans TO {database}.incoming_spans AS
WITH SpanAttributes AS a
SELECT
    multiIf(
        ScopeName = 'trilemma' AND SpanKind = 'Internal' AND a['trilemma.task.id'] != ''
            AND SpanName = a['trilemma.task.name'], 'task',
        operation IN ('chat', 'generate_content', 'text_completion', 'embeddings', 'rerank', 'image_generation',
                'text_to_speech', 'speech_to_text', 'moderation')
            AND a['logfire.span_type'] NOT IN ('log', 'pending_span'), 'call',
        'span') AS category,
    transform(firstNonDefault(a['gen_ai.operation.name'], a['openinference.span.kind'], a['llm.request.type']),
            ['LLM', 'EMBEDDING', 'RERANKER', 'completion', 'embedding'],
            ['chat', 'embeddings', 'rerank', 'text_completion', 'embeddings']) AS operation,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    Timestamp AS started_at,
    Duration AS duration_ns,
    SpanName AS name,
    SpanKind AS kind,
    ServiceName AS service_name,
    ScopeName AS scope_name,
    ScopeVersion AS scope_version,
    StatusCode AS status_code,
    StatusMessage AS status_message,
    TraceState AS trace_state,
    arrayStringConcat(arrayMap(text -> replaceAll(text, '\0', ''), mapKeys(ResourceAttributes)), '\0') AS resource_keys,
    arrayStringConcat(arrayMap(text -> replaceAll(text, '\0', ''), mapValues(ResourceAttributes)), '\0') AS resource_values,
    a,
    Events.Timestamp AS event_times,
    Events.Name AS event_names,
    Events.Attributes AS event_attributes,
    Links.TraceId AS link_trace_ids,
    Links.SpanId AS link_span_ids,
    Links.TraceState AS link_trace_states,
    Links.Attributes AS link_attributes
FROM {database}.otel_traces;

CREATE OR REPLACE VIEW {database}.spans AS
SELECT
    trace_id, span_id, parent_span_id, started_at, nullIf(duration_ns, 0) / 1e9 AS duration_s, name, kind,
    service_name, scope_name, scope_version, status_code, status_message, trace_state, task_name, task_id, attributes,
    CAST((splitByChar('\0', resource_keys), arrayResize(splitByChar('\0', resource_values), length(splitByChar('\0', resource_keys)))),
        'Map(LowCardinality(String), String)') AS resource_attributes,
    event_times, event_names, event_attributes, link_trace_ids, link_span_ids, link_trace_states, link_attributes
FROM {database}.stored_calls FINAL
UNION ALL
SELECT
    trace_id, span_id, parent_span_id, started_at, nullIf(duration_ns, 0) / 1e9 AS duration_s, name, kind,
    service_name, scope_name, scope_version, status_code, status_message, trace_state, task_name, task_id, attributes,
    CAST((splitByChar('\0', resource_keys), arrayResize(splitByChar('\0', resource_values), length(splitByChar('\0', resource_keys)))),
        'Map(LowCardinality(String), String)') AS resource_attributes,
    event_times, event_names, event_attributes, link_trace_ids, link_span_ids, link_trace_states, link_attributes
FROM {database}.stored_spans FINAL;
