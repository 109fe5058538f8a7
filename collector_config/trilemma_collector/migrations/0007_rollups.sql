-- Why: a board over months must not read every call. Hours and days of calls, counted once each: an hour in which a call
-- arrived is computed anew from llm_calls, as a whole, so that redelivery, double tracing and late spans change nothing
-- that the calls themselves do not show. Settled as in 0005. Latencies are DDSketch states with 1 % relative error; merge
-- them with quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(duration_sketch).

-- shard by: rand()
CREATE TABLE IF NOT EXISTS {database}.stored_calls_hourly
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
ENGINE = ReplacingMergeTree(computed_at)
ORDER BY (hour, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency);

-- shard by: rand()
CREATE TABLE IF NOT EXISTS {database}.stored_calls_daily
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
ENGINE = ReplacingMergeTree(computed_at)
ORDER BY (day, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency);

-- Hours that a late call belongs to, of which fewer calls are kept than were counted: the others have expired (a TTL) or
-- were deleted. Computing such an hour anew would lose them, so it stays as it was counted.
CREATE OR REPLACE VIEW {database}.expired_hours AS
WITH
    late AS
    (
        SELECT DISTINCT toStartOfHour(started_at, 'UTC') AS late_hour
        FROM {database}.stored_calls
        WHERE received_at >
                (SELECT max(settled_until) - toIntervalMinute(2) FROM {database}.settle_marks WHERE step = 'settle_calls_hourly')
            AND started_at < received_at - toIntervalDay(1)
    ),
    counted AS
    (
        SELECT hour AS counted_hour, sum(call_count) AS calls
        FROM {database}.stored_calls_hourly FINAL
        WHERE hour GLOBAL IN (SELECT late_hour FROM late)
            AND (hour, computed_at) GLOBAL IN (SELECT hour, max(computed_at) FROM {database}.stored_calls_hourly GROUP BY hour)
        GROUP BY hour
    ),
    kept AS
    (
        SELECT toStartOfHour(started_at, 'UTC') AS kept_hour, count() AS calls
        FROM {database}.stored_calls
        WHERE kept_hour GLOBAL IN (SELECT counted_hour FROM counted)
            AND started_at >= (SELECT min(counted_hour) FROM counted)
            AND started_at < (SELECT max(counted_hour) + toIntervalHour(1) FROM counted)
        GROUP BY kept_hour
    )
SELECT counted_hour AS hour
FROM counted
GLOBAL LEFT JOIN kept ON kept_hour = counted_hour
WHERE kept.calls < counted.calls;

CREATE OR REPLACE VIEW {database}.fresh_hours AS
SELECT toStartOfHour(started_at, 'UTC') AS hour, max(stored_calls.received_at) AS received_at
FROM {database}.stored_calls
WHERE stored_calls.received_at >
        (SELECT max(settled_until) - toIntervalMinute(2) FROM {database}.settle_marks WHERE step = 'settle_calls_hourly')
    AND NOT has((SELECT groupArray(hour) FROM {database}.expired_hours), hour)
GROUP BY hour;

CREATE OR REPLACE VIEW {database}.fresh_calls_hourly AS
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
FROM {database}.llm_calls
WHERE started_at >= (SELECT min(hour) FROM {database}.fresh_hours)
    AND started_at < (SELECT max(hour) + toIntervalHour(1) FROM {database}.fresh_hours)
    AND hour GLOBAL IN (SELECT hour FROM {database}.fresh_hours)
GROUP BY hour, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency;

-- settle: on one node
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.settle_calls_hourly
REFRESH EVERY 5 MINUTE APPEND TO {database}.stored_calls_hourly AS
SELECT *, now64(3) AS computed_at
FROM {database}.fresh_calls_hourly
WHERE hour GLOBAL NOT IN (SELECT hour FROM {database}.fresh_hours WHERE received_at > now64(3) - toIntervalMinute(2));

-- Of an hour the rows of its last computing count: a combination that is no longer there leaves an older row behind.
CREATE OR REPLACE VIEW {database}.calls_hourly AS
SELECT * EXCEPT (computed_at)
FROM {database}.stored_calls_hourly FINAL
WHERE hour GLOBAL NOT IN (SELECT hour FROM {database}.fresh_hours)
    AND (hour, computed_at) GLOBAL IN (SELECT hour, max(computed_at) FROM {database}.stored_calls_hourly GROUP BY hour)
UNION ALL
SELECT *
FROM {database}.fresh_calls_hourly;

CREATE OR REPLACE VIEW {database}.fresh_days AS
SELECT toDate(started_at, 'UTC') AS day, max(stored_calls.received_at) AS received_at
FROM {database}.stored_calls
WHERE stored_calls.received_at > 
    (SELECT max(settled_until) - toIntervalMinute(2) FROM {database}.settle_marks WHERE step = 'settle_calls_daily')
GROUP BY day;

CREATE OR REPLACE VIEW {database}.fresh_calls_daily AS
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
FROM {database}.calls_hourly
WHERE hour >= (SELECT toDateTime(min(day), 'UTC') FROM {database}.fresh_days)
    AND hour < (SELECT toDateTime(max(day) + 1, 'UTC') FROM {database}.fresh_days)
    AND day GLOBAL IN (SELECT day FROM {database}.fresh_days)
GROUP BY day, task_name, request_model, provider, operation, service_name, prompt_name, prompt_version, variant, cost_currency;

-- settle: on one node
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.settle_calls_daily
REFRESH EVERY 5 MINUTE APPEND TO {database}.stored_calls_daily AS
SELECT *, now64(3) AS computed_at
FROM {database}.fresh_calls_daily
WHERE day GLOBAL NOT IN (SELECT day FROM {database}.fresh_days WHERE received_at > now64(3) - toIntervalMinute(2));

CREATE OR REPLACE VIEW {database}.calls_daily AS
SELECT * EXCEPT (computed_at)
FROM {database}.stored_calls_daily FINAL
WHERE day GLOBAL NOT IN (SELECT day FROM {database}.fresh_days)
    AND (day, computed_at) GLOBAL IN (SELECT day, max(computed_at) FROM {database}.stored_calls_daily GROUP BY day)
UNION ALL
SELECT *
FROM {database}.fresh_calls_daily;

-- Up to where each step is done: the start of its last refresh that succeeded, as the server itself says.
-- settle: on one node
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.settle_progress
REFRESH EVERY 5 MINUTE APPEND TO {database}.settle_marks AS
SELECT view AS step, last_success_time AS settled_until
FROM system.view_refreshes
WHERE database = '{database}' AND view LIKE 'settle\_%' AND view != 'settle_progress' AND isNotNull(last_success_time);
