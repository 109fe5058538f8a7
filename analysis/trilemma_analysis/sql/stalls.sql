-- question: How much of the time of streams passes in stalls?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     least_s Float64: a wait between two chunks is a stall from this length on.
-- columns: task_name, model; streams, stalled UInt64; longest_us Int64; then over spells of ten minutes with x time in stalls and y time of
--     all streams, in microseconds: stall_{n,x,y,xx,yy,xy}. A wait is a stall only if it surely came after the first content: what a
--     model thinks before it answers is none. Streams with hidden reasoning are left out, as they may think between two chunks.
-- cost: one pass over eight columns of the calls of the period; groups by ten minutes.
SELECT
    task_name,
    model,
    sum(streams) AS streams,
    sum(stalled) AS stalled,
    max(longest_us) AS longest_us,
    count() AS stall_n,
    toFloat64(sum(stalled_us)) AS stall_x,
    toFloat64(sum(stream_us)) AS stall_y,
    toFloat64(sum(stalled_us * stalled_us)) AS stall_xx,
    toFloat64(sum(stream_us * stream_us)) AS stall_yy,
    toFloat64(sum(stalled_us * stream_us)) AS stall_xy
FROM
(
    SELECT
        task_name,
        model,
        spell,
        count() AS streams,
        countIf(is_stalled) AS stalled,
        maxIf(waited_us, is_stalled) AS longest_us,
        toInt128(sumIf(least(waited_us, length_us), is_stalled)) AS stalled_us,
        toInt128(sum(length_us)) AS stream_us
    FROM
    (
        SELECT
            task_name,
            request_model AS model,
            toStartOfInterval(started_at, INTERVAL 10 MINUTE) AS spell,
            assumeNotNull(longest_stall_s) >= {least_s:Float64}
                AND longest_stall_s > ifNull(time_to_first_content_s - time_to_first_chunk_s, 0) AS is_stalled,
            toInt64(round(assumeNotNull(longest_stall_s) * 1e6)) AS waited_us,
            toInt64(round(assumeNotNull(duration_s) * 1e6)) AS length_us
        FROM llm_calls
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
            AND task_name != '' AND longest_stall_s >= 0 AND duration_s > 0 AND ifNull(reasoning_tokens, 0) = 0
    )
    GROUP BY task_name, model, spell
)
GROUP BY task_name, model
HAVING stalled > 0
ORDER BY task_name, model
