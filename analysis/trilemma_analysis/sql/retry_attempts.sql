-- question: How often does each further attempt of a call succeed, and how long do those wait that reach it?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, model; attempt UInt64 (from 2); reached, succeeded UInt64: chains of attempts that came to it, and those that ended
--     there with success; later_succeeded UInt64: those that ended with success at it or later; attempts_after UInt64: all attempts
--     made from it on; wait_ns, length_ns and cost Int64 (1e-12 of the currency): of the chains that reached it, each divided by
--     the attempts of its chain and multiplied by those from this one on; all_calls, all_length_ns, all_cost: of the task and model.
--     A chain is one request of a run: what the SDK tried again within a call, and what the app sent again after an error.
-- cost: one pass over the calls of the period, and one over those that were retried or failed and their like in the same run.
WITH
calls AS
(
    SELECT
        task_name, task_id, span_id, started_at, request_model, request_hash,
        ifNull(retry_count, 0) AS retries,
        status_code = 'Error' OR error_type != '' AS is_failed,
        toInt64(round(ifNull(retry_wait_s, 0) * 1e9)) AS wait_ns,
        toInt64(round(ifNull(duration_s, 0) * 1e9)) AS length_ns,
        toInt64(round(ifNull(llm_calls.cost, 0) * 1e12)) AS call_cost
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != ''
),
chains AS
(
    SELECT
        task_name,
        request_model,
        sum(retries + 1) AS attempts,
        argMax(NOT is_failed, (started_at, span_id)) AS succeeded,
        sum(wait_ns) AS chain_wait_ns,
        sum(length_ns) AS chain_length_ns,
        sum(call_cost) AS chain_cost
    FROM calls
    WHERE (retries > 0 OR is_failed)
        OR (request_hash != '' AND (task_id, request_hash) IN
            (SELECT task_id, request_hash FROM calls WHERE is_failed AND request_hash != '' AND task_id != ''))
    GROUP BY task_name, request_model, task_id, if(task_id = '' OR request_hash = '', span_id, request_hash)
    HAVING attempts > 1
)
SELECT
    task_name, request_model AS model, attempt, reached, succeeded, later_succeeded, attempts_after, wait_ns, length_ns, cost,
    all_calls, all_length_ns, all_cost
FROM
(
    SELECT
        task_name,
        request_model,
        arrayJoin(range(2, least(attempts, 20) + 1)) AS attempt,
        count() AS reached,
        countIf(chains.succeeded AND attempts = attempt) AS succeeded,
        countIf(chains.succeeded) AS later_succeeded,
        sum(attempts - attempt + 1) AS attempts_after,
        sum(intDiv(chain_wait_ns * (attempts - attempt + 1), attempts - 1)) AS wait_ns,
        sum(intDiv(chain_length_ns * (attempts - attempt + 1), attempts)) AS length_ns,
        sum(intDiv(chain_cost * (attempts - attempt + 1), attempts)) AS cost
    FROM chains
    GROUP BY task_name, request_model, attempt
) AS tried
INNER JOIN
(
    SELECT task_name, request_model, count() AS all_calls, sum(length_ns) AS all_length_ns, sum(call_cost) AS all_cost
    FROM calls
    GROUP BY task_name, request_model
) AS everything USING (task_name, request_model)
ORDER BY task_name, model, attempt
