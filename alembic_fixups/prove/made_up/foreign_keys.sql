-- Every foreign key, but for those that PostgreSQL makes for partitions of one that is there.
SELECT namespace.nspname,
       conname,
       conrelid::bigint,
       ARRAY(SELECT attname::text FROM pg_catalog.unnest(conkey) WITH ORDINALITY AS key (number, n)
               JOIN pg_catalog.pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY n),
       confrelid::bigint,
       ARRAY(SELECT attname::text FROM pg_catalog.unnest(confkey) WITH ORDINALITY AS key (number, n)
               JOIN pg_catalog.pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY n),
       confmatchtype = 'f',
       condeferrable
  FROM pg_catalog.pg_constraint
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = connamespace
 WHERE contype = 'f' AND conparentid = 0
