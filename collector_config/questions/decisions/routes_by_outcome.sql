-- question: Where does each route lead, by which policy, and how do its tasks end?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: route, policy_version, chosen, decisions, mean_probability, known_outcomes, success_rate, cost_per_task.
-- cost: the routes of the period, joined to their task runs.
SELECT
    route, policy_version, chosen,
    count() AS decisions,
    avg(probability) AS mean_probability,
    countIf(outcome IN ('success', 'failure')) AS known_outcomes,
    countIf(outcome = 'success') / nullIf(known_outcomes, 0) AS success_rate,
    avg(cost) AS cost_per_task
FROM routes
LEFT JOIN task_runs USING (task_id)
WHERE routes.started_at >= {since:DateTime64(3)} AND routes.started_at < {until:DateTime64(3)}
GROUP BY route, policy_version, chosen
ORDER BY route, policy_version, chosen
