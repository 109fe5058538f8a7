-- question: Which tasks send the very same request again, and what do the repeats cost?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: task_name, calls, repeats (all but the first of equal requests), repeat_cost (of the priced repeats).
-- cost: memory grows with the number of distinct requests of the period.
SELECT
    task_name,
    sum(times) AS calls,
    sum(times - 1) AS repeats,
    sum(later_cost) AS repeat_cost
FROM
(
    SELECT
        task_name,
        request_hash,
        count() AS times,
        arraySum(arraySlice(arrayMap(call -> ifNull(call.2, 0), arraySort(groupArray((started_at, llm_calls.cost)))), 2)) AS later_cost
    FROM llm_calls
    WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)} AND request_hash != ''
    GROUP BY task_name, request_hash
)
GROUP BY task_name
ORDER BY repeats DESC, task_name
