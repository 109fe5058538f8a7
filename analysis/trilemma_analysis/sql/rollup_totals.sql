-- question: Do the sums kept by the hour and by the day equal those of the calls themselves, on each whole day of the period?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: day Date; of the calls, the hours and the days: calls, hourly_calls, daily_calls, tokens, hourly_tokens, daily_tokens UInt64,
--     cost, hourly_cost, daily_cost Float64. Only days on which they differ, by a call, a token or a millionth of the cost.
-- cost: one pass over the calls of the period, four columns, and one over the sums.
WITH whole_days AS
(
    SELECT
        if(toStartOfDay({since:DateTime64(6, 'UTC')}) = {since:DateTime64(6, 'UTC')}, toDate({since:DateTime64(6, 'UTC')}),
            toDate({since:DateTime64(6, 'UTC')}) + 1) AS first_day,
        toDate({until:DateTime64(6, 'UTC')}) AS end_day
)
SELECT
    day,
    sumIf(n, source = 'calls') AS calls,
    sumIf(n, source = 'hourly') AS hourly_calls,
    sumIf(n, source = 'daily') AS daily_calls,
    sumIf(t, source = 'calls') AS tokens,
    sumIf(t, source = 'hourly') AS hourly_tokens,
    sumIf(t, source = 'daily') AS daily_tokens,
    toFloat64(sumIf(c, source = 'calls')) / 1e12 AS cost,
    toFloat64(sumIf(c, source = 'hourly')) / 1e12 AS hourly_cost,
    toFloat64(sumIf(c, source = 'daily')) / 1e12 AS daily_cost
FROM
(
    SELECT 'calls' AS source, toDate(started_at, 'UTC') AS day, count() AS n,
        sum(ifNull(llm_calls.input_tokens, 0) + ifNull(llm_calls.output_tokens, 0)) AS t,
        sum(toInt128(round(ifNull(llm_calls.cost, 0) * 1e12))) AS c
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    GROUP BY day
    UNION ALL
    SELECT 'hourly' AS source, toDate(hour, 'UTC') AS day, sum(call_count) AS n,
        sum(ifNull(calls_hourly.input_tokens, 0) + ifNull(calls_hourly.output_tokens, 0)) AS t,
        sum(toInt128(round(ifNull(calls_hourly.cost, 0) * 1e12))) AS c
    FROM calls_hourly
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND hour >= {since:DateTime64(6, 'UTC')} AND hour < {until:DateTime64(6, 'UTC')}
    GROUP BY day
    UNION ALL
    SELECT 'daily' AS source, calls_daily.day AS day, sum(call_count) AS n,
        sum(ifNull(calls_daily.input_tokens, 0) + ifNull(calls_daily.output_tokens, 0)) AS t,
        sum(toInt128(round(ifNull(calls_daily.cost, 0) * 1e12))) AS c
    FROM calls_daily
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
    GROUP BY day
)
WHERE day >= (SELECT first_day FROM whole_days) AND day < (SELECT end_day FROM whole_days)
GROUP BY day
HAVING calls != hourly_calls OR calls != daily_calls OR tokens != hourly_tokens OR tokens != daily_tokens
    OR abs(cost - hourly_cost) > 1e-6 * cost + 1e-9 OR abs(cost - daily_cost) > 1e-6 * cost + 1e-9
ORDER BY day
