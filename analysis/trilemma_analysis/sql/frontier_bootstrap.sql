-- question: How would success rates and costs have come out on other inputs like these?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     replicates UInt32; seed UInt64; stride UInt32 (only one input in stride is used, 1 for all).
-- columns: task_name, combination; arrays over replicates: known, successes and priced Array(UInt64), cost Array(Float64) in 1e-12 of
--     the currency. In a replicate each input counts a Poisson(1) number of times, the same for all combinations, so that what
--     combinations share in their inputs stays shared (Poisson bootstrap: Hanley and MacGibbon 2006; Chamandy et al. 2012).
-- cost: one pass over the task runs of the period; then inputs x replicates hashes.
SELECT
    task_name,
    combination,
    sumForEach(arrayMap(weight -> weight * unit_known, weights)) AS known,
    sumForEach(arrayMap(weight -> weight * unit_successes, weights)) AS successes,
    sumForEach(arrayMap(weight -> weight * unit_priced, weights)) AS priced,
    arrayMap(total -> toFloat64(total), sumForEach(arrayMap(weight -> weight * unit_cost, weights))) AS cost
FROM
(
    SELECT
        task_name,
        combination,
        countIf(outcome IN ('success', 'failure')) AS unit_known,
        countIf(outcome = 'success') AS unit_successes,
        count(cost) AS unit_priced,
        sum(toInt128(round(ifNull(cost, 0) * 1e12))) AS unit_cost,
        cityHash64(task_name, if(input_id = '', task_id, input_id) AS unit) AS unit_hash,
        arrayMap(
            u -> multiIf(
                u < 0.36787944117144233, 0, u < 0.73575888234288467, 1, u < 0.91969860292860584, 2,
                u < 0.98101184312384626, 3, u < 0.99634015317265634, 4, u < 0.99940581518241833, 5, 6),
            arrayMap(
                replicate -> intHash64(bitXor(unit_hash, intHash64(replicate + 1000000 * {seed:UInt64}))) / exp2(64),
                range({replicates:UInt32}))
        ) AS weights
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY task_name, combination, unit
    HAVING unit_hash % {stride:UInt32} = 0
)
GROUP BY task_name, combination
ORDER BY task_name, combination
