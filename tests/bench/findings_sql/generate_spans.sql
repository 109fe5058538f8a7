-- question: What would a company with twelve LLM tasks send in thirty days, with everything that a finding looks at?
-- parameters: runs UInt64 (task runs, about 5 spans each), first UInt64 and last UInt64 (which of them; last is excluded)
-- columns: those of otel_traces, in the order of arrival
-- cost: computes about 200,000 spans a second on one core
--
-- A run is a trace: a server span, the task's span, one to three calls of one model (half of them streamed), in every second run a tool's
-- span, and decisions: a guardrail, a route, a cache look-up, a fallback's attempts. Twelve tasks with unequal traffic, each on three of six
-- models, two prompt versions and two cache policies. Half of the runs have an input that several runs try; one call in ten repeats a
-- request. Errors, time-outs, retries, stalls, truncated answers and unpriced calls are there at the rates of a healthy service.
WITH
    ['support.refund', 'support.triage', 'support.reply', 'search.rewrite', 'search.answer', 'sales.summary', 'sales.email',
        'docs.extract', 'docs.classify', 'code.review', 'code.explain', 'ops.postmortem'] AS tasks,
    ['gpt-4o-mini', 'gpt-4o', 'gpt-5-mini', 'claude-sonnet-4-6', 'claude-haiku-4-5', 'gpt-5'] AS models,
    ['shop-api', 'search-api', 'back-office'] AS services,
    toDateTime64('2026-10-20 00:00:00', 9, 'UTC') AS epoch,
    amount -> toString(round(amount, 12)) AS cost
