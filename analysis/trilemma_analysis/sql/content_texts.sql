-- question: What are the texts of these hashes?
-- parameters: hashes Array(String).
-- columns: hash, text.
-- cost: one look-up by primary key per hash.
SELECT hash, text
FROM content
WHERE hash IN {hashes:Array(String)}
