-- question: Where a choice was logged with its probability, how did runs go by what was chosen, with which probability?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, decision_kind (route or variant), decision_name, segment, chosen, probability Float64 (to 1e-6); unit (what was
--     assigned); combinations Array(String), of the runs; units UInt64; then over units (a run; or all runs of a user, session or
--     customer that was assigned as one, of which the mean counts): quality_, cost_ and latency_{n,sum,squares}: success rate, mean
--     cost in 1e-12 of the currency, log of the mean seconds; currencies Array(String). Only the first such choice of a run counts, and
--     neither holdouts nor units that could not have got another variant.
-- cost: one pass over the decisions of the period, joined with their task runs.
SELECT
    task_name, decision_kind, decision_name, segment, chosen, probability,
    any(assigned) AS unit,
    arraySort(groupUniqArrayArray(unit_combinations)) AS combinations,
    arraySort(groupUniqArrayArray(unit_currencies)) AS currencies,
    count() AS units,
    sum(unit_runs) AS runs,
    countIf(known > 0) AS quality_n,
    sum(rate_e6) / 1e6 AS quality_sum,
    sum(rate_e6 * rate_e6) / 1e12 AS quality_squares,
    countIf(priced > 0) AS cost_n,
    toFloat64(sum(mean_cost)) AS cost_sum,
    toFloat64(sum(mean_cost * mean_cost)) AS cost_squares,
    countIf(timed > 0) AS latency_n,
    sum(log_e6) / 1e6 AS latency_sum,
    sum(toInt128(log_e6) * log_e6) / 1e12 AS latency_squares
FROM
(
    SELECT
        runs.task_name AS task_name,
        choices.decision_kind AS decision_kind,
        choices.decision_name AS decision_name,
        choices.chosen AS chosen,
        choices.probability AS probability,
        any(choices.unit) AS assigned,
        if(choices.unit IN ('user', 'session', 'customer') AND choices.unit_hash != '', choices.unit_hash, runs.task_id) AS unit_id,
        min(terms.segment) AS segment,
        count() AS unit_runs,
        groupUniqArray(runs.combination) AS unit_combinations,
        groupUniqArrayIf(runs.cost_currency, isNotNull(runs.cost) AND runs.cost_currency != '') AS unit_currencies,
        countIf(runs.outcome IN ('success', 'failure')) AS known,
        if(known = 0, 0, toInt64(round(countIf(runs.outcome = 'success') / known * 1e6))) AS rate_e6,
        count(runs.cost) AS priced,
        toInt256(if(priced = 0, 0, round(sum(toInt256(round(ifNull(runs.cost, 0) * 1e12))) / priced))) AS mean_cost,
        count(runs.duration_s) AS timed,
        if(timed = 0, 0, toInt64(round(log(greatest(sum(toInt64(round(ifNull(runs.duration_s, 0) * 1e9))) / greatest(timed, 1), 1) / 1e9) * 1e6))) AS log_e6
    FROM
    (
        SELECT
            toString(decision_kind) AS decision_kind,
            toString(decision_name) AS decision_name,
            task_id,
            argMin((toString(decisions.chosen), round(assumeNotNull(decisions.probability), 6), toString(decisions.unit), decisions.unit_hash),
                (started_at, span_id)) AS first,
            first.1 AS chosen,
            first.2 AS probability,
            first.3 AS unit,
            first.4 AS unit_hash
        FROM decisions
        WHERE decision_kind IN ('route', 'variant') AND task_id != '' AND decisions.probability BETWEEN 1e-6 AND 1
            AND ifNull(is_eligible, true) AND NOT ifNull(is_holdout, false)
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        GROUP BY decision_kind, decision_name, task_id
    ) AS choices
    INNER JOIN
    (
        SELECT toString(task_name) AS task_name, task_id, toString(combination) AS combination, outcome, cost, toString(cost_currency) AS cost_currency,
            duration_s
        FROM task_runs
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    ) AS runs ON runs.task_id = choices.task_id
    LEFT JOIN (SELECT task_id, toString(segment) AS segment FROM task_terms) AS terms ON terms.task_id = choices.task_id
    GROUP BY task_name, decision_kind, decision_name, chosen, probability, unit_id
)
GROUP BY task_name, decision_kind, decision_name, segment, chosen, probability
ORDER BY task_name, decision_kind, decision_name, segment, chosen, probability
