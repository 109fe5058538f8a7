-- question: What would an app with LLM tasks send in thirty days, as rows of the exporter's otel_traces?
-- parameters: runs UInt64 (task runs, about 4.5 spans each), first UInt64 and last UInt64 (which of them; last is excluded)
-- columns: those of otel_traces, in the order of arrival
-- cost: computes about 300,000 spans a second on one core
--
-- A run is a trace: a server span, the task's span, one to three calls (half of them streamed, as trilemma's own spans), and in every
-- second run a tool's span. Twelve tasks with unequal traffic, six models, three services, 40 pods. Every id is random. The resource is what
-- the SDK's detectors and the collector's k8sattributes and resourcedetection processors add.
WITH
    ['support.refund', 'support.triage', 'support.reply', 'search.rewrite', 'search.answer', 'sales.summary', 'sales.email',
        'docs.extract', 'docs.classify', 'code.review', 'code.explain', 'ops.postmortem'] AS tasks,
    ['gpt-4o-mini', 'gpt-4o', 'gpt-5-mini', 'claude-sonnet-4-6', 'claude-haiku-4-5', 'text-embedding-3-small'] AS models,
    ['gpt-4o-mini-2024-07-18', 'gpt-4o-2024-08-06', 'gpt-5-mini-2025-08-07', 'claude-sonnet-4-6', 'claude-haiku-4-5-20251001',
        'text-embedding-3-small'] AS answering_models,
    ['shop-api', 'search-api', 'back-office'] AS services,
    toDateTime64('2026-10-20 00:00:00', 9, 'UTC') AS epoch
SELECT
    started_at AS Timestamp,
    lower(hex(sipHash128(run, 't'))) AS TraceId,
    lower(hex(sipHash64(run, place))) AS SpanId,
    if(place = 0, '', lower(hex(sipHash64(run, if(place = 1, 0, 1))))) AS ParentSpanId,
    '' AS TraceState,
    multiIf(role = 'server', 'POST /v1/' || splitByChar('.', task)[1], role = 'task', task, role = 'tool', 'execute_tool lookup_order',
        operation || ' ' || model) AS SpanName,
    transform(role, ['server', 'call'], ['Server', 'Client'], 'Internal') AS SpanKind,
    services[1 + run_hash % 3] AS ServiceName,
    map('service.name', ServiceName, 'service.version', '1.' || toString(intDiv(run * 8, {runs:UInt64})) || '.0',
        'service.instance.id', 'pod-' || toString(run_hash % 40), 'host.name', 'ip-10-0-' || toString(run_hash % 9),
        'deployment.environment.name', 'production', 'telemetry.sdk.language', 'python', 'telemetry.sdk.name', 'opentelemetry',
        'telemetry.sdk.version', '1.45.2', 'process.pid', toString(10 + run_hash % 40), 'process.runtime.name', 'cpython',
        'process.runtime.version', '3.12.11', 'k8s.cluster.name', 'prod-eu', 'k8s.namespace.name', 'llm',
        'k8s.deployment.name', ServiceName, 'k8s.node.name', 'node-' || toString(run_hash % 9),
        'k8s.pod.name', ServiceName || '-' || toString(run_hash % 40), 'k8s.pod.uid', lower(hex(sipHash128(run_hash % 40, ServiceName))),
        'cloud.provider', 'aws', 'cloud.region', 'eu-central-1', 'cloud.availability_zone', 'eu-central-1' || char(97 + run_hash % 3)) AS ResourceAttributes,
    transform(role, ['server', 'tool'], ['opentelemetry.instrumentation.fastapi', 'app.tools'], 'trilemma') AS ScopeName,
    transform(role, ['server', 'tool'], ['0.66b2', ''], '0.1.0') AS ScopeVersion,
    mapConcat(
        if(role = 'server', map('http.request.method', 'POST', 'url.scheme', 'https', 'url.path', '/v1/' || splitByChar('.', task)[1],
            'http.route', '/v1/{job}', 'http.response.status_code', '200', 'server.address', 'api.example.com', 'server.port', '443',
            'network.protocol.version', '1.1', 'client.address', '10.1.' || toString(run_hash % 200) || '.' || toString(intDiv(run_hash, 256) % 200),
            'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0'),
            map('trilemma.task.name', task, 'trilemma.task.id', lower(hex(sipHash128(run, 'id'))), 'gen_ai.prompt.name', splitByChar('.', task)[2],
                'gen_ai.prompt.version', prompt_version, 'trilemma.variant.cache', if(run_hash % 4 = 0, 'exact', 'none'))),
        if(role = 'task', mapConcat(map('trilemma.task.version', '1.' || toString(intDiv(run * 8, {runs:UInt64})),
            'trilemma.task.outcome', if(failed, 'failure', 'success'), 'trilemma.task.outcome_source', 'system'),
            if(failed, map('trilemma.task.failure_mode', ['wrong_amount', 'no_answer', 'refused'][1 + run_hash % 3]), map())), map()),
        if(role = 'tool', map('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', 'lookup_order', 'gen_ai.tool.type', 'function',
            'gen_ai.tool.call.id', 'call_' || substring(lower(hex(sipHash64(run, place, 'c'))), 1, 12)), map()),
        if(role = 'call', mapConcat(
            map('gen_ai.operation.name', operation, 'gen_ai.provider.name', provider, 'server.address', 'api.' || provider || '.com', 'server.port', '443',
                'gen_ai.request.model', model, 'trilemma.request.message_count', toString(2 + span_hash % 9),
                'trilemma.request.tool_count', toString(span_hash % 4), 'gen_ai.request.temperature', '0.2',
                'gen_ai.response.model', answering_models[model_number],
                'gen_ai.response.id', if(operation = 'embeddings', '', if(provider = 'openai', 'chatcmpl-', 'msg_') || substring(lower(hex(sipHash128(run, place, 'r'))), 1, 24)),
                'gen_ai.usage.input_tokens', toString(input_tokens), 'http.response.status_code', if(broken, '429', '200'),
                'trilemma.provider.request_id', 'req_' || lower(hex(sipHash128(run, place, 'q'))),
                'trilemma.request.hash', lower(hex(sipHash128(span_hash % 100000000)))),
            if(provider = 'openai', map('openai.api.type', 'chat_completions', 'openai.response.system_fingerprint', 'fp_' || substring(lower(hex(sipHash64(intDiv(run * 60, {runs:UInt64}), model))), 1, 10)), map()),
            if(broken, map('error.type', 'RateLimitError'),
                map('gen_ai.response.finish_reasons', if(span_hash % 5 = 0, '["tool_calls"]', '["stop"]'),
                    'gen_ai.usage.output_tokens', toString(output_tokens), 'gen_ai.usage.cache_read.input_tokens', toString(intDiv(input_tokens, 2)),
                    'trilemma.cost.input', toString(input_tokens * price / 2), 'trilemma.cost.cache_read', toString(input_tokens * price / 20),
                    'trilemma.cost.output', toString(output_tokens * price * 4), 'trilemma.cost.total', toString(input_tokens * price * 0.55 + output_tokens * price * 4),
                    'trilemma.cost.currency', 'USD', 'trilemma.cost.source', 'price_table', 'trilemma.cost.price_table.version', 'genai-prices/0.2.3',
                    'trilemma.provider.processing_time', toString(round(duration_ns / 1e9 * 0.9, 3)),
                    'trilemma.rate_limit.remaining_requests', toString(9999 - span_hash % 500), 'trilemma.rate_limit.remaining_tokens', toString(2000000 - span_hash % 90000))),
            if(streamed, map('gen_ai.request.stream', 'true', 'gen_ai.response.time_to_first_chunk', toString(duration_ns / 1e9 * 0.2),
                'trilemma.response.time_to_first_content', toString(duration_ns / 1e9 * 0.22), 'trilemma.response.time_per_output_token', toString(duration_ns / 1e9 * 0.78 / output_tokens),
                'trilemma.response.longest_stall', toString(duration_ns / 1e9 * 0.05), 'trilemma.response.chunk_count', toString(output_tokens + 2),
                'trilemma.response.stream_end', 'exhausted'), map())), map())
    ) AS SpanAttributes,
    duration_ns AS Duration,
    if(broken OR (role = 'task' AND run_hash % 53 = 0), 'Error', 'Unset') AS StatusCode,
    if(broken, 'RateLimitError', '') AS StatusMessage,
    CAST([], 'Array(DateTime64(9))') AS `Events.Timestamp`,
    CAST([], 'Array(LowCardinality(String))') AS `Events.Name`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Events.Attributes`,
    CAST([], 'Array(String)') AS `Links.TraceId`,
    CAST([], 'Array(String)') AS `Links.SpanId`,
    CAST([], 'Array(String)') AS `Links.TraceState`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Links.Attributes`
