-- question: Who serves each of the named models?
-- parameters: models Array(String), as requests name them.
-- columns: request_model, provider String: the one with most calls.
-- cost: one pass over two columns of all calls.
SELECT request_model, argMax(provider, (calls, provider)) AS provider
FROM
(
    SELECT toString(request_model) AS request_model, toString(provider) AS provider, count() AS calls
    FROM llm_calls
    WHERE has({models:Array(String)}, request_model) AND provider != ''
    GROUP BY request_model, provider
)
GROUP BY request_model
ORDER BY request_model
