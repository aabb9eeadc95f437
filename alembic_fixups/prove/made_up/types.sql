-- Every type that a column can have, and what it is made of.
SELECT type.oid::bigint,
       type.typname,
       pg_catalog.format('%I.%I', namespace.nspname, type.typname),
       namespace.nspname,
       type.typtype::text,
       CASE WHEN type.typcategory = 'A' THEN type.typelem::bigint ELSE 0 END,
       -- Between the values of an array stands what its elements' type says.
       coalesce(element.typdelim, ',')::text,
       type.typbasetype::bigint,
       type.typtypmod,
       type.typnotnull,
       coalesce(range.rngsubtype, 0)::bigint,
       coalesce(multirange.rngtypid, 0)::bigint,
       ARRAY(SELECT enumlabel::text FROM pg_catalog.pg_enum
              WHERE enumtypid = type.oid ORDER BY enumsortorder),
       CASE WHEN type.typtype = 'c' THEN (
           SELECT pg_catalog.jsonb_agg(
                      pg_catalog.jsonb_build_array(atttypid::bigint, atttypmod) ORDER BY attnum)
             FROM pg_catalog.pg_attribute
            WHERE attrelid = type.typrelid AND attnum > 0 AND NOT attisdropped
       ) END,
       ARRAY(SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
              WHERE contypid = type.oid AND contype = 'c' ORDER BY conname)
  FROM pg_catalog.pg_type AS type
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
  LEFT JOIN pg_catalog.pg_type AS element ON element.oid = type.typelem
  LEFT JOIN pg_catalog.pg_range AS range ON range.rngtypid = type.oid
  LEFT JOIN pg_catalog.pg_range AS multirange ON multirange.rngmultitypid = type.oid
 WHERE type.typtype IN ('b', 'c', 'd', 'e', 'm', 'r')
