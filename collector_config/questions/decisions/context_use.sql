-- question: How much of the context is kept, how much of that repeats, and how much is ever of use?
-- parameters: since and until DateTime64(3) (until is excluded).
-- columns: context, source, found, kept, tokens_kept, repeated_share (kept blocks seen before), used_share (of the kept blocks with a mark).
-- cost: the blocks of the period.
SELECT
    context, source,
    count() AS found,
    countIf(is_kept) AS kept,
    sumIf(tokens, is_kept) AS tokens_kept,
    1 - uniqExactIf(fingerprint, is_kept) / nullIf(kept, 0) AS repeated_share,
    countIf(is_kept AND mark = 'used') / nullIf(countIf(is_kept AND mark IN ('used', 'unused')), 0) AS used_share
FROM context_blocks
WHERE started_at >= {since:DateTime64(3)} AND started_at < {until:DateTime64(3)}
GROUP BY context, source
ORDER BY context, found DESC, source
