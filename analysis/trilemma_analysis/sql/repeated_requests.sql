-- question: How many requests repeat an earlier one exactly, in time for a cache to answer, and what did those cost?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     ttls_s Array(Float64): how long the cache keeps a response after it came, each tried on the real order of arrival.
-- columns: task_name, ttl_s; requests, hashes, hits, unpriced UInt64; hits_repeatable UInt64 (hits at temperature 0); hits_failed UInt64 (hits
--     that a cache would have answered with the response of a task that failed); hit_latency_ns Int64 (sum); answers_known and answers_failed
--     UInt64 (answers to requests with a hit whose task's outcome is known, and those whose task failed), requests_mixed UInt64 (distinct
--     requests with a hit whose answers differ in outcome); then over distinct requests x cost of hits and y cost of all:
--     cost_{n,x,y,xx,yy,xy}, and x hits and y requests: hit_{n,x,y,xx,yy,xy}.
--     Costs are in 1e-12 of the currency. Only calls that succeeded are counted, as only they would be kept.
-- cost: three passes over the calls of the period that carry a request hash; memory grows with their number (about 30 bytes each), and more
--     with those that are alike.
WITH calls AS
(
    SELECT
        task_name,
        request_model,
        request_hash,
        task_id,
        cityHash64(task_name, request_model, request_hash) AS print,  -- of equal requests it is equal, of others hardly ever
        toUnixTimestamp64Nano(started_at) AS start_ns,
        toInt64(round(ifNull(duration_s, 0) * 1e9)) AS length_ns,
        toInt128(round(ifNull(cost, 0) * 1e12)) AS call_cost,
        isNull(cost) AS is_unpriced,
        ifNull(temperature, 1) = 0 AS is_repeatable
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND request_hash != '' AND error_type = '' AND status_code != 'Error'
),
alike AS (SELECT print FROM calls GROUP BY print HAVING count() > 1),
-- Per distinct request its calls in order of time, folded once for each time to live: (when the kept response came, whether its task
-- failed, the sums so far). A call sent before that time neither hits nor replaces; -1 is longer ago than any time to live.
-- Nothing is folded for a request that came once: it hits nothing.
per_request AS
(
    SELECT
        task_name,
        count() AS sent,
        sum(call_cost) AS all_cost,
        countIf(is_unpriced) AS sent_unpriced,
        countIf(outcome IN ('success', 'failure')) AS sent_known,
        countIf(outcome = 'failure') AS sent_failed,
        arrayMap(ttl -> arrayFold(
            (kept, call) -> if(
                call.1 >= kept.1 AND call.1 - kept.1 <= toInt64(ttl * 1e9),
                (kept.1, kept.2, kept.3 + 1, kept.4 + call.3, kept.5 + call.2, kept.6 + call.4, kept.7 + kept.2),
                if(call.1 < kept.1, kept, (call.1 + call.2, call.5, kept.3, kept.4, kept.5, kept.6, kept.7))),
            arraySort(groupArray((start_ns, length_ns, call_cost, toUInt64(is_repeatable), toUInt64(outcome = 'failure')))),
            (toInt64(-1), toUInt64(0), toUInt64(0), toInt128(0), toInt64(0), toUInt64(0), toUInt64(0))
        ), if(sent > 1, {ttls_s:Array(Float64)}, [])) AS tried
    FROM calls
    LEFT JOIN (SELECT task_id, outcome FROM tasks) AS tasks ON tasks.task_id = calls.task_id
    WHERE print IN (SELECT print FROM alike)
    GROUP BY task_name, request_model, request_hash
    UNION ALL
    SELECT task_name, 1 AS sent, call_cost AS all_cost, is_unpriced AS sent_unpriced, 0 AS sent_known, 0 AS sent_failed, [] AS tried
    FROM calls
    WHERE print NOT IN (SELECT print FROM alike)
),
per_task AS
(
    SELECT
        task_name,
        count() AS hashes,
        sum(sent) AS requests,
        sum(sent * sent) AS requests_squared,
        sum(sent_unpriced) AS unpriced,
        sum(all_cost) AS cost,
        sum(toInt256(all_cost) * all_cost) AS cost_squared,
        sumForEachIf(arrayMap(one -> one.3, tried), sent > 1) AS hits,
        sumForEachIf(arrayMap(one -> one.3 * one.3, tried), sent > 1) AS hits_squared,
        sumForEachIf(arrayMap(one -> one.3 * sent, tried), sent > 1) AS hits_requests,
        sumForEachIf(arrayMap(one -> one.4, tried), sent > 1) AS hit_cost,
        sumForEachIf(arrayMap(one -> toInt256(one.4) * one.4, tried), sent > 1) AS hit_cost_squared,
        sumForEachIf(arrayMap(one -> toInt256(one.4) * all_cost, tried), sent > 1) AS hit_cost_cost,
        sumForEachIf(arrayMap(one -> one.5, tried), sent > 1) AS hit_ns,
        sumForEachIf(arrayMap(one -> one.6, tried), sent > 1) AS repeatable,
        sumForEachIf(arrayMap(one -> one.7, tried), sent > 1) AS failed,
        sumForEachIf(arrayMap(one -> if(one.3 > 0, sent_known, 0), tried), sent > 1) AS known_answers,
        sumForEachIf(arrayMap(one -> if(one.3 > 0, sent_failed, 0), tried), sent > 1) AS failed_answers,
        sumForEachIf(arrayMap(one -> toUInt64(one.3 > 0 AND sent_failed > 0 AND sent_failed < sent_known), tried), sent > 1) AS mixed
    FROM per_request
    GROUP BY task_name
)
-- An element that is not there, where no request came twice, is 0.
SELECT
    task_name,
    {ttls_s:Array(Float64)}[number] AS ttl_s,
    requests,
    hashes,
    per_task.hits[number] AS hits,
    unpriced,
    repeatable[number] AS hits_repeatable,
    failed[number] AS hits_failed,
    hit_ns[number] AS hit_latency_ns,
    known_answers[number] AS answers_known,
    failed_answers[number] AS answers_failed,
    mixed[number] AS requests_mixed,
    hashes AS cost_n,
    toFloat64(hit_cost[number]) AS cost_x,
    toFloat64(cost) AS cost_y,
    toFloat64(hit_cost_squared[number]) AS cost_xx,
    toFloat64(cost_squared) AS cost_yy,
    toFloat64(hit_cost_cost[number]) AS cost_xy,
    hashes AS hit_n,
    per_task.hits[number] AS hit_x,
    requests AS hit_y,
    hits_squared[number] AS hit_xx,
    requests_squared AS hit_yy,
    hits_requests[number] AS hit_xy
FROM per_task
ARRAY JOIN arrayEnumerate({ttls_s:Array(Float64)}) AS number
ORDER BY task_name, ttl_s
