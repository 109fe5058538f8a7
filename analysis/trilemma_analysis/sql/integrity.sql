-- question: What in the store would mislead a reader: calls outside tasks, calls without a price, tasks without calls?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: calls, calls_outside_tasks, unpriced_calls UInt64; unpriced_models Array(String), the first ten models with unpriced calls.
-- cost: one pass over the calls of the period, four columns.
SELECT
    count() AS calls,
    countIf(task_name = '') AS calls_outside_tasks,
    countIf(isNull(cost)) AS unpriced_calls,
    arraySlice(arraySort(groupUniqArrayIf(request_model, isNull(cost))), 1, 10) AS unpriced_models
FROM llm_calls
WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
