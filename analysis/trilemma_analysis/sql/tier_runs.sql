-- question: Which part of a task's bill belongs to runs whose deadline leaves time for a cheaper service tier?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     tier_tasks Array(String): the tasks to look at; batch_s and flex_s Float64: how long an answer may take at these tiers; ease Float64: how many times its own length a run may take
--     before its deadline, for priority to be of no use.
-- columns: task_name; runs, known (with a deadline), streamed, several (with more than one call) UInt64; least_deadline_s Nullable(Float64);
--     busy_share Float64: runs that started in the busiest twentieth of the hours between the first and the last run; then over
--     runs, y the run's cost in 1e-12 and x that of calls without a batch at the ordinary tier, of runs that have time for a batch:
--     batch_{n,x,y,xx,yy,xy}; for flex: flex_; of runs without a deadline: open_; and of calls at priority of runs with ease: priority_.
--     Only runs whose calls are all priced; each run by its own deadline.
-- cost: one pass over the calls of the period, grouped by run, joined with the terms of their tasks.
WITH
calls AS
(
    SELECT
        task_id,
        any(toString(llm_calls.task_name)) AS task_name,
        min(llm_calls.started_at) AS first_at,
        count() AS call_count,
        countIf(stream) AS streamed_count,
        countIf(isNull(cost)) AS unpriced_count,
        toUnixTimestamp64Nano(max(started_at + toIntervalNanosecond(toInt64(round(ifNull(duration_s, 0) * 1e9)))))
            - toUnixTimestamp64Nano(min(started_at)) AS length_ns,
        sum(toInt256(round(ifNull(cost, 0) * 1e12))) AS all_cost,
        sumIf(toInt256(round(ifNull(cost, 0) * 1e12)), NOT batch AND lower(if(service_tier = '', request_service_tier, service_tier))
            IN ('', 'auto', 'default', 'on_demand', 'standard', 'standard_only')) AS plain_cost,
        sumIf(toInt256(round(ifNull(cost, 0) * 1e12)), lower(if(service_tier = '', request_service_tier, service_tier)) = 'priority') AS fast_cost
    FROM llm_calls
    WHERE has({tier_tasks:Array(String)}, llm_calls.task_name)
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, llm_calls.task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_id != ''
    GROUP BY task_id
),
runs AS
(
    SELECT
        calls.*,
        terms.deadline_s AS deadline_s,
        toInt256(if(deadline_s >= {batch_s:Float64} * call_count, plain_cost, 0)) AS batch_cost,
        toInt256(if(deadline_s >= {flex_s:Float64} * call_count, plain_cost, 0)) AS flex_cost,
        toInt256(if(deadline_s >= {ease:Float64} * length_ns / 1e9, fast_cost, 0)) AS priority_cost,
        toInt256(if(isNull(deadline_s), plain_cost, 0)) AS open_cost
    FROM calls
    LEFT JOIN (SELECT task_id, deadline_s FROM task_terms WHERE isNotNull(deadline_s)) AS terms ON terms.task_id = calls.task_id
    WHERE unpriced_count = 0
),
hours AS
(
    SELECT
        task_name,
        arrayReverseSort(groupArray(started)) AS by_hour,
        arraySum(arraySlice(by_hour, 1, toInt64(ceil((max(hour) - min(hour) + 1) / 20)))) / arraySum(by_hour) AS busy_share
    FROM (SELECT task_name, intDiv(toUnixTimestamp(first_at), 3600) AS hour, count() AS started FROM runs GROUP BY task_name, hour)
    GROUP BY task_name
)
SELECT
    runs.task_name AS task_name,
    any(hours.busy_share) AS busy_share,
    count() AS runs,
    count(deadline_s) AS known,
    countIf(streamed_count > 0) AS streamed,
    countIf(call_count > 1) AS several,
    min(deadline_s) AS least_deadline_s,
    count() AS batch_n,
    toFloat64(sum(batch_cost)) AS batch_x,
    toFloat64(sum(all_cost)) AS batch_y,
    toFloat64(sum(batch_cost * batch_cost)) AS batch_xx,
    toFloat64(sum(all_cost * all_cost)) AS batch_yy,
    toFloat64(sum(batch_cost * all_cost)) AS batch_xy,
    toFloat64(sum(flex_cost)) AS flex_x,
    toFloat64(sum(flex_cost * flex_cost)) AS flex_xx,
    toFloat64(sum(flex_cost * all_cost)) AS flex_xy,
    toFloat64(sum(priority_cost)) AS priority_x,
    toFloat64(sum(priority_cost * priority_cost)) AS priority_xx,
    toFloat64(sum(priority_cost * all_cost)) AS priority_xy,
    toFloat64(sum(open_cost)) AS open_x,
    toFloat64(sum(open_cost * open_cost)) AS open_xx,
    toFloat64(sum(open_cost * all_cost)) AS open_xy
FROM runs
LEFT JOIN hours ON hours.task_name = runs.task_name
GROUP BY task_name
HAVING sum(all_cost) > 0
ORDER BY task_name
