-- question: What part of the time of runs passes in like calls, made one after the other, that could be made at once?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, operation, model; runs UInt64 with such calls, calls UInt64 among them; grown and answered Int64: by how many tokens the last
--     request of a group is longer than its first, and how many tokens the calls before the last had answered, summed over groups;
--     then over the inputs of the task with x time that would be saved and y time of runs, in microseconds: saved_{n,x,y,xx,yy,xy}
--     (n, y and yy of all inputs of the task). Like calls: of one run, one model and operation, with as many messages and tools and
--     the same prompt, different requests, no error, and no tool asked for. At once they would take as long as the longest; what
--     overlaps already is not counted.
-- cost: one pass over eight columns of the calls of the period, in memory about 40 bytes by run and kind of call; one over more columns, held
--     for calls that have like ones; two over the runs of the period.
WITH calls AS
(
    SELECT
        task_name, task_id, input_id, operation, request_model, prompt_name, prompt_version, message_count, tool_count,
        ifNull(input_tokens, 0) AS input_tokens, output_tokens, started_at, cityHash64(request_hash) AS request,
        cityHash64(task_id, operation, request_model, prompt_name, prompt_version, ifNull(message_count, 0), ifNull(tool_count, 0)) AS print,
        toUnixTimestamp64Micro(toDateTime64(started_at, 6)) AS start_us,
        toInt64(round(assumeNotNull(duration_s) * 1e6)) AS length_us
    FROM llm_calls
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_id != '' AND duration_s > 0 AND error_type = '' AND status_code != 'Error' AND empty(tool_call_names)
),
groups AS
(
    SELECT
        task_name,
        task_id,
        operation,
        request_model AS model,
        if(any(input_id) = '', task_id, any(input_id)) AS unit,
        count() AS calls,
        toInt64(argMax(input_tokens, started_at)) - toInt64(argMin(input_tokens, started_at)) AS grown,
        toInt64(sum(ifNull(output_tokens, 0))) - toInt64(argMax(ifNull(output_tokens, 0), started_at)) AS answered,
        sum(length_us) AS busy_us,
        max(start_us + length_us) - min(start_us) AS span_us,
        least(busy_us, span_us) - max(length_us) AS saved_us
    FROM calls
    WHERE print IN (SELECT print FROM calls GROUP BY print HAVING min(request) < max(request))
    GROUP BY task_name, task_id, operation, request_model, prompt_name, prompt_version, message_count, tool_count
    HAVING calls > 1 AND saved_us > 0 AND min(request) < max(request)
),
units AS
(
    SELECT
        task_name,
        if(input_id = '', task_id, input_id) AS unit,
        toInt128(sum(toInt64(round(assumeNotNull(duration_s) * 1e6)))) AS unit_us
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND duration_s > 0
    GROUP BY task_name, unit
)
SELECT
    task_name, operation, model, runs, calls, grown, answered, saved_n, saved_x, saved_y, saved_xx, saved_yy, saved_xy
FROM
(
    SELECT
        task_name, operation, model,
        sum(unit_runs) AS runs, sum(unit_calls) AS calls, sum(unit_grown) AS grown, sum(unit_answered) AS answered,
        toFloat64(sum(saved_us)) AS saved_x,
        toFloat64(sum(saved_us * saved_us)) AS saved_xx,
        toFloat64(sum(saved_us * unit_us)) AS saved_xy
    FROM
    (
        SELECT
            task_name, operation, model, unit, uniqExact(task_id) AS unit_runs, sum(calls) AS unit_calls, sum(grown) AS unit_grown,
            sum(answered) AS unit_answered, toInt128(sum(groups.saved_us)) AS saved_us
        FROM groups
        GROUP BY task_name, operation, model, unit
    ) AS saved
    INNER JOIN units USING (task_name, unit)
    GROUP BY task_name, operation, model
) AS shares
INNER JOIN
(
    SELECT
        task_name, count() AS saved_n, toFloat64(sum(unit_us)) AS saved_y, toFloat64(sum(unit_us * unit_us)) AS saved_yy
    FROM units
    GROUP BY task_name
) AS totals USING (task_name)
ORDER BY task_name, operation, model
