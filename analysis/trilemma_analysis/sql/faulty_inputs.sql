-- question: Which inputs fail with an error whatever the combination?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     chosen_tasks Array(String): only these; least_combinations UInt32: inputs tried by fewer are left out.
-- columns: task_name; inputs, runs, failed UInt64 (of the inputs tried by enough); faulty_inputs (all of whose runs failed with an error),
--     faulty_runs UInt64; examples Array(String): the first five of them.
-- cost: one pass over the task runs of the tasks asked for; memory grows with their inputs.
SELECT
    task_name,
    count() AS inputs,
    sum(tries) AS runs,
    sum(failures) AS failed,
    countIf(failures = tries) AS faulty_inputs,
    sumIf(tries, failures = tries) AS faulty_runs,
    arraySlice(arraySort(groupArrayIf(input_id, failures = tries)), 1, 5) AS examples
FROM
(
    SELECT
        task_name,
        input_id,
        count() AS tries,
        countIf((error_count > 0 OR status_code = 'Error') AND outcome != 'success') AS failures
    FROM task_runs
    WHERE has({chosen_tasks:Array(String)}, task_name)
        AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
        AND ({service:String} = '' OR service_name = {service:String})
        AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
        AND input_id != ''
    GROUP BY task_name, input_id
    HAVING uniq(combination) >= {least_combinations:UInt32}
)
GROUP BY task_name
ORDER BY task_name
