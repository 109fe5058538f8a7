-- Why: advice is worth what comes of it. What was predicted when a change was adopted, what was measured of it since, and
-- what was vouched for a task are kept as they were said: rows are added and never changed. Of a finding, or of a task and
-- its combination, the row written last counts; the tables keep all of them. `document` is the whole of it as JSON.

CREATE TABLE IF NOT EXISTS {database}.stored_predictions
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
ENGINE = MergeTree
ORDER BY (finding_id, written_at);

CREATE TABLE IF NOT EXISTS {database}.stored_measurements
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
ENGINE = MergeTree
ORDER BY (finding_id, written_at);

CREATE TABLE IF NOT EXISTS {database}.stored_certificates
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
ENGINE = MergeTree
ORDER BY (task_name, combination, written_at);

CREATE OR REPLACE VIEW {database}.predictions AS
SELECT *
FROM {database}.stored_predictions
ORDER BY finding_id, written_at DESC, document
LIMIT 1 BY finding_id;

-- Measurements of what is adopted now: those of an earlier adoption of the same finding are history.
CREATE OR REPLACE VIEW {database}.measurements AS
SELECT *
FROM {database}.stored_measurements
WHERE (finding_id, adopted_at) GLOBAL IN (SELECT finding_id, adopted_at FROM {database}.predictions)
ORDER BY finding_id, written_at DESC, document
LIMIT 1 BY finding_id;

CREATE OR REPLACE VIEW {database}.certificates AS
SELECT *
FROM {database}.stored_certificates
ORDER BY task_name, written_at DESC, document
LIMIT 1 BY task_name;
