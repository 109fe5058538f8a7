-- Why: an outcome or a score may come after its task, before it, twice, or corrected. They are kept as facts with their
-- time; the views take the last one by that time, so that any order of arrival gives the same rows.

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
    received_at DateTime64(3) DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (task_id, outcome_at, outcome, failure_mode);

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
    received_at DateTime64(3) DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(evaluated_at)
ORDER BY (evaluation_name, evaluated_at, trace_id, span_id, task_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_outcomes TO {database}.stored_outcomes AS
SELECT
    LogAttributes['trilemma.task.id'] AS task_id,
    Timestamp AS outcome_at,
    LogAttributes['trilemma.task.name'] AS task_name,
    LogAttributes['trilemma.task.outcome'] AS outcome,
    LogAttributes['trilemma.task.failure_mode'] AS failure_mode,
    LogAttributes['trilemma.task.outcome_source'] AS outcome_source,
    toFloat64OrNull(LogAttributes['trilemma.task.value']) AS value,
    ServiceName AS service_name,
    now64(3) AS received_at
FROM {database}.otel_logs
WHERE firstNonDefault(EventName, LogAttributes['event.name']) = 'trilemma.task.outcome' AND task_id != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_evaluations TO {database}.stored_evaluations AS
SELECT
    LogAttributes['gen_ai.evaluation.name'] AS evaluation_name,
    Timestamp AS evaluated_at,
    TraceId AS trace_id,
    SpanId AS span_id,
    LogAttributes['trilemma.task.id'] AS task_id,
    LogAttributes['trilemma.task.name'] AS task_name,
    toFloat64OrNull(LogAttributes['gen_ai.evaluation.score.value']) AS score,
    LogAttributes['gen_ai.evaluation.score.label'] AS label,
    LogAttributes['gen_ai.evaluation.explanation'] AS explanation,
    ServiceName AS service_name,
    mapFilter((key, text) -> key NOT IN (
        'gen_ai.evaluation.name',
        'gen_ai.evaluation.score.value',
        'gen_ai.evaluation.score.label',
        'gen_ai.evaluation.explanation',
        'trilemma.task.id',
        'trilemma.task.name'
    ), LogAttributes) AS attributes,
    now64(3) AS received_at
FROM {database}.otel_logs
WHERE firstNonDefault(EventName, LogAttributes['event.name']) = 'gen_ai.evaluation.result';

CREATE OR REPLACE VIEW {database}.evaluations AS
SELECT
    evaluated_at, trace_id, span_id, task_id, task_name, evaluation_name, score, label, explanation, service_name,
    attributes
FROM {database}.stored_evaluations FINAL;

CREATE OR REPLACE VIEW {database}.tasks AS
SELECT
    task_id,
    task_name,
    trace_id,
    span_id,
    started_at,
    duration_s,
    service_name,
    status_code,
    input_id,
    prompt_name,
    prompt_version,
    variant_context,
    variant_guardrail,
    variant_route,
    variant_fallback,
    variant_cache,
    variant,
    task_version,
    if(last.1 = '', 'unknown', last.1) AS outcome,
    last.2 AS failure_mode,
    last.3 AS outcome_source,
    last.4 AS value,
    last.5 AS outcome_at
FROM
(
    SELECT
        run.*,
        nullIf(run.duration_ns, 0) / 1e9 AS duration_s,
        run.started_at + toIntervalNanosecond(run.duration_ns) AS ended_at,
        (run.outcome, run.failure_mode, run.outcome_source, run.value, ended_at) AS own,
        if(late.fact.5 > ended_at OR (run.outcome = '' AND late.fact.1 != ''), late.fact, own) AS last
    FROM (SELECT * FROM {database}.stored_tasks FINAL) AS run
    LEFT JOIN
    (
        SELECT
            task_id,
            argMax((outcome, failure_mode, outcome_source, value, outcome_at), outcome_at) AS fact
        FROM {database}.stored_outcomes
        GROUP BY task_id
    ) AS late ON late.task_id = run.task_id
);
