-- question: What does each guardrail stop, how often is it right, and what does it cost?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: guardrail, stage, runs, blocked, changed, marked_right, marked_wrong, p95_duration_s, own_cost, model_cost (of the calls beneath).
-- cost: the guardrails of the period, joined to the calls beneath them.
WITH beneath AS
(
    SELECT trace_id, parent_span_id AS span_id, sum(cost) AS model_cost
    FROM llm_calls
    WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
    GROUP BY trace_id, span_id
)
SELECT
    guardrail, stage,
    count() AS runs,
    countIf(verdict = 'blocked') AS blocked,
    countIf(verdict = 'changed') AS changed,
    countIf(mark = 'right') AS marked_right,
    countIf(mark = 'wrong') AS marked_wrong,
    quantileExact(0.95)(duration_s) AS p95_duration_s,
    sum(decision_cost) AS own_cost,
    sum(beneath.model_cost) AS model_cost
FROM guardrails
LEFT JOIN beneath USING (trace_id, span_id)
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
GROUP BY guardrail, stage
ORDER BY guardrail, stage
