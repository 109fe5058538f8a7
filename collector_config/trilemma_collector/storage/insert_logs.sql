-- Question: which log records does a write-ahead segment hold? Puts them into the landing table otel_logs.
-- Parameters: segment (absolute path of a file of length-prefixed ExportLogsServiceRequest), columns (how ClickHouse
--   decodes them: decoding.py).
-- Columns: those of the stock clickhouseexporter v0.161.0 in its renderings (see insert_traces.sql).
-- Cost: as a span with as many attributes.

INSERT INTO otel_logs
(
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body,
    ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, LogAttributes, EventName
)
WITH
    id -> if(id IN ('', '\0\0\0\0\0\0\0\0', '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'), '', lower(hex(id))) AS to_hex,
    -- Of these, one at most is there: so concat picks it, at a fraction of what a multiIf over strings costs.
    value -> concat(
        value.string_value,
        assumeNotNull(value.bool_value),
        assumeNotNull(value.int_value),
        -- 1.5e+300, NaN, Infinity, as the production collector writes them. Almost all are empty here, so this is cheap.
        replaceAll(replaceAll(replaceAll(replaceAll(assumeNotNull(value.double_value),
            'e', 'e+'), 'e+-', 'e-'), 'nan', 'NaN'), 'inf', 'Infinity'),
        if(isNull(value.array_value), '', otlp_array_to_json(hex(assumeNotNull(value.array_value)))),
        if(isNull(value.kvlist_value), '', otlp_kvlist_to_json(hex(assumeNotNull(value.kvlist_value)))),
        base64Encode(value.bytes_value)) AS to_text,
    attributes -> CAST((attributes.key, arrayMap(value -> to_text(value), attributes.value)), 'Map(LowCardinality(String), String)') AS to_map
SELECT
    fromUnixTimestamp64Nano(if(record.time_unix_nano = 0, record.observed_time_unix_nano, record.time_unix_nano)),
    to_hex(record.trace_id),
    to_hex(record.span_id),
    toUInt8(bitAnd(record.flags, 255)),
    record.severity_text,
    toUInt8(record.severity_number),
    resource['service.name'],
    to_text(record.body),
    resource_schema_url,
    resource,
    scope_schema_url,
    scope.name,
    scope.version,
    to_map(scope.attributes),
    to_map(record.attributes),
    record.event_name
FROM
(
    SELECT
        resource,
        resource_schema_url,
        scope_logs.scope AS scope,
        scope_logs.schema_url AS scope_schema_url,
        arrayJoin(scope_logs.log_records) AS record
    FROM
    (
        SELECT
            to_map(resource_logs.resource.attributes) AS resource,
            resource_logs.schema_url AS resource_schema_url,
            arrayJoin(resource_logs.scope_logs) AS scope_logs
        FROM (SELECT arrayJoin(resource_logs) AS resource_logs FROM file({segment:String}, 'Protobuf', {columns:String}))
    )
)
