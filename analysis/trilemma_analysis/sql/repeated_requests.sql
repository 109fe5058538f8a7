-- question: How many requests repeat an earlier one exactly, in time for a cache to answer, and what did those cost?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     ttls_s Array(Float64): how long the cache keeps a response after it came, each tried on the real order of arrival.
-- columns: task_name, ttl_s; requests, hashes, hits, unpriced UInt64; hits_repeatable UInt64 (hits at temperature 0); hits_failed UInt64 (hits
--     that a cache would have answered with the response of a task that failed); hit_latency_ns Int64 (sum); answers_known and answers_failed
--     UInt64 (answers to requests with a hit whose task's outcome is known, and those whose task failed), requests_mixed UInt64 (distinct
--     requests with a hit whose answers differ in outcome); then over distinct requests x cost of hits and y cost of all:
--     cost_{n,x,y,xx,yy,xy}, and x hits and y requests: hit_{n,x,y,xx,yy,xy}.
--     Costs are in 1e-12 of the currency. Only calls that succeeded are counted, as only they would be kept.
-- cost: one pass over the calls of the period that carry a request hash; memory grows with their number (about 60 bytes each).
WITH calls AS
(
    SELECT
        llm_calls.task_name AS task_name,
        llm_calls.request_model AS request_model,
        llm_calls.request_hash AS request_hash,
        toUnixTimestamp64Nano(llm_calls.started_at) AS start_ns,
        toInt64(round(ifNull(llm_calls.duration_s, 0) * 1e9)) AS length_ns,
        toInt128(round(ifNull(llm_calls.cost, 0) * 1e12)) AS call_cost,
        isNull(llm_calls.cost) AS is_unpriced,
        ifNull(llm_calls.temperature, 1) = 0 AS is_repeatable,
        tasks.outcome = 'failure' AS is_failed,
        tasks.outcome IN ('success', 'failure') AS is_known
    FROM llm_calls
    LEFT JOIN (SELECT task_id, outcome FROM tasks) AS tasks ON tasks.task_id = llm_calls.task_id
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND request_hash != '' AND error_type = '' AND status_code != 'Error'
),
-- Per distinct request its calls in order of time, folded once for each time to live: (when the kept response came, whether its task
-- failed, the sums so far). A call sent before that time neither hits nor replaces; -1 is longer ago than any time to live.
per_request AS
(
    SELECT
        task_name,
        count() AS sent,
        sum(call_cost) AS all_cost,
        countIf(is_unpriced) AS sent_unpriced,
        countIf(is_known) AS sent_known,
        countIf(is_failed) AS sent_failed,
        arrayMap(ttl -> (ttl, arrayFold(
            (kept, call) -> if(
                call.1 >= kept.1 AND call.1 - kept.1 <= toInt64(ttl * 1e9),
                (kept.1, kept.2, kept.3 + 1, kept.4 + call.3, kept.5 + call.2, kept.6 + call.4, kept.7 + kept.2),
                if(call.1 < kept.1, kept, (call.1 + call.2, call.5, kept.3, kept.4, kept.5, kept.6, kept.7))),
            arraySort(groupArray((start_ns, length_ns, call_cost, toUInt64(is_repeatable), toUInt64(is_failed)))),
            (toInt64(-1), toUInt64(0), toUInt64(0), toInt128(0), toInt64(0), toUInt64(0), toUInt64(0))
        )), {ttls_s:Array(Float64)}) AS tried
    FROM calls
    GROUP BY task_name, request_model, request_hash
)
SELECT
    task_name,
    one.1 AS ttl_s,
    sum(sent) AS requests,
    count() AS hashes,
    sum(one.2.3) AS hits,
    sum(sent_unpriced) AS unpriced,
    sum(one.2.6) AS hits_repeatable,
    sum(one.2.7) AS hits_failed,
    sum(one.2.5) AS hit_latency_ns,
    sumIf(sent_known, one.2.3 > 0) AS answers_known,
    sumIf(sent_failed, one.2.3 > 0) AS answers_failed,
    countIf(one.2.3 > 0 AND sent_failed > 0 AND sent_failed < sent_known) AS requests_mixed,
    count() AS cost_n,
    toFloat64(sum(one.2.4)) AS cost_x,
    toFloat64(sum(all_cost)) AS cost_y,
    toFloat64(sum(toInt256(one.2.4) * one.2.4)) AS cost_xx,
    toFloat64(sum(toInt256(all_cost) * all_cost)) AS cost_yy,
    toFloat64(sum(toInt256(one.2.4) * all_cost)) AS cost_xy,
    count() AS hit_n,
    sum(one.2.3) AS hit_x,
    sum(sent) AS hit_y,
    sum(one.2.3 * one.2.3) AS hit_xx,
    sum(sent * sent) AS hit_yy,
    sum(one.2.3 * sent) AS hit_xy
FROM (SELECT *, arrayJoin(tried) AS one FROM per_request)
GROUP BY task_name, ttl_s
ORDER BY task_name, ttl_s
