-- question: Which rows has this mapping already loaded?
-- parameters: mapping String (name@version)
-- columns: row_id UInt64, content_id UInt64
-- cost: reads 16 bytes per row that the mapping has loaded, by primary key
SELECT row_id, content_id
FROM imported_rows
WHERE mapping = {mapping:String}
