-- Why: an outcome or a score may come after its task, before it, twice, or corrected. They are kept as facts with their
-- time; the last one by that time counts (0006), so that any order of arrival gives the same rows.

-- shard by: cityHash64(task_id)
CREATE TABLE IF NOT EXISTS {database}.stored_outcomes
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
ENGINE = ReplacingMergeTree
ORDER BY (task_id, outcome_at, outcome, failure_mode, outcome_source);

-- shard by: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS {database}.stored_evaluations
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(evaluated_at)
PRIMARY KEY (evaluation_name, evaluated_at)
ORDER BY (evaluation_name, evaluated_at, trace_id, span_id, task_id, label, attributes['trilemma.context.block.id']);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_outcomes TO {database}.stored_outcomes AS
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
FROM {database}.otel_logs
WHERE firstNonDefault(EventName, a['event.name']) = 'trilemma.task.outcome' AND task_id != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_evaluations TO {database}.stored_evaluations AS
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
FROM {database}.otel_logs
WHERE firstNonDefault(EventName, a['event.name']) = 'gen_ai.evaluation.result';

CREATE OR REPLACE VIEW {database}.outcomes AS
SELECT task_id, outcome_at, task_name, outcome, failure_mode, outcome_source, value, service_name
FROM {database}.stored_outcomes FINAL
UNION ALL
SELECT
    task_id, started_at + toIntervalNanosecond(duration_ns) AS outcome_at, task_name, outcome, failure_mode,
    outcome_source, value, service_name
FROM {database}.stored_spans FINAL
WHERE category = 'task' AND outcome != '';

CREATE OR REPLACE VIEW {database}.evaluations AS
SELECT
    evaluated_at, trace_id, span_id, task_id, task_name, evaluation_name, score, label, explanation,
    attributes['trilemma.evaluation.source'] AS evaluation_source, service_name, attributes
FROM {database}.stored_evaluations FINAL;
