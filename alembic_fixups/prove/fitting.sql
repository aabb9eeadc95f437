-- What a row may be refused for by its table: kind, schema, table, and the definition that tells one
-- from another; the name of an index, which is part of its definition.
SELECT 'constraint' AS kind, nspname, relname, pg_get_constraintdef(pg_constraint.oid), conname,
       -- Keys before those that refer to them.
       contype = 'f'
  FROM pg_constraint
  JOIN pg_class ON pg_class.oid = conrelid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE contype IN ('c', 'u', 'p', 'x', 'f') AND conparentid = 0 AND coninhcount = 0
   AND nspname <> 'information_schema' AND nspname !~ '^pg_'
 UNION ALL
SELECT 'index', nspname, pg_class.relname, pg_get_indexdef(indexrelid), own.relname, false
  FROM pg_index
  JOIN pg_class ON pg_class.oid = indrelid
  JOIN pg_class AS own ON own.oid = indexrelid
  JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
 WHERE indisunique AND indisvalid AND NOT own.relispartition
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('u', 'p', 'x'))
   AND nspname <> 'information_schema' AND nspname !~ '^pg_'
 UNION ALL
SELECT 'column', nspname, relname, attname, attname, false
  FROM pg_attribute
  JOIN pg_class ON pg_class.oid = attrelid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE attnotnull AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p')
   AND nspname <> 'information_schema' AND nspname !~ '^pg_'
 ORDER BY 6, 1, 2, 3, 4, 5
