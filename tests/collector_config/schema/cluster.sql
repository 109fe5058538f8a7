CREATE DATABASE IF NOT EXISTS trilemma ON CLUSTER 'main';

CREATE TABLE IF NOT EXISTS trilemma.schema_migrations ON CLUSTER 'main'
(
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}_{replica}')
ORDER BY (version, applied_at);

-- 0001_landing
CREATE TABLE IF NOT EXISTS trilemma.otel_traces ON CLUSTER 'main'
(
    Timestamp DateTime64(9),
    TraceId String,
    SpanId String,
    ParentSpanId String,
    TraceState String,
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeName String,
    ScopeVersion String,
    SpanAttributes Map(LowCardinality(String), String),
    Duration UInt64,
    StatusCode LowCardinality(String),
    StatusMessage String,
    Events Nested
    (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ),
    Links Nested
    (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    )
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS trilemma.otel_logs ON CLUSTER 'main'
(
    Timestamp DateTime64(9),
    TraceId String,
    SpanId String,
    TraceFlags UInt8,
    SeverityText LowCardinality(String),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String),
    Body String,
    ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeSchemaUrl LowCardinality(String),
    ScopeName String,
    ScopeVersion LowCardinality(String),
    ScopeAttributes Map(LowCardinality(String), String),
    LogAttributes Map(LowCardinality(String), String),
    EventName String
)
ENGINE = Null;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (1, '0001_landing', '5f6b5c26ed29ee32');

-- 0002_spans
CREATE TABLE IF NOT EXISTS trilemma.incoming_spans ON CLUSTER 'main'
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

CREATE TABLE IF NOT EXISTS trilemma.stored_calls_local ON CLUSTER 'main'
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version)
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (task_name, started_at)
ORDER BY (task_name, started_at, trace_id, span_id)
SETTINGS min_bytes_for_wide_part = 16777216, merge_selector_base = 16;

CREATE TABLE IF NOT EXISTS trilemma.stored_calls ON CLUSTER 'main' AS trilemma.stored_calls_local
ENGINE = Distributed('main', 'trilemma', 'stored_calls_local', cityHash64(trace_id));

CREATE TABLE IF NOT EXISTS trilemma.stored_spans_local ON CLUSTER 'main'
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
    last_outcome LowCardinality(String) CODEC(ZSTD(1)),
    last_failure_mode LowCardinality(String) CODEC(ZSTD(1)),
    last_outcome_source LowCardinality(String) CODEC(ZSTD(1)),
    last_value Nullable(Float64) CODEC(ZSTD(1)),
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version)
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (service_name, started_at)
ORDER BY (service_name, started_at, trace_id, span_id)
SETTINGS min_bytes_for_wide_part = 16777216, merge_selector_base = 16;

CREATE TABLE IF NOT EXISTS trilemma.stored_spans ON CLUSTER 'main' AS trilemma.stored_spans_local
ENGINE = Distributed('main', 'trilemma', 'stored_spans_local', cityHash64(trace_id));

