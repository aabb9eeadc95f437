-- The columns that a sequence numbers, and those that refer to them.
WITH RECURSIVE numbered AS (
  SELECT attrelid, attnum
    FROM pg_catalog.pg_attribute
    LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
   WHERE attnum > 0 AND NOT attisdropped
     AND (attidentity <> '' OR pg_catalog.pg_get_expr(adbin, adrelid) LIKE 'nextval(%')
   UNION
  SELECT conrelid, own
    FROM numbered
    JOIN pg_catalog.pg_constraint ON confrelid = attrelid AND contype = 'f'
   CROSS JOIN LATERAL ROWS FROM (
         pg_catalog.unnest(conkey), pg_catalog.unnest(confkey)) AS pair (own, other)
   WHERE other = attnum
)
SELECT namespace.nspname || '.' || relation.relname, attname::text
  FROM numbered
  JOIN pg_catalog.pg_attribute USING (attrelid, attnum)
  JOIN pg_catalog.pg_class AS relation ON relation.oid = attrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
