-- question: How many input tokens repeat the beginning of an earlier prompt and were not read from the provider's cache, and what do reads and writes cost?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     width_s UInt32: seconds per bucket; lifetime_s UInt32: how long a provider keeps a prefix after its last use;
--     prefix_tokens Array(UInt64): tokens of the beginnings whose hashes calls carry, shortest first; least_tokens UInt64: a
--     shorter prompt is never kept.
-- columns: task_name, provider, model (asked for), answered (a model that answered), bucket Int64; calls, plain_tokens, read_tokens,
--     write_tokens UInt64 (input at the full price, from the cache, into it); cost, plain_cost, read_cost, write_cost Int64 (1e-12 of the
--     currency); missed and cold Array(UInt64), for each beginning: tokens that a call of the same model had sent before, within the lifetime
--     and answered by then, but that were not read; and tokens that nobody had sent, so that a cache would have to write them.
-- cost: one pass over the calls of the period, and one over those that carry hashes of their beginnings, with two sorts of these.
WITH
calls AS
(
    SELECT
        task_name, provider, request_model, response_model, span_id, attributes,
        intDiv(toUnixTimestamp(started_at), {width_s:UInt32}) AS bucket,
        toUnixTimestamp64Nano(started_at) AS start_ns,
        start_ns + toInt64(round(ifNull(duration_s, 0) * 1e9)) AS end_ns,
        toInt64(input_tokens) AS input,
        toInt64(ifNull(cache_read_tokens, 0)) AS read,
        toInt64(ifNull(cache_write_tokens, 0)) AS written,
        llm_calls.cost AS whole_cost, cost_input, cost_cache_read, cost_cache_write
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND isNotNull(input_tokens) AND error_type = '' AND status_code != 'Error'
),
beginnings AS
(
    SELECT
        task_name, provider, request_model, bucket, span_id, start_ns, end_ns, input, read, written, level, prefix
    FROM
    (
        SELECT
            *,
            arrayMap(hash -> cityHash64(hash), JSONExtract(attributes['trilemma.request.prefix_hashes'], 'Array(String)'))
                AS prefixes
        FROM calls
        WHERE attributes['trilemma.request.prefix_hashes'] != '' AND input >= {least_tokens:UInt64}
    )
    ARRAY JOIN prefixes AS prefix, arrayEnumerate(prefixes) AS level
    WHERE level <= length({prefix_tokens:Array(UInt64)})
),
-- The call just before may still be under way where there are many at once: the sixteenth before is asked too.
repeats AS
(
    SELECT
        task_name, provider, request_model, bucket, level, read, written,
        least(input, toInt64({prefix_tokens:Array(UInt64)}[level])) AS tokens,
        (lag_end > 0 AND lag_end <= start_ns AND start_ns - lag_start <= {lifetime_s:UInt32} * 1000000000)
            OR (far_end > 0 AND far_end <= start_ns AND start_ns - far_start <= {lifetime_s:UInt32} * 1000000000) AS is_repeat
    FROM
    (
        SELECT
            *,
            lagInFrame(start_ns, 1) OVER same AS lag_start,
            lagInFrame(end_ns, 1) OVER same AS lag_end,
            lagInFrame(start_ns, 16) OVER same AS far_start,
            lagInFrame(end_ns, 16) OVER same AS far_end
        FROM beginnings
        WINDOW same AS (PARTITION BY prefix, provider, request_model ORDER BY start_ns, span_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    )
)
SELECT
    task_name,
    provider,
    request_model AS model,
    max(answered_by) AS answered,
    bucket,
    sum(n) AS calls,
    sum(plain) AS plain_tokens,
    sum(read_sum) AS read_tokens,
    sum(write_sum) AS write_tokens,
    sum(whole) AS cost,
    sum(plain_part) AS plain_cost,
    sum(read_part) AS read_cost,
    sum(write_part) AS write_cost,
    sumForEach(missed_tokens) AS missed,
    sumForEach(cold_tokens) AS cold
FROM
(
    SELECT
        task_name, provider, request_model, bucket, max(response_model) AS answered_by, count() AS n,
        sum(input - read - written) AS plain, sum(read) AS read_sum, sum(written) AS write_sum,
        sum(toInt64(round(ifNull(whole_cost, 0) * 1e12))) AS whole,
        sum(toInt64(round(ifNull(cost_input, 0) * 1e12))) AS plain_part,
        sum(toInt64(round(ifNull(cost_cache_read, 0) * 1e12))) AS read_part,
        sum(toInt64(round(ifNull(cost_cache_write, 0) * 1e12))) AS write_part,
        arrayMap(one -> toUInt64(0), {prefix_tokens:Array(UInt64)}) AS missed_tokens,
        arrayMap(one -> toUInt64(0), {prefix_tokens:Array(UInt64)}) AS cold_tokens
    FROM calls
    GROUP BY task_name, provider, request_model, bucket
    UNION ALL
    SELECT
        task_name, provider, request_model, bucket, '' AS answered_by, 0 AS n, 0 AS plain, 0 AS read_sum, 0 AS write_sum,
        0 AS whole, 0 AS plain_part, 0 AS read_part, 0 AS write_part,
        arrayMap(wanted -> toUInt64(sum_of[wanted].1), arrayEnumerate({prefix_tokens:Array(UInt64)})) AS missed_tokens,
        arrayMap(wanted -> toUInt64(sum_of[wanted].2), arrayEnumerate({prefix_tokens:Array(UInt64)})) AS cold_tokens
    FROM
    (
        SELECT
            task_name, provider, request_model, bucket,
            [(sumIf(gone, level = 1 AND is_repeat), sumIf(fresh, level = 1 AND NOT is_repeat)),
             (sumIf(gone, level = 2 AND is_repeat), sumIf(fresh, level = 2 AND NOT is_repeat)),
             (sumIf(gone, level = 3 AND is_repeat), sumIf(fresh, level = 3 AND NOT is_repeat)),
             (sumIf(gone, level = 4 AND is_repeat), sumIf(fresh, level = 4 AND NOT is_repeat))] AS sum_of
        FROM (SELECT *, greatest(tokens - read, 0) AS gone, greatest(tokens - read - written, 0) AS fresh FROM repeats)
        GROUP BY task_name, provider, request_model, bucket
    )
)
GROUP BY task_name, provider, request_model, bucket
ORDER BY task_name, provider, model, bucket
