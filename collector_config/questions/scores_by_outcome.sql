-- question: Do our evaluators' scores tell success from failure?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: task_name, evaluation_name, outcome, evaluations, mean_score, labels (the five most frequent).
-- cost: joins the period's evaluations to their tasks.
SELECT
    tasks.task_name AS task_name,
    evaluation_name,
    tasks.outcome AS outcome,
    count() AS evaluations,
    avg(score) AS mean_score,
    topKIf(5)(label, label != '') AS labels
FROM evaluations
INNER JOIN tasks ON tasks.task_id = evaluations.task_id
WHERE evaluated_at >= {since:DateTime64(3)} AND evaluated_at < {until:DateTime64(3)} AND evaluations.task_id != ''
GROUP BY task_name, evaluation_name, outcome
ORDER BY task_name, evaluation_name, outcome
