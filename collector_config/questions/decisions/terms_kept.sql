-- question: For which segment do tasks succeed, stay within their budget, and meet their deadline?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: task_name, segment, tasks, customers, success_rate, over_budget, past_deadline (of those that have one).
-- cost: the terms of the period, joined to their task runs.
SELECT
    task_terms.task_name AS task_name, segment,
    count() AS tasks,
    uniqExact(customer) AS customers,
    countIf(outcome = 'success') / nullIf(countIf(outcome IN ('success', 'failure')), 0) AS success_rate,
    countIf(cost > budget) AS over_budget,
    countIf(duration_s > deadline_s) AS past_deadline
FROM task_terms
LEFT JOIN task_runs USING (task_id)
WHERE task_terms.started_at >= {since:DateTime64(3)} AND task_terms.started_at < {until:DateTime64(3)}
GROUP BY task_name, segment
ORDER BY task_name, segment