FROM
(
    SELECT
        number AS run,
        sipHash64(run, 'run') AS run_hash,
        tasks[1 + intDiv(toUInt64(pow(run_hash % 1000, 2) * 12), 1000000)] AS task,
        run_hash % 11 = 0 AS failed,
        'v' || toString(1 + (run_hash % 3)) AS prompt_version,
        1 + intDiv(run_hash, 7) % 3 AS calls,
        arrayConcat(['server', 'task'], arrayResize(['call'], calls, 'call'), if(run_hash % 2 = 0, ['tool'], [])) AS roles,
        arrayJoin(range(length(roles))) AS place,
        roles[place + 1] AS role,
        sipHash64(run, place, 'span') AS span_hash,
        1 + (cityHash64(task) + intDiv(span_hash, 13) % 3) % 6 AS model_number,
        models[model_number] AS model,
        if(model LIKE 'claude%', 'anthropic', 'openai') AS provider,
        if(model LIKE 'text%', 'embeddings', 'chat') AS operation,
        role = 'call' AND span_hash % 37 = 0 AS broken,
        role = 'call' AND operation = 'chat' AND NOT broken AND span_hash % 2 = 0 AS streamed,
        200 + span_hash % 3000 AS input_tokens,
        20 + intDiv(span_hash, 3) % 600 AS output_tokens,
        [0.15e-6, 2.5e-6, 0.25e-6, 3e-6, 1e-6, 0.02e-6][model_number] AS price,
        toUInt64(exp((span_hash % 1000000) / 1e6 * 2.5) * 4e8 * if(role = 'call', 1, if(role = 'tool', 0.1, 4))) AS duration_ns,
        epoch + toIntervalNanosecond(toUInt64(run * (30 * 86400e9 / {runs:UInt64})) + place * 1000000 + run_hash % 1000000) AS started_at
    FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
)
