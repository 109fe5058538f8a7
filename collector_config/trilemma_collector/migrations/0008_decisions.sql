-- Why: a task's result hangs on more than its model. A decision is a span with trilemma.decision.kind (any OTLP source may
-- send one): its facts are typed here, one row per span however often it is delivered. What is learned of it later is an
-- evaluation of its span named trilemma.decision (0004), of which the last by time counts. The terms of a task (what it may
-- cost, whom it is for) stand on its own span alone.

-- shard by: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS {database}.stored_decisions
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (decision_kind, decision_name, toStartOfHour(started_at, 'UTC'))
ORDER BY (decision_kind, decision_name, toStartOfHour(started_at, 'UTC'), trace_id, span_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_decisions TO {database}.stored_decisions AS
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
FROM {database}.otel_traces
WHERE SpanKind = 'Internal' AND decision_kind != '';

-- shard by: cityHash64(task_id)
CREATE TABLE IF NOT EXISTS {database}.stored_task_terms
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (task_name, task_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_task_terms TO {database}.stored_task_terms AS
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
FROM {database}.otel_traces
WHERE ScopeName = 'trilemma' AND SpanKind = 'Internal' AND SpanName = task_name AND task_id != ''
    AND (segment != '' OR customer != '' OR isNotNull(deadline_s) OR isNotNull(budget) OR isNotNull(failure_cost));

CREATE OR REPLACE VIEW {database}.task_terms AS
SELECT task_id, task_name, started_at, segment, customer, deadline_s, budget, failure_cost
FROM {database}.stored_task_terms FINAL;

-- Each mark ever given, and the last of each decision and block. A mark is an evaluation whose label is right, wrong, used
-- or unused.
CREATE OR REPLACE VIEW {database}.decision_marks AS
SELECT
    trace_id, span_id,
    attributes['trilemma.context.block.id'] AS block_id,
    evaluated_at AS marked_at,
    label AS mark,
    attributes['trilemma.decision.mark_source'] AS mark_source,
    explanation
FROM {database}.stored_evaluations FINAL
WHERE evaluation_name = 'trilemma.decision';

CREATE OR REPLACE VIEW {database}.decisions AS
WITH marks AS
(
    SELECT trace_id, span_id, argMax((mark, mark_source, marked_at), (marked_at, mark, mark_source)) AS last
    FROM {database}.decision_marks
    WHERE block_id = ''
    GROUP BY trace_id, span_id
)
SELECT
    stored.* EXCEPT (duration_ns),
    duration_ns / 1e9 AS duration_s,
    marks.last.1 AS mark,
    marks.last.2 AS mark_source,
    if(mark = '', NULL, marks.last.3) AS marked_at
FROM (SELECT * FROM {database}.stored_decisions FINAL) AS stored
GLOBAL LEFT JOIN marks USING (trace_id, span_id);

CREATE OR REPLACE VIEW {database}.variants AS
SELECT
    started_at, decision_name AS experiment, chosen AS variant, candidates AS variants, probability, unit, unit_hash,
    is_eligible, is_holdout, task_id, task_name, service_name, trace_id, span_id
FROM {database}.decisions
WHERE decision_kind = 'variant';

CREATE OR REPLACE VIEW {database}.prompts AS
SELECT
    started_at, decision_name AS prompt_name, prompt_version, template_hash, variables, task_id, task_name, service_name,
    trace_id, span_id
FROM {database}.decisions
WHERE decision_kind = 'prompt';

CREATE OR REPLACE VIEW {database}.guardrails AS
SELECT
    started_at, duration_s, decision_name AS guardrail, stage, chosen AS verdict, reason, decision_cost, status_code,
    error_type, mark, mark_source, marked_at, task_id, task_name, service_name, trace_id, span_id
FROM {database}.decisions
WHERE decision_kind = 'guardrail';

CREATE OR REPLACE VIEW {database}.routes AS
SELECT
    started_at, decision_name AS route, candidates, chosen, probability, reason, policy_version, mark, mark_source,
    marked_at, task_id, task_name, service_name, trace_id, span_id
FROM {database}.decisions
WHERE decision_kind = 'route';

CREATE OR REPLACE VIEW {database}.fallback_attempts AS
SELECT
    started_at, duration_s, decision_name AS fallback, attempt, chosen, attempt_result, error_type, task_id, task_name,
    service_name, trace_id, span_id, parent_span_id
FROM {database}.decisions
WHERE decision_kind = 'fallback' AND isNotNull(attempt);

CREATE OR REPLACE VIEW {database}.cache_lookups AS
SELECT
    started_at, duration_s, decision_name AS cache, cache_kind, chosen = 'hit' AS is_hit, similarity, saved_cost, saved_s,
    mark, mark_source, marked_at, task_id, task_name, service_name, trace_id, span_id
FROM {database}.decisions
WHERE decision_kind = 'cache';

CREATE OR REPLACE VIEW {database}.context_blocks AS
WITH marks AS
(
    SELECT trace_id, span_id, block_id, argMax(mark, (marked_at, mark)) AS last
    FROM {database}.decision_marks
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
    FROM {database}.stored_decisions FINAL
    ARRAY JOIN arrayEnumerate(block_ids) AS number
    WHERE decision_kind = 'context'
) AS blocks
GLOBAL LEFT JOIN marks USING (trace_id, span_id, block_id);
