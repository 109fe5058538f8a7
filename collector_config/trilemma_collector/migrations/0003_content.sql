-- Why: prompts repeat (system instructions, tools, the conversation so far), so each distinct part of them is stored once,
-- under its hash. A call's columns system_instructions, input_messages, output_messages and tool_definitions hold the
-- hashes of their parts, in order; any other attribute that is content, or longer than 1 KiB, stays in its span's map as
-- 'content:' and the hash. The two conditions are the same as in 0002.

-- shard by: cityHash64(hash)
CREATE TABLE IF NOT EXISTS {database}.stored_content
(
    hash String,
    text String CODEC(ZSTD(3)),
    last_seen_at DateTime CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(last_seen_at)
ORDER BY hash;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.to_stored_content TO {database}.stored_content AS
SELECT
    lower(hex(sipHash128(part))) AS hash,
    any(part) AS text,
    toDateTime(nowInBlock64(3)) AS last_seen_at
FROM
(
    SELECT arrayJoin(arrayConcat(
        if(startsWith(a['gen_ai.system_instructions'], '['), JSONExtractArrayRaw(a['gen_ai.system_instructions']), arrayFilter(part -> part != '', [a['gen_ai.system_instructions']])),
        if(startsWith(a['gen_ai.input.messages'], '['), JSONExtractArrayRaw(a['gen_ai.input.messages']), arrayFilter(part -> part != '', [a['gen_ai.input.messages']])),
        if(startsWith(a['gen_ai.output.messages'], '['), JSONExtractArrayRaw(a['gen_ai.output.messages']), arrayFilter(part -> part != '', [a['gen_ai.output.messages']])),
        if(startsWith(a['gen_ai.tool.definitions'], '['), JSONExtractArrayRaw(a['gen_ai.tool.definitions']), arrayFilter(part -> part != '', [a['gen_ai.tool.definitions']])),
        mapValues(mapFilter((key, text) -> (length(text) > 1024 OR match(key, '^(input|output)\\.value$|^llm\\.(input|output)_messages|^embedding\\.embeddings|^gen_ai\\.(prompt|completion)(\\.[0-9]|$)|^gen_ai\\.tool\\.call\\.(arguments|result)$|^gen_ai\\.(tool|task|agent|workflow)\\.(input|output|args)|^(traceloop\\.entity|langfuse\\.observation)\\.(input|output)$|^(request|response)_data$|^llm\\.[a-z_]+\\.(messages|choices|content)$|^gen_ai\\.retrieval\\.(documents|query)|^retrieval\\.documents'))
            AND key NOT IN ('gen_ai.system_instructions', 'gen_ai.input.messages', 'gen_ai.output.messages',
                'gen_ai.tool.definitions'), a))
    )) AS part
    FROM {database}.incoming_spans
    WHERE scope_name != 'trilemma'
        OR arrayExists(text -> length(text) > 1024, mapValues(a))
        OR a['gen_ai.input.messages'] != '' OR a['gen_ai.output.messages'] != ''
        OR a['gen_ai.system_instructions'] != '' OR a['gen_ai.tool.definitions'] != ''
)
GROUP BY hash;

CREATE OR REPLACE VIEW {database}.content AS
SELECT hash, text, last_seen_at
FROM {database}.stored_content FINAL;
