-- question: In what do the slowest runs of a combination spend their time, and in what the faster half?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     of each wanted combination: tail_tasks and tail_combinations Array(String), p50_s and p95_s Array(Float64).
-- columns: task_name, combination; is_tail UInt8 (1: runs above the p95; 0: runs up to the p50); runs, tokens UInt64 (output tokens); n UInt64
--     inputs, y and yy Float64: sums of their time, in microseconds; x, xx, xy Array(Float64): of the parts of it, in the order failed
--     calls, waits between attempts, waits for the first content, stalls of 2 s or more, streaming, calls without a stream, and what
--     is outside of calls (less than 0 where calls overlap). Parts add up to the time of the run.
-- cost: one pass over the task runs of the period, and one over the calls of those combinations' runs.
WITH runs AS
(
    SELECT
        toString(task_name) AS task_name,
        combination,
        task_id,
        if(input_id = '', task_id, input_id) AS unit,
        indexOf(arrayZip({tail_tasks:Array(String)}, {tail_combinations:Array(String)}), (task_name, combination)) AS place,
        assumeNotNull(duration_s) > {p95_s:Array(Float64)}[place] AS is_tail,
        toInt128(round(assumeNotNull(duration_s) * 1e6)) AS run_us
    FROM task_runs
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND duration_s > 0 AND place > 0
        AND (duration_s > {p95_s:Array(Float64)}[place] OR duration_s <= {p50_s:Array(Float64)}[place])
),
calls AS
(
    SELECT
        task_id AS used_id,
        sum(ifNull(output_tokens, 0)) AS tokens,
        sumForEach(parts) AS call_parts
    FROM
    (
        SELECT
            task_id,
            output_tokens,
            toInt64(round(ifNull(duration_s, 0) * 1e6)) AS length_us,
            if(error_type != '' OR status_code = 'Error', length_us, 0) AS failed_us,
            if(failed_us > 0, 0, least(toInt64(round(ifNull(retry_wait_s, 0) * 1e6)), length_us)) AS retry_us,
            failed_us = 0 AND isNotNull(time_to_first_content_s) AS is_stream,
            if(is_stream, greatest(least(toInt64(round(ifNull(time_to_first_content_s, 0) * 1e6)), length_us) - retry_us, 0), 0) AS first_us,
            if(is_stream AND longest_stall_s >= 2 AND longest_stall_s > ifNull(time_to_first_content_s - time_to_first_chunk_s, 0),
                greatest(least(toInt64(round(ifNull(longest_stall_s, 0) * 1e6)), length_us - retry_us - first_us), 0), 0) AS stall_us,
            length_us - failed_us - retry_us - first_us - stall_us AS rest_us,
            [failed_us, retry_us, first_us, stall_us, if(is_stream, rest_us, 0), if(is_stream, 0, rest_us)] AS parts
        FROM llm_calls
        WHERE task_id IN (SELECT task_id FROM runs)
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
    )
    GROUP BY task_id
)
SELECT
    task_name,
    combination,
    is_tail,
    sum(unit_runs) AS runs,
    sum(unit_tokens) AS tokens,
    count() AS n,
    toFloat64(sum(unit_us)) AS y,
    toFloat64(sum(unit_us * unit_us)) AS yy,
    arrayMap(total -> toFloat64(total), sumForEach(unit_parts)) AS x,
    arrayMap(total -> toFloat64(total), sumForEach(arrayMap(part -> part * part, unit_parts))) AS xx,
    arrayMap(total -> toFloat64(total), sumForEach(arrayMap(part -> part * unit_us, unit_parts))) AS xy
FROM
(
    SELECT
        task_name,
        combination,
        is_tail,
        unit,
        count() AS unit_runs,
        sum(run_tokens) AS unit_tokens,
        sum(run_us) AS unit_us,
        sumForEach(run_parts) AS unit_parts
    FROM
    (
        SELECT
            task_name, combination, is_tail, unit, run_us, calls.tokens AS run_tokens,
            arrayMap(part -> toInt128(part), arrayResize(call_parts, 6, 0)) AS known_parts,
            arrayPushBack(known_parts, run_us - arraySum(known_parts)) AS run_parts
        FROM runs
        LEFT JOIN calls ON calls.used_id = runs.task_id
    )
    GROUP BY task_name, combination, is_tail, unit
)
GROUP BY task_name, combination, is_tail
ORDER BY task_name, combination, is_tail
