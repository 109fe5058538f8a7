-- question: What is vouched for tasks, as written last?
-- parameters: tasks Array(String) (empty: all).
-- columns: document String (the certificate as JSON).
-- cost: reads the ledger, which has a row per decision of a person.
SELECT document
FROM certificates
WHERE empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name)
ORDER BY task_name
