-- Why: the unit of every decision is a task run: its outcome, the combination it used, what its calls cost and how long
-- they took. These are settled (0005) into later versions of the task span's own row, so that a report over millions of
-- runs joins nothing.
--
-- Late truth: of all that was said about a run's outcome, by its span (at its end) or by events, the last one by time
-- counts. A run whose outcome, calls or span arrived since is computed anew: any order of arrival gives the same row.
-- A task id used by several task spans is one run: it starts with the first of them.

CREATE OR REPLACE VIEW {database}.fresh_task_ids AS
WITH
    (SELECT max(settled_until) - toIntervalMinute(2) FROM {database}.settle_marks WHERE step = 'settle_task_runs') AS since
SELECT task_id, received_at FROM {database}.stored_spans WHERE received_at > since AND category = 'task'
UNION ALL
SELECT task_id, received_at FROM {database}.stored_outcomes WHERE received_at > since
UNION ALL
SELECT task_id, received_at FROM {database}.stored_calls WHERE received_at > since AND task_id != '';

CREATE OR REPLACE VIEW {database}.fresh_task_runs AS
WITH
    (
        SELECT min(started_at)
        FROM {database}.stored_spans
        WHERE category = 'task' AND task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
        HAVING count() > 0
    ) AS first_started_at,
    runs AS
    (
        SELECT *
        FROM {database}.stored_spans FINAL
        WHERE category = 'task' AND task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
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
            FROM {database}.stored_spans
            WHERE category = 'task' AND outcome != ''
                AND task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
            UNION ALL
            SELECT task_id, outcome, failure_mode, outcome_source, value, outcome_at, 1 AS said_late
            FROM {database}.stored_outcomes
            WHERE task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
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
        FROM {database}.stored_calls AS calls FINAL
        WHERE task_id GLOBAL IN (SELECT task_id FROM {database}.fresh_task_ids)
            AND started_at >= first_started_at - toIntervalHour(1)
            AND superseded_by = ''
            AND (trace_id, span_id) GLOBAL NOT IN (SELECT trace_id, span_id FROM {database}.fresh_duplicate_calls)
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

-- settle: on one node
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.settle_task_runs
REFRESH EVERY 5 MINUTE APPEND TO {database}.stored_spans AS
SELECT *, toUnixTimestamp64Milli(now64(3)) AS version
FROM {database}.fresh_task_runs
WHERE task_id GLOBAL NOT IN
(
    SELECT task_id FROM {database}.fresh_task_ids WHERE received_at > now64(3) - toIntervalMinute(2)
);

CREATE OR REPLACE VIEW {database}.task_runs AS
WITH runs AS
(
    SELECT * EXCEPT version
    FROM {database}.stored_spans FINAL
    WHERE category = 'task' AND is_repeat = 0
        AND task_id GLOBAL NOT IN (SELECT task_id FROM {database}.fresh_task_ids)
    UNION ALL
    SELECT *
    FROM {database}.fresh_task_runs
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

CREATE OR REPLACE VIEW {database}.tasks AS
SELECT
    task_id, task_name, trace_id, span_id, started_at, duration_s, service_name, status_code,
    input_id, prompt_name, prompt_version, variant_context, variant_guardrail, variant_route, variant_fallback,
    variant_cache, variant, task_version, outcome, failure_mode, outcome_source, value,
    outcome_at
FROM {database}.task_runs;

-- By day, with what has been told of the runs by now: an outcome that comes later changes the day of its run. Runs are
-- settled, so that this reads one row per run.
CREATE OR REPLACE VIEW {database}.tasks_daily AS
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
FROM {database}.task_runs AS runs
GROUP BY day, task_name, combination;
