-- question: What is told of these runs after them: outcomes that come late, and the scores of two judges?
-- parameters: runs UInt64, first UInt64 and last UInt64, as of generate_spans
-- columns: those of otel_logs
-- cost: computes about 500,000 events a second on one core
WITH toDateTime64('2026-10-20 00:00:00', 9, 'UTC') AS epoch
SELECT
    epoch + toIntervalNanosecond(toUInt64(run * (30 * 86400e9 / {runs:UInt64})) + 60000000000 + run_hash % 1000000000) AS Timestamp,
    lower(hex(sipHash128(run, 't'))) AS TraceId,
    lower(hex(sipHash64(run, 1))) AS SpanId,
    0 AS TraceFlags,
    '' AS SeverityText,
    0 AS SeverityNumber,
    ['shop-api', 'search-api', 'back-office'][1 + run_hash % 3] AS ServiceName,
    '' AS Body,
    '' AS ResourceSchemaUrl,
    map('service.name', ServiceName) AS ResourceAttributes,
    '' AS ScopeSchemaUrl,
    'trilemma' AS ScopeName,
    '' AS ScopeVersion,
    map() AS ScopeAttributes,
    mapConcat(
        map('trilemma.task.id', lower(hex(sipHash128(run, 'id'))), 'trilemma.task.name', task),
        if(event = 'outcome', map('trilemma.task.outcome', if(failed, 'failure', 'success'), 'trilemma.task.outcome_source', 'human'),
            map('gen_ai.evaluation.name', event, 'trilemma.evaluation.source', 'judge',
                'gen_ai.evaluation.score.value', toString(if(failed != (run_hash % 7 = 0), 0.2, 0.9)),
                'gen_ai.evaluation.score.label', if(failed != (run_hash % 7 = 0), 'fail', 'pass')))
    ) AS LogAttributes,
    if(event = 'outcome', 'trilemma.task.outcome', 'gen_ai.evaluation.result') AS EventName
FROM
(
    WITH
        ['support.refund', 'support.triage', 'support.reply', 'search.rewrite', 'search.answer', 'sales.summary', 'sales.email',
            'docs.extract', 'docs.classify', 'code.review', 'code.explain', 'ops.postmortem'] AS tasks,
        sipHash64(run, 'run') AS run_hash,
        run_hash % 2 = 0 AS is_shared,
        if(is_shared, sipHash64(run, 'input') % greatest(intDiv({runs:UInt64}, 8), 1), run) AS input_number,
        sipHash64(input_number, is_shared) AS input_hash,
        intDiv(run_hash, 64) % 10 = 9 AS is_third
    SELECT
        number AS run,
        run_hash,
        tasks[1 + intDiv(toUInt64(pow(input_hash % 1000, 2) * 12), 1000000)] AS task,
        sipHash64(run, 'outcome') % 1000 < (40 + input_hash % 100 + if(is_third, 60, 0)) AS failed,
        -- One outcome in twenty comes late, of which a half never; a tenth of the runs is judged, some by two judges.
        arrayJoin(arrayConcat(if(intDiv(run_hash, 1048576) % 40 = 0, ['outcome'], []), if(intDiv(run_hash, 1024) % 10 = 3, ['helpfulness'], []),
            if(intDiv(run_hash, 1024) % 30 = 13, ['policy'], []))) AS event
    FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
)
