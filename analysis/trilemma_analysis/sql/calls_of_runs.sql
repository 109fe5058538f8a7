-- question: Which calls did these runs make, with which content?
-- parameters: task_ids Array(String).
-- columns: task_id, started_at, request_model, response_model, finish_reasons, tool_call_names, and the hashes of system_instructions, input_messages and output_messages.
-- cost: the calls of the runs.
SELECT
    task_id, started_at, request_model, response_model, finish_reasons, tool_call_names, system_instructions,
    input_messages, output_messages
FROM llm_calls
WHERE task_id IN {task_ids:Array(String)}
ORDER BY task_id, started_at, span_id
