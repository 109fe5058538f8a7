-- question: Which variant of an experiment does better, and did each get its share of the units?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: experiment, variant, tasks, units, planned_share, share, holdout_tasks, known_outcomes, success_rate, cost_per_task.
-- cost: the variants of the period, joined to their task runs.
SELECT
    experiment,
    first_variant AS variant,
    count() AS tasks,
    uniqExact(first_unit) AS units,
    any(first_probability) AS planned_share,
    units / sum(units) OVER (PARTITION BY experiment) AS share,
    countIf(first_holdout) AS holdout_tasks,
    countIf(outcome IN ('success', 'failure')) AS known_outcomes,
    countIf(outcome = 'success') / nullIf(known_outcomes, 0) AS success_rate,
    avg(cost) AS cost_per_task
FROM
(
    SELECT
        experiment, task_id,
        argMin(variant, started_at) AS first_variant,
        argMin(unit_hash, started_at) AS first_unit,
        argMin(probability, started_at) AS first_probability,
        argMin(is_holdout, started_at) AS first_holdout
    FROM variants
    WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)} AND is_eligible
    GROUP BY experiment, task_id
) AS assigned
LEFT JOIN task_runs USING (task_id)
GROUP BY experiment, variant
ORDER BY experiment, variant
