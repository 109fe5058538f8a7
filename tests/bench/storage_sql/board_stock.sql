-- question: What did each task cost on each model in thirty days, how fast was it, and how often did it succeed? (stock schema)
-- parameters: from DateTime, until DateTime
-- columns: task, model, calls, p50, p95, p99 in seconds, cost, success_rate
-- cost: one pass over the attribute maps of the period, two for the join
SELECT task, model, calls, latencies[1] AS p50, latencies[2] AS p95, latencies[3] AS p99, cost, successes / runs AS success_rate
FROM
(
    SELECT
        SpanAttributes['trilemma.task.name'] AS task,
        SpanAttributes['gen_ai.request.model'] AS model,
        count() AS calls,
        quantiles(0.5, 0.95, 0.99)(Duration / 1e9) AS latencies,
        sum(toFloat64OrNull(SpanAttributes['trilemma.cost.total'])) AS cost
    FROM otel_traces
    WHERE Timestamp >= {from:DateTime('UTC')} AND Timestamp < {until:DateTime('UTC')}
        AND SpanAttributes['gen_ai.operation.name'] IN ('chat', 'embeddings')
    GROUP BY task, model
) AS calls
INNER JOIN
(
    SELECT task, model, count() AS runs, countIf(outcome = 'success') AS successes
    FROM
    (
        SELECT DISTINCT SpanAttributes['trilemma.task.id'] AS id, SpanAttributes['gen_ai.request.model'] AS model
        FROM otel_traces
        WHERE Timestamp >= {from:DateTime('UTC')} AND Timestamp < {until:DateTime('UTC')}
            AND SpanAttributes['gen_ai.operation.name'] IN ('chat', 'embeddings')
    ) AS used
    INNER JOIN
    (
        SELECT
            SpanAttributes['trilemma.task.id'] AS id,
            SpanAttributes['trilemma.task.name'] AS task,
            SpanAttributes['trilemma.task.outcome'] AS outcome
        FROM otel_traces
        WHERE Timestamp >= {from:DateTime('UTC')} AND Timestamp < {until:DateTime('UTC')}
            AND SpanAttributes['trilemma.task.outcome'] != ''
    ) AS done USING id
    GROUP BY task, model
) AS runs USING (task, model)
ORDER BY task, model