SELECT
    started_at AS Timestamp,
    lower(hex(sipHash128(run, 't'))) AS TraceId,
    lower(hex(sipHash64(run, place))) AS SpanId,
    if(place = 0, '', lower(hex(sipHash64(run, if(place = 1, 0, 1))))) AS ParentSpanId,
    '' AS TraceState,
    multiIf(role = 'server', 'POST /v1/' || splitByChar('.', task)[1], role = 'task', task, role = 'tool', 'execute_tool lookup_order',
        role = 'call', 'chat ' || model, role) AS SpanName,
    transform(role, ['server', 'call'], ['Server', 'Client'], 'Internal') AS SpanKind,
    services[1 + run_hash % 3] AS ServiceName,
    map('service.name', ServiceName, 'service.version', '1.' || toString(intDiv(run * 8, {runs:UInt64})) || '.0',
        'service.instance.id', 'pod-' || toString(run_hash % 40), 'deployment.environment.name', 'production',
        'telemetry.sdk.language', 'python', 'telemetry.sdk.name', 'opentelemetry', 'telemetry.sdk.version', '1.45.2',
        'k8s.pod.name', ServiceName || '-' || toString(run_hash % 40), 'cloud.region', 'eu-central-1') AS ResourceAttributes,
    transform(role, ['server', 'tool'], ['opentelemetry.instrumentation.fastapi', 'app.tools'], 'trilemma') AS ScopeName,
    transform(role, ['server', 'tool'], ['0.66b2', ''], '0.1.0') AS ScopeVersion,
    mapFilter((key, text) -> text != '', mapConcat(
        if(role = 'server', map('http.request.method', 'POST', 'http.route', '/v1/{job}', 'http.response.status_code', '200'),
            map('trilemma.task.name', task, 'trilemma.task.id', lower(hex(sipHash128(run, 'id'))), 'trilemma.task.input_id', input_id,
                'gen_ai.prompt.name', splitByChar('.', task)[2], 'gen_ai.prompt.version', prompt_version,
                'trilemma.variant.cache', if(intDiv(run_hash, 65536) % 4 = 0, 'exact', 'none'))),
        if(role = 'task', map('trilemma.task.version', '1.' || toString(intDiv(run * 8, {runs:UInt64})),
            'trilemma.task.segment', ['consumer', 'business', 'partner'][1 + intDiv(run_hash, 1000) % 3],
            'trilemma.task.deadline', if(run_hash % 3 = 0, '30', ''),
            'trilemma.task.outcome', if(intDiv(run_hash, 1048576) % 40 IN (0, 1), '', if(failed, 'failure', 'success')),
            'trilemma.task.outcome_source', 'system',
            'trilemma.task.failure_mode', if(failed, ['wrong_amount', 'no_answer', 'refused'][1 + run_hash % 3], '')), map()),
        if(role = 'tool', map('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', 'lookup_order', 'gen_ai.tool.type', 'function',
            'gen_ai.tool.call.id', 'call_' || substring(lower(hex(sipHash64(run, place, 'c'))), 1, 12)), map()),
        multiIf(
            role = 'guardrail', map('trilemma.decision.kind', 'guardrail', 'trilemma.decision.name', 'pii', 'trilemma.guardrail.stage', 'input',
                'trilemma.decision.chosen', if(span_hash % 50 = 0, 'block', 'pass')),
            role = 'route', map('trilemma.decision.kind', 'route', 'trilemma.decision.name', 'model', 'trilemma.decision.policy_version', 'p1',
                'trilemma.decision.chosen', model, 'trilemma.decision.candidates', toJSONString(task_models),
                'trilemma.decision.probability', toString(shares[choice])),
            role = 'cache', map('trilemma.decision.kind', 'cache', 'trilemma.decision.name', 'answers', 'trilemma.cache.kind', 'semantic',
                'trilemma.decision.chosen', if(span_hash % 9 = 0, 'hit', 'miss'), 'trilemma.cache.similarity', toString(0.7 + span_hash % 300 / 1000)),
            role = 'context', map('trilemma.decision.kind', 'context', 'trilemma.decision.name', 'kb', 'trilemma.context.budget_tokens', '2000',
                'trilemma.context.block.ids', '["policy","page","blog"]', 'trilemma.context.block.sources', '["kb","kb","web"]',
                'trilemma.context.block.tokens', '[120,900,700]', 'trilemma.context.block.kept', '[true,true,false]'), map()),
        if(role = 'call', map('gen_ai.operation.name', 'chat', 'gen_ai.provider.name', provider, 'server.address', 'api.' || provider || '.com',
            'gen_ai.request.model', model, 'trilemma.request.message_count', toString(2 + call_number),
            'trilemma.request.tool_count', toString(run_hash % 4), 'gen_ai.request.temperature', if(task LIKE 'docs%', '0', '0.7'),
            'gen_ai.request.max_tokens', '1024', 'gen_ai.output.type', if(task LIKE 'docs%', 'json', 'text'),
            'gen_ai.response.model', model || '-2026-08-07', 'http.response.status_code', if(broken, '429', if(timed_out, '', '200')),
            'gen_ai.response.id', if(broken OR timed_out, '', 'resp_' || substring(lower(hex(sipHash128(run, place, 'r'))), 1, 24)),
            'trilemma.provider.request_id', 'req_' || lower(hex(sipHash128(run, place, 'q'))),
            'trilemma.request.hash', lower(hex(if(span_hash % 10 = 0, sipHash128(task, intDiv(span_hash, 10) % 500), sipHash128(span_hash)))),
            'error.type', multiIf(broken, 'RateLimitError', timed_out, 'APITimeoutError', ''),
            'http.request.resend_count', if(span_hash % 40 = 1, toString(1 + span_hash % 2), ''),
            'trilemma.retry.wait', if(span_hash % 40 = 1, '0.8', '')), map()),
        if(role = 'call' AND NOT broken AND NOT timed_out, map(
            'gen_ai.response.finish_reasons', multiIf(span_hash % 97 = 0, '["length"]', span_hash % 5 = 0, '["tool_calls"]', '["stop"]'),
            'trilemma.response.tool_call.names', if(span_hash % 5 = 0, '["lookup_order"]', ''),
            'gen_ai.usage.input_tokens', toString(input_tokens), 'gen_ai.usage.output_tokens', toString(output_tokens),
            'gen_ai.usage.cache_read.input_tokens', toString(intDiv(input_tokens, 2)),
            'gen_ai.usage.reasoning.output_tokens', if(model LIKE 'gpt-5%', toString(intDiv(output_tokens, 2)), ''),
            'gen_ai.request.reasoning.level', if(model LIKE 'gpt-5%', ['low', 'medium', 'high'][1 + run_hash % 3], ''),
            'trilemma.cost.input', cost(input_tokens * price / 2), 'trilemma.cost.cache_read', cost(input_tokens * price / 20),
            'trilemma.cost.output', cost(output_tokens * price * 4), 'trilemma.cost.total', cost(input_tokens * price * 0.55 + output_tokens * price * 4),
            'trilemma.cost.currency', 'USD', 'trilemma.cost.source', 'price_table', 'trilemma.cost.price_table.version', 'genai-prices/0.2.3',
            'trilemma.provider.processing_time', toString(round(duration_ns / 1e9 * 0.9, 3))), map()),
        if(streamed, map('gen_ai.request.stream', 'true', 'gen_ai.response.time_to_first_chunk', toString(duration_ns / 1e9 * 0.2),
            'trilemma.response.time_to_first_content', toString(duration_ns / 1e9 * 0.22),
            'trilemma.response.time_per_output_token', toString(duration_ns / 1e9 * 0.78 / output_tokens),
            'trilemma.response.longest_stall', toString(duration_ns / 1e9 * if(span_hash % 211 = 0, 0.6, 0.05)),
            'trilemma.response.chunk_count', toString(output_tokens + 2), 'trilemma.response.stream_end', 'exhausted'), map())
    )) AS SpanAttributes,
    duration_ns AS Duration,
    if(broken OR timed_out, 'Error', 'Unset') AS StatusCode,
    '' AS StatusMessage,
    CAST([], 'Array(DateTime64(9))') AS `Events.Timestamp`,
    CAST([], 'Array(LowCardinality(String))') AS `Events.Name`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Events.Attributes`,
    CAST([], 'Array(String)') AS `Links.TraceId`,
    CAST([], 'Array(String)') AS `Links.SpanId`,
    CAST([], 'Array(String)') AS `Links.TraceState`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Links.Attributes`
