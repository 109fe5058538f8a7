-- question: What does a check of each guardrail cost: its own fee and the model calls made directly beneath it?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, guardrail, stage; currencies Array(String); over checks x cost (1e-12 of the currency) and y 1 each:
--     check_{n,x,y,xx,yy,xy} Float64; unpriced UInt64 (checks with a call that has no price).
-- cost: one pass over the calls of the period, whose parents are looked up among the guardrail decisions. Asked only where there are any.
WITH checks AS
(
    SELECT toString(task_name) AS task_name, toString(guardrail) AS guardrail, toString(stage) AS stage, span_id, decision_cost
    FROM guardrails
    WHERE task_id != ''
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
),
calls AS
(
    SELECT
        parent_span_id,
        sum(toInt256(round(ifNull(cost, 0) * 1e12))) AS call_cost,
        countIf(isNull(cost)) AS unpriced_calls,
        groupUniqArrayIf(toString(cost_currency), isNotNull(cost) AND cost_currency != '') AS call_currencies
    FROM llm_calls
    WHERE parent_span_id IN (SELECT span_id FROM checks)
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY parent_span_id
),
priced AS
(
    SELECT
        task_name, guardrail, stage, unpriced_calls, call_currencies,
        call_cost + toInt256(round(ifNull(decision_cost, 0) * 1e12)) AS check_cost
    FROM checks
    LEFT JOIN calls ON calls.parent_span_id = checks.span_id
)
SELECT
    task_name, guardrail, stage,
    arraySort(groupUniqArrayArray(call_currencies)) AS currencies,
    countIf(unpriced_calls > 0) AS unpriced,
    toFloat64(count()) AS check_n,
    toFloat64(sum(check_cost)) AS check_x,
    toFloat64(count()) AS check_y,
    toFloat64(sum(check_cost * check_cost)) AS check_xx,
    toFloat64(count()) AS check_yy,
    toFloat64(sum(check_cost)) AS check_xy
FROM priced
GROUP BY task_name, guardrail, stage
ORDER BY task_name, guardrail, stage
