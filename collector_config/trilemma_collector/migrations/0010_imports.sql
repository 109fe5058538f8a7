-- Why: an import that was interrupted is run again, and log files overlap. The ids of the rows that are safely in the
-- store are written here after them, so that no row is loaded twice and none is left out (trilemma import).

CREATE TABLE IF NOT EXISTS {database}.imported_rows
(
    mapping LowCardinality(String),
    row_id UInt64,
    content_id UInt64,
    file LowCardinality(String),
    imported_at DateTime64(3) DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (mapping, row_id);
