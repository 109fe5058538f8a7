-- question: What did adopted findings promise?
-- parameters: tasks Array(String) (empty: all).
-- columns: document String (the prediction as JSON).
-- cost: reads the ledger, which has a row per decision of a person.
SELECT document
FROM predictions
WHERE empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name)
ORDER BY adopted_at, finding_id