FROM
(
    WITH
        -- Half of the runs try one of the inputs that others try too, about four runs each.
        sipHash64(run, 'run') AS run_hash,
        run_hash % 2 = 0 AS is_shared,
        if(is_shared, sipHash64(run, 'input') % greatest(intDiv({runs:UInt64}, 8), 1), run) AS input_number,
        sipHash64(input_number, is_shared) AS input_hash
    SELECT
        number AS run,
        run_hash,
        if(is_shared, 'case-' || toString(input_number), '') AS input_id,
        tasks[1 + intDiv(toUInt64(pow(input_hash % 1000, 2) * 12), 1000000)] AS task,
        arrayMap(step -> models[1 + (cityHash64(task) + step) % 6], range(3)) AS task_models,
        [0.7, 0.2, 0.1] AS shares,
        multiIf(intDiv(run_hash, 64) % 10 < 7, 1, intDiv(run_hash, 64) % 10 < 9, 2, 3) AS choice,
        if(intDiv(run_hash, 4096) % 10 < if(run * 10 < {runs:UInt64} * 6, 8, 2), 'v1', 'v2') AS prompt_version,
        sipHash64(run, 'outcome') % 1000 < (40 + input_hash % 100 + if(choice = 3, 60, 0)) AS failed,
        1 + intDiv(run_hash, 7) % 3 AS calls,
        arrayConcat(['server', 'task'], if(run_hash % 6 = 0, ['guardrail'], []), if(run_hash % 8 = 1, ['route'], []),
            if(intDiv(run_hash, 65536) % 4 = 0, ['cache'], []), if(run_hash % 16 = 3, ['context'], []),
            arrayResize(['call'], calls, 'call'), if(run_hash % 4 = 2, ['tool'], [])) AS roles,
        arrayJoin(range(length(roles))) AS place,
        roles[place + 1] AS role,
        place AS call_number,
        sipHash64(run, place, 'span') AS span_hash,
        1 + (cityHash64(task) + choice - 1) % 6 AS model_number,
        models[model_number] AS model,
        if(model LIKE 'claude%', 'anthropic', 'openai') AS provider,
        role = 'call' AND span_hash % 101 = 0 AS broken,
        role = 'call' AND span_hash % 401 = 5 AS timed_out,
        role = 'call' AND NOT broken AND NOT timed_out AND intDiv(span_hash, 2) % 2 = 0 AS streamed,
        200 + span_hash % 3000 AS input_tokens,
        20 + intDiv(span_hash, 3) % 600 AS output_tokens,
        [0.15e-6, 2.5e-6, 0.25e-6, 3e-6, 1e-6, 1.25e-6][model_number] AS price,
        -- Log-normal, nearly: the sum of four uniform numbers.
        (span_hash % 1000 + intDiv(span_hash, 1000) % 1000 + intDiv(span_hash, 1000000) % 1000 + intDiv(span_hash, 1000000000) % 1000) / 1000 - 2 AS bell,
        if(timed_out, 60e9, exp(0.9 * bell + [0.0, 0.8, 0.4, 1.2, 0.2, 1.0][model_number])
            * multiIf(role = 'call', 1e9, role = 'tool', 0.1e9, role IN ('server', 'task'), 2.5e9, 0.01e9)) AS length_ns,
        toUInt64(length_ns) AS duration_ns,
        epoch + toIntervalNanosecond(toUInt64(run * (30 * 86400e9 / {runs:UInt64})) + place * 300000000 + run_hash % 1000000) AS started_at
    FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
)
