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
 UNION ALL
-- What a type holds, where another one of the same kind might hold more.
SELECT 'type', nspname, relname,
       CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN
              format('CHECK (char_length(%I) <= %s)', attname, atttypmod - 4)
            WHEN atttypid = 'numeric'::regtype THEN
              -- Precision and scale, the latter of 11 bits with its sign (numeric.c).
              format('CHECK (abs(round(%I, %s)) < 10::numeric ^ %s)', attname, scale, precision - scale)
            WHEN atttypid = 'smallint'::regtype THEN format('CHECK (%I BETWEEN -32768 AND 32767)', attname)
            ELSE format('CHECK (%I BETWEEN -2147483648 AND 2147483647)', attname)
       END,
       format('%s of %I', format_type(atttypid, atttypmod), attname), false
  FROM pg_attribute
  JOIN pg_class ON pg_class.oid = attrelid
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 CROSS JOIN LATERAL (SELECT ((atttypmod - 4) >> 16) & 65535, (((atttypmod - 4) & 2047) # 1024) - 1024)
       AS numbers (precision, scale)
 WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p')
   AND (atttypid IN ('smallint'::regtype, 'integer'::regtype)
        OR atttypmod > 0 AND atttypid IN ('varchar'::regtype, 'bpchar'::regtype, 'numeric'::regtype))
   AND nspname <> 'information_schema' AND nspname !~ '^pg_'
 ORDER BY 6, 1, 2, 3, 4, 5