CREATE TABLE IF NOT EXISTS trilemma.trace_times_local ON CLUSTER 'main'
(
    trace_hash UInt32 COMMENT 'cityHash64 of the trace id, its low half: two traces with the same widen each other''s search' CODEC(Delta, ZSTD(1)),
    hour DateTime('UTC') CODEC(GCD, T64, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (trace_hash, hour);

CREATE TABLE IF NOT EXISTS trilemma.trace_times ON CLUSTER 'main' AS trilemma.trace_times_local
ENGINE = Distributed('main', 'trilemma', 'trace_times_local', trace_hash);

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_calls ON CLUSTER 'main' TO trilemma.stored_calls AS
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
FROM trilemma.incoming_spans
WHERE category = 'call';

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_spans ON CLUSTER 'main' TO trilemma.stored_spans AS
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
FROM trilemma.incoming_spans
WHERE category != 'call';

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_trace_times ON CLUSTER 'main' TO trilemma.trace_times AS
SELECT DISTINCT
    toUInt32(cityHash64(trace_id)) AS trace_hash,
    toStartOfHour(started_at, 'UTC') AS hour
FROM trilemma.incoming_spans;

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_incoming_spans ON CLUSTER 'main' TO trilemma.incoming_spans AS
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
FROM trilemma.otel_traces;

CREATE OR REPLACE VIEW trilemma.spans ON CLUSTER 'main' AS
SELECT
    trace_id, span_id, parent_span_id, started_at, nullIf(duration_ns, 0) / 1e9 AS duration_s, name, kind,
    service_name, scope_name, scope_version, status_code, status_message, trace_state, task_name, task_id, attributes,
    CAST((splitByChar('\0', resource_keys), arrayResize(splitByChar('\0', resource_values), length(splitByChar('\0', resource_keys)))),
        'Map(LowCardinality(String), String)') AS resource_attributes,
    event_times, event_names, event_attributes, link_trace_ids, link_span_ids, link_trace_states, link_attributes
FROM trilemma.stored_calls FINAL
UNION ALL
SELECT
    trace_id, span_id, parent_span_id, started_at, nullIf(duration_ns, 0) / 1e9 AS duration_s, name, kind,
    service_name, scope_name, scope_version, status_code, status_message, trace_state, task_name, task_id, attributes,
    CAST((splitByChar('\0', resource_keys), arrayResize(splitByChar('\0', resource_values), length(splitByChar('\0', resource_keys)))),
        'Map(LowCardinality(String), String)') AS resource_attributes,
    event_times, event_names, event_attributes, link_trace_ids, link_span_ids, link_trace_states, link_attributes
FROM trilemma.stored_spans FINAL;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (2, '0002_spans', '782389e34b0f271d');

-- 0003_content
CREATE TABLE IF NOT EXISTS trilemma.stored_content_local ON CLUSTER 'main'
(
    hash String,
    text String CODEC(ZSTD(3)),
    last_seen_at DateTime CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', last_seen_at)
ORDER BY hash;

CREATE TABLE IF NOT EXISTS trilemma.stored_content ON CLUSTER 'main' AS trilemma.stored_content_local
ENGINE = Distributed('main', 'trilemma', 'stored_content_local', cityHash64(hash));

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_content ON CLUSTER 'main' TO trilemma.stored_content AS
SELECT
    lower(hex(sipHash128(part))) AS hash,
    any(part) AS text,
    toDateTime(nowInBlock64(3)) AS last_seen_at
FROM
(
    SELECT arrayJoin(arrayConcat(
        if(startsWith(a['gen_ai.system_instructions'], '['), JSONExtractArrayRaw(a['gen_ai.system_instructions']), arrayFilter(part -> part != '', [a['gen_ai.system_instructions']])),
        if(startsWith(a['gen_ai.input.messages'], '['), JSONExtractArrayRaw(a['gen_ai.input.messages']), arrayFilter(part -> part != '', [a['gen_ai.input.messages']])),
        if(startsWith(a['gen_ai.output.messages'], '['), JSONExtractArrayRaw(a['gen_ai.output.messages']), arrayFilter(part -> part != '', [a['gen_ai.output.messages']])),
        if(startsWith(a['gen_ai.tool.definitions'], '['), JSONExtractArrayRaw(a['gen_ai.tool.definitions']), arrayFilter(part -> part != '', [a['gen_ai.tool.definitions']])),
        mapValues(mapFilter((key, text) -> (length(text) > 1024 OR match(key, '^(input|output)\\.value$|^llm\\.(input|output)_messages|^embedding\\.embeddings|^gen_ai\\.(prompt|completion)(\\.[0-9]|$)|^gen_ai\\.tool\\.call\\.(arguments|result)$|^gen_ai\\.(tool|task|agent|workflow)\\.(input|output|args)|^(traceloop\\.entity|langfuse\\.observation)\\.(input|output)$|^(request|response)_data$|^llm\\.[a-z_]+\\.(messages|choices|content)$|^gen_ai\\.retrieval\\.(documents|query)|^retrieval\\.documents'))
            AND key NOT IN ('gen_ai.system_instructions', 'gen_ai.input.messages', 'gen_ai.output.messages',
                'gen_ai.tool.definitions'), a))
    )) AS part
    FROM trilemma.incoming_spans
    WHERE scope_name != 'trilemma'
        OR arrayExists(text -> length(text) > 1024, mapValues(a))
        OR a['gen_ai.input.messages'] != '' OR a['gen_ai.output.messages'] != ''
        OR a['gen_ai.system_instructions'] != '' OR a['gen_ai.tool.definitions'] != ''
)
GROUP BY hash;

CREATE OR REPLACE VIEW trilemma.content ON CLUSTER 'main' AS
SELECT hash, text, last_seen_at
FROM trilemma.stored_content FINAL;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (3, '0003_content', '5f67758c8bec423d');

-- 0004_outcomes_evaluations
CREATE TABLE IF NOT EXISTS trilemma.stored_outcomes_local ON CLUSTER 'main'
(
    task_id String,
    outcome_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    task_name LowCardinality(String),
    outcome LowCardinality(String),
    failure_mode LowCardinality(String),
    outcome_source LowCardinality(String),
    value Nullable(Float64),
    service_name LowCardinality(String),
    received_at DateTime64(3) CODEC(Delta, ZSTD(1)),
    INDEX by_arrival received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (task_id, outcome_at, outcome, failure_mode, outcome_source);

CREATE TABLE IF NOT EXISTS trilemma.stored_outcomes ON CLUSTER 'main' AS trilemma.stored_outcomes_local
ENGINE = Distributed('main', 'trilemma', 'stored_outcomes_local', cityHash64(task_id));

CREATE TABLE IF NOT EXISTS trilemma.stored_evaluations_local ON CLUSTER 'main'
(
    evaluation_name LowCardinality(String),
    evaluated_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    trace_id String,
    span_id String,
    task_id String,
    task_name LowCardinality(String),
    score Nullable(Float64),
    label LowCardinality(String),
    explanation String CODEC(ZSTD(3)),
    service_name LowCardinality(String),
    attributes Map(LowCardinality(String), String),
    received_at DateTime64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(evaluated_at)
PRIMARY KEY (evaluation_name, evaluated_at)
ORDER BY (evaluation_name, evaluated_at, trace_id, span_id, task_id, label, attributes['trilemma.context.block.id']);

CREATE TABLE IF NOT EXISTS trilemma.stored_evaluations ON CLUSTER 'main' AS trilemma.stored_evaluations_local
ENGINE = Distributed('main', 'trilemma', 'stored_evaluations_local', cityHash64(trace_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_outcomes ON CLUSTER 'main' TO trilemma.stored_outcomes AS
WITH LogAttributes AS a
SELECT
    a['trilemma.task.id'] AS task_id,
    Timestamp AS outcome_at,
    a['trilemma.task.name'] AS task_name,
    a['trilemma.task.outcome'] AS outcome,
    a['trilemma.task.failure_mode'] AS failure_mode,
    a['trilemma.task.outcome_source'] AS outcome_source,
    toFloat64OrNull(a['trilemma.task.value']) AS value,
    ServiceName AS service_name,
    nowInBlock64(3) AS received_at
FROM trilemma.otel_logs
WHERE firstNonDefault(EventName, a['event.name']) = 'trilemma.task.outcome' AND task_id != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_evaluations ON CLUSTER 'main' TO trilemma.stored_evaluations AS
WITH LogAttributes AS a
SELECT
    a['gen_ai.evaluation.name'] AS evaluation_name,
    Timestamp AS evaluated_at,
    TraceId AS trace_id,
    SpanId AS span_id,
    a['trilemma.task.id'] AS task_id,
    a['trilemma.task.name'] AS task_name,
    toFloat64OrNull(a['gen_ai.evaluation.score.value']) AS score,
    a['gen_ai.evaluation.score.label'] AS label,
    a['gen_ai.evaluation.explanation'] AS explanation,
    ServiceName AS service_name,
    mapFilter((key, text) -> key NOT IN (
        'gen_ai.evaluation.name', 'gen_ai.evaluation.score.value', 'gen_ai.evaluation.score.label',
        'gen_ai.evaluation.explanation', 'trilemma.task.id', 'trilemma.task.name'
    ), a) AS attributes,
    nowInBlock64(3) AS received_at
FROM trilemma.otel_logs
WHERE firstNonDefault(EventName, a['event.name']) = 'gen_ai.evaluation.result';

CREATE OR REPLACE VIEW trilemma.outcomes ON CLUSTER 'main' AS
SELECT task_id, outcome_at, task_name, outcome, failure_mode, outcome_source, value, service_name
FROM trilemma.stored_outcomes FINAL
UNION ALL
SELECT
    task_id, started_at + toIntervalNanosecond(duration_ns) AS outcome_at, task_name, outcome, failure_mode,
    outcome_source, value, service_name
FROM trilemma.stored_spans FINAL
WHERE category = 'task' AND outcome != '';

CREATE OR REPLACE VIEW trilemma.evaluations ON CLUSTER 'main' AS
SELECT
    evaluated_at, trace_id, span_id, task_id, task_name, evaluation_name, score, label, explanation,
    attributes['trilemma.evaluation.source'] AS evaluation_source, service_name, attributes
FROM trilemma.stored_evaluations FINAL;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (4, '0004_outcomes_evaluations', 'e9d2a0e9210284fe');

-- 0005_calls
CREATE TABLE IF NOT EXISTS trilemma.settle_marks ON CLUSTER 'main'
(
    step LowCardinality(String),
    settled_until DateTime64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{shard}_{replica}', settled_until)
ORDER BY step;

CREATE OR REPLACE VIEW trilemma.fresh_calls ON CLUSTER 'main' AS
SELECT started_at, arrayJoin([cityHash64(trace_id), cityHash64(if(response_id = '', trace_id, response_id))]) AS key
FROM trilemma.stored_calls
WHERE received_at >
    (SELECT max(settled_until) - toIntervalMinute(2) FROM trilemma.settle_marks WHERE step = 'settle_duplicate_calls');

CREATE OR REPLACE VIEW trilemma.fresh_candidates ON CLUSTER 'main' AS
WITH (SELECT (min(started_at) - toIntervalHour(1), max(started_at) + toIntervalHour(1)) FROM trilemma.fresh_calls) AS near
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
FROM trilemma.stored_calls
WHERE started_at BETWEEN near.1 AND near.2
    AND superseded_by = ''
    AND (cityHash64(trace_id) GLOBAL IN (SELECT key FROM trilemma.fresh_calls)
        OR cityHash64(response_id) GLOBAL IN (SELECT key FROM trilemma.fresh_calls));

CREATE OR REPLACE VIEW trilemma.fresh_duplicate_calls ON CLUSTER 'main' AS
WITH
    claims AS
    (
        SELECT DISTINCT
            (other.trace_id, other.span_id) AS loser_key,
            (owner.trace_id, owner.span_id) AS owner_key,
            owner.rank AS owner_rank
        FROM trilemma.fresh_candidates AS owner
        GLOBAL INNER JOIN (SELECT * FROM trilemma.fresh_candidates WHERE scope_name != 'trilemma') AS other
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

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.settle_duplicate_calls
REFRESH EVERY 5 MINUTE APPEND TO trilemma.stored_calls AS
SELECT
    calls.* EXCEPT (superseded_by, version, received_at),
    duplicates.superseded_by AS superseded_by,
    1 AS version,
    now64(3) AS received_at
FROM
(
    SELECT *
    FROM trilemma.stored_calls FINAL
    WHERE started_at >= (SELECT min(started_at) - toIntervalHour(1) FROM trilemma.fresh_calls)
        AND trace_id GLOBAL IN (SELECT trace_id FROM trilemma.fresh_duplicate_calls)
) AS calls
GLOBAL INNER JOIN trilemma.fresh_duplicate_calls AS duplicates
    ON duplicates.trace_id = calls.trace_id AND duplicates.span_id = calls.span_id
WHERE calls.version = 0;

CREATE OR REPLACE VIEW trilemma.llm_calls ON CLUSTER 'main' AS
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
FROM trilemma.stored_calls FINAL
WHERE superseded_by = ''
    AND ((SELECT count() FROM trilemma.fresh_duplicate_calls) = 0
        OR (trace_id, span_id) GLOBAL NOT IN (SELECT trace_id, span_id FROM trilemma.fresh_duplicate_calls));

CREATE OR REPLACE VIEW trilemma.trace ON CLUSTER 'main' AS
SELECT *
FROM trilemma.spans
WHERE trace_id = {id:String}
    AND started_at >= (SELECT min(hour) FROM trilemma.trace_times WHERE trace_hash = toUInt32(cityHash64({id:String})))
    AND started_at < (SELECT max(hour) + toIntervalHour(1) FROM trilemma.trace_times WHERE trace_hash = toUInt32(cityHash64({id:String})))
ORDER BY started_at;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (5, '0005_calls', '559c740df0504540');

-- 0006_task_runs
CREATE OR REPLACE VIEW trilemma.fresh_task_ids ON CLUSTER 'main' AS
WITH
    (SELECT max(settled_until) - toIntervalMinute(2) FROM trilemma.settle_marks WHERE step = 'settle_task_runs') AS since
SELECT task_id, received_at FROM trilemma.stored_spans WHERE received_at > since AND category = 'task'
UNION ALL
SELECT task_id, received_at FROM trilemma.stored_outcomes WHERE received_at > since
UNION ALL
SELECT task_id, received_at FROM trilemma.stored_calls WHERE received_at > since AND task_id != '';

CREATE OR REPLACE VIEW trilemma.fresh_task_runs ON CLUSTER 'main' AS
WITH
    (
        SELECT min(started_at)
        FROM trilemma.stored_spans
        WHERE category = 'task' AND task_id GLOBAL IN (SELECT task_id FROM trilemma.fresh_task_ids)
        HAVING count() > 0
    ) AS first_started_at,
    runs AS
    (
        SELECT *
        FROM trilemma.stored_spans FINAL
        WHERE category = 'task' AND task_id GLOBAL IN (SELECT task_id FROM trilemma.fresh_task_ids)
    ),
    facts AS
    (
        SELECT
            task_id AS told_id,
            argMax(
                (outcome, failure_mode, outcome_source, value, outcome_at),
                (outcome_at, said_late, outcome, failure_mode, outcome_source)
            ) AS last
        FROM
        (
            SELECT
                task_id, outcome, failure_mode, outcome_source, value,
                started_at + toIntervalNanosecond(duration_ns) AS outcome_at, 0 AS said_late
            FROM trilemma.stored_spans
            WHERE category = 'task' AND outcome != ''
                AND task_id GLOBAL IN (SELECT task_id FROM trilemma.fresh_task_ids)
            UNION ALL
            SELECT task_id, outcome, failure_mode, outcome_source, value, outcome_at, 1 AS said_late
            FROM trilemma.stored_outcomes
            WHERE task_id GLOBAL IN (SELECT task_id FROM trilemma.fresh_task_ids)
        )
        GROUP BY told_id
    ),
    calls AS
    (
        SELECT
            task_id AS used_id,
            count() AS call_count,
            arraySort(groupUniqArray(if(request_model = '', response_model, request_model))) AS models,
            if(count() = count(calls.cost_e12), sum(calls.cost_e12), NULL) AS cost_e12,
            anyIf(calls.cost_currency, calls.cost_currency != '') AS cost_currency,
            sum(calls.input_tokens) AS input_tokens,
            sum(calls.output_tokens) AS output_tokens,
            countIf(status_code = 'Error') AS error_count,
            sum(ifNull(calls.retry_count, 0)) AS retry_count,
            intDiv(sum(nullIf(duration_ns, 0)), 1000) AS llm_duration_us
        FROM trilemma.stored_calls AS calls FINAL
        WHERE task_id GLOBAL IN (SELECT task_id FROM trilemma.fresh_task_ids)
            AND started_at >= first_started_at - toIntervalHour(1)
            AND superseded_by = ''
            AND (trace_id, span_id) GLOBAL NOT IN (SELECT trace_id, span_id FROM trilemma.fresh_duplicate_calls)
        GROUP BY used_id
    )
SELECT
    runs.* EXCEPT (
        last_outcome, last_failure_mode, last_outcome_source, last_value, last_outcome_delay_ns, call_count, models, combination,
        cost_e12, cost_currency, input_tokens, output_tokens, error_count, retry_count, llm_duration_us, is_repeat, version
    ),
    if(facts.last.1 = '', 'unknown', facts.last.1) AS last_outcome,
    facts.last.2 AS last_failure_mode,
    facts.last.3 AS last_outcome_source,
    facts.last.4 AS last_value,
    if(facts.last.1 = '', NULL,
        toUnixTimestamp64Nano(facts.last.5) - toUnixTimestamp64Nano(runs.started_at) - toInt64(runs.duration_ns)) AS last_outcome_delay_ns,
    calls.call_count AS call_count,
    calls.models AS models,
    arrayStringConcat(arrayFilter(axis -> axis != '', [
        arrayStringConcat(calls.models, '+'),
        if(runs.prompt_name = '' AND runs.prompt_version = '', '',
            'prompt=' || runs.prompt_name || if(runs.prompt_version = '', '', '@' || runs.prompt_version)),
        if(runs.variant_context = '', '', 'context=' || runs.variant_context),
        if(runs.variant_guardrail = '', '', 'guardrail=' || runs.variant_guardrail),
        if(runs.variant_route = '', '', 'route=' || runs.variant_route),
        if(runs.variant_fallback = '', '', 'fallback=' || runs.variant_fallback),
        if(runs.variant_cache = '', '', 'cache=' || runs.variant_cache),
        if(runs.variant = '', '', 'variant=' || runs.variant)
    ]), ' · ') AS combination,
    calls.cost_e12 AS cost_e12,
    calls.cost_currency AS cost_currency,
    calls.input_tokens AS input_tokens,
    calls.output_tokens AS output_tokens,
    calls.error_count AS error_count,
    calls.retry_count AS retry_count,
    calls.llm_duration_us AS llm_duration_us,
    row_number() OVER (PARTITION BY runs.task_id ORDER BY runs.started_at, runs.span_id) > 1 AS is_repeat
FROM runs
GLOBAL LEFT JOIN facts ON told_id = runs.task_id
GLOBAL LEFT JOIN calls ON used_id = runs.task_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.settle_task_runs
REFRESH EVERY 5 MINUTE APPEND TO trilemma.stored_spans AS
SELECT *, toUnixTimestamp64Milli(now64(3)) AS version
FROM trilemma.fresh_task_runs
WHERE task_id GLOBAL NOT IN
(
    SELECT task_id FROM trilemma.fresh_task_ids WHERE received_at > now64(3) - toIntervalMinute(2)
);

CREATE OR REPLACE VIEW trilemma.task_runs ON CLUSTER 'main' AS
WITH runs AS
(
    SELECT * EXCEPT version
    FROM trilemma.stored_spans FINAL
    WHERE category = 'task' AND is_repeat = 0
        AND task_id GLOBAL NOT IN (SELECT task_id FROM trilemma.fresh_task_ids)
    UNION ALL
    SELECT *
    FROM trilemma.fresh_task_runs
    WHERE is_repeat = 0
)
SELECT
    task_id, task_name, trace_id, span_id, started_at, nullIf(duration_ns, 0) / 1e9 AS duration_s, service_name,
    status_code,
    input_id, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route, variant_fallback,
    variant_cache, variant, task_version,
    last_outcome AS outcome,
    last_failure_mode AS failure_mode,
    last_outcome_source AS outcome_source,
    last_value AS value,
    ifNull(started_at + toIntervalNanosecond(duration_ns + last_outcome_delay_ns), toDateTime64(0, 9)) AS outcome_at,
    call_count,
    models,
    combination,
    cost_e12 / 1e12 AS cost,
    cost_currency,
    input_tokens,
    output_tokens,
    error_count,
    retry_count,
    llm_duration_us / 1e6 AS llm_duration_s
FROM runs;

CREATE OR REPLACE VIEW trilemma.tasks ON CLUSTER 'main' AS
SELECT
    task_id, task_name, trace_id, span_id, started_at, duration_s, service_name, status_code,
    input_id, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route, variant_fallback,
    variant_cache, variant, task_version, outcome, failure_mode, outcome_source, value,
    outcome_at
FROM trilemma.task_runs;

CREATE OR REPLACE VIEW trilemma.tasks_daily ON CLUSTER 'main' AS
SELECT
    toDate(started_at, 'UTC') AS day,
    task_name,
    combination,
    count() AS run_count,
    countIf(outcome = 'success') AS success_count,
    countIf(outcome = 'failure') AS failure_count,
    count() - success_count - failure_count AS unknown_count,
    count(runs.cost) AS priced_count,
    sum(runs.cost) AS cost,
    sum(runs.value) AS value,
    quantilesDD(0.01, 0.5, 0.95)(duration_s) AS duration_quantiles_s
FROM trilemma.task_runs AS runs
GROUP BY day, task_name, combination;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (6, '0006_task_runs', '3741d2e947bc2f75');

-- 0007_rollups
CREATE TABLE IF NOT EXISTS trilemma.stored_calls_hourly_local ON CLUSTER 'main'
(
    hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
    task_name LowCardinality(String) CODEC(ZSTD(1)),
    request_model LowCardinality(String) CODEC(ZSTD(1)),
    provider LowCardinality(String) CODEC(ZSTD(1)),
    operation LowCardinality(String) CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    prompt_name LowCardinality(String) CODEC(ZSTD(1)),
    prompt_version LowCardinality(String) CODEC(ZSTD(1)),
    variant LowCardinality(String) CODEC(ZSTD(1)),
    cost_currency LowCardinality(String) CODEC(ZSTD(1)),
    call_count UInt64 CODEC(T64, ZSTD(1)),
    error_count UInt64 CODEC(T64, ZSTD(1)),
    retry_count UInt64 CODEC(T64, ZSTD(1)),
    priced_count UInt64 CODEC(T64, ZSTD(1)),
    cost Nullable(Float64) CODEC(ZSTD(1)),
    input_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    cache_read_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    duration_sum_s Nullable(Float64) CODEC(ZSTD(1)),
    duration_sketch AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
    time_to_first_content_sketch AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
    computed_at DateTime64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', computed_at)
ORDER BY (hour, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency);

CREATE TABLE IF NOT EXISTS trilemma.stored_calls_hourly ON CLUSTER 'main' AS trilemma.stored_calls_hourly_local
ENGINE = Distributed('main', 'trilemma', 'stored_calls_hourly_local', rand());

CREATE TABLE IF NOT EXISTS trilemma.stored_calls_daily_local ON CLUSTER 'main'
(
    day Date CODEC(ZSTD(1)),
    task_name LowCardinality(String) CODEC(ZSTD(1)),
    request_model LowCardinality(String) CODEC(ZSTD(1)),
    provider LowCardinality(String) CODEC(ZSTD(1)),
    operation LowCardinality(String) CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    prompt_name LowCardinality(String) CODEC(ZSTD(1)),
    prompt_version LowCardinality(String) CODEC(ZSTD(1)),
    variant LowCardinality(String) CODEC(ZSTD(1)),
    cost_currency LowCardinality(String) CODEC(ZSTD(1)),
    call_count UInt64 CODEC(T64, ZSTD(1)),
    error_count UInt64 CODEC(T64, ZSTD(1)),
    retry_count UInt64 CODEC(T64, ZSTD(1)),
    priced_count UInt64 CODEC(T64, ZSTD(1)),
    cost Nullable(Float64) CODEC(ZSTD(1)),
    input_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    cache_read_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    duration_sum_s Nullable(Float64) CODEC(ZSTD(1)),
    duration_sketch AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
    time_to_first_content_sketch AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
    computed_at DateTime64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', computed_at)
ORDER BY (day, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency);

CREATE TABLE IF NOT EXISTS trilemma.stored_calls_daily ON CLUSTER 'main' AS trilemma.stored_calls_daily_local
ENGINE = Distributed('main', 'trilemma', 'stored_calls_daily_local', rand());

CREATE OR REPLACE VIEW trilemma.expired_hours ON CLUSTER 'main' AS
WITH
    late AS
    (
        SELECT DISTINCT toStartOfHour(started_at, 'UTC') AS late_hour
        FROM trilemma.stored_calls
        WHERE received_at >
                (SELECT max(settled_until) - toIntervalMinute(2) FROM trilemma.settle_marks WHERE step = 'settle_calls_hourly')
            AND started_at < received_at - toIntervalDay(1)
    ),
    counted AS
    (
        SELECT hour AS counted_hour, sum(call_count) AS calls
        FROM trilemma.stored_calls_hourly FINAL
        WHERE hour GLOBAL IN (SELECT late_hour FROM late)
            AND (hour, computed_at) GLOBAL IN (SELECT hour, max(computed_at) FROM trilemma.stored_calls_hourly GROUP BY hour)
        GROUP BY hour
    ),
    kept AS
    (
        SELECT toStartOfHour(started_at, 'UTC') AS kept_hour, count() AS calls
        FROM trilemma.stored_calls
        WHERE kept_hour GLOBAL IN (SELECT counted_hour FROM counted)
            AND started_at >= (SELECT min(counted_hour) FROM counted)
            AND started_at < (SELECT max(counted_hour) + toIntervalHour(1) FROM counted)
        GROUP BY kept_hour
    )
SELECT counted_hour AS hour
FROM counted
GLOBAL LEFT JOIN kept ON kept_hour = counted_hour
WHERE kept.calls < counted.calls;

CREATE OR REPLACE VIEW trilemma.fresh_hours ON CLUSTER 'main' AS
SELECT toStartOfHour(started_at, 'UTC') AS hour, max(stored_calls.received_at) AS received_at
FROM trilemma.stored_calls
WHERE stored_calls.received_at >
        (SELECT max(settled_until) - toIntervalMinute(2) FROM trilemma.settle_marks WHERE step = 'settle_calls_hourly')
    AND NOT has((SELECT groupArray(hour) FROM trilemma.expired_hours), hour)
GROUP BY hour;

CREATE OR REPLACE VIEW trilemma.fresh_calls_hourly ON CLUSTER 'main' AS
SELECT
    toStartOfHour(started_at, 'UTC') AS hour,
    task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency,
    count() AS call_count,
    countIf(status_code = 'Error') AS error_count,
    sum(ifNull(llm_calls.retry_count, 0)) AS retry_count,
    count(llm_calls.cost) AS priced_count,
    sum(llm_calls.cost) AS cost,
    sum(llm_calls.input_tokens) AS input_tokens,
    sum(llm_calls.output_tokens) AS output_tokens,
    sum(llm_calls.cache_read_tokens) AS cache_read_tokens,
    sum(llm_calls.cache_write_tokens) AS cache_write_tokens,
    sum(llm_calls.reasoning_tokens) AS reasoning_tokens,
    sum(duration_s) AS duration_sum_s,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(assumeNotNull(duration_s), isNotNull(duration_s)) AS duration_sketch,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(assumeNotNull(time_to_first_content_s), isNotNull(time_to_first_content_s)) AS time_to_first_content_sketch
FROM trilemma.llm_calls
WHERE started_at >= (SELECT min(hour) FROM trilemma.fresh_hours)
    AND started_at < (SELECT max(hour) + toIntervalHour(1) FROM trilemma.fresh_hours)
    AND hour GLOBAL IN (SELECT hour FROM trilemma.fresh_hours)
GROUP BY hour, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency;

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.settle_calls_hourly
REFRESH EVERY 5 MINUTE APPEND TO trilemma.stored_calls_hourly AS
SELECT *, now64(3) AS computed_at
FROM trilemma.fresh_calls_hourly
WHERE hour GLOBAL NOT IN (SELECT hour FROM trilemma.fresh_hours WHERE received_at > now64(3) - toIntervalMinute(2));

CREATE OR REPLACE VIEW trilemma.calls_hourly ON CLUSTER 'main' AS
SELECT * EXCEPT (computed_at)
FROM trilemma.stored_calls_hourly FINAL
WHERE hour GLOBAL NOT IN (SELECT hour FROM trilemma.fresh_hours)
    AND (hour, computed_at) GLOBAL IN (SELECT hour, max(computed_at) FROM trilemma.stored_calls_hourly GROUP BY hour)
UNION ALL
SELECT *
FROM trilemma.fresh_calls_hourly;

CREATE OR REPLACE VIEW trilemma.fresh_days ON CLUSTER 'main' AS
SELECT toDate(started_at, 'UTC') AS day, max(stored_calls.received_at) AS received_at
FROM trilemma.stored_calls
WHERE stored_calls.received_at > 
    (SELECT max(settled_until) - toIntervalMinute(2) FROM trilemma.settle_marks WHERE step = 'settle_calls_daily')
GROUP BY day;

CREATE OR REPLACE VIEW trilemma.fresh_calls_daily ON CLUSTER 'main' AS
SELECT
    toDate(hour, 'UTC') AS day,
    task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency,
    sum(calls_hourly.call_count) AS call_count,
    sum(calls_hourly.error_count) AS error_count,
    sum(calls_hourly.retry_count) AS retry_count,
    sum(calls_hourly.priced_count) AS priced_count,
    sum(calls_hourly.cost) AS cost,
    sum(calls_hourly.input_tokens) AS input_tokens,
    sum(calls_hourly.output_tokens) AS output_tokens,
    sum(calls_hourly.cache_read_tokens) AS cache_read_tokens,
    sum(calls_hourly.cache_write_tokens) AS cache_write_tokens,
    sum(calls_hourly.reasoning_tokens) AS reasoning_tokens,
    sum(calls_hourly.duration_sum_s) AS duration_sum_s,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(calls_hourly.duration_sketch) AS duration_sketch,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(calls_hourly.time_to_first_content_sketch) AS time_to_first_content_sketch
FROM trilemma.calls_hourly
WHERE hour >= (SELECT toDateTime(min(day), 'UTC') FROM trilemma.fresh_days)
    AND hour < (SELECT toDateTime(max(day) + 1, 'UTC') FROM trilemma.fresh_days)
    AND day GLOBAL IN (SELECT day FROM trilemma.fresh_days)
GROUP BY day, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency;

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.settle_calls_daily
REFRESH EVERY 5 MINUTE APPEND TO trilemma.stored_calls_daily AS
SELECT *, now64(3) AS computed_at
FROM trilemma.fresh_calls_daily
WHERE day GLOBAL NOT IN (SELECT day FROM trilemma.fresh_days WHERE received_at > now64(3) - toIntervalMinute(2));

CREATE OR REPLACE VIEW trilemma.calls_daily ON CLUSTER 'main' AS
SELECT * EXCEPT (computed_at)
FROM trilemma.stored_calls_daily FINAL
WHERE day GLOBAL NOT IN (SELECT day FROM trilemma.fresh_days)
    AND (day, computed_at) GLOBAL IN (SELECT day, max(computed_at) FROM trilemma.stored_calls_daily GROUP BY day)
UNION ALL
SELECT *
FROM trilemma.fresh_calls_daily;

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.settle_progress
REFRESH EVERY 5 MINUTE APPEND TO trilemma.settle_marks AS
SELECT view AS step, last_success_time AS settled_until
FROM system.view_refreshes
WHERE database = 'trilemma' AND view LIKE 'settle\_%' AND view != 'settle_progress' AND isNotNull(last_success_time);

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (7, '0007_rollups', 'c280e65e6a0d1cc0');

-- 0008_decisions
CREATE TABLE IF NOT EXISTS trilemma.stored_decisions_local ON CLUSTER 'main'
(
    decision_kind LowCardinality(String),
    decision_name LowCardinality(String),
    started_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    duration_ns UInt64 CODEC(T64, ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    task_id String CODEC(ZSTD(1)),
    task_name LowCardinality(String),
    service_name LowCardinality(String),
    status_code LowCardinality(String),
    error_type LowCardinality(String),
    chosen LowCardinality(String),
    candidates Array(LowCardinality(String)),
    probability Nullable(Float64),
    reason String,
    policy_version LowCardinality(String),
    unit LowCardinality(String),
    unit_hash String,
    is_eligible Nullable(Bool),
    is_holdout Nullable(Bool),
    decision_cost Nullable(Float64),
    stage LowCardinality(String),
    prompt_version LowCardinality(String),
    template_hash LowCardinality(String),
    variables Array(LowCardinality(String)),
    attempt Nullable(UInt16),
    attempt_result LowCardinality(String),
    cache_kind LowCardinality(String),
    similarity Nullable(Float32),
    saved_cost Nullable(Float64),
    saved_s Nullable(Float64),
    budget_tokens Nullable(UInt32),
    block_ids Array(String),
    block_sources Array(LowCardinality(String)),
    block_hashes Array(String),
    block_tokens Array(Int32),
    block_kept Array(Bool),
    block_reasons Array(String),
    block_scores Array(Float32)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (decision_kind, decision_name, toStartOfHour(started_at, 'UTC'))
ORDER BY (decision_kind, decision_name, toStartOfHour(started_at, 'UTC'), trace_id, span_id);

CREATE TABLE IF NOT EXISTS trilemma.stored_decisions ON CLUSTER 'main' AS trilemma.stored_decisions_local
ENGINE = Distributed('main', 'trilemma', 'stored_decisions_local', cityHash64(trace_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_decisions ON CLUSTER 'main' TO trilemma.stored_decisions AS
WITH SpanAttributes AS a
SELECT
    a['trilemma.decision.kind'] AS decision_kind,
    a['trilemma.decision.name'] AS decision_name,
    Timestamp AS started_at,
    Duration AS duration_ns,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    a['trilemma.task.id'] AS task_id,
    a['trilemma.task.name'] AS task_name,
    ServiceName AS service_name,
    StatusCode AS status_code,
    a['error.type'] AS error_type,
    a['trilemma.decision.chosen'] AS chosen,
    JSONExtract(a['trilemma.decision.candidates'], 'Array(LowCardinality(String))') AS candidates,
    toFloat64OrNull(a['trilemma.decision.probability']) AS probability,
    a['trilemma.decision.reason'] AS reason,
    a['trilemma.decision.policy_version'] AS policy_version,
    a['trilemma.decision.unit'] AS unit,
    a['trilemma.decision.unit_hash'] AS unit_hash,
    accurateCastOrNull(a['trilemma.decision.eligible'], 'Bool') AS is_eligible,
    accurateCastOrNull(a['trilemma.decision.holdout'], 'Bool') AS is_holdout,
    toFloat64OrNull(a['trilemma.decision.cost']) AS decision_cost,
    a['trilemma.guardrail.stage'] AS stage,
    a['gen_ai.prompt.version'] AS prompt_version,
    a['trilemma.prompt.template_hash'] AS template_hash,
    JSONExtract(a['trilemma.prompt.variables'], 'Array(LowCardinality(String))') AS variables,
    toUInt16OrNull(a['trilemma.fallback.attempt']) AS attempt,
    a['trilemma.fallback.result'] AS attempt_result,
    a['trilemma.cache.kind'] AS cache_kind,
    toFloat32OrNull(a['trilemma.cache.similarity']) AS similarity,
    toFloat64OrNull(a['trilemma.cache.saved_cost']) AS saved_cost,
    toFloat64OrNull(a['trilemma.cache.saved_duration']) AS saved_s,
    toUInt32OrNull(a['trilemma.context.budget_tokens']) AS budget_tokens,
    JSONExtract(a['trilemma.context.block.ids'], 'Array(String)') AS block_ids,
    JSONExtract(a['trilemma.context.block.sources'], 'Array(LowCardinality(String))') AS block_sources,
    JSONExtract(a['trilemma.context.block.hashes'], 'Array(String)') AS block_hashes,
    JSONExtract(a['trilemma.context.block.tokens'], 'Array(Int32)') AS block_tokens,
    JSONExtract(a['trilemma.context.block.kept'], 'Array(Bool)') AS block_kept,
    JSONExtract(a['trilemma.context.block.reasons'], 'Array(String)') AS block_reasons,
    arrayMap(score -> toFloat32OrDefault(score, toFloat32(-inf)),
        JSONExtract(a['trilemma.context.block.scores'], 'Array(String)')) AS block_scores
FROM trilemma.otel_traces
WHERE SpanKind = 'Internal' AND decision_kind != '';

CREATE TABLE IF NOT EXISTS trilemma.stored_task_terms_local ON CLUSTER 'main'
(
    task_id String CODEC(ZSTD(1)),
    task_name LowCardinality(String),
    started_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    segment LowCardinality(String),
    customer String CODEC(ZSTD(1)),
    deadline_s Nullable(Float64),
    budget Nullable(Float64),
    failure_cost Nullable(Float64)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(started_at)
ORDER BY (task_name, task_id);

CREATE TABLE IF NOT EXISTS trilemma.stored_task_terms ON CLUSTER 'main' AS trilemma.stored_task_terms_local
ENGINE = Distributed('main', 'trilemma', 'stored_task_terms_local', cityHash64(task_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS trilemma.to_stored_task_terms ON CLUSTER 'main' TO trilemma.stored_task_terms AS
WITH SpanAttributes AS a
SELECT
    a['trilemma.task.id'] AS task_id,
    a['trilemma.task.name'] AS task_name,
    Timestamp AS started_at,
    a['trilemma.task.segment'] AS segment,
    a['trilemma.task.customer'] AS customer,
    toFloat64OrNull(a['trilemma.task.deadline']) AS deadline_s,
    toFloat64OrNull(a['trilemma.task.budget']) AS budget,
    toFloat64OrNull(a['trilemma.task.failure_cost']) AS failure_cost
FROM trilemma.otel_traces
WHERE ScopeName = 'trilemma' AND SpanKind = 'Internal' AND SpanName = task_name AND task_id != ''
    AND (segment != '' OR customer != '' OR isNotNull(deadline_s) OR isNotNull(budget) OR isNotNull(failure_cost));

CREATE OR REPLACE VIEW trilemma.task_terms ON CLUSTER 'main' AS
SELECT task_id, task_name, started_at, segment, customer, deadline_s, budget, failure_cost
FROM trilemma.stored_task_terms FINAL;

CREATE OR REPLACE VIEW trilemma.decision_marks ON CLUSTER 'main' AS
SELECT
    trace_id, span_id,
    attributes['trilemma.context.block.id'] AS block_id,
    evaluated_at AS marked_at,
    label AS mark,
    attributes['trilemma.decision.mark_source'] AS mark_source,
    explanation
FROM trilemma.stored_evaluations FINAL
WHERE evaluation_name = 'trilemma.decision';

CREATE OR REPLACE VIEW trilemma.decisions ON CLUSTER 'main' AS
WITH marks AS
(
    SELECT trace_id, span_id, argMax((mark, mark_source, marked_at), (marked_at, mark, mark_source)) AS last
    FROM trilemma.decision_marks
    WHERE block_id = ''
    GROUP BY trace_id, span_id
)
SELECT
    stored.* EXCEPT (duration_ns),
    duration_ns / 1e9 AS duration_s,
    marks.last.1 AS mark,
    marks.last.2 AS mark_source,
    if(mark = '', NULL, marks.last.3) AS marked_at
FROM (SELECT * FROM trilemma.stored_decisions FINAL) AS stored
GLOBAL LEFT JOIN marks USING (trace_id, span_id);

CREATE OR REPLACE VIEW trilemma.variants ON CLUSTER 'main' AS
SELECT
    started_at, decision_name AS experiment, chosen AS variant, candidates AS variants, probability, unit, unit_hash,
    is_eligible, is_holdout, task_id, task_name, service_name, trace_id, span_id
FROM trilemma.decisions
WHERE decision_kind = 'variant';

CREATE OR REPLACE VIEW trilemma.prompts ON CLUSTER 'main' AS
SELECT
    started_at, decision_name AS prompt_name, prompt_version, template_hash, variables, task_id, task_name, service_name,
    trace_id, span_id
FROM trilemma.decisions
WHERE decision_kind = 'prompt';

CREATE OR REPLACE VIEW trilemma.guardrails ON CLUSTER 'main' AS
SELECT
    started_at, duration_s, decision_name AS guardrail, stage, chosen AS verdict, reason, decision_cost, status_code,
    error_type, mark, mark_source, marked_at, task_id, task_name, service_name, trace_id, span_id
FROM trilemma.decisions
WHERE decision_kind = 'guardrail';

CREATE OR REPLACE VIEW trilemma.routes ON CLUSTER 'main' AS
SELECT
    started_at, decision_name AS route, candidates, chosen, probability, reason, policy_version, mark, mark_source,
    marked_at, task_id, task_name, service_name, trace_id, span_id
FROM trilemma.decisions
WHERE decision_kind = 'route';

CREATE OR REPLACE VIEW trilemma.fallback_attempts ON CLUSTER 'main' AS
SELECT
    started_at, duration_s, decision_name AS fallback, attempt, chosen, attempt_result, error_type, task_id, task_name,
    service_name, trace_id, span_id, parent_span_id
FROM trilemma.decisions
WHERE decision_kind = 'fallback' AND isNotNull(attempt);

CREATE OR REPLACE VIEW trilemma.cache_lookups ON CLUSTER 'main' AS
SELECT
    started_at, duration_s, decision_name AS cache, cache_kind, chosen = 'hit' AS is_hit, similarity, saved_cost, saved_s,
    mark, mark_source, marked_at, task_id, task_name, service_name, trace_id, span_id
FROM trilemma.decisions
WHERE decision_kind = 'cache';

CREATE OR REPLACE VIEW trilemma.context_blocks ON CLUSTER 'main' AS
WITH marks AS
(
    SELECT trace_id, span_id, block_id, argMax(mark, (marked_at, mark)) AS last
    FROM trilemma.decision_marks
    WHERE block_id != ''
    GROUP BY trace_id, span_id, block_id
)
SELECT
    blocks.* EXCEPT (number),
    marks.last AS mark
FROM
(
    SELECT
        started_at, decision_name AS context, budget_tokens, number,
        block_ids[number] AS block_id,
        block_sources[number] AS source,
        block_hashes[number] AS fingerprint,
        nullIf(block_tokens[number], -1) AS tokens,
        nullIf(block_scores[number], toFloat32(-inf)) AS score,
        block_kept[number] AS is_kept,
        block_reasons[number] AS reason,
        task_id, task_name, service_name, trace_id, span_id
    FROM trilemma.stored_decisions FINAL
    ARRAY JOIN arrayEnumerate(block_ids) AS number
    WHERE decision_kind = 'context'
) AS blocks
GLOBAL LEFT JOIN marks USING (trace_id, span_id, block_id);

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (8, '0008_decisions', 'aab6132ab4d65980');

-- 0009_signs
CREATE OR REPLACE VIEW trilemma.call_signs ON CLUSTER 'main' AS
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
        http_status = 200 AND error_type IN ('ValidationError', 'JSONDecodeError', 'LengthFinishReasonError',
            'APIResponseValidationError') OR hasAny(finish_reasons, ['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL',
            'tool_use_failed', 'malformed_model_output', 'malformed_tool_use']) AS is_invalid,
        ifNull(retry_count, 0) > 0 AS is_retried,
        ifNull(cache_read_tokens, 0) > 0 AS is_prefix_reused
    FROM trilemma.llm_calls
)
WHERE notEmpty(signs);

CREATE OR REPLACE VIEW trilemma.task_signs ON CLUSTER 'main' AS
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
    FROM trilemma.llm_calls
    WHERE task_id != ''
    GROUP BY task_id
) AS calls
LEFT JOIN
(
    SELECT
        task_id, countIf(is_truncated) AS truncated_count, countIf(is_refused) AS refused_count,
        countIf(is_filtered) AS filtered_count, countIf(is_blocked) AS blocked_count, countIf(is_invalid) AS invalid_count
    FROM trilemma.call_signs
    WHERE task_id != ''
    GROUP BY task_id
) AS signs USING (task_id);

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (9, '0009_signs', 'c4a2651967d34564');

-- 0010_imports
CREATE TABLE IF NOT EXISTS trilemma.imported_rows ON CLUSTER 'main'
(
    mapping LowCardinality(String),
    row_id UInt64,
    content_id UInt64,
    file LowCardinality(String),
    imported_at DateTime64(3) DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{shard}_{replica}')
ORDER BY (mapping, row_id);

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (10, '0010_imports', '13ef36a3d7ff4666');

-- 0011_ledger
CREATE TABLE IF NOT EXISTS trilemma.stored_predictions ON CLUSTER 'main'
(
    finding_id String,
    finding_kind LowCardinality(String),
    task_name LowCardinality(String),
    title String,
    action LowCardinality(String),
    baseline String,
    candidate String,
    adopted_at DateTime64(6, 'UTC'),
    horizon_s UInt32,
    note String,
    document String CODEC(ZSTD(3)),
    written_at DateTime64(6, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}_{replica}')
ORDER BY (finding_id, written_at);

CREATE TABLE IF NOT EXISTS trilemma.stored_measurements ON CLUSTER 'main'
(
    finding_id String,
    task_name LowCardinality(String),
    adopted_at DateTime64(6, 'UTC'),
    result LowCardinality(String),
    method LowCardinality(String),
    runs UInt64,
    measured_until DateTime64(6, 'UTC'),
    document String CODEC(ZSTD(3)),
    written_at DateTime64(6, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}_{replica}')
ORDER BY (finding_id, written_at);

CREATE TABLE IF NOT EXISTS trilemma.stored_certificates ON CLUSTER 'main'
(
    task_name LowCardinality(String),
    combination String,
    state LowCardinality(String),
    success_at_least Float64,
    issued_at DateTime64(6, 'UTC'),
    valid_until DateTime64(6, 'UTC'),
    document String CODEC(ZSTD(3)),
    written_at DateTime64(6, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}_{replica}')
ORDER BY (task_name, combination, written_at);

CREATE OR REPLACE VIEW trilemma.predictions ON CLUSTER 'main' AS
SELECT *
FROM trilemma.stored_predictions
ORDER BY finding_id, written_at DESC, document
LIMIT 1 BY finding_id;

CREATE OR REPLACE VIEW trilemma.measurements ON CLUSTER 'main' AS
SELECT *
FROM trilemma.stored_measurements
WHERE (finding_id, adopted_at) GLOBAL IN (SELECT finding_id, adopted_at FROM trilemma.predictions)
ORDER BY finding_id, written_at DESC, document
LIMIT 1 BY finding_id;

CREATE OR REPLACE VIEW trilemma.certificates ON CLUSTER 'main' AS
SELECT *
FROM trilemma.stored_certificates
ORDER BY task_name, written_at DESC, document
LIMIT 1 BY task_name;

INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (11, '0011_ledger', 'ef015604c5f641e4');
