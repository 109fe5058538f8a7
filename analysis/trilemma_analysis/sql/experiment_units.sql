-- question: How many units did each variant of an experiment get, and with which probability was it to get one?
-- parameters: tasks Array(String) (empty: all), service String (empty: all), since and until DateTime64(6) (until is excluded).
-- columns: experiment, variant; variants Array(String) (all that could be got); units UInt64 (distinct, eligible); least and most Float64, the
--     lowest and highest probability said of this variant (0 where none was said); tasks Array(String), the first two by name.
-- cost: one pass over the decisions about variants of the period; memory grows with the units.
SELECT
    toString(variants_seen.experiment) AS experiment,
    toString(variants_seen.variant) AS variant,
    arraySort(groupUniqArrayArray(arrayMap(name -> toString(name), variants_seen.variants))) AS variants,
    uniqExact(cityHash64(if(unit_hash = '', task_id, unit_hash))) AS units,
    min(ifNull(probability, 0)) AS least,
    max(ifNull(probability, 0)) AS most,
    arraySlice(arraySort(groupUniqArray(toString(task_name))), 1, 2) AS tasks
FROM variants AS variants_seen
WHERE ifNull(is_eligible, true)
    AND (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))
    AND ({service:String} = '' OR service_name = {service:String})
    AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}
GROUP BY experiment, variant
ORDER BY experiment, variant
