-- Why: the unit of every decision is a task run: its outcome, the combination it used, what its calls cost and how long
-- they took. One row per run, settled as in 0005, so that a report over millions of runs joins nothing.
--
-- Late truth: of all that was said about a run's outcome, by its span (at its end) or by events, the last one by time
-- counts. A run whose outcome, calls or span arrived since is computed anew: any order of arrival gives the same row.
-- A task id used by several task spans is one run: it starts with the first of them.

-- shard by: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS {database}.stored_task_runs
(
    task_id String,
    task_name LowCardinality(String),
    trace_id String,
    span_id String,
    started_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    duration_s Nullable(Float64),
    service_name LowCardinality(String),
    status_code LowCardinality(String),
    input_id String,
    prompt_name LowCardinality(String),
    prompt_version LowCardinality(String),
    variant_context LowCardinality(String),
    variant_guardrail LowCardinality(String),
    variant_route LowCardinality(String),
    variant_fallback LowCardinality(String),
    variant_cache LowCardinality(String),
    variant LowCardinality(String),
    task_version LowCardinality(String),
    outcome LowCardinality(String),
    failure_mode LowCardinality(String),
    outcome_source LowCardinality(String),
    value Nullable(Float64),
    outcome_at DateTime64(9) CODEC(Delta, ZSTD(1)),
    call_count UInt32,
    models Array(LowCardinality(String)),
    combination LowCardinality(String),
    cost Nullable(Float64),
    cost_currency LowCardinality(String),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    error_count UInt32,
    retry_count UInt32,
    llm_duration_s Nullable(Float64),
    first_request_hash String,
    request_hashes Array(String),
    settled_at DateTime64(3) CODEC(Delta, ZSTD(1)),
    is_repeat UInt8,
    INDEX by_id task_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(settled_at)
PARTITION BY toYYYYMM(started_at)
PRIMARY KEY (task_name, started_at)
ORDER BY (task_name, started_at, trace_id, span_id);

CREATE OR REPLACE VIEW {database}.fresh_task_ids AS
WITH (SELECT max(settled_until) FROM {database}.settled_until WHERE step = 'settle_task_runs') AS since
SELECT task_id FROM {database}.stored_tasks WHERE received_at > since
UNION DISTINCT
SELECT task_id FROM {database}.stored_outcomes WHERE received_at > since
UNION DISTINCT
SELECT task_id FROM {database}.stored_calls WHERE received_at > since AND task_id != '';

CREATE OR REPLACE VIEW {database}.fresh_task_runs AS
WITH
    runs AS
    (
        SELECT *
        FROM {database}.stored_tasks FINAL
        WHERE task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
    ),
    facts AS
    (
        SELECT
            task_id,
            argMax((outcome, failure_mode, outcome_source, value, outcome_at), (outcome_at, said_late, outcome, failure_mode)) AS last
        FROM
        (
            SELECT
                task_id, outcome, failure_mode, outcome_source, value,
                started_at + toIntervalNanosecond(duration_ns) AS outcome_at, 0 AS said_late
            FROM runs
            WHERE outcome != ''
            UNION ALL
            SELECT task_id, outcome, failure_mode, outcome_source, value, outcome_at, 1 AS said_late
            FROM {database}.stored_outcomes
            WHERE task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
        )
        GROUP BY task_id
    ),
    calls AS
    (
        SELECT
            task_id,
            count() AS call_count,
            arraySort(groupUniqArray(request_model)) AS models,
            if(count() = count(llm_calls.cost), sum(llm_calls.cost), NULL) AS cost,
            anyIf(llm_calls.cost_currency, llm_calls.cost_currency != '') AS cost_currency,
            sum(llm_calls.input_tokens) AS input_tokens,
            sum(llm_calls.output_tokens) AS output_tokens,
            countIf(status_code = 'Error') AS error_count,
            sum(ifNull(llm_calls.retry_count, 0)) AS retry_count,
            sum(duration_s) AS llm_duration_s,
            arrayMap(pair -> pair.2, arraySort(groupArray((started_at, request_hash)))) AS request_hashes
        FROM {database}.llm_calls AS llm_calls
        WHERE task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
            AND started_at >= (SELECT min(started_at) - toIntervalHour(1) FROM runs)
        GROUP BY task_id
    )
SELECT
    runs.task_id AS task_id,
    runs.task_name AS task_name,
    runs.trace_id AS trace_id,
    runs.span_id AS span_id,
    runs.started_at AS started_at,
    nullIf(runs.duration_ns, 0) / 1e9 AS duration_s,
    runs.service_name AS service_name,
    runs.status_code AS status_code,
    runs.input_id AS input_id,
    runs.prompt_name AS prompt_name,
    runs.prompt_version AS prompt_version,
    runs.variant_context AS variant_context,
    runs.variant_guardrail AS variant_guardrail,
    runs.variant_route AS variant_route,
    runs.variant_fallback AS variant_fallback,
    runs.variant_cache AS variant_cache,
    runs.variant AS variant,
    runs.task_version AS task_version,
    if(facts.last.1 = '', 'unknown', facts.last.1) AS outcome,
    facts.last.2 AS failure_mode,
    facts.last.3 AS outcome_source,
    facts.last.4 AS value,
    facts.last.5 AS outcome_at,
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
    calls.cost AS cost,
    calls.cost_currency AS cost_currency,
    calls.input_tokens AS input_tokens,
    calls.output_tokens AS output_tokens,
    calls.error_count AS error_count,
    calls.retry_count AS retry_count,
    calls.llm_duration_s AS llm_duration_s,
    calls.request_hashes[1] AS first_request_hash,
    calls.request_hashes AS request_hashes,
    row_number() OVER (PARTITION BY runs.task_id ORDER BY runs.started_at, runs.span_id) > 1 AS is_repeat
FROM runs
GLOBAL LEFT JOIN facts ON facts.task_id = runs.task_id
GLOBAL LEFT JOIN calls ON calls.task_id = runs.task_id;

-- settle: every minute, on one node
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.settle_task_runs
REFRESH EVERY 1 MINUTE APPEND TO {database}.stored_task_runs AS
SELECT *, now64(3) AS settled_at
FROM {database}.fresh_task_runs;

CREATE OR REPLACE VIEW {database}.task_runs AS
SELECT * EXCEPT (settled_at, is_repeat)
FROM {database}.stored_task_runs FINAL
WHERE is_repeat = 0 AND task_id GLOBAL NOT IN (SELECT task_id FROM {database}.fresh_task_ids)
UNION ALL
SELECT * EXCEPT (is_repeat)
FROM {database}.fresh_task_runs
WHERE is_repeat = 0;

CREATE OR REPLACE VIEW {database}.tasks AS
SELECT
    task_id, task_name, trace_id, span_id, started_at, duration_s, service_name, status_code,
    input_id, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route, variant_fallback,
    variant_cache, variant, task_version, outcome, failure_mode, outcome_source, value,
    outcome_at
FROM {database}.task_runs;
