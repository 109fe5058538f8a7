-- question: Which version of a prompt was used by how many tasks, and how did they end?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: prompt_name, prompt_version, template_hash, first_used_at, tasks, known_outcomes, success_rate, cost_per_task.
-- cost: the prompts used in the period, joined to their task runs.
SELECT
    used.prompt_name AS prompt_name, used.prompt_version AS prompt_version,
    any(used.template_hash) AS template_hash,
    min(used.first_at) AS first_used_at,
    count() AS tasks,
    countIf(outcome IN ('success', 'failure')) AS known_outcomes,
    countIf(outcome = 'success') / nullIf(known_outcomes, 0) AS success_rate,
    avg(cost) AS cost_per_task
FROM
(
    SELECT prompt_name, prompt_version, task_id, any(template_hash) AS template_hash, min(started_at) AS first_at
    FROM prompts
    WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
    GROUP BY prompt_name, prompt_version, task_id
) AS used
LEFT JOIN task_runs USING (task_id)
GROUP BY prompt_name, prompt_version
ORDER BY prompt_name, first_used_at
