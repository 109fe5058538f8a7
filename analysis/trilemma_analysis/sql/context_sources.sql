-- question: How many tokens does each source bring into the context, and which part of its blocks is ever of use?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: task_name, context, source; lookups UInt64 (contexts built in the task, whatever the source); kept, marked_used, marked_unused UInt64
--     (blocks); then over contexts x tokens kept and y contexts, of blocks marked used, marked unused, and not marked:
--     used_{n,x,y,xx,yy,xy}, unused_..., unmarked_....
-- cost: one pass over the blocks of the period.
WITH per_lookup AS
(
    SELECT
        task_name, context, source, trace_id, span_id,
        count() AS kept,
        countIf(mark = 'used') AS marked_used,
        countIf(mark = 'unused') AS marked_unused,
        toUInt64(sumIf(ifNull(tokens, 0), mark = 'used')) AS used,
        toUInt64(sumIf(ifNull(tokens, 0), mark = 'unused')) AS unused,
        toUInt64(sumIf(ifNull(tokens, 0), mark NOT IN ('used', 'unused'))) AS unmarked
    FROM context_blocks
    WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND task_name != '' AND is_kept
    GROUP BY task_name, context, source, trace_id, span_id
),
built AS
(
    SELECT task_name, context, uniqExact(trace_id, span_id) AS lookups
    FROM per_lookup
    GROUP BY task_name, context
)
SELECT
    task_name, context, source,
    any(built.lookups) AS lookups,
    sum(kept) AS kept,
    sum(marked_used) AS marked_used,
    sum(marked_unused) AS marked_unused,
    lookups AS used_n, sum(used) AS used_x, lookups AS used_y, sum(used * used) AS used_xx, lookups AS used_yy, used_x AS used_xy,
    lookups AS unused_n, sum(unused) AS unused_x, lookups AS unused_y, sum(unused * unused) AS unused_xx, lookups AS unused_yy,
    unused_x AS unused_xy,
    lookups AS unmarked_n, sum(unmarked) AS unmarked_x, lookups AS unmarked_y, sum(unmarked * unmarked) AS unmarked_xx,
    lookups AS unmarked_yy, unmarked_x AS unmarked_xy
FROM per_lookup
INNER JOIN built USING (task_name, context)
GROUP BY task_name, context, source
ORDER BY task_name, context, source
