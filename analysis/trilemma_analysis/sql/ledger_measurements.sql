-- question: What came of adopted findings, as measured last?
-- parameters: tasks Array(String) (empty: all).
-- columns: document String (the measurement as JSON).
-- cost: reads the ledger, which has a row per decision of a person.
SELECT document
FROM measurements
WHERE empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name)
ORDER BY adopted_at, finding_id
