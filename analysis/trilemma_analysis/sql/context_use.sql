-- question: Which blocks of context are put into prompts, from which source, and how many of those looked at were of no use?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, source; runs, blocks, tokens UInt64 (kept blocks, and tokens where known); marked UInt64 (kept blocks marked used or
--     unused); repeated, repeated_tokens UInt64 (kept once more in the same context, word for word); then sums over runs x unused and y
--     marked blocks: unused_{n,x,y,xx,yy,xy}, and x tokens of unused and y of marked blocks: lost_{n,x,y,xx,yy,xy}.
-- cost: one pass over the context blocks of the period and their marks.
SELECT
    task_name,
    source,
    count() AS runs,
    sum(run_blocks) AS blocks,
    sum(run_tokens) AS tokens,
    sum(run_marked) AS marked,
    sum(run_repeated) AS repeated,
    sum(run_repeated_tokens) AS repeated_tokens,
    countIf(run_marked > 0) AS unused_n,
    sum(run_unused) AS unused_x,
    sum(run_marked) AS unused_y,
    sum(run_unused * run_unused) AS unused_xx,
    sum(run_marked * run_marked) AS unused_yy,
    sum(run_unused * run_marked) AS unused_xy,
    countIf(run_marked_tokens > 0) AS lost_n,
    sum(run_unused_tokens) AS lost_x,
    sum(run_marked_tokens) AS lost_y,
    sum(run_unused_tokens * run_unused_tokens) AS lost_xx,
    sum(run_marked_tokens * run_marked_tokens) AS lost_yy,
    sum(run_unused_tokens * run_marked_tokens) AS lost_xy
FROM
(
    SELECT
        task_name,
        source,
        count() AS run_blocks,
        sum(known_tokens) AS run_tokens,
        countIf(mark IN ('used', 'unused')) AS run_marked,
        countIf(mark = 'unused') AS run_unused,
        sumIf(known_tokens, mark IN ('used', 'unused')) AS run_marked_tokens,
        sumIf(known_tokens, mark = 'unused') AS run_unused_tokens,
        countIf(place > 1) AS run_repeated,
        sumIf(known_tokens, place > 1) AS run_repeated_tokens
    FROM
    (
        SELECT
            task_name, source, if(task_id = '', trace_id, task_id) AS run, mark, toUInt64(ifNull(tokens, 0)) AS known_tokens,
            if(fingerprint = '', 1, row_number() OVER (
                PARTITION BY trace_id, span_id, fingerprint ORDER BY block_id, source, tokens)) AS place
        FROM context_blocks
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
            AND is_kept AND task_name != ''
    )
    GROUP BY task_name, source, run
)
GROUP BY task_name, source
ORDER BY task_name, source
