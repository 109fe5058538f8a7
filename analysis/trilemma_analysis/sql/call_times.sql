-- question: How long do calls take that end, and after how long do those time out that do not?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded);
--     least UInt64: models of a task with fewer time-outs are left out.
-- columns: task_name, model; bin Int32: a call of it took between 1.02^bin and 1.02^(bin + 1) ms; ended and timed_out UInt64: attempts. A call
--     that timed out after the SDK's retries counts as so many attempts of equal length; one that was retried and ended is left out, as
--     what its first attempt took is not known, and so is one that failed otherwise.
-- cost: one pass over five columns of the calls of the period; returns models x lengths rows.
SELECT task_name, model, bin, ended, timed_out
FROM
(
    SELECT *, sum(timed_out) OVER (PARTITION BY task_name, model) AS all_timed_out
    FROM
    (
        SELECT
            task_name,
            request_model AS model,
            match(error_type, '(?i)time_?d?_?out|deadline') OR ifNull(http_status, 0) IN (408, 504) AS is_timed_out,
            ifNull(retry_count, 0) AS retries,
            toInt32(floor(log((duration_s - if(retries = 0, 0, ifNull(retry_wait_s, 0))) * 1000 / (retries + 1)) / log(1.02))) AS bin,
            countIf(NOT is_timed_out) AS ended,
            sumIf(retries + 1, is_timed_out) AS timed_out
        FROM llm_calls
        WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
            AND ({service:String} = '' OR service_name = {service:String})
            AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
            AND task_name != '' AND duration_s > if(ifNull(retry_count, 0) = 0, 0, ifNull(retry_wait_s, 0))
            AND (is_timed_out OR retries = 0 AND error_type = '' AND status_code != 'Error')
        GROUP BY task_name, model, is_timed_out, retries, bin
    )
)
WHERE all_timed_out >= {least:UInt64}
ORDER BY task_name, model, bin, timed_out, ended
